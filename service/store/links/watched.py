"""What a watching integration would have on both sides by now: links and items that nobody else ever sees."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, Item, ItemRef, Link
from contracts.times import as_instant
from contracts.vorex import ItemContent, ItemType
from handlers.texts.compose import event_span
from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.links.links import columns_of, link_of
from service.store.tables import integrations, links, watched

ASKED_KEY = "held:"
EVENTS_WATCHED_A_PERSON = 20_000
"""Of all that one person watches; as many as the appointments that one person may have (R43)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedPair:
    """A link as it would be by now, and its item where that would be another one than is stored."""

    link: Link
    item: Item | None


async def of_events(
    connection: AsyncConnection,
    integration: Integration,
    *,
    event_ids: Collection[str],
    event_uids: Collection[str],
    link_ids: Collection[str] = (),
) -> Sequence[WatchedPair]:
    """Those that speak of these events, or are these links."""
    table = watched.c
    about = or_(
        among(connection, table.event_id, event_ids),
        among(connection, table.event_uid, event_uids),
        among(connection, table.key, link_ids),
    )
    mine = table.integration_id == integration.id, table.link.is_not(None)
    rows = await connection.execute(select(watched).where(*mine, about))
    return [_pair(row) for row in rows.mappings()]


async def beginning(
    connection: AsyncConnection, integration: Integration, starts: Collection[datetime]
) -> Sequence[Item]:
    """Items that would be there by now and begin at one of these moments."""
    table = watched.c
    mine = table.integration_id == integration.id, table.stands, table.item.is_not(None)
    rows = await connection.scalars(select(table.item).where(*mine, table.starts_at.in_(sorted(starts))))
    return [_item(form) for form in rows]


async def asked_among(
    connection: AsyncConnection, integration: Integration, uids: Collection[str]
) -> frozenset[str]:
    """Those of these events about which a person would be asked."""
    keys = [f"{ASKED_KEY}{uid}" for uid in uids]
    mine = watched.c.integration_id == integration.id, among(connection, watched.c.key, keys)
    found = await connection.scalars(select(watched.c.key).where(*mine))
    return frozenset(key.removeprefix(ASKED_KEY) for key in found)


async def is_full(connection: AsyncConnection, integration: Integration) -> bool:
    """Whether as much is remembered of its person's integrations as may be (R43)."""
    whose = integrations.c.id == watched.c.integration_id
    theirs = integrations.c.tenant_id == integration.tenant_id, integrations.c.user_id == integration.user_id
    some = (
        select(watched.c.key)
        .join(integrations, whose)
        .where(*theirs)
        .limit(EVENTS_WATCHED_A_PERSON)
        .subquery()
    )
    return await connection.scalar(select(func.count()).select_from(some)) == EVENTS_WATCHED_A_PERSON


async def new_pairs(connection: AsyncConnection, integration: Integration) -> int:
    """How many would stand that do not."""
    stored = exists().where(links.c.id == watched.c.key)
    mine = watched.c.integration_id == integration.id, watched.c.stands, ~stored
    return await connection.scalar(select(func.count()).select_from(watched).where(*mine)) or 0


async def save(
    connection: AsyncConnection,
    integration: Integration,
    changed: Iterable[Link],
    items: Mapping[ItemRef, Item],
    *,
    asked: Collection[str] = (),
) -> None:
    """Remember these links, each with its item where one of these is its; and whom would be asked about."""
    rows = [_row(integration, link, items.get(link.item_ref)) for link in changed]
    rows += [
        _nothing(integration, f"{ASKED_KEY}{uid}") | {"event_uid": uid} for uid in asked
    ]  # fmt: skip
    for row in rows:
        new = merging_insert(connection, watched).values(row)
        again = {name: new.excluded[name] for name in row if name not in {"integration_id", "key"}}
        await connection.execute(
            new.on_conflict_do_update(index_elements=["integration_id", "key"], set_=again)
        )


async def forget(connection: AsyncConnection, integration_id: str) -> None:
    """It watches no longer."""
    await connection.execute(delete(watched).where(watched.c.integration_id == integration_id))


def _nothing(integration: Integration, key: str) -> dict[str, Any]:
    empty = dict.fromkeys(("event_id", "event_uid", "item_ref", "starts_at", "link", "item"))
    return {"integration_id": integration.id, "key": key, "stands": False, **empty}


def _row(integration: Integration, link: Link, item: Item | None) -> dict[str, Any]:
    times = event_span(item.content) if item is not None and item.content else None
    return _nothing(integration, link.id) | {
        "event_id": link.event_id,
        "event_uid": link.event_uid,
        "item_ref": link.item_ref,
        "stands": link.exists_there and link.ended_at is None and (item is None or not item.deleted),
        "starts_at": as_instant(times[0]) if times else None,
        "link": _link_form(link),
        "item": None if item is None else _item_form(item),
    }


def _pair(row: Mapping[Any, Any]) -> WatchedPair:
    form = dict(row["link"])
    moments = {name: _moment(form[name]) for name in ("event_updated", "ended_at")}
    link = link_of(form | moments)
    return WatchedPair(link=link, item=None if row["item"] is None else _item(row["item"]))


def _link_form(link: Link) -> dict[str, Any]:
    told = columns_of(link)
    keys = {"id": link.id, "integration_id": link.integration_id, "item_ref": link.item_ref, "claim_epoch": 0}
    return told | keys | {name: _text(told[name]) for name in ("event_updated", "ended_at")}


_PLAIN = (
    "ref", "tenant_id", "id", "version", "vorex_version", "sync_version", "revision", "deleted",
    "changed_by", "imported_by", "read_only_reason",
)  # fmt: skip


def _item_form(item: Item) -> dict[str, Any]:
    content = item.content.to_json_dict() if item.content else None
    told = {name: getattr(item, name) for name in _PLAIN}
    return told | {"type": item.type.value, "content": content, "changed_at": _text(item.changed_at)}


def _item(form: Mapping[str, Any]) -> Item:
    return Item(
        **{name: form[name] for name in _PLAIN},
        type=ItemType(form["type"]),
        content=ItemContent.from_json_dict(form["content"]) if form["content"] else None,
        changed_at=datetime.fromisoformat(form["changed_at"]),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
