"""Occurrences that came in a read: which of those that are gone go on in them (R39)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from contracts.calendar import LinkId
from contracts.cronofy import CronofyEvent
from handlers.arrivals.before import event_keys
from handlers.arrivals.series import pair_occurrences
from handlers.inbound_event import judge_row
from handlers.inbound_page import KnownRows, PageChanges, judge_page
from handlers.judgement import Reading
from service.consumers.inbound.calendar_read import CalendarRead
from service.consumers.inbound.pending_deletions import PendingDeletion
from service.store.engine.store import AsyncConnection
from service.store.integrations import reads


async def lost_occurrences(
    connection: AsyncConnection, reading_pass: CalendarRead
) -> dict[LinkId, PendingDeletion]:
    """What this read found gone of series: to be deleted, or let go already because Delete is off."""
    turn = reading_pass.turn
    let_go = await reads.let_go_of_series(connection, turn.integration_id, since=turn.began_at)
    then = Reading(asked_at=turn.began_at, now=turn.began_at)
    gone = {
        LinkId(key): PendingDeletion(
            item_ref=ref, desired_revision=0, series=series, changes={}, reading=then
        )
        for key, ref, series in let_go
    }
    return gone | {key: found for key, found in reading_pass.gone.items() if found.series}


def series_changes(
    arrived: Sequence[CronofyEvent],
    known: KnownRows,
    lost: Collection[LinkId],
    reading: Reading,
    *,
    prior: Collection[str],
    new_id: Callable[[], str],
) -> PageChanges:
    """What becomes of occurrences that came; ``prior`` are series that are not brought (R33)."""
    there_before = [event for event in arrived if event.series_identifier in prior]
    here = [event for event in arrived if event.series_identifier not in prior]
    items = known.items
    standing = [
        (link, items[link.item_ref])
        for link in known.links
        if link.id in lost and link.item_ref in items and not items[link.item_ref].deleted
    ]
    pairs = pair_occurrences(here, standing)
    taken = {event.event_uid for _, _, event in pairs}
    rest = [event for event in here if event.event_uid not in taken]
    changes = judge_page(rest, replace(known, series_wait=False), reading, new_id=new_id)
    changes.prior.extend(key for event in there_before for key in event_keys(event))
    for link, item, event in pairs:
        changes.take(judge_row(event, link, item, known.integration, reading))
    return changes
