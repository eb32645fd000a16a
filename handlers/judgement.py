"""The circumstances of a read, and what a row of it may do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from contracts.calendar import Integration, Item, Link, LogEntry, Trigger
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemContent
from handlers.versions import next_version

CLOCK_SLACK = timedelta(minutes=5)
READ_DAYS_BACK = 41
READ_DAYS_AHEAD = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The page that a row came on; moments by the store's clock, in seconds."""

    asked_at: float
    now: float
    complete_since: float | None = None
    """When a complete read began, whose rows show all that there is; None for any other."""
    trigger: Trigger = Trigger.REAL_TIME
    run_id: str | None = None
    message_id: str | None = None
    first: date | None = None
    """The first day that the calendar can be read of; None where it is as early as a full read asks for."""

    def outranks(self, link: Link) -> bool:
        """Whether its rows are newer than all that is known of a link, whatever their stamps say."""
        began = self.complete_since
        return began is not None and all(at is None or at < began for at in (link.read_at, link.accepted_at))


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a row does: the link and the item as they are to be stored, where they change."""

    link: Link | None = None
    item: Item | None = None
    entries: Sequence[LogEntry] = ()
    again: bool = False
    """The row cannot be judged yet: another read must follow."""
    gone: bool = False
    """A deletion that is carried out with the read's last page (R11)."""


NO_CHANGE = Judgement()


def is_gone(event: CronofyEvent) -> bool:
    """Deleted, cancelled, or declined by the calendar's owner (R8)."""
    return event.deleted or event.status == "cancelled" or event.participation_status == "declined"


def changed_at(event: CronofyEvent, reading: Reading) -> datetime | None:
    """When the row was changed, by Cronofy's word; None where that is missing or not sane."""
    asked = datetime.fromtimestamp(reading.asked_at, UTC)
    return event.updated if event.updated is not None and event.updated <= asked + CLOCK_SLACK else None


def calendar_time(event: CronofyEvent, reading: Reading) -> datetime:
    """When the row was changed: Cronofy's word where it is sane, else the time of the read."""
    return changed_at(event, reading) or datetime.fromtimestamp(reading.asked_at, UTC)


def days_to_read(at: datetime) -> tuple[date, date]:
    """The days that a full read asks for: 41 back, and up to 200 ahead."""
    today = at.astimezone(UTC).date()
    return today - timedelta(days=READ_DAYS_BACK), today + timedelta(days=READ_DAYS_AHEAD)


def content_of(item: Item) -> ItemContent:
    assert item.content is not None
    return item.content


def item_after_change(item: Item, content: ItemContent, integration: Integration, at: datetime) -> Item:
    """The item after a change by the calendar: a version more, whoever made the last one."""
    version = next_version(item.version)
    return replace(
        item,
        version=version,
        sync_version=version,
        revision=item.revision + 1,
        content=content,
        changed_at=at,
        changed_by=integration.id,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedRow:
    """A row, the link that it belongs to, and all that it is judged by."""

    event: CronofyEvent
    link: Link
    item: Item
    integration: Integration
    reading: Reading

    @property
    def content(self) -> ItemContent:
        return content_of(self.item)

    @property
    def gone(self) -> bool:
        """As R8 counts it; what is logged of it, ``deletions`` says."""
        return is_gone(self.event)

    @property
    def updated(self) -> datetime | None:
        """When the event was changed; None where Cronofy's word is missing or not sane."""
        return changed_at(self.event, self.reading)

    @property
    def changed(self) -> datetime:
        """The same, with the time of the read in its place."""
        return calendar_time(self.event, self.reading)

    def known_as(self, link: Link) -> "LinkedRow":
        """The same row for the link as it is by now."""
        return replace(self, link=link)
