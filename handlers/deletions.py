"""What a deleted row means, and how deletions are carried out or held (R6, R8, R11, R19, R52)."""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from contracts.calendar import Code, Integration, Item, Link, LinkState, LogAction, LogEntry, Origin, Outcome
from contracts.times import as_day, read_time
from contracts.vorex import ItemType
from handlers import link_states
from handlers.echo import ARRIVAL_SECONDS, after_overtaking, age_of_last_write
from handlers.edits import conflict_values, item_values
from handlers.judgement import (
    NO_CHANGE,
    Judgement,
    LinkedRow,
    Reading,
    content_of,
    days_to_read,
    item_after_change,
)
from handlers.log_entries import RowLog
from handlers.outbound_message import want_or_hold
from handlers.plan import WriteEvent, desired_event, let_go_fingerprint, renewed_link
from handlers.questions.windows import is_open_call
from handlers.texts.compose import compose, event_span

DELETED_AND_ASKED = (
    "Deleted in the linked calendar; the service call in Vorex stays, its copy is let go, "
    "and the dispatcher is asked."
)


def judge_deleted_row(row: LinkedRow) -> Judgement:
    """Say what a deleted row means for its link."""
    if is_outlived(row) or has_left_window(row):
        return NO_CHANGE
    item, entry = row.item, RowLog.of(row)
    link = link_states.seen_deleted(row.link, row.event, row.reading)
    if _never_sent(link, item) or _edited_in_vain(row):
        return _revived(row.known_as(after_overtaking(link, row.reading)))
    if is_open_call(row.content) and link.state is not LinkState.FROZEN:
        told = entry(LogAction.LET_GO, Outcome.DONE, Code.OK, DELETED_AND_ASKED)
        gone = link_states.let_go_by_owner(link, Code.QUESTIONED, let_go_fingerprint(item.content))
        return Judgement(link=gone, entries=[told])
    if item.type is not ItemType.APPOINTMENT:
        reason = "Deleted in the linked calendar; the record in Vorex stays, its copy is let go."
        return _let_go(link, item, entry(LogAction.LET_GO, Outcome.DONE, Code.OK, reason))
    if not row.integration.event_types.delete:
        reason = "Deleted in the linked calendar; Delete is not checked, so the appointment stays."
        return _let_go(link, item, entry(LogAction.LET_GO, Outcome.SKIPPED, Code.DELETE_OFF, reason))
    return Judgement(link=link, gone=True)


def is_outlived(row: LinkedRow) -> bool:
    """Whether the link knows a newer event than the one that is gone."""
    event, link = row.event, row.link
    if link.event_uid is not None and link.event_uid != event.event_uid and link.exists_there:
        return True
    if event.updated is None:
        return False
    newest = row.reading.outranks(link)
    if link.event_updated is not None and event.updated < link.event_updated and not newest:
        return True
    if link.origin is Origin.EXTERNAL or not _written_since(row):
        return False
    # Deleted between sending and answer: had the write come after, the event would have been seen by now.
    before = event.updated.timestamp() < math.floor(link.writes[-1].sent_at) and not newest
    return before or age_of_last_write(link, row.reading) < ARRIVAL_SECONDS


def has_left_window(row: LinkedRow) -> bool:
    """Whether the event ended before Cronofy's window: it may show as deleted and only be out of reach.

    By the row's own times where it names them, else by what was agreed.
    """
    if not row.event.deleted:
        return False
    usual, _ = days_to_read(datetime.fromtimestamp(row.reading.asked_at, UTC))
    first = row.reading.first or usual
    if row.event.names_its_times:
        return as_day(row.event.end) < first
    agreed = (row.link.agreed or {}).get("end")
    if isinstance(agreed, str):
        return as_day(read_time(agreed)) < first
    times = event_span(row.content)
    return times is not None and as_day(times[1]) < first


def _never_sent(link: Link, item: Item) -> bool:
    """Whether Vorex changed the item and the calendar never heard of it."""
    kept_alike = link.state is not LinkState.FROZEN or link.code is Code.NOT_POSSIBLE
    return kept_alike and item.revision > link.applied_revision


def _written_since(row: LinkedRow) -> bool:
    """Whether we wrote the event after its row was last changed."""
    newest = row.link.writes[-1] if row.link.writes else None
    if newest is None or row.event.updated is None:
        return False
    return row.event.updated.timestamp() < math.floor(newest.accepted_at or newest.sent_at)


def _edited_in_vain(row: LinkedRow) -> bool:
    """An edit cannot bring a foreign event back (CRONOFY.md C21): the change that was lost with it wins."""
    foreign = row.link.origin is Origin.EXTERNAL
    return foreign and row.link.desired is not None and _written_since(row)


def _revived(row: LinkedRow) -> Judgement:
    """Deleted there, changed here: the change wins (R19), under our own id where the event was foreign."""
    item, content = row.item, row.content
    reason = "Deleted in the linked calendar, changed in Vorex: the change wins."
    kept = item_values(content, {"title", "start", "end"})
    detail = conflict_values(kept=kept, lost={"deleted": True}, private=content.private)
    log = RowLog.of(row)(LogAction.DELETE, Outcome.SKIPPED, Code.CONFLICT_LOST, reason, detail=detail)
    link = renewed_link(row.link, item, row.integration)
    return Judgement(link=link_states.revive(link, compose(content), revision=item.revision), entries=[log])


def _let_go(link: Link, item: Item, log: LogEntry) -> Judgement:
    gone = link_states.let_go_by_owner(link, log.code, let_go_fingerprint(item.content))
    return Judgement(link=gone, entries=[log])


def carry_out_deletion(link: Link, item: Item, integration: Integration, reading: Reading) -> Judgement:
    """Do a deletion that was read: this person is unassigned; with nobody left it is deleted (R6)."""
    content = content_of(item)
    if integration.user_id not in content.assignees:
        return Judgement(link=link_states.delete(link, revision=item.revision))
    left = tuple(user for user in content.assignees if user != integration.user_id)
    at = datetime.fromtimestamp(reading.asked_at, UTC)
    changed = min(link.event_updated or at, at)
    after = item_after_change(item, content.model_copy(update={"assignees": left}), integration, changed)
    if not left:
        after = replace(after, deleted=True, content=content)
    reason = (
        "Deleted in the linked calendar."
        if not left
        else "Deleted in the linked calendar: no longer assigned."
    )
    entry = RowLog(item, integration, reading)(LogAction.DELETE, Outcome.DONE, Code.OK, reason)
    gone = link_states.delete(link, revision=after.revision)
    return Judgement(link=gone, item=after, entries=[entry])


def hold_deletion(link: Link, item: Item, integration: Integration, reading: Reading) -> Judgement:
    """Keep a deletion for a person's answer (R11)."""
    held = link_states.hold(link, Code.HELD_DELETION)
    reason = "Many events were deleted at once; this deletion waits for an answer."
    entry = RowLog(item, integration, reading)(LogAction.DELETE, Outcome.HELD, Code.HELD_DELETION, reason)
    return Judgement(link=held, entries=[entry])


def undo_deletion(link: Link, item: Item, integration: Integration, reading: Reading) -> Judgement:
    """Undo a deletion that was held: our own copy is written again; a foreign event is gone for good (R11).

    Of a foreign event the item stays, and its pair is let go.
    """
    entry = RowLog(item, integration, reading)
    if link.origin is Origin.EXTERNAL:
        reason = "The deletion was not carried out; the item stays, without its event."
        return _let_go(link, item, entry(LogAction.LET_GO, Outcome.DONE, Code.OK, reason))
    absent = link_states.undo(link)
    match desired_event(item, integration, absent):
        case WriteEvent(fields=fields):
            again = want_or_hold(absent, fields, item, integration)
            reason = "The deletion was not carried out; the copy is written again."
            return Judgement(link=again, entries=[entry(LogAction.NONE, Outcome.DONE, Code.OK, reason)])
    reason = "The deletion was not carried out; there is nothing to be written again."
    return _let_go(link, item, entry(LogAction.LET_GO, Outcome.DONE, Code.OK, reason))


def missing_copies(links: Iterable[Link], *, first: date, beyond: date, began_at: float) -> list[Link]:
    """Copies of ours that a complete read should have shown and did not: to be written again (R11)."""
    return [link for link in links if _should_have_shown(link, first, beyond, began_at)]


def _should_have_shown(link: Link, first: date, beyond: date, began_at: float) -> bool:
    unseen = all(at is None or at < began_at for at in (link.read_at, link.accepted_at))
    alive = link.state is LinkState.AGREED and link.exists_there and link.ended_at is None
    if link.origin is not Origin.OURS or not unseen or not alive or link.desired is None:
        return False
    return as_day(link.desired.start) < beyond and as_day(link.desired.end) > first
