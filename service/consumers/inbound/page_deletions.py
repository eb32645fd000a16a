"""Deletions of a read: kept until its last page, then carried out, or held for an answer (R11)."""

from datetime import UTC, datetime

from contracts.messages import IntegrationChange
from handlers.arrivals.floods import too_many_deletions
from handlers.arrivals.series import count_once
from handlers.deletions import carry_out_deletion, hold_deletion
from handlers.inbound_page import KnownRows, PageChanges
from handlers.judgement import Reading
from service.consumers.inbound.calendar_read import CalendarRead
from service.consumers.inbound.pending_deletions import PendingDeletion, item_changed_since, link_if_unchanged
from service.integrations.facts import tell_change
from service.store.engine.store import AsyncConnection
from service.store.integrations import reads


async def finish_deletions(
    connection: AsyncConnection, reading_pass: CalendarRead, known: KnownRows, changes: PageChanges
) -> None:
    """Carry out what this read found deleted, or hold it for a person's answer (R11)."""
    standing = {link.id: link for link in known.links}
    alive = {link.id for link in changes.links if link.exists_there}
    due = [
        link_if_unchanged(standing.get(key), found)
        for key, found in reading_pass.gone.items()
        if key not in alive
    ]
    reading_pass.again = reading_pass.again or any(
        item_changed_since(standing.get(key), found) for key, found in reading_pass.gone.items()
    )
    ready = [pair for pair in due if pair is not None]
    if not ready:
        return
    integration = known.integration
    now = datetime.fromtimestamp(reading_pass.turn.began_at, UTC)
    held = reading_pass.held
    if held is None:
        held = await is_to_be_held(
            connection, reading_pass, new=count_once((link.series_identifier, link.id) for link, _ in ready)
        )
    decide = hold_deletion if held else carry_out_deletion
    for link, reading in ready:
        item = known.items.get(link.item_ref)
        if item is not None and not item.deleted:
            changes.take(decide(link, item, integration, reading))
    keys = [link.id for link, _ in ready]
    asked = held and not await reads.held_deletions(connection, integration.id, limit=1)
    await reads.note_deletions(connection, integration.id, keys, held=held, now=now)
    if asked:
        await tell_change(connection, integration, IntegrationChange.QUESTION_WAITING, now=now)


async def is_to_be_held(connection: AsyncConnection, reading_pass: CalendarRead, *, new: int) -> bool:
    """Whether so many deletions more are too many for a day."""
    turn = reading_pass.turn
    began = datetime.fromtimestamp(turn.began_at, UTC)
    recent = await reads.recent_deletions(connection, turn.integration_id, now=began)
    living = await reads.pairs(connection, turn.integration_id)
    return too_many_deletions(new=new, recent=recent, pairs=living + recent)


def remember_gone(
    reading_pass: CalendarRead, known: KnownRows, changes: PageChanges, reading: Reading
) -> None:
    """Keep for the last page what this one leaves to it."""
    before = {link.id: link for link in known.links}
    for link in changes.gone:
        reading_pass.gone[link.id] = PendingDeletion.of(link, before[link.id], reading)
    reading_pass.again = reading_pass.again or changes.again
    reading_pass.waiting.extend(changes.waiting)
    reading_pass.priors.extend(changes.priors)
    reading_pass.doubtful |= {event.event_uid: event for event in changes.doubtful}
    reading_pass.alike.extend(changes.alike)
