"""A copy whose integration has gone to another calendar, and what follows it there (R16).

Pure. The copy here comes first and the one there goes when it stands, so that a kill, a refusal or a
calendar that is gone costs at most an event too many.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from contracts.calendar import (
    Code,
    Integration,
    Item,
    Link,
    LinkId,
    LinkState,
    LogAction,
    LogEntry,
    Origin,
    Outcome,
    Trigger,
)
from contracts.event_fields import EventFields, fields_hash
from contracts.writes import Answer
from handlers import link_states
from handlers.landing import FIRST_SERVER_ERROR, GONE_STATUSES, PASSING_STATUSES
from handlers.link_beginnings import first
from handlers.link_states import UNWRITTEN_STATES
from handlers.outbound_message import outbound_entry
from handlers.plan import belongs_on_calendar, renewed_link
from handlers.texts.compose import compose

TYPE_NO_LONGER_SENT = (
    "Items of this type are no longer sent; the copy stays on the calendar that was linked before."
)
COPY_NOT_WRITTEN = "It could not be written to the calendar that is linked now; the copy stays where it was."
COPY_MOVED = "Moved to the calendar that is linked now; removed from the one before."
COPY_NOT_WANTED = "Removed from the calendar that was linked before."
CALENDAR_VANISHED = "The calendar that was linked before is gone, and this copy with it."
CALENDAR_REFUSES = "The calendar that was linked before cannot be changed any more; the copy there stays."


@dataclass(frozen=True, kw_only=True, slots=True)
class Successor:
    """What is to stand on the linked calendar in place of a copy elsewhere; None: nothing, or it does."""

    link: Link | None = None
    new: bool = False


def plan_successor(
    item: Item, integration: Integration, here: Link | None, *, new_id: Callable[[], str]
) -> Successor | None:
    """What is to be written here for a copy elsewhere; None: that copy is to stay where it is."""
    fields = compose(item.content) if item.content and belongs_on_calendar(item, integration) else None
    if fields is None:
        return Successor()
    if item.type not in integration.item_types:
        return None
    if here is None:
        new = first(item, integration, LinkId(new_id()))
        return Successor(link=link_states.want(new, fields, revision=item.revision), new=True)
    if _stands(here, fields) or _let_go_by_hand(here):
        return Successor()
    known = renewed_link(here, item, integration)
    return Successor(link=link_states.want(known, fields, revision=item.revision))


def _stands(here: Link, fields: EventFields) -> bool:
    if here.origin is Origin.EXTERNAL:
        return here.exists_there
    as_wished = here.applied_hash == fields_hash(fields) and not here.differs
    return here.exists_there and here.state is LinkState.AGREED and as_wished


def _let_go_by_hand(here: Link) -> bool:
    """The calendar's owner deleted it here: it does not come back by itself (R6)."""
    return here.state is LinkState.LET_GO and here.let_go_print is not None


def is_successor_awaited(here: Link | None) -> bool:
    """Whether what follows a copy is still on its way here."""
    return here is not None and here.state in UNWRITTEN_STATES and not here.exists_there


def may_remove_copy(item: Item, integration: Integration, here: Link | None) -> bool | None:
    """Whether the copy elsewhere may be removed by now; None: later, when the integration syncs again."""
    if not belongs_on_calendar(item, integration):
        return True
    if here is None:
        return False
    if here.state is LinkState.HELD:
        return None
    return here.exists_there or _let_go_by_hand(here)


def may_succeed_later(answer: Answer) -> bool:
    """Whether the removal may succeed at another time."""
    return answer.status in PASSING_STATUSES or answer.status >= FIRST_SERVER_ERROR


def removal_entry(item: Item, integration: Integration, answer: Answer, run_id: str) -> LogEntry:
    """How the removal of a copy elsewhere went."""
    if answer.accepted:
        reason = COPY_MOVED if belongs_on_calendar(item, integration) else COPY_NOT_WANTED
        return _entry(item, integration, run_id, LogAction.DELETE, Outcome.DONE, Code.OK, reason)
    vanished = answer.status in GONE_STATUSES
    outcome = Outcome.SKIPPED if vanished else Outcome.FAILED
    reason = CALENDAR_VANISHED if vanished else CALENDAR_REFUSES
    return _entry(item, integration, run_id, LogAction.DELETE, outcome, Code.REFUSED_BY_CALENDAR, reason)


def left_copy_entry(item: Item, integration: Integration, run_id: str, *, written: bool) -> LogEntry:
    """A copy that stays where it was: by the boxes, or because it could not be written here."""
    if written:
        return _entry(
            item, integration, run_id, LogAction.NONE, Outcome.SKIPPED, Code.TYPE_OFF, TYPE_NO_LONGER_SENT
        )
    code = Code.REFUSED_BY_CALENDAR
    return _entry(item, integration, run_id, LogAction.NONE, Outcome.FAILED, code, COPY_NOT_WRITTEN)


def _entry(  # noqa: PLR0917
    item: Item,
    integration: Integration,
    run_id: str,
    action: LogAction,
    outcome: Outcome,
    code: Code,
    reason: str,
) -> LogEntry:
    entry = outbound_entry(
        item, integration.id, action=action, outcome=outcome, code=code, reason=reason, received=None
    )
    return replace(entry, trigger=Trigger.RUN, run_id=run_id)
