"""What the dispatcher's answers do, and what taking one back does (R52, R50). Pure.

*Put it back*: the copy stands as Vorex has it. *Leave it*: it stays as the technician left it; a deleted copy
rests until the call's time or assignees change (R6), and a moved one gives the call its time.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from contracts.calendar import Code, Integration, Item, Link, LinkState, LogAction, Outcome
from contracts.times import InstantOrDay
from handlers import link_states
from handlers.judgement import Judgement, Reading, content_of, item_after_change
from handlers.log_entries import RowLog
from handlers.outbound_message import want_or_hold
from handlers.plan import (
    LeaveEvent,
    WriteEvent,
    desired_event,
    is_asked_of_dispatcher,
    left_link,
    let_go_fingerprint,
    question_print,
)
from handlers.texts.compose import compose


class CallTimes(NamedTuple):
    """When a call is, as its item says: an end may be missing (R14)."""

    start: InstantOrDay
    end: InstantOrDay | None


def times_of(item: Item) -> CallTimes | None:
    """None of a call without a date."""
    content = content_of(item)
    return None if content.start is None else CallTimes(content.start, content.end)


def put_back(link: Link, item: Item, integration: Integration) -> Link:
    """The link, whose copy is to stand as Vorex has it, whatever the technician did."""
    match link.state:
        case LinkState.LET_GO:
            base = link_states.take_up(link)
        case LinkState.HELD if is_asked_of_dispatcher(link):
            base = link_states.differ(link_states.unask(link))
        case _:
            base = link
    match desired_event(item, integration, base):
        case WriteEvent(fields=fields):
            return want_or_hold(base, fields, item, integration)
        case LeaveEvent() as leave:
            return left_link(base, leave, item)
    return base


def leave_deleted(link: Link, item: Item, integration: Integration) -> Link:
    """The link, whose copy is let go; one that was put back meanwhile is taken off again."""
    if link.state is LinkState.LET_GO:
        return link_states.let_go(link, Code.OK)
    return want_or_hold(link, None, item, integration) if link.exists_there else link


def leave_moved(
    link: Link, item: Item, integration: Integration, reading: Reading, found: CallTimes
) -> Judgement:
    """The call takes the time to which the technician moved it."""
    after = _at(item, integration, reading, found)
    fields = compose(content_of(after))
    untouched = is_asked_of_dispatcher(link) and link.applied_revision == item.revision
    base = link_states.unask(link) if is_asked_of_dispatcher(link) else link
    if untouched and fields is not None:
        shown = {**(link.agreed or {}), **(link.last_read or {})}
        moved = link_states.align(base, after, shown, last_read=link.last_read)
    else:
        moved = want_or_hold(base, fields, after, integration)
    entry = RowLog(after, integration, reading)
    log = entry(LogAction.UPDATE, Outcome.DONE, Code.OK, "Its time is what the technician made it.")
    return Judgement(link=moved, item=after, entries=[log])


def ask_again_about_deletion(link: Link, item: Item) -> Judgement | None:
    """A copy that was left deleted is in question again; None where it stands otherwise by now."""
    rests = link.state is LinkState.LET_GO and link.let_go_print == let_go_fingerprint(item.content)
    return Judgement(link=link_states.let_go(link, Code.QUESTIONED)) if rests else None


def ask_again_about_move(
    link: Link, item: Item, integration: Integration, reading: Reading, was: CallTimes | None
) -> Judgement | None:
    """A move that was left is in question again, and the call is when it ``was`` before the answer.

    None where either side stands otherwise by now.
    """
    if was is None or link.state is not LinkState.AGREED or link.applied_revision != item.revision:
        return None
    before = _at(item, integration, reading, was)
    asked = link_states.question(link, question_print(before.content))
    asked = replace(asked, desired=compose(content_of(before)), desired_revision=before.revision)
    entry = RowLog(before, integration, reading)
    log = entry(LogAction.UPDATE, Outcome.DONE, Code.OK, "Its time is what it was before the answer.")
    return Judgement(link=asked, item=before, entries=[log])


def _at(item: Item, integration: Integration, reading: Reading, times: CallTimes) -> Item:
    content = content_of(item)
    all_day = not isinstance(times.start, datetime)
    moved = content.model_copy(update={"start": times.start, "end": times.end, "all_day": all_day})
    at = datetime.fromtimestamp(reading.asked_at, UTC)
    return item_after_change(item, moved, integration, max(at, item.changed_at + timedelta(microseconds=1)))
