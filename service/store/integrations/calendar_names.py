"""The names under which calendars and accounts are shown: those that they have at Cronofy (R1)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration
from service.store.tables import integrations


async def differ(
    connection: AsyncConnection, integration: Integration, profile_name: str, names: Mapping[str, str]
) -> bool:
    """Whether an integration of that account, deleted ones included, is shown under another name."""
    rows = await connection.execute(select(integrations).where(_of_account(integration)))
    return any(_named(row, profile_name, names) for row in rows.mappings())


async def keep(
    connection: AsyncConnection, integration: Integration, profile_name: str, names: Mapping[str, str]
) -> None:
    """Give all integrations of that account these names, by the calendars' ids.

    Two calendars may have changed names with each other. A name that another of the person's integrations
    has, whose calendar is gone, stays that one's.
    """
    query = select(integrations).where(_of_account(integration)).order_by(integrations.c.id)
    rows = (await connection.execute(query.with_for_update())).mappings().all()
    changed = {row["id"]: new for row in rows if (new := _named(row, profile_name, names))}
    await connection.execute(
        update(integrations).where(integrations.c.id.in_(changed)).values(calendar_name=None)
    )
    others = _of_people({row["user_id"] for row in rows})
    taken = {_identity(row, {}) for row in (await connection.execute(others)).mappings()}
    for row in rows:
        if row["id"] not in changed:
            continue
        values: dict[str, Any] = {"calendar_name": row["calendar_name"]} | changed[row["id"]]
        shown = row["deleted_at"] is None and values["calendar_name"] is not None
        if shown and _identity(row, values) in taken:
            values = {"calendar_name": row["calendar_name"]}
        if shown:
            taken.add(_identity(row, values))
        await connection.execute(update(integrations).where(integrations.c.id == row["id"]).values(values))


def _of_people(user_ids: Iterable[str]) -> Select[Any]:
    """All calendars that these people have linked."""
    return select(integrations).where(
        integrations.c.user_id.in_(sorted(user_ids)),
        integrations.c.deleted_at.is_(None),
        integrations.c.calendar_name.is_not(None),
    )


def _of_account(integration: Integration) -> ColumnElement[bool]:
    return and_(
        integrations.c.sub == integration.sub,
        integrations.c.profile_id == integration.profile_id,
        integrations.c.erasing_since.is_(None),
    )


def _named(row: RowMapping, profile_name: str, names: Mapping[str, str]) -> dict[str, str]:
    """What is to be shown in place of what is; nothing where all is as it should be."""
    account = profile_name or row["profile_name"]
    calendar = names.get(row["calendar_id"], row["calendar_name"])
    wanted = {"profile_name": account, "calendar_name": calendar}
    if row["account_name"] == row["profile_name"]:
        wanted["account_name"] = account
    return {name: value for name, value in wanted.items() if value != row[name]}


def _identity(row: RowMapping, new: Mapping[str, Any]) -> Sequence[Any]:
    """By what one calendar of a person is told from another (R1)."""
    whose = (row["tenant_id"], row["user_id"], row["provider_name"])
    return (*whose, *({**row, **new}[name] for name in ("profile_name", "calendar_name")))
