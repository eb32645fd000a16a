"""What stands still, told by whom it harms and when: pure, for the operations page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.calendar import Reason, Status
from service.store.integrations.listing import IntegrationView
from service.store.operations.standing import ItemConcern, LinkBacklog

NOON = time(12)
WHEN_WORDS = ("before noon", "today", "tomorrow", "in the next 7 days")
THING_WORDS: Mapping[str, tuple[str, str]] = {
    "appointment": ("appointment", "appointments"),
    "crm_activity": ("CRM activity", "CRM activities"),
    "service_call": ("service call", "service calls"),
    "task": ("task", "tasks"),
    "todo": ("to-do", "to-dos"),
}
ITEM_WORDS = ("item", "items")
WORST_FIRST = ("missing", "outdated", "left over")
REASON_CLAUSES: Mapping[Reason, str] = {
    Reason.PERMISSION_WITHDRAWN: "the permission was withdrawn, its owner has to reconnect",
    Reason.CALENDAR_MISSING: "the linked calendar is gone, its owner has to choose another one",
    Reason.CALENDAR_READ_ONLY: "the linked calendar became read-only, its owner has to choose another one",
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
    kinds = set(types)
    one, many = THING_WORDS.get(types[0], ITEM_WORDS) if len(kinds) == 1 else ITEM_WORDS
    single = len(types) == 1
    whose = "the technician's" if kinds == {"service_call"} else "the user's"
    what = f"{len(types)} {one if single else many} {when} {'is' if single else 'are'}"
    if lack == "missing":
        return f"{what} not on {whose} calendar"
    return f"{what} {'still' if lack == 'left over' else 'out of date'} on {whose} calendar" + (
        ", though gone from My Calendar" if lack == "left over" else ""
    )


def describe_trouble(shown: IntegrationView, backlog: LinkBacklog, letters: int) -> str:
    """Why the integration stands as it does, in one sentence."""
    known = shown.integration
    parts = []
    if known.status is Status.NOT_CONNECTED:
        parts.append(f"Not Connected: {REASON_CLAUSES[known.reason]}" if known.reason else "Not Connected")
    elif shown.delayed_since is not None:
        parts.append("the calendar's provider delays what is sent")
    if shown.held_deletions:
        held = shown.held_deletions
        verb = "waits" if held == 1 else "wait"
        parts.append(f"{_counted(held, 'deletion')} {verb} for the owner's answer")
    if backlog.failed:
        parts.append(f"{_counted(backlog.failed, 'change')} could not be written")
    if backlog.waiting:
        parts.append(f"{_counted(backlog.waiting, 'change')} {'waits' if backlog.waiting == 1 else 'wait'}")
    if letters:
        parts.append(_counted(letters, "open dead letter"))
    sentence = "; ".join(parts) or "some changes have not crossed yet"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def tally_of_concerns(
    concerns: Iterable[ItemConcern], zone: str, now: datetime
) -> Sequence[tuple[str, str, int]]:
    """When, what and how many, soonest first."""
    placed = ((_when(one, zone, now), one.item_type) for one in concerns)
    counted = Counter((when, kind) for when, kind in placed if when is not None)
    ordered = sorted(counted.items(), key=lambda pair: (WHEN_WORDS.index(pair[0][0]), -pair[1]))
    return [(when, THING_WORDS.get(kind, ITEM_WORDS)[number > 1], number) for (when, kind), number in ordered]


def concern_span(now: datetime) -> tuple[datetime, datetime]:
    """What to ask for so that every time zone's today and next seven days are among it."""
    return now - timedelta(days=1), now + timedelta(days=8)
