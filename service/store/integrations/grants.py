"""The grants that integrations live on, and how one takes the place of another."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Reason, Status
from service.store.integrations.listing import Owner
from service.store.tables import credentials, integrations


async def to_reconnect(
    connection: AsyncConnection, owner: Owner, *, provider_name: str, profile_name: str
) -> Sequence[str]:
    """Those of that account that a new grant belongs to: all without connection, else an unfinished one."""
    rows = await connection.execute(
        select(integrations.c.id, integrations.c.status)
        .where(
            integrations.c.tenant_id == owner.tenant_id,
            integrations.c.user_id == owner.user_id,
            integrations.c.provider_name == provider_name,
            integrations.c.profile_name == profile_name,
            integrations.c.deleted_at.is_(None),
            integrations.c.status.in_((Status.NOT_CONNECTED, Status.SETUP)),
            integrations.c.erasing_since.is_(None),
        )
        .order_by(integrations.c.id)
    )
    found = [(row.id, row.status) for row in rows]
    lost = [one for one, status in found if status == Status.NOT_CONNECTED]
    return lost or [one for one, _ in found][:1]


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantInUse:
    """The grant that an integration lives on, and its channel."""

    integration_id: str
    sub: str
    profile_id: str
    channel_id: str | None


async def granted(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[GrantInUse]:
    """The grants of these integrations as they stand."""
    table = integrations.c
    query = select(table.id, table.sub, table.profile_id, table.channel_id).where(table.id.in_(ids))
    rows = await connection.execute(query.order_by(table.id))
    return [
        GrantInUse(integration_id=row.id, sub=row.sub, profile_id=row.profile_id, channel_id=row.channel_id)
        for row in rows
    ]


async def uses_profile(connection: AsyncConnection, sub: str, profile_id: str, *, but: Sequence[str]) -> bool:
    """Whether an integration other than these needs that profile, one that is being deleted included."""
    table = integrations.c
    found = await connection.scalar(
        select(table.id)
        .where(table.sub == sub, table.profile_id == profile_id)
        .where(table.erased_at.is_(None), table.id.not_in(but))
        .limit(1)
    )
    return found is not None


async def uses_account(connection: AsyncConnection, sub: str, *, but: Sequence[str] = ()) -> bool:
    """Whether an integration other than these needs anything of that account, a leaving one included."""
    table = integrations.c
    mine = (table.sub == sub, table.erased_at.is_(None), table.erasing_since.is_(None))
    found = await connection.scalar(select(table.id).where(*mine, table.id.not_in(but)).limit(1))
    return found is not None


async def is_erasing(connection: AsyncConnection, sub: str) -> bool:
    """Whether that account's owner asked to be forgotten, and is not erased yet (R41)."""
    mine = (integrations.c.sub == sub, integrations.c.erasing_since.is_not(None))
    return await connection.scalar(select(integrations.c.id).where(*mine).limit(1)) is not None


async def erase_unused(connection: AsyncConnection, sub: str) -> None:
    """Erase the account's tokens, unless an integration lives on them."""
    used = select(integrations.c.id).where(integrations.c.sub == sub, integrations.c.erased_at.is_(None))
    await connection.execute(delete(credentials).where(credentials.c.sub == sub, ~used.exists()))


async def living_on(connection: AsyncConnection, sub: str) -> Sequence[str]:
    """The integrations, of whomever, that are not known to have lost that account."""
    table = integrations.c
    mine = (table.sub == sub, table.deleted_at.is_(None), table.status != Status.NOT_CONNECTED)
    return list(await connection.scalars(select(table.id).where(*mine).order_by(table.id)))


async def hand_over(connection: AsyncConnection, ids: Sequence[str], *, sub: str, profile_id: str) -> None:
    """Give these integrations a new grant; the tokens that it replaces are erased, unless others use them."""
    mine = integrations.c.id.in_(ids)
    query = select(integrations.c.sub).where(mine, integrations.c.sub != sub).order_by(integrations.c.id)
    before = set(await connection.scalars(query.with_for_update()))
    # another profile's calendars have other ids, all of them: what keeps it disconnected is the account (R1)
    anew = (integrations.c.profile_id != profile_id, integrations.c.status == Status.NOT_CONNECTED)
    await connection.execute(
        update(integrations).where(mine, *anew).values(reason=Reason.PERMISSION_WITHDRAWN)
    )
    grant = {"sub": sub, "profile_id": profile_id, "channel_id": None, "grant_refused": False}
    await connection.execute(update(integrations).where(mine).values(**grant))
    used = select(integrations.c.sub).where(integrations.c.erased_at.is_(None))
    await connection.execute(
        delete(credentials).where(credentials.c.sub.in_(before), credentials.c.sub.not_in(used))
    )


async def of_profile(connection: AsyncConnection, integration_id: str) -> Sequence[str]:
    """All living integrations of the same account and profile, this one included: one grant serves all."""
    mine = select(integrations.c.sub, integrations.c.profile_id).where(integrations.c.id == integration_id)
    sub, profile_id = (await connection.execute(mine)).one()
    rows = await connection.scalars(
        select(integrations.c.id)
        .where(integrations.c.sub == sub, integrations.c.profile_id == profile_id)
        .where(integrations.c.deleted_at.is_(None))
        .order_by(integrations.c.id)
    )
    return list(rows)
