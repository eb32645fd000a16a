"""The rehearsal says what Finish then does, and writes nothing (R24–R29, R33)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import func, select

from contracts.calendar import Origin
from contracts.ports import EventReader
from service.consumers.runs.dry_run import DryRun
from service.consumers.runs.dry_run_result import DryRunAction, DryRunResult
from service.cronofy.questions import QUESTIONS_A_MINUTE, REQUESTS_A_MINUTE, AskedTooOften
from service.integrations import Person
from service.integrations.refusals import Conflict
from service.integrations.settings_form import Choices
from service.store.links import tombstones
from service.store.tables import metadata
from tests.support.one_person import ALL_TYPES, NINE, TEN, OnePerson

ANN = "ann@example.com"
PERSON = Person(tenant_id="acme", user_id="ann", time_zone="Europe/London")
WEEK = {"enabled": True, "past": "1_week", "future": "1_week"}
QUARTER = {"enabled": True, "past": "today", "future": "3_months"}
YEAR = {"enabled": True, "past": "today", "future": "12_months"}
OFF = {"enabled": False, "past": "today", "future": "today"}
FAR = ("2027-01-14T09:00:00Z", "2027-01-14T10:00:00Z")
LATE = ("2027-11-03T09:00:00Z", "2027-11-03T10:00:00Z")
BOTH_WAYS = {"retrieve": WEEK, "send": WEEK}


@dataclass(kw_only=True)
class Desk:
    """Ann at the last step of the wizard."""

    home: OnePerson
    integration_id: str
    rehearsal: DryRun
    choices: dict[str, Any] = field(default_factory=dict)

    async def rehearse(self, **options: Any) -> DryRunResult:
        self.choices = {
            "calendar_id": self.home.calendars[self.integration_id],
            "event_types": {"create": True, "update": True, "delete": True},
            "item_types": ALL_TYPES,
            "retrieve": OFF,
            "send": OFF,
            **options,
        }
        choices = Choices.model_validate(self.choices)
        return await self.rehearsal.of(PERSON, self.integration_id, choices)

    async def then_finish(self, *, steps: int | None = None) -> dict[str, int]:
        """What the real run then did, by what it left on both sides."""
        ranges = {
            name: {edge: option[edge] for edge in ("past", "future")} if option["enabled"] else None
            for name, option in ((name, self.choices[name]) for name in ("retrieve", "send"))
        }
        before, known = len(await self.home.items()), len(await self.home.log())
        await self.home.run_steps(
            self.integration_id,
            retrieve=ranges["retrieve"],
            send=ranges["send"],
            steps=steps or self._steps(),
        )
        log = (await self.home.log())[known:]
        copies = [link for link in await self.home.links() if link.origin is Origin.OURS]
        return {
            "add_there": sum(not link.exists_there for link in copies),
            "add_here": len(await self.home.items()) - before,
            "link": sum(action == "link" for _, action, _, _ in log),
        }

    def _steps(self) -> int:
        """As many as there are until Send has handed over what it found; nothing writes it here."""
        retrieve, send = self.choices["retrieve"], self.choices["send"]
        if not send["enabled"]:
            return 2
        return 4 if retrieve["enabled"] and retrieve != send else 3


async def at_the_desk(home: OnePerson, *events: Mapping[str, object], patience: float = 60.0) -> Desk:
    if ANN not in home.world.mailboxes:
        home.world.add_mailbox(email=ANN)
    calendar = next(iter(home.world.link(ANN).calendar_ids.values()))
    for event in events:
        home.world.add_event(calendar, **{"start": NINE, "end": TEN, **event})
    await home.world.advance(60)
    mine = await home.integration(ANN, baseline_at=None)
    calendars = home.cronofy.gateway
    return Desk(
        home=home,
        integration_id=mine,
        rehearsal=DryRun(store=home.store, people=home.accounts, calendars=calendars, patience=patience),
    )


def told(found: DryRunResult) -> dict[str, int]:
    return {name: found.counts[DryRunAction(name)] for name in ("add_there", "add_here", "link")}


async def stored(home: OnePerson) -> dict[str, int]:
    """How many rows each table has."""
    async with home.store.read() as connection:
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }


LUNCH = {"summary": "Lunch"}
DENTIST = {
    "summary": "Dentist",
    "event_private": True,
    "start": "2026-12-02T12:00:00Z",
    "end": "2026-12-02T13:00:00Z",
}
SAME = {"summary": "Same"}
CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, str]], dict[str, Any], dict[str, int]]] = {
    "retrieve": ([LUNCH, DENTIST], [], {"retrieve": WEEK}, {"add_there": 0, "add_here": 2, "link": 0}),
    "send": (
        [LUNCH], [{"title": "Firewall", "kind": "service_call"}, {"title": "Call", "kind": "todo"}],
        {"send": WEEK}, {"add_there": 2, "add_here": 0, "link": 0},
    ),
    "both": (
        [LUNCH], [{"title": "Firewall", "kind": "task"}], BOTH_WAYS,
        {"add_there": 1, "add_here": 1, "link": 0},
    ),
    "equal on both sides": (
        [SAME, LUNCH], [{"title": "Same", "kind": "appointment"}], BOTH_WAYS,
        {"add_there": 0, "add_here": 1, "link": 1},
    ),
    "equal on both sides, send alone": (
        [SAME], [{"title": "Same", "kind": "appointment"}], {"send": WEEK},
        {"add_there": 0, "add_here": 0, "link": 1},
    ),
    "equal beyond what is retrieved": (
        [{**SAME, "start": FAR[0], "end": FAR[1]}, LUNCH],
        [{"title": "Same", "kind": "appointment", "start": FAR[0], "end": FAR[1]}],
        {"retrieve": WEEK, "send": QUARTER}, {"add_there": 0, "add_here": 1, "link": 1},
    ),
    "further than Cronofy reaches": (
        [SAME],
        [
            {"title": "Same", "kind": "appointment"},
            {"title": "Late", "kind": "task", "start": LATE[0], "end": LATE[1]},
        ],
        {"send": YEAR}, {"add_there": 1, "add_here": 0, "link": 1},
    ),
    "two candidates": (
        [SAME, SAME], [{"title": "Same", "kind": "appointment"}], BOTH_WAYS,
        {"add_there": 1, "add_here": 2, "link": 0},
    ),
    "an unchecked type": (
        [], [{"title": "Firewall", "kind": "service_call"}, {"title": "Call", "kind": "todo"}],
        {"send": WEEK, "item_types": {**ALL_TYPES, "todo": False}},
        {"add_there": 1, "add_here": 0, "link": 0},
    ),
    "neither": (
        [LUNCH], [{"title": "Firewall", "kind": "task"}], {}, {"add_there": 0, "add_here": 0, "link": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_the_numbers_are_what_finish_then_does(home: OnePerson, case: str) -> None:
    """R24–R29: the same rules, the same page for page; R33 keeps the rest where it is."""
    events, own, options, expected = CASES[case]
    desk = await at_the_desk(home, *events)
    for item in own:
        await home.own_item(**{"start": NINE, "end": TEN, **item})
    await home.set(desk.integration_id, item_types=options.get("item_types", ALL_TYPES))
    before = await stored(home)

    found = await desk.rehearse(**options)

    assert await stored(home) == before
    assert found.cut is None
    assert told(found) == expected
    assert await desk.then_finish() == expected


PAGED: dict[str, tuple[list[str], dict[str, Any], dict[str, int]]] = {
    "retrieve": (["Same", "Lunch", "Same"], {"retrieve": WEEK}, {"add_there": 0, "add_here": 3, "link": 0}),
    "send": (["Same", "Lunch", "Same"], {"send": WEEK}, {"add_there": 1, "add_here": 0, "link": 0}),
    "both": (["Same", "Lunch", "Same"], BOTH_WAYS, {"add_there": 1, "add_here": 3, "link": 0}),
    "one alone": (["Lunch", "Same", "Third"], BOTH_WAYS, {"add_there": 0, "add_here": 2, "link": 1}),
}


@pytest.mark.parametrize("case", PAGED)
async def test_r29_equals_are_counted_over_the_whole_range_as_finish_then_does(
    home: OnePerson, case: str
) -> None:
    """Two that are equal come on different pages, and neither is alone."""
    titles, options, expected = PAGED[case]
    desk = await at_the_desk(home, *({"summary": title} for title in titles))
    await home.own_item("Same", kind="appointment", start=NINE, end=TEN)
    home.world.faults.change(page_size=1)
    before = await stored(home)

    found = await desk.rehearse(**options)

    assert await stored(home) == before
    assert (found.cut, told(found)) == (None, expected)
    assert found.counts[DryRunAction.LEAVE] == 0
    assert await desk.then_finish(steps=9) == expected


async def test_what_a_run_did_already_is_left_alone(home: OnePerson) -> None:
    """R18: a second sync of anything that is in agreement does nothing."""
    desk = await at_the_desk(home, LUNCH, SAME)
    await home.own_item("Same", kind="appointment", start=NINE, end=TEN)
    await desk.rehearse(**BOTH_WAYS)
    await desk.then_finish()

    found = await desk.rehearse(**BOTH_WAYS)

    assert told(found) == {"add_there": 0, "add_here": 0, "link": 0}
    assert found.counts[DryRunAction.LEAVE] == 2


async def test_each_line_opens_and_private_texts_stay_closed(home: OnePerson) -> None:
    """R8, R27: titles by time, the private one masked."""
    desk = await at_the_desk(home, LUNCH, DENTIST)

    (adding,) = (await desk.rehearse(retrieve=WEEK)).shown

    assert adding[0] is DryRunAction.ADD_HERE
    assert [line.title for line in adding[1]] == ["Private appointment", "Lunch"]


async def test_a_large_calendar_is_counted_as_far_as_a_person_waits(home: OnePerson) -> None:
    """The first ten pages, and the page says so."""
    events = [
        {"summary": f"E{at}", "start": f"2026-12-02T{at:02}:00:00Z", "end": f"2026-12-02T{at:02}:30:00Z"}
        for at in range(12)
    ]
    desk = await at_the_desk(home, *events)
    home.world.faults.change(page_size=1)

    found = await desk.rehearse(retrieve=WEEK)

    assert (found.cut, found.counts[DryRunAction.ADD_HERE]) == ("large", 10)


async def test_a_slow_cronofy_keeps_nobody_waiting(home: OnePerson) -> None:
    desk = await at_the_desk(home, LUNCH, patience=0.0)

    assert (await desk.rehearse(retrieve=WEEK)).cut == "slow"


async def test_while_cronofy_still_reads_the_rehearsal_says_so(home: OnePerson) -> None:
    """R24."""
    desk = await at_the_desk(home, LUNCH)
    home.world.start_initial_sync(ANN)

    assert (await desk.rehearse(retrieve=WEEK)).cut == "first_sync"


async def test_what_finish_would_refuse_is_refused_before(home: OnePerson) -> None:
    """R1, R5: nothing selected, or a calendar that is linked already."""
    desk = await at_the_desk(home, LUNCH)
    nothing = {
        "event_types": {"create": False, "update": False, "delete": False},
        "item_types": dict.fromkeys(ALL_TYPES, False),
    }
    with pytest.raises(Conflict) as refused:
        await desk.rehearse(**nothing)
    assert refused.value.code == "nothing_selected"
    await home.set(desk.integration_id, calendar_id=None, calendar_name=None)
    await home.integration(ANN)
    with pytest.raises(Conflict) as refused:
        await desk.rehearse(retrieve=WEEK)
    assert refused.value.code == "already_linked"


async def test_copies_that_follow_to_another_calendar_are_told_apart(home: OnePerson) -> None:
    """R16: they are moved, and Send does not add them a second time."""
    home.world.add_mailbox(email=ANN, calendars=("Calendar", "Second"))
    desk = await at_the_desk(home)
    await home.own_item("Firewall", kind="task", start=NINE, end=TEN)
    await desk.rehearse(send=WEEK)
    await desk.then_finish()
    await home.own_item("New", kind="task", start=NINE, end=TEN)
    second = home.world.link(ANN).calendar_ids["Second"]

    found = await desk.rehearse(send=WEEK, calendar_id=second, copies="move")

    assert {doing.value: [line.title for line in lines] for doing, lines in found.shown} == {
        "move": ["Firewall"], "add_there": ["New"],
    }  # fmt: skip


async def test_what_an_earlier_integration_knew_is_linked_again(home: OnePerson) -> None:
    """R21: pairs of ninety days are adopted instead of copied."""
    desk = await at_the_desk(home, LUNCH)
    await desk.rehearse(retrieve=WEEK)
    await desk.then_finish()
    await home.set(desk.integration_id, deleted_at=home.clock.now(), erased_at=home.clock.now())
    mine = await home.value(desk.integration_id)
    async with home.store.begin() as connection:
        await tombstones.bury_links(connection, mine, but_copies=False, now=home.clock.now())
    desk.integration_id = await home.integration(ANN, baseline_at=None)
    await home.world.advance(timedelta(minutes=5).total_seconds())

    expected = {"add_there": 0, "add_here": 0, "link": 1}
    assert told(await desk.rehearse(retrieve=WEEK)) == expected
    assert await desk.then_finish() == expected


@dataclass
class CountedCalendars:
    """Counts what is asked of Cronofy."""

    inner: EventReader
    asked: int = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self.inner, name)


async def test_r44_each_request_of_a_rehearsal_counts_for_its_person(home: OnePerson) -> None:
    """However large a calendar and often looked at, one person has an eighth of the budget at most."""
    many = [{"event_uid": f"e{number}", "summary": f"Event {number}"} for number in range(250)]
    desk = await at_the_desk(home, *many)
    counted = CountedCalendars(inner=home.cronofy.gateway)
    desk.rehearsal = DryRun(store=home.store, people=home.accounts, calendars=cast(EventReader, counted))
    found = [await _looked(desk) for _ in range(QUESTIONS_A_MINUTE)]
    assert (found[0], found[-1]) == (250, None)
    assert 0 < counted.asked <= REQUESTS_A_MINUTE
    await home.world.advance(60)
    assert await _looked(desk) == 250


async def _looked(desk: Desk) -> int | None:
    """How many would be brought here; None where the person has to wait."""
    try:
        return (await desk.rehearse(retrieve=WEEK)).counts[DryRunAction.ADD_HERE]
    except AskedTooOften:
        return None
