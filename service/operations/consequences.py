"""What stands still, told by whom it harms and when: pure, for the operations page."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.calendar import Reason, Status
from service.store.integrations.listing import IntegrationView
from service.store.operations.standing import ItemConcern, LinkBacklog

NOON = time(12)
WHEN_WORDS = ("before noon", "today", "tomorrow", "in the next 7 days")
THINGS: Mapping[str, tuple[str, str]] = {
    "appointment": ("{number} appointment {when}", "{number} appointments {when}"),
    "crm_activity": ("{number} CRM activity {when}", "{number} CRM activities {when}"),
    "service_call": ("{number} service call {when}", "{number} service calls {when}"),
    "task": ("{number} task {when}", "{number} tasks {when}"),
    "todo": ("{number} to-do {when}", "{number} to-dos {when}"),
}
"""One, and many of them."""
ITEMS = ("{number} item {when}", "{number} items {when}")
WORST_FIRST = ("missing", "outdated", "left over")
LACKS: Mapping[tuple[str, bool], tuple[str, str]] = {
    ("missing", True): (
        "{what} is not on the technician's calendar",
        "{what} are not on the technician's calendar",
    ),
    ("outdated", True): (
        "{what} is out of date on the technician's calendar",
        "{what} are out of date on the technician's calendar",
    ),
    ("left over", True): (
        "{what} is still on the technician's calendar, though gone from My Calendar",
        "{what} are still on the technician's calendar, though gone from My Calendar",
    ),
    ("missing", False): (
        "{what} is not on the user's calendar",
        "{what} are not on the user's calendar",
    ),
    ("outdated", False): (
        "{what} is out of date on the user's calendar",
        "{what} are out of date on the user's calendar",
    ),
    ("left over", False): (
        "{what} is still on the user's calendar, though gone from My Calendar",
        "{what} are still on the user's calendar, though gone from My Calendar",
    ),
}
"""By what is wrong, and whether only service calls are: of one, and of many."""
NO_REASON = "Not Connected"
REASON_CLAUSES: Mapping[Reason, str] = {
    Reason.PERMISSION_WITHDRAWN: "Not Connected: the permission was withdrawn, its owner has to reconnect",
    Reason.CALENDAR_MISSING: "Not Connected: the linked calendar is gone, "
    "its owner has to choose another one",
    Reason.CALENDAR_READ_ONLY: "Not Connected: the linked calendar became read-only, "
    "its owner has to choose another one",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Harm:
    """What of one integration is not as it should be in the next days."""

    when: str | None = None
    said: str | None = None
    more: int = 0

    @property
    def rank(self) -> int:
        """The smaller, the sooner somebody stands before the wrong door."""
        return len(WHEN_WORDS) if self.when is None else WHEN_WORDS.index(self.when)


def worst_harm(concerns: Iterable[ItemConcern], zone: str, now: datetime) -> Harm:
    """The soonest and worst of these in one sentence, and how many there are beside it."""
    placed = [(when, one) for one in concerns if (when := _when(one, zone, now)) is not None]
    if not placed:
        return Harm()
    soonest = min((when for when, _ in placed), key=WHEN_WORDS.index)
    first = [one for when, one in placed if when == soonest]
    worst = min((one.lack for one in first), key=WORST_FIRST.index)
    told = [one.item_type for one in first if one.lack == worst]
    return Harm(when=soonest, said=_sentence(told, soonest, worst), more=len(placed) - len(told))


def _when(concern: ItemConcern, zone: str, now: datetime) -> str | None:
    here = now.astimezone(ZoneInfo(zone))
    start = concern.starts_at.astimezone(UTC if concern.all_day else ZoneInfo(zone))
    days = (start.date() - here.date()).days
    if days < 0:
        return None
    if days == 0:
        morning = not concern.all_day and start.time() < NOON and here.time() < NOON
        return "before noon" if morning else "today"
    return "tomorrow" if days == 1 else "in the next 7 days"


def _sentence(types: Sequence[str], when: str, lack: str) -> str:
    kinds, many = set(types), len(types) > 1
    things = THINGS.get(types[0], ITEMS) if len(kinds) == 1 else ITEMS
    what = things[many].format(number=len(types), when=when)
    return LACKS[lack, kinds == {"service_call"}][many].format(what=what)


def describe_trouble(shown: IntegrationView, backlog: LinkBacklog, letters: int) -> str:
    """Why the integration stands as it does, in one sentence."""
    known = shown.integration
    parts = []
    if known.status is Status.NOT_CONNECTED:
        parts.append(REASON_CLAUSES.get(known.reason, NO_REASON) if known.reason else NO_REASON)
    elif shown.delayed_since is not None:
        parts.append("the calendar's provider delays what is sent")
    parts += _counted(
        shown.held_deletions,
        "{number} deletion waits for the owner's answer",
        "{number} deletions wait for the owner's answer",
    )
    parts += _counted(
        backlog.failed, "{number} change could not be written", "{number} changes could not be written"
    )
    parts += _counted(backlog.waiting, "{number} change waits", "{number} changes wait")
    parts += _counted(letters, "{number} open dead letter", "{number} open dead letters")
    sentence = "; ".join(parts) or "some changes have not crossed yet"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _counted(number: int, one: str, many: str) -> Iterator[str]:
    """Nothing where there are none."""
    if number:
        yield (one if number == 1 else many).format(number=f"{number:,}")


def tally_of_concerns(
    concerns: Iterable[ItemConcern], zone: str, now: datetime
) -> Sequence[tuple[str, str, int]]:
    """When, the type of the items and how many, soonest first."""
    placed = ((_when(one, zone, now), one.item_type) for one in concerns)
    counted = Counter((when, kind) for when, kind in placed if when is not None)
    ordered = sorted(counted.items(), key=lambda pair: (WHEN_WORDS.index(pair[0][0]), -pair[1]))
    return [(when, kind, number) for (when, kind), number in ordered]


def concern_span(now: datetime) -> tuple[datetime, datetime]:
    """What to ask for so that every time zone's today and next seven days are among it."""
    return now - timedelta(days=1), now + timedelta(days=8)
