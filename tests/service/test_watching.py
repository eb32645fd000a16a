"""An integration that watches says what it would do, and does nothing until it begins (R29, R33)."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from contracts.calendar import Trigger
from contracts.vorex import Action
from service.integrations.settings_form import Choices
from service.integrations.watching import WatchedReport
from service.store.tables import items as items_table
from service.store.tables import watched
from tests.support.choices import form
from tests.support.choosing import WHO, called
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns
from tests.support.watching import (
    ON_THE_FIFTH,
    ON_THE_FOURTH,
    Act,
    Told,
    ann_at,
    event_of,
    moves,
    noticed,
    seen,
    told,
)

DAY_SECONDS = 86_400.0
NO_CREATE = {"create": False, "update": True, "delete": True}


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with ann_at(sqlite_url, watching=True) as built:
        yield built


def counted(page: WatchedReport) -> Counter[Told]:
    """What the page counts as what would have been done."""
    crossed = [each for each in page.done if each.action in {"create", "update", "delete"}]
    return Counter({(each.direction, each.action, each.item_type): each.times for each in crossed})


async def sync_versions(ann: TwoPeopleWithRuns) -> dict[str, int]:
    """How often a calendar changed each item, those that are deleted by now included."""
    rows = await ann.rows(items_table)
    return {row["ref"]: row["sync_version"] for row in rows if row["sync_version"]}


async def sides(ann: TwoPeopleWithRuns) -> tuple[list[tuple[str, bool]], list[str]]:
    return ann.events(), await ann.titles()


def says(item_id: str, action: Action = Action.UPDATED, **changes: Any) -> Act:
    async def act(ann: TwoPeopleWithRuns) -> None:
        await ann.say(item_id, action=action, **changes)

    return act


def adds(summary: str, **fields: Any) -> Act:
    async def act(ann: TwoPeopleWithRuns) -> None:
        ann.add_event(summary, **fields)

    return act


def removes(summary: str) -> Act:
    async def act(ann: TwoPeopleWithRuns) -> None:
        ann.people.world.delete_event(ann.calendar, event_of(ann, summary))

    return act


WEEKS: Mapping[str, Sequence[Sequence[Act]]] = {
    "from Vorex": [
        [says("Visit", Action.CREATED), says("Call", Action.CREATED, type="service_call")],
        [says("Visit", title="Visit moved", **ON_THE_FOURTH)],
        [says("Call", type="service_call", title="Call", **ON_THE_FIFTH)],
        [says("Visit", assignees=["carol"])],
        [says("Call", Action.DELETED, type="service_call")],
        [says("Undated", Action.CREATED, start=None, end=None)],
    ],
    "from the calendar": [
        [adds("Lunch"), adds("Dentist", event_private=True, **ON_THE_FOURTH)],
        [moves("Lunch", summary="Long lunch")],
        [moves("Long lunch", **ON_THE_FIFTH), adds("Sport", **ON_THE_FOURTH)],
        [removes("Sport")],
        [moves("Standing before", summary="Standing still")],
        [removes("Long lunch"), removes("Standing still")],
    ],
    "of copies from before": [
        [moves("Old", **ON_THE_FIFTH), says("Older", title="Elder")],
        [removes("Oldest")],
        [moves("Old", location="Canteen"), says("Other", Action.CREATED)],
    ],
    "from both": [
        [says("Visit", Action.CREATED), adds("Lunch", **ON_THE_FOURTH)],
        [says("Visit", title="Visit again"), moves("Lunch", location="Canteen")],
        [says("Task", Action.CREATED, type="task"), adds("Sport", **ON_THE_FIFTH)],
        [says("Task", type="task", completed=True), removes("Lunch")],
        [says("Visit", Action.DELETED), removes("Sport")],
    ],
}


async def live_through(ann: TwoPeopleWithRuns, week: Sequence[Sequence[Act]]) -> None:
    """A day for each, after which all is at rest."""
    for day in week:
        for act in day:
            await act(ann)
        await noticed(ann)
        await ann.people.pass_time(DAY_SECONDS - 120)


@pytest.mark.parametrize("name", WEEKS)
async def test_watching_a_week_says_what_a_twin_does_and_writes_on_neither_side(
    sqlite_url: str, name: str
) -> None:
    """By direction, action and type of item, as often as it then really happens."""
    async with ann_at(f"{sqlite_url}-twin", watching=False) as twin:
        before = await told(twin, Trigger.REAL_TIME)
        await live_through(twin, WEEKS[name])
        really = await told(twin, Trigger.REAL_TIME) - before

    async with ann_at(sqlite_url, watching=True) as ann:
        await ann.people.hear()
        written, synced = len(ann.people.world.log.writes), await sync_versions(ann)
        await live_through(ann, WEEKS[name])
        would = await told(ann, Trigger.WATCHING)
        page = await seen(ann)

        assert would == really
        assert would == counted(page)
        assert (await told(ann, Trigger.REAL_TIME)) == before
        assert (len(ann.people.world.log.writes), await sync_versions(ann)) == (written, synced)
        assert not ann.people.tap.facts


@pytest.mark.parametrize("name", WEEKS)
async def test_watching_and_then_begin_ends_where_the_twin_is(sqlite_url: str, name: str) -> None:
    """Nothing stands twice, and nothing that changed meanwhile is missing."""
    async with ann_at(f"{sqlite_url}-twin", watching=False) as twin:
        await live_through(twin, WEEKS[name])
        really = await sides(twin)

    async with ann_at(sqlite_url, watching=True) as ann:
        await live_through(ann, WEEKS[name])
        await ann.switching.activate(ANN, ann.mine)
        await ann.rest()

        assert await sides(ann) == really
        assert await ann.rows(watched) == []


async def test_watching_r33_what_stood_before_the_first_finish_is_neither_said_nor_brought(
    ann: TwoPeopleWithRuns,
) -> None:
    """Its calendar is read once, as at every Finish; nothing is sent, and nothing that was there is told."""
    await start_anew(ann)
    ann.people.world.change_event(ann.calendar, event_of(ann, "There before"), summary="There still")
    ann.add_event("Lunch", **ON_THE_FIFTH)
    await noticed(ann)

    assert await told(ann, Trigger.WATCHING) == {("to_my_calendar", "create", "appointment"): 1}
    assert (await ann.row())["baseline_at"] is not None
    before = await ann.titles()

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    assert await ann.titles() == sorted([*before, "Lunch"])


async def test_watching_r29_what_was_entered_on_both_sides_by_hand_is_paired_where_it_begins(
    ann: TwoPeopleWithRuns,
) -> None:
    """Whoever watches goes on working by hand: none of that is doubled; what is on one side follows."""
    await start_anew(ann)
    await ann.say("By hand", action=Action.CREATED, **ON_THE_FIFTH)
    ann.add_event("By hand", **ON_THE_FIFTH)
    await ann.say("There before", action=Action.CREATED)
    await ann.say("Here alone", action=Action.CREATED)
    await noticed(ann)

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()
    await noticed(ann)

    titles = ["By hand", "Here alone", "There before"]
    assert [each for each in await ann.titles() if each in titles] == titles
    assert [each for each in ann.events() if each[0] in titles] == [
        ("By hand", False),
        ("Here alone", True),
        ("There before", False),
    ]


async def start_anew(ann: TwoPeopleWithRuns) -> None:
    """Another calendar of hers, on which there is an event, is linked for the first time, and watched."""
    ann.people.world.add_calendar("ann@example.com", "Second")
    other = called(ann, "Second")
    ann.people.world.add_event(
        other, summary="There before", start="2026-12-03T09:00:00Z", end="2026-12-03T10:00:00Z"
    )
    await ann.people.pass_time(60)
    ann.people.notices.clear()
    await ann.home.set(ann.mine, active=True, watching_since=None)
    choices = Choices.model_validate(form(other))
    await ann.accounts.finish(WHO, ann.mine, choices, aim="watch")
    ann.home.calendars[ann.mine] = other
    ann.chosen = "Second"
    await ann.rest()


async def test_watching_says_what_would_have_failed_or_been_left_and_why(ann: TwoPeopleWithRuns) -> None:
    """Such as a change of an event that the calendar does not let anybody change."""
    (brought,) = [
        one for one in await ann.home.items() if one.content and one.content.title == "Standing before"
    ]
    ann.people.world.set_permission(ann.calendar, "sandbox")
    await ann.home.set(ann.mine, permission_level="sandbox", event_types=NO_CREATE)
    await ann.say(brought.id, title="Renamed")
    ann.add_event("Lunch", **ON_THE_FIFTH)
    await noticed(ann)

    page = await seen(ann)

    assert {(each.direction, each.code) for each in page.left} == {
        ("to_linked_calendar", "not_possible"),
        ("to_my_calendar", "create_off"),
    }
    assert all(each.reason and each.times == 1 for each in page.left)
    assert {sample.title for sample in page.samples} == {"Renamed", "Lunch"}


async def test_watching_says_each_thing_once_however_often_it_is_read(ann: TwoPeopleWithRuns) -> None:
    """A notice that comes twice, or covers what was read before, adds nothing."""
    ann.add_event("Lunch")
    await noticed(ann)
    once = await told(ann, Trigger.WATCHING)

    for _ in range(3):
        await ann.home.changed(ann.mine)
        await ann.rest()

    assert await told(ann, Trigger.WATCHING) == once
    assert sum(once.values()) == 1


async def test_watching_too_many_deletions_would_wait_for_an_answer(ann: TwoPeopleWithRuns) -> None:
    """As they would for real, counted over what would be there by now (R11)."""
    for number in range(12):
        start = f"2026-12-{number + 6:02}T09:00:00Z"
        ann.add_event(f"Event {number}", start=start, end=start.replace("T09", "T10"))
    await noticed(ann)
    for number in range(12):
        ann.people.world.delete_event(ann.calendar, event_of(ann, f"Event {number}"))
    await noticed(ann)

    (left,) = (await seen(ann)).left

    assert (left.action, left.outcome, left.code, left.times) == ("delete", "held", "held_deletion", 12)


async def test_watching_ends_with_a_deactivation_and_forgets_what_it_would_have_done(
    ann: TwoPeopleWithRuns,
) -> None:
    """Then it neither reads nor says anything."""
    ann.add_event("Lunch")
    await noticed(ann)
    await ann.switching.deactivate(ANN, ann.mine)
    ann.add_event("Dinner", **ON_THE_FIFTH)
    await noticed(ann)

    assert await ann.rows(watched) == []
    assert sum((await told(ann, Trigger.WATCHING)).values()) == 1
    assert (await seen(ann)).since is None
    assert (await ann.row())["watching_since"] is None


async def test_watching_does_not_send_what_waited_in_a_lane(sqlite_url: str) -> None:
    """What was on its way to be sent when watching began is kept back, and follows at Begin."""
    async with ann_at(sqlite_url, watching=False) as ann:
        await ann.say("Late", action=Action.CREATED)
        await ann.switching.watch(ANN, ann.mine)
        await noticed(ann)
        meanwhile = ann.events()
        await ann.switching.activate(ANN, ann.mine)
        await ann.rest()

        assert ("Late", True) not in meanwhile
        assert ("Late", True) in ann.events()
