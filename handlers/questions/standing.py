"""Whether a question stands, by what link and item say now; why it closed by itself, if not (R52). Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from contracts.calendar import Code, Integration, Item, Link, LinkState
from contracts.cronofy import CronofyEvent
from contracts.messages import QuestionKind
from contracts.times import wire_time
from handlers.fingerprints import usual_end
from handlers.judgement import is_gone
from handlers.plan import question_print
from handlers.questions.windows import instant_in, is_open_call
from handlers.texts.compose import event_span

OUT_OF_OFFICE = "out_of_office"
"""Cronofy's word for an absence."""
AbsenceSpan = tuple[datetime, datetime]


class ClosedBecause(StrEnum):
    """Why a question needs no answer any more: a closed set."""

    UNLINKED = "unlinked"
    CALL_DELETED = "call_deleted"
    UNASSIGNED = "unassigned"
    COMPLETED = "completed"
    CHANGED_IN_VOREX = "changed_in_vorex"
    RESTORED = "restored"
    WRITTEN_AGAIN = "written_again"
    MOVED_BACK = "moved_back"
    DELETED_SINCE = "deleted_since"
    NOT_OUT_OF_OFFICE = "not_out_of_office"


def questioned_kind(link: Link, item: Item, integration: Integration) -> QuestionKind | None:
    """What its technician did with a copy, where nobody has answered that yet."""
    if link.code is not Code.QUESTIONED or gone_from_sight(link, item, integration) is not None:
        return None
    kinds = {LinkState.LET_GO: QuestionKind.DELETED, LinkState.HELD: QuestionKind.MOVED}
    return kinds.get(link.state)


def can_overlap(link: Link, item: Item, integration: Integration) -> bool:
    """Whether an absence may be in the way of its copy: it is kept, and kept alike by now."""
    return integration.sends and is_kept(link, item, integration)


def is_kept(link: Link, item: Item, integration: Integration) -> bool:
    """Whether its copy is kept on the calendar, also while the integration rests."""
    kept = link.state not in {LinkState.LET_GO, LinkState.FROZEN} and link.code is not Code.QUESTIONED
    return kept and gone_from_sight(link, item, integration) is None


def gone_from_sight(link: Link | None, item: Item | None, integration: Integration) -> ClosedBecause | None:
    """Why nothing about this call can be asked of this technician; None where it can."""
    linked = link is not None and link.ended_at is None and link.calendar_id == integration.calendar_id
    if not linked or integration.deleted_at is not None:
        return ClosedBecause.UNLINKED
    if item is None or item.deleted or item.content is None:
        return ClosedBecause.CALL_DELETED
    if integration.user_id not in item.assignees:
        return ClosedBecause.UNASSIGNED
    return None if is_open_call(item.content) else ClosedBecause.COMPLETED


def why_closed(
    kind: QuestionKind,
    asked_print: str,
    link: Link | None,
    item: Item | None,
    integration: Integration,
    *,
    reopened: bool,
) -> ClosedBecause | None:
    """Why a question about a deletion or a move needs no answer any more; None where it stands."""
    gone = gone_from_sight(link, item, integration)
    if gone is not None or link is None or item is None:
        return gone or ClosedBecause.CALL_DELETED
    now = questioned_kind(link, item, integration)
    if now is kind:
        return None
    if question_print(item.content) != asked_print:
        theirs = kind is QuestionKind.MOVED and item.changed_by == integration.id
        return ClosedBecause.MOVED_BACK if theirs else ClosedBecause.CHANGED_IN_VOREX
    if reopened:
        return None
    if kind is QuestionKind.MOVED:
        return ClosedBecause.MOVED_BACK if now is None else ClosedBecause.DELETED_SINCE
    read = link.read_at is not None and link.read_at > (link.accepted_at or 0.0)
    return ClosedBecause.RESTORED if read and link.exists_there else ClosedBecause.WRITTEN_AGAIN


def found_times(link: Link) -> tuple[str | None, str | None]:
    """Where the technician has put the copy, as it is written; of one that was deleted there is nothing."""
    shown: Mapping[str, object] = link.last_read or {}
    start, end = (shown.get(name) for name in ("start", "end"))
    return (start if isinstance(start, str) else None, end if isinstance(end, str) else None)


def overlap_cause(item: Item, absence: AbsenceSpan) -> str:
    """By what an overlap is known again: when the call is, and when the absence."""
    times = event_span(item.content) if item.content else None
    parts = [wire_time(moment) for moment in (*(times or ()), *absence)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def absences_among(events: Iterable[CronofyEvent], zone: str) -> tuple[dict[str, AbsenceSpan], set[str]]:
    """The events that are out of office, by their uids, and the uids of those that are not (any more).

    Whole days are days of that zone, the calendar's owner's.
    """
    absent: dict[str, AbsenceSpan] = {}
    present: set[str] = set()
    for event in events:
        if event.event_id is not None:
            continue
        away = event.extended_transparency == OUT_OF_OFFICE and not is_gone(event)
        absent.pop(event.event_uid, None)
        present.discard(event.event_uid)
        if away:
            absent[event.event_uid] = (instant_in(event.start, zone), instant_in(usual_end(event), zone))
        else:
            present.add(event.event_uid)
    return absent, present
