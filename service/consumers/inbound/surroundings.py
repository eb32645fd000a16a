"""What bears on events that came: others' copies, the person's own items, what was brought lately."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypedDict

import structlog

from contracts.calendar import Integration, ItemRef, Link
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields
from contracts.times import as_instant
from handlers.arrivals.imported_ids import MOST_IMPORTS, own_id
from handlers.arrivals.look_alikes import ALIKE_SECONDS, looks_of_items
from handlers.matching import MatchKey, match_key_of_event
from service.store.engine.store import AsyncConnection
from service.store.integrations import reads
from service.store.items import items
from service.store.links import links
from service.store.logs import logs
from service.telemetry.logs import EventName

log = structlog.get_logger(__name__)

COPIES_LEFT_OUT: EventName = "copies.left_out"
MOST_COPIES_COMPARED = 10_000
"""Of other people on one calendar, for one page of a read: a hundred for each event of it."""


class Surroundings(TypedDict, total=False):
    """Fields of ``KnownRows``; none where no event of the page is new."""

    twins: frozenset[MatchKey]
    former: Mapping[str, Link]
    own_series: frozenset[str]
    alike: frozenset[MatchKey]
    recent: Sequence[tuple[str, str | None]]
    taken: frozenset[ItemRef]


async def surroundings(
    connection: AsyncConnection,
    integration: Integration,
    events: Sequence[CronofyEvent],
    known: Sequence[Link],
    *,
    now: float,
) -> Surroundings:
    """What the store knows of the moments and names of the events that no link speaks of."""
    uids = {link.event_uid for link in known}
    new = [event for event in events if event.event_id is None and event.event_uid not in uids]
    if not new:
        return {}
    starts = {as_instant(event.start) for event in new}
    copies = await _copies(connection, integration, starts)
    beginning = await items.of_person_at(connection, integration, starts)
    series = {event.series_identifier for event in new if event.series_identifier}
    return {
        "twins": frozenset(match_key_of_event(copy) for copy in copies),
        "former": await links.former_among(connection, integration.id, {event.event_uid for event in new}),
        "own_series": await links.own_series_among(connection, integration.id, series),
        "alike": looks_of_items(beginning),
        "taken": await _taken(connection, integration, new),
        "recent": await logs.created_lately(connection, integration, since=now - ALIKE_SECONDS),
    }


async def _taken(
    connection: AsyncConnection, integration: Integration, new: Sequence[CronofyEvent]
) -> frozenset[ItemRef]:
    """Of the events' own ids, those that are not free; the next is asked for where one is not."""
    taken: set[ItemRef] = set()
    asking = new
    for turn in range(MOST_IMPORTS):
        asked = {own_id(event, integration, turn=turn)[0]: event for event in asking}
        found = await items.known_among(connection, asked)
        if not found:
            break
        taken |= found
        asking = [asked[ref] for ref in found]
    return frozenset(taken)


async def _copies(
    connection: AsyncConnection, integration: Integration, starts: Collection[datetime]
) -> Sequence[EventFields]:
    """Of what others keep there as many as a page is compared with; the log says where there are more."""
    copies = await reads.copies_of_others(connection, integration, starts, most=MOST_COPIES_COMPARED + 1)
    if len(copies) > MOST_COPIES_COMPARED:
        log.warning(COPIES_LEFT_OUT, integration_id=integration.id, compared=MOST_COPIES_COMPARED)
    return copies[:MOST_COPIES_COMPARED]
