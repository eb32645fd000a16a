"""Copies on a calendar that is linked no longer stay, or follow: wished at once, done in parts (R16)."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, Integration, LinkState
from service.store import integrations, moving
from service.store.sets import among
from service.store.tables import integrations as table
from service.store.tables import links
from service.store.tombstones import copies_on

Copies = Literal["move", "leave", "half_way"]
"""They follow; they stay; those follow that are under way already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a person wished for the copies elsewhere, until it is done."""

    copies: Copies
    calendars: tuple[str, ...] = ()
    """Where those stand that are to follow."""


async def wished(connection: AsyncConnection, integration_id: str) -> Wish | None:
    """What is still to be done; nothing for most."""
    stored: Any = await connection.scalar(select(table.c.parting).where(table.c.id == integration_id))
    return Wish(copies=stored["copies"], calendars=tuple(stored["calendars"])) if stored else None


async def wish(connection: AsyncConnection, integration_id: str, parting: Wish | None) -> None:
    """Note what is to be done with the copies elsewhere, in place of what was wished before."""
    stored = {"copies": parting.copies, "calendars": list(parting.calendars)} if parting else None
    await integrations.change(connection, integration_id, parting=stored)


async def leave(connection: AsyncConnection, before: Integration) -> None:
    """Nothing follows to the calendar that is chosen now: copies stay where they are."""
    await wish(connection, before.id, Wish(copies="leave"))


async def follow(connection: AsyncConnection, before: Integration) -> bool:
    """Have every copy on the calendar that was linked until now follow; whether there may be one.

    What nobody is sure of is marked at once: it may be settled before its turn comes. What was to stay by
    an earlier wish stays, also where that was not done yet.
    """
    assert before.calendar_id is not None
    earlier = await wished(connection, before.id)
    if earlier and earlier.copies != "move":
        marked = (*_living(before.id), links.c.moving, _stays(before, earlier))
        staying = await _locked(connection, select(links.c.id).where(*marked))
        await connection.execute(update(links).where(_one_of(connection, staying)).values(moving=False))
    calendars = earlier.calendars if earlier and earlier.copies == "move" else ()
    await wish(connection, before.id, Wish(copies="move", calendars=(*calendars, before.calendar_id)))
    copies = (*_living(before.id), copies_on(before.calendar_id))
    unsure = await _locked(connection, select(links.c.id).where(*copies, ~links.c.exists_there))
    await connection.execute(update(links).where(among(connection, links.c.id, unsure)).values(moving=True))
    found = await connection.scalar(select(links.c.id).where(*copies).limit(1))
    return bool(found or calendars) or await moving.count(connection, before.id) > 0


async def halve(connection: AsyncConnection, integration_id: str) -> bool:
    """Only copies that are half-way are still to follow; whether any may be."""
    parting = await wished(connection, integration_id)
    if parting is None and not await moving.count(connection, integration_id):
        return False
    if parting is None or parting.copies == "move":
        await wish(connection, integration_id, Wish(copies="half_way"))
    return True


async def calendars(connection: AsyncConnection, integration: Integration) -> list[str]:
    """The calendars other than the linked one on which there is something to let go of."""
    elsewhere = links.c.calendar_id != integration.calendar_id
    found = await connection.scalars(
        select(links.c.calendar_id).where(*_living(integration.id), elsewhere).distinct()
    )
    return sorted(found)


async def let_go(
    connection: AsyncConnection,
    integration: Integration,
    parting: Wish,
    *,
    calendar_id: str,
    after: str,
    limit: int,
) -> str | None:
    """Keep the next copies there alike no longer, and mark those that follow; where it goes on, or None."""
    there = (*_living(integration.id), links.c.calendar_id == calendar_id)
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref)
        .where(*there, links.c.item_ref > after)
        .order_by(links.c.item_ref)
        .limit(limit)
    )
    found = rows.all()
    if not found:
        return None
    chosen = await _locked(
        connection, select(links.c.id).where(*there, _one_of(connection, [row.id for row in found]))
    )
    follows = parting.copies == "move" and calendar_id in parting.calendars
    marked = {"moving": or_(links.c.moving, copies_on(calendar_id))} if follows else {}
    done = {"state": LinkState.LET_GO, "code": Code.OK, "retry_at": None, "verify_at": None}
    await connection.execute(update(links).where(_one_of(connection, chosen)).values(**done, **marked))
    return found[-1].item_ref if len(found) == limit else None


async def unmark(
    connection: AsyncConnection, integration: Integration, parting: Wish, *, after: str, limit: int
) -> str | None:
    """The next marked copies stay, but for those that are still to follow; where it goes on, or None."""
    marked = (*_living(integration.id), moving.LITERALLY_MOVING, links.c.id > after)
    query = select(links.c.id).where(*marked).order_by(links.c.id).limit(limit)
    chosen = await _locked(connection, query)
    if not chosen:
        return None
    stay = update(links).where(_one_of(connection, chosen), _stays(integration, parting))
    await connection.execute(stay.values(moving=False))
    return chosen[-1] if len(chosen) == limit else None


def _stays(integration: Integration, parting: Wish) -> ColumnElement[bool]:
    """Whether a marked copy follows no longer; one on the calendar that is chosen again has nowhere to go."""
    here = links.c.calendar_id == integration.calendar_id
    if parting.copies == "move":
        return here
    return or_(here, ~moving.followed()) if parting.copies == "half_way" else true()


def _living(integration_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return links.c.integration_id == integration_id, links.c.ended_at.is_(None)


def _one_of(connection: AsyncConnection, ids: list[str]) -> ColumnElement[bool]:
    return among(connection, links.c.id, ids)


async def _locked(connection: AsyncConnection, query: Any) -> list[str]:
    """In the order of their ids, as everyone locks them, so that no two wait for each other."""
    return list(await connection.scalars(query.order_by(None).order_by(links.c.id).with_for_update()))
