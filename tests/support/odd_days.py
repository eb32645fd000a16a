"""What people do on odd days: fetch back, repeat, invite, hide, and come back by Cronofy's mail (R35–R40)."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.errors import Transient
from tests.support.two_people_with_runs import TwoPeopleWithRuns

EMAIL = "ann@example.com"
DAY_SECONDS = 86_400.0
OTHERS = [{"email": "bob@elsewhere.example"}, {"email": "eve@elsewhere.example"}]
MEETING = {"provider_name": "zoom", "join_url": "https://zoom.example/j/1"}
SECRET = "Secret"
"""How the title begins of every event that was private from its first moment."""
FIRST = datetime(2026, 12, 4, 14, tzinfo=UTC)


@dataclass(kw_only=True)
class Diary:
    """What the odd days left to be remembered, for the end."""

    restored: dict[str, float] = field(default_factory=dict)
    """When each event was fetched back last, by its uid."""
    own_series: set[str] = field(default_factory=set)
    """Series that copies of ours were made into: their further occurrences are not brought."""
    series: int = 0
    """How many were made: each has a name of its own, for what looks like another is passed over (R1)."""
    removed: bool = False
    """Whether Ann ever had her copies removed with her integration."""


@dataclass(frozen=True, kw_only=True)
class Odd:
    """One such thing: the world, who does it, and the numbers that choose."""

    here: TwoPeopleWithRuns
    diary: Diary
    who: str
    which: int
    value: int

    @property
    def calendar(self) -> str:
        return self.here.calendar_of(self.who)

    def events(self, *, ours: bool | None = None) -> list[dict[str, Any]]:
        """Those that are there, of both kinds or one."""
        there = [event for event in self.here.people.world.events(self.calendar) if not event["deleted"]]
        return [event for event in there if ours is None or bool(event["event_id"]) is ours]

    def one(self, events: list[dict[str, Any]]) -> dict[str, Any] | None:
        return events[self.which % len(events)] if events else None

    async def change(self, event: dict[str, Any] | None, **fields: Any) -> None:
        if event is not None:
            self.here.people.world.change_event(self.calendar, event["event_uid"], **fields)
            await self.here.people.world.settle()


async def restore(odd: Odd) -> None:
    """What was deleted is fetched back, at once, when it was noticed, or after a day."""
    place = odd.here.people
    if not place.world.calendar(odd.calendar).bin and (event := odd.one(odd.events())):
        place.world.delete_event(odd.calendar, event["event_uid"])
    if odd.value % 4:
        await place.pass_time(30.0)
        while place.notices and odd.value % 4 > 1:
            await place.notice(0)
        await place.settle()
        await place.pass_time(DAY_SECONDS * (odd.value % 4 > 2))
    gone = list(place.world.calendar(odd.calendar).bin)
    if gone:
        uid = gone[odd.which % len(gone)]
        place.world.restore_event(odd.calendar, uid)
        odd.diary.restored[uid] = place.world.clock.now()
        await place.world.settle()


async def add_series(odd: Odd) -> None:
    """A new series, whose occurrences all look new."""
    start = FIRST + timedelta(hours=odd.value)
    every = {"frequency": ("daily", "weekly")[odd.which % 2], "count": 3}
    odd.diary.series += 1
    title = f"Series {odd.diary.series}"
    form = {"summary": title, "start": _text(start), "end": _text(start + timedelta(hours=1))}
    odd.here.people.world.add_event(odd.calendar, recurrence=every, **form)
    await odd.here.people.world.settle()


async def split(odd: Odd) -> None:
    """*This and following* is changed, in its time or only in its identity."""
    if not (theirs := _of_series(odd)):
        await add_series(odd)
        await odd.here.people.pass_time(30.0)
        while odd.here.people.notices and odd.value % 4 > 1:
            await odd.here.people.notice(0)
        theirs = _of_series(odd)
    if event := odd.one(theirs):
        start = datetime.fromisoformat(event["start"]) + timedelta(minutes=30)
        moved = {"start": _text(start), "end": _text(start + timedelta(hours=1))} if odd.value % 2 else {}
        odd.here.people.world.split_series(odd.calendar, event["event_uid"], **moved)
        await odd.here.people.world.settle()


def _of_series(odd: Odd) -> list[dict[str, Any]]:
    """Occurrences of series that the owner made, not of copies that were made recurring."""
    theirs = [event for event in odd.events(ours=False) if event["series_identifier"]]
    return [event for event in theirs if event["series_identifier"] not in odd.diary.own_series]


async def delete_series(odd: Odd) -> None:
    event = odd.one([event for event in odd.events(ours=False) if event["series_identifier"]])
    if event is not None:
        odd.here.people.world.delete_event(odd.calendar, event["event_uid"], series=True)
        await odd.here.people.world.settle()


async def repeat_ours(odd: Odd) -> None:
    """The owner makes a copy of ours recurring."""
    event = odd.one([event for event in odd.events(ours=True) if not event["series_identifier"]])
    if event is not None:
        every = {"frequency": "weekly", "count": 3}
        changed = odd.here.people.world.change_event(odd.calendar, event["event_uid"], recurrence=every)
        odd.diary.own_series.add(changed["series_identifier"])
        await odd.here.people.world.settle()


async def invite(odd: Odd) -> None:
    """Others are invited, to an event or to a copy, with an online meeting or without."""
    people = OTHERS[: 1 + odd.value % 2] if odd.value % 4 != 3 else []
    meeting = {"conferencing": MEETING} if odd.value % 4 > 1 else {}
    if not odd.events():
        start = FIRST + timedelta(days=2, hours=odd.value)
        form = {"start": _text(start), "end": _text(start + timedelta(hours=1))}
        odd.here.people.world.add_event(odd.calendar, summary=f"Meeting {odd.value}", **form)
    await odd.change(odd.one(odd.events()), attendees=people, **meeting)


async def add_secret(odd: Odd) -> None:
    """A private event: nobody is to read its texts."""
    start = FIRST + timedelta(days=1, hours=odd.value)
    odd.here.people.world.add_event(
        odd.calendar,
        summary=f"{SECRET} {odd.value}",
        description=SECRET,
        location=SECRET,
        event_private=True,
        start=_text(start),
        end=_text(start + timedelta(hours=1)),
    )
    await odd.here.people.world.settle()


async def wrong_clock(odd: Odd) -> None:
    """The provider's clock goes a day ahead, or an hour back, or is right again."""
    offset = (DAY_SECONDS, 0.0, -3600.0)[odd.value % 3]
    odd.here.people.world.faults.change(stamp_offset=offset)


async def mend_by_mail(odd: Odd) -> None:
    """Ann's connection breaks, and she mends it by Cronofy's own mail; ids may be new (R35, R36).

    Calendars get new ids only after so long that the break was noticed by everybody.
    """
    here, world = odd.here, odd.here.people.world
    if not here.linked:
        return
    world.disconnect(EMAIL)
    await world.settle()
    long_ago = odd.which % 2 == 1
    if long_ago or odd.value % 2:
        await here.people.settle()
        await here.people.pass_time(3600.0)
    if long_ago:
        with suppress(Transient):
            await here.home.looker.look(here.mine, at_once=True)
    before = world.faults.new_event_uids
    world.faults.change(new_event_uids=True, new_calendar_ids=long_ago)
    world.reconnect(EMAIL)
    world.faults.change(new_event_uids=before, new_calendar_ids=False)
    here.home.calendars[here.mine] = here.calendar_id()
    world.set_permission(here.calendar, "unrestricted")
    await world.settle()


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


OddVerb = Callable[[Odd], Awaitable[None]]
ODD_VERBS: dict[str, OddVerb] = {
    "restore": restore,
    "add series": add_series,
    "split series": split,
    "delete series": delete_series,
    "repeat ours": repeat_ours,
    "invite": invite,
    "add secret": add_secret,
    "wrong clock": wrong_clock,
}
MENDED = {"mend by mail": mend_by_mail}
"""What happens to the connection as a whole."""
