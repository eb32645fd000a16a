"""One read of one calendar, as it goes from page to page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from contracts.calendar import Item, ItemRef, LinkId
from contracts.cronofy import CronofyEvent
from contracts.errors import Transient
from handlers.inbound_page import KnownRows, PageChanges
from handlers.undoing.recorded import page_record
from service.consumers.inbound.pending_deletions import PendingDeletion
from service.store.engine.store import AsyncConnection
from service.store.integrations.reads import ReadTurn
from service.store.links import run_changes
from service.store.messages.inbox import MessageKey


class TurnLost(Transient):
    """Another reader took over this calendar."""


class NotSyncing(Transient):
    """The integration was deactivated or lost its connection while it was read."""


@dataclass(kw_only=True, slots=True)
class CalendarRead:
    """One read of one calendar, page by page."""

    turn: ReadTurn
    keys: Sequence[MessageKey] = ()
    """Messages that are settled with this read."""
    full: tuple[date, date] | None = None
    """The days of a full read; None for a read of what changed."""
    told_at: datetime | None = None
    """When Cronofy's notice came, where one asked for this read."""
    run_id: str | None = None
    """The run that reads; it gives way to live changes (R32), and what it changes can be undone (R50)."""
    first: date | None = None
    """The first day of Cronofy's window, as far as this read had to find it out."""
    gone: dict[LinkId, PendingDeletion] = field(default_factory=dict)
    waiting: list[CronofyEvent] = field(default_factory=list)
    """Occurrences of series that came: what they take the place of, the last page tells (R39)."""
    priors: list[CronofyEvent] = field(default_factory=list)
    """Occurrences that are gone, of series that are not brought (R33)."""
    held: bool | None = None
    """Whether its deletions wait for an answer (R11); None: to be decided with the last page."""
    again: bool = False
    doubtful: dict[str, CronofyEvent] = field(default_factory=dict)
    """Events by their uids that may be known under another one (R36)."""
    alike: list[CronofyEvent] = field(default_factory=list)
    """Events that look like what is there already: perhaps the same, under another id (R36)."""
    anew: bool = False
    """Whether it showed that ids are new: it is no complete read then, and another one pairs them (R36)."""
    done: bool = False
    """Whether it came to its end, and the account was seen where the read showed too little (R11)."""

    @property
    def whole(self) -> bool:
        """Whether what it did not show is not there."""
        return self.full is not None and self.done and not self.anew


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """Whose doing a page is, where a run reads it, and how the items were before (R50)."""

    run_id: str
    before: Mapping[ItemRef, Item]


def record_of(reading_pass: CalendarRead, known: KnownRows) -> RunRecord | None:
    """None where no run reads."""
    run_id = reading_pass.run_id
    return RunRecord(run_id=run_id, before=known.items) if run_id is not None else None


async def keep_record(
    connection: AsyncConnection,
    record: RunRecord,
    integration_id: str,
    changes: PageChanges,
    *,
    at: datetime,
) -> None:
    """In the transaction of the changes themselves."""
    made = page_record(record.before, changes)
    await run_changes.record(connection, record.run_id, integration_id, made, at=at)
