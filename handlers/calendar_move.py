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
from handlers.compose import compose
from handlers.landing import GONE, PASSING, SERVER_ERROR
from handlers.link_states import UNFINISHED
from handlers.outbound_message import entry_of
from handlers.plan import belongs, renewed

TYPE_OFF = "Items of this type are no longer sent; the copy stays on the calendar that was linked before."
NOT_WRITTEN = "It could not be written to the calendar that is linked now; the copy stays where it was."
MOVED = "Moved to the calendar that is linked now; removed from the one before."
NOT_WANTED = "Removed from the calendar that was linked before."
VANISHED = "The calendar that was linked before is gone, and this copy with it."
REFUSED = "The calendar that was linked before cannot be changed any more; the copy there stays."


@dataclass(frozen=True, kw_only=True, slots=True)
class Follow:
    """What is to stand on the linked calendar in place of a copy elsewhere; None: nothing, or it does."""

    link: Link | None = None
    new: bool = False


def follow(
    item: Item, integration: Integration, here: Link | None, *, new_id: Callable[[], str]
) -> Follow | None:
    """What is to be written here for a copy elsewhere; None: that copy is to stay where it is."""
    fields = compose(item.content) if item.content and belongs(item, integration) else None
    if fields is None:
        return Follow()
    if item.type not in integration.item_types:
        return None
    if here is None:
        new = link_states.first(item, integration, LinkId(new_id()))
        return Follow(link=link_states.want(new, fields, revision=item.revision), new=True)
    if _stands(here, fields) or _let_go_by_hand(here):
        return Follow()
    known = renewed(here, item, integration)
    return Follow(link=link_states.want(known, fields, revision=item.revision))


def _stands(here: Link, fields: EventFields) -> bool:
    if here.origin is Origin.EXTERNAL:
        return here.exists_there
    as_wished = here.applied_hash == fields_hash(fields) and not here.differs
    return here.exists_there and here.state is LinkState.AGREED and as_wished


def _let_go_by_hand(here: Link) -> bool:
    """The calendar's owner deleted it here: it does not come back by itself (R6)."""
    return here.state is LinkState.LET_GO and here.let_go_print is not None


def awaited(here: Link | None) -> bool:
    """Whether what follows a copy is still on its way here."""
    return here is not None and here.state in UNFINISHED and not here.exists_there


def may_go(item: Item, integration: Integration, here: Link | None) -> bool | None:
    """Whether the copy elsewhere may be removed by now; None: later, when the integration syncs again."""
    if not belongs(item, integration):
        return True
    if here is None:
        return False
    if here.state is LinkState.HELD:
        return None
    return here.exists_there or _let_go_by_hand(here)


def passing(answer: Answer) -> bool:
    """Whether the removal may succeed at another time."""
    return answer.status in PASSING or answer.status >= SERVER_ERROR


def told(item: Item, integration: Integration, answer: Answer, run_id: str) -> LogEntry:
    """How the removal of a copy elsewhere went."""
    if answer.accepted:
        reason = MOVED if belongs(item, integration) else NOT_WANTED
        return _entry(item, integration, run_id, LogAction.DELETE, Outcome.DONE, Code.OK, reason)
    vanished = answer.status in GONE
    outcome = Outcome.SKIPPED if vanished else Outcome.FAILED
    reason = VANISHED if vanished else REFUSED
    return _entry(item, integration, run_id, LogAction.DELETE, outcome, Code.REFUSED_BY_CALENDAR, reason)


def left_there(item: Item, integration: Integration, run_id: str, *, written: bool) -> LogEntry:
    """A copy that stays where it was: by the boxes, or because it could not be written here."""
    if written:
        return _entry(item, integration, run_id, LogAction.NONE, Outcome.SKIPPED, Code.TYPE_OFF, TYPE_OFF)
    code = Code.REFUSED_BY_CALENDAR
    return _entry(item, integration, run_id, LogAction.NONE, Outcome.FAILED, code, NOT_WRITTEN)


def _entry(  # noqa: PLR0917
    item: Item,
    integration: Integration,
    run_id: str,
    action: LogAction,
    outcome: Outcome,
    code: Code,
    reason: str,
) -> LogEntry:
    entry = entry_of(
        item, integration.id, action=action, outcome=outcome, code=code, reason=reason, received=None
    )
    return replace(entry, trigger=Trigger.RUN, run_id=run_id)
