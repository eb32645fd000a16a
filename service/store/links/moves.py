"""Copies that follow their integration to another calendar: marked first, one mark less a copy (R16)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, Integration, ItemRef, LinkId, LinkState, Origin
from service.store.engine.sets import among
from service.store.integrations import integrations
from service.store.links.tombstones import copies_on, copies_there
from service.store.tables import integrations as table
from service.store.tables import item_assignees, items, links

CopiesPlan = Literal["move", "leave", "half_way"]
"""They follow; they stay; those follow that are under way already."""

IN_FLIGHT_SECONDS = 30.0
"""Seconds after the end of a claim for which a write of a stopped process may still come through."""
LITERALLY_MOVING = text("links.moving")
"""As the index says it: SQLite would not choose it for a comparison with 1."""
ON_THEIR_WAY = (LinkState.BEHIND.value, LinkState.RETRYING.value, LinkState.HELD.value)


async def done(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """These have been moved, or stay where they are."""
    await connection.execute(update(links).where(among(connection, links.c.id, ids)).values(moving=False))


def _moving(integration_id: str) -> ColumnElement[bool]:
    return and_(links.c.integration_id == integration_id, LITERALLY_MOVING)


def followed() -> ColumnElement[bool]:
    """Whether the successor of a copy stands, or is on its way."""
    other = links.alias()
    successor = and_(
        other.c.integration_id == links.c.integration_id,
        other.c.item_ref == links.c.item_ref,
        other.c.calendar_id != links.c.calendar_id,
        or_(other.c.exists_there, other.c.state.in_(ON_THEIR_WAY)),
        other.c.ended_at.is_(None),
        ~other.c.moving,
    )
    return select(other.c.id).where(successor).exists()


async def count(connection: AsyncConnection, integration_id: str) -> int:
    """How many copies are still to follow."""
    which = (_moving(integration_id), links.c.ended_at.is_(None))
    return await connection.scalar(select(func.count()).select_from(links).where(*which)) or 0


async def following(
    connection: AsyncConnection, integration_id: str, *, after: str, limit: int
) -> Sequence[tuple[LinkId, str]]:
    """The next copies that are to follow, each with its item's ref."""
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref)
        .where(_moving(integration_id), links.c.ended_at.is_(None), links.c.id > after)
        .order_by(links.c.id)
        .limit(limit)
    )
    return [(LinkId(row.id), row.item_ref) for row in rows]


async def copies(connection: AsyncConnection, before: Integration, *, limit: int) -> Sequence[ItemRef]:
    """The items whose copies would follow, were another calendar chosen now."""
    which = (links.c.integration_id == before.id, copies_there(before), links.c.ended_at.is_(None))
    query = select(links.c.item_ref).where(*which).order_by(links.c.id).limit(limit)
    return [ItemRef(ref) for ref in await connection.scalars(query)]


async def still(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[tuple[LinkId, str]]:
    """Those of these that are still to follow, each with its item's ref."""
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref)
        .where(among(connection, links.c.id, ids), links.c.moving, links.c.ended_at.is_(None))
        .order_by(links.c.id)
    )
    return [(LinkId(row.id), row.item_ref) for row in rows]


async def in_flight(connection: AsyncConnection, ids: Sequence[str], *, now: float) -> bool:
    """Whether a write of one of these links may still be in the air."""
    found = await connection.scalar(
        select(links.c.id)
        .where(among(connection, links.c.id, ids), links.c.claimed_by.is_not(None))
        .where(links.c.claimed_until > now - IN_FLIGHT_SECONDS)
        .limit(1)
    )
    return found is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class WishForCopies:
    """What a person wished for the copies elsewhere, until it is done."""

    copies: CopiesPlan
    calendars: tuple[str, ...] = ()
    """Where those stand that are to follow."""


async def wish_for_copies(connection: AsyncConnection, integration_id: str) -> WishForCopies | None:
    """What is still to be done; nothing for most."""
    stored: Any = await connection.scalar(select(table.c.parting).where(table.c.id == integration_id))
    return WishForCopies(copies=stored["copies"], calendars=tuple(stored["calendars"])) if stored else None


async def note_wish(connection: AsyncConnection, integration_id: str, parting: WishForCopies | None) -> None:
    """Note what is to be done with the copies elsewhere, in place of what was wished before."""
    stored = {"copies": parting.copies, "calendars": list(parting.calendars)} if parting else None
    await integrations.change(connection, integration_id, parting=stored)


async def leave(connection: AsyncConnection, before: Integration) -> None:
    """Nothing follows to the calendar that is chosen now: copies stay where they are."""
    await note_wish(connection, before.id, WishForCopies(copies="leave"))


async def follow(connection: AsyncConnection, before: Integration) -> bool:
    """Have every copy on the calendar that was linked until now follow; whether there may be one.

    What nobody is sure of is marked at once: it may be settled before its turn comes. What was to stay by
    an earlier wish stays, also where that was not done yet.
    """
    assert before.calendar_id is not None
    earlier = await wish_for_copies(connection, before.id)
    if earlier and earlier.copies != "move":
        marked = (*_living(before.id), links.c.moving, _stays(before, earlier))
        staying = await _locked(connection, select(links.c.id).where(*marked))
        await connection.execute(update(links).where(_one_of(connection, staying)).values(moving=False))
    calendars = earlier.calendars if earlier and earlier.copies == "move" else ()
    await note_wish(
        connection, before.id, WishForCopies(copies="move", calendars=(*calendars, before.calendar_id))
    )
    copies = (*_living(before.id), copies_on(before.calendar_id))
    unsure = await _locked(connection, select(links.c.id).where(*copies, ~links.c.exists_there))
    await connection.execute(update(links).where(among(connection, links.c.id, unsure)).values(moving=True))
    found = await connection.scalar(select(links.c.id).where(*copies).limit(1))
    return bool(found or calendars) or await count(connection, before.id) > 0


async def halve(connection: AsyncConnection, integration_id: str) -> bool:
    """Only copies that are half-way are still to follow; whether any may be."""
    parting = await wish_for_copies(connection, integration_id)
    if parting is None and not await count(connection, integration_id):
        return False
    if parting is None or parting.copies == "move":
        await note_wish(connection, integration_id, WishForCopies(copies="half_way"))
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
    parting: WishForCopies,
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


async def follow_again(connection: AsyncConnection, integration: Integration) -> bool:
    """Keep alike once more what was let go of on the linked calendar for another one that was chosen.

    Whether there was any. Not what its owner let go of there, of which is known how the item was then (R6).
    """
    here = (*_living(integration.id), links.c.calendar_id == integration.calendar_id)
    left = (links.c.state == LinkState.LET_GO, links.c.let_go_print.is_(None), links.c.exists_there)
    theirs = select(item_assignees.c.item_ref).join(items, items.c.ref == item_assignees.c.item_ref)
    theirs = theirs.where(
        item_assignees.c.item_ref == links.c.item_ref,
        item_assignees.c.user_id == integration.user_id,
        items.c.deleted.is_(False),
    )
    # what was taken off My Calendar while another calendar was linked costs nobody an event of their own
    wanted = or_(links.c.origin == Origin.OURS, theirs.exists())
    chosen = await _locked(connection, select(links.c.id).where(*here, *left, wanted))
    # what was not written then is still to be written: as if nothing had been wished for since
    again = {"state": LinkState.AGREED, "code": None, "desired_revision": links.c.applied_revision}
    await connection.execute(update(links).where(_one_of(connection, chosen)).values(**again))
    return bool(chosen)


async def unmark(
    connection: AsyncConnection, integration: Integration, parting: WishForCopies, *, after: str, limit: int
) -> str | None:
    """The next marked copies stay, but for those that are still to follow; where it goes on, or None."""
    marked = (*_living(integration.id), LITERALLY_MOVING, links.c.id > after)
    query = select(links.c.id).where(*marked).order_by(links.c.id).limit(limit)
    chosen = await _locked(connection, query)
    if not chosen:
        return None
    stay = update(links).where(_one_of(connection, chosen), _stays(integration, parting))
    await connection.execute(stay.values(moving=False))
    return chosen[-1] if len(chosen) == limit else None


def _stays(integration: Integration, parting: WishForCopies) -> ColumnElement[bool]:
    """Whether a marked copy follows no longer; one on the calendar that is chosen again has nowhere to go."""
    here = links.c.calendar_id == integration.calendar_id
    if parting.copies == "move":
        return here
    return or_(here, ~followed()) if parting.copies == "half_way" else true()


def _living(integration_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return links.c.integration_id == integration_id, links.c.ended_at.is_(None)


def _one_of(connection: AsyncConnection, ids: list[str]) -> ColumnElement[bool]:
    return among(connection, links.c.id, ids)


async def _locked(connection: AsyncConnection, query: Any) -> list[str]:
    """In the order of their ids, as everyone locks them, so that no two wait for each other."""
    return list(await connection.scalars(query.order_by(None).order_by(links.c.id).with_for_update()))
