"""Events that may be known under another identity: brought, or all of them held for an answer (R36)."""

from collections.abc import Collection, Sequence
from datetime import datetime

from contracts.calendar import Integration, ItemRef
from contracts.cronofy import CronofyEvent
from contracts.times import as_instant
from handlers.arrivals.before import look_key, undecided_key
from handlers.arrivals.floods import is_doubtful, too_many_imports
from handlers.arrivals.look_alikes import look_of_event, looks_of_items
from handlers.inbound_page import KnownRows, PageChanges, settle_doubtful
from handlers.judgement import Reading
from service.consumers.inbound.calendar_read import CalendarRead
from service.integrations.catch_up import request_comparison
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.items import items
from service.store.links import identities

MADE_AGAIN_SECONDS = 60.0
"""Seconds in which a tool that mirrors events deletes its copy of one that was deleted."""


async def settle(
    connection: AsyncConnection, events: Sequence[CronofyEvent], known: KnownRows, reading: Reading
) -> PageChanges:
    """What becomes of them, at the end of their read."""
    pairs = await reads.pairs(connection, known.integration.id)
    hold = too_many_imports(new=len(events), pairs=pairs)
    return settle_doubtful(events, known, reading, new_id=new_id, hold=hold)


def known_until(reading_pass: CalendarRead, integration: Integration) -> datetime | None:
    """Until when all that was on the calendar is known."""
    return reading_pass.turn.known_until or integration.baseline_at


async def learn_anew_if_lost(
    store: Store,
    connection: AsyncConnection,
    reading_pass: CalendarRead,
    integration: Integration,
    *,
    seen: Collection[ItemRef],
) -> bool:
    """Whether a complete read shows that ids are new although no reconnection was seen (R36).

    It misses events that stand by all that is known, and shows unknown ones that are like them. Then nothing
    more is done by it, and all is paired first. ``seen``: what its last page shows.
    """
    alike = await _undoubted(connection, reading_pass, integration) if reading_pass.full else []
    if not alike:
        return False
    starts = {as_instant(event.start) for event in alike}
    refs = await identities.unseen_events(
        connection, integration, starts=starts, since=reading_pass.turn.began_at
    )
    missed = looks_of_items((await items.load(connection, set(refs) - {*seen})).values())
    if not any(look_of_event(event) in missed for event in alike):
        return False
    await integrations.learn_anew(connection, integration)
    await request_comparison(store, connection, integration)
    return True


async def _undoubted(
    connection: AsyncConnection, reading_pass: CalendarRead, integration: Integration
) -> Sequence[CronofyEvent]:
    """What is alike, but for that of which nobody could say whether it is known when all was paired."""
    keys = {undecided_key(event) for event in reading_pass.alike}
    undecided = await reads.prior_among(connection, integration, keys)
    return [event for event in reading_pass.alike if undecided_key(event) not in undecided]


async def read_all_if_strange(
    store: Store, connection: AsyncConnection, reading_pass: CalendarRead, integration: Integration
) -> bool:
    """Whether all is to be read before anything doubtful is brought: what is alike should have been known.

    The last complete reading must have shown it, and did not under this id (R36). A run that reads what
    changed is a comparison, which reads all next: another one would only take its place, for ever.
    """
    known = known_until(reading_pass, integration)
    if reading_pass.full is not None or not any(is_doubtful(event, known) for event in reading_pass.alike):
        return False
    if reading_pass.run_id is None:
        await request_comparison(store, connection, integration)
    return True


def remember_looks(changes: PageChanges) -> None:
    """Of what is passed over because it looks like something that is there: that may be deleted (R36)."""
    changes.prior.extend({look_key(look_of_event(event)) for event in changes.alike})


async def read_all_if_made_again(
    store: Store,
    connection: AsyncConnection,
    reading_pass: CalendarRead,
    known: KnownRows,
    changes: PageChanges,
) -> None:
    """Have all read soon where an item was deleted while something that looks so was passed over for it.

    Cut and pasted there, an event is deleted and made anew. While its item stood the new one was passed over
    as the same; a complete reading brings it, and the daily one would be hours away. A run that compares
    reads all by itself.
    """
    gone = [known.items[item.ref] for item in changes.items if item.deleted and item.ref in known.items]
    if not gone or reading_pass.run_id is not None or not known.integration.event_types.create:
        return
    keys = {look_key(look) for look in looks_of_items(gone)}
    if await reads.prior_among(connection, known.integration, keys):
        await request_comparison(store, connection, known.integration, delay=MADE_AGAIN_SECONDS)
