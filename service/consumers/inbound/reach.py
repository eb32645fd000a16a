"""How far a read reaches, and the copies of ours that it should have shown and did not (R11)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from contracts.calendar import Integration, Link
from contracts.cronofy import CronofyEvent, EventsPage, EventsQuery
from contracts.ports import EventReader, Turn
from contracts.times import as_day
from handlers.deletions import missing_copies
from handlers.judgement import READ_DAYS_BACK
from service.consumers.inbound.calendar_read import CalendarRead
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import reads
from service.store.links import links

REACHES = (READ_DAYS_BACK, 7)
"""Days back that are asked for, one after the other, until Cronofy answers."""
COPIES_LOOKED_AT = 200
"""In one transaction."""


async def first_day(
    calendars: EventReader, integration: Integration, page: EventsPage, *, asked_at: float, turn: Turn
) -> date | None:
    """The first day of the window; None where it does not matter, for nothing old is deleted.

    That a day can be asked for is tried; where none can, today counts.
    """
    today = datetime.fromtimestamp(asked_at, UTC).date()
    if not _old_deletions(page.events, today):
        return None
    for back in REACHES:
        day = today - timedelta(days=back)
        query = EventsQuery(
            calendar_ids=(integration.calendar_id or "",), from_=day, to=day + timedelta(days=1)
        )
        if (await calendars.first_page(integration.sub, query, turn=turn)).first == day:
            return day
    return today


def _old_deletions(events: Iterable[CronofyEvent], today: date) -> bool:
    """Whether an event is gone that ended before today, or does not say when it was."""
    return any(event.deleted and (not event.names_its_times or as_day(event.end) < today) for event in events)


async def shows_too_little(store: Store, reading_pass: CalendarRead, integration: Integration) -> bool:
    """Whether a complete read left out any; looks at a few hundred a transaction, and locks nothing."""
    after: str | None = ""
    while reading_pass.full is not None and after is not None:
        async with store.read() as connection:
            some, after = await next_unseen(connection, reading_pass, after)
            found = await links.load(connection, [key for key, _ in some])
        if missing_among(found.values(), reading_pass, integration):
            return True
    return False


async def next_unseen(
    connection: AsyncConnection, reading_pass: CalendarRead, after: str
) -> tuple[Sequence[tuple[str, str]], str | None]:
    """The next links that the read has not shown, with their items; and where to go on, None at the end."""
    turn = reading_pass.turn
    some = await reads.unseen_copies(
        connection, turn.integration_id, since=turn.began_at, after=after, limit=COPIES_LOOKED_AT
    )
    return some, some[-1][0] if len(some) == COPIES_LOOKED_AT else None


def missing_among(found: Iterable[Link], reading_pass: CalendarRead, integration: Integration) -> list[Link]:
    """Those of these that the days of the read, on the linked calendar, should have shown."""
    if reading_pass.full is None:
        return []
    first, beyond = reading_pass.full
    here = [link for link in found if link.calendar_id == integration.calendar_id]
    return missing_copies(here, first=first, beyond=beyond, began_at=reading_pass.turn.began_at)
