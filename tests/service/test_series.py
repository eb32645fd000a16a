"""Series on a linked calendar: split, deleted, made of a copy (R11, R33, R39)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.calendar import LinkState
from contracts.vorex import Action, ItemContent
from tests.support.one_person import NINE, TEN, OnePerson, one_person
from tests.support.two_people import TwoPeople, two_people

WEEKLY: dict[str, Any] = {"frequency": "weekly", "count": 20}


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[OnePerson]:
    async with one_person(sqlite_url) as built:
        yield built


def series(home: OnePerson, mine: str, title: str, *, count: int = 20) -> str:
    """A weekly series from nine to ten; the uid of its first occurrence."""
    form = {"summary": title, "start": NINE, "end": TEN, "recurrence": {**WEEKLY, "count": count}}
    return str(home.world.add_event(home.calendars[mine], **form)[0]["event_uid"])


def occurrences(home: OnePerson, mine: str) -> list[dict[str, Any]]:
    events = home.world.events(home.calendars[mine])
    return sorted((event for event in events if not event["deleted"]), key=lambda event: event["start"])


@pytest.mark.parametrize("delete", [True, False])
@pytest.mark.parametrize("page_size", [4, 100])
@pytest.mark.parametrize("change", [{}, {"start": "2026-12-17T11:00:00Z", "end": "2026-12-17T12:00:00Z"}])
async def test_r39_this_and_following_doubles_nothing(
    ann: OnePerson, delete: bool, page_size: int, change: dict[str, Any]
) -> None:
    """The same items go on under new identities; with Delete on or off, on one page or many."""
    mine = await ann.integration(boxes={"delete": delete})
    series(ann, mine, "Stand-up")
    await ann.changed(mine)
    before = {item.ref for item in await ann.items()}
    third = occurrences(ann, mine)[2]
    ann.world.faults.change(page_size=page_size)

    ann.world.split_series(ann.calendars[mine], third["event_uid"], **change)
    await ann.changed(mine)

    after = await ann.items()
    assert {item.ref for item in after} == before
    assert len(after) == 20
    starts = sorted(str(item.content.start) for item in after if item.content)
    there = [event["start"].replace("T", " ").replace("Z", "+00:00") for event in occurrences(ann, mine)]
    assert starts == there
    assert {link.state for link in await ann.links()} == {LinkState.AGREED}
    assert len({link.event_uid for link in await ann.links()}) == 20


async def test_r11_a_series_that_is_deleted_is_one_deletion(ann: OnePerson) -> None:
    """No answer is asked for, though it has twenty occurrences."""
    mine = await ann.integration()
    uid = series(ann, mine, "Stand-up")
    await ann.changed(mine)
    ann.world.delete_event(ann.calendars[mine], uid, series=True)
    await ann.changed(mine)
    assert await ann.items() == []


async def test_r11_many_series_are_many_deletions(ann: OnePerson) -> None:
    """More than ten, and more than a third of all."""
    mine = await ann.integration()
    uids = [series(ann, mine, f"Series {at}", count=2) for at in range(12)]
    await ann.changed(mine)
    for uid in uids:
        ann.world.delete_event(ann.calendars[mine], uid, series=True)
    await ann.changed(mine)
    assert len(await ann.items()) == 24


async def test_r33_a_series_that_was_there_before_stays_unbrought_when_it_is_split(ann: OnePerson) -> None:
    """What is not brought does not come by being changed."""
    mine = await ann.integration(baseline_at=None, active=True)
    await ann.world.advance(5)
    series(ann, mine, "Stand-up")
    await ann.world.advance(5)
    await ann.set(mine, finished_at=ann.clock.now())
    await ann.finish(mine)
    third = occurrences(ann, mine)[2]

    ann.world.split_series(ann.calendars[mine], third["event_uid"])
    await ann.changed(mine)
    await ann.reader.read_all(mine)

    assert await ann.items() == []


async def test_r39_a_copy_that_its_owner_makes_recurring_stays_one_item(sqlite_url: str) -> None:
    """Its further occurrences are passed over, said once, also by the complete read."""
    async with two_people(sqlite_url) as place:
        call = ItemContent.model_validate(
            {
                "id": "1", "type": "service_call", "title": "Replace firewall", "assignees": ["ann"],
                "start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z",
            }
        )  # fmt: skip
        await place.say(call, action=Action.CREATED)
        await place.rest()
        calendar = place.home.calendars[place.integrations["ann"]]
        (event,) = place.world.events(calendar)
        place.world.change_event(calendar, event["event_uid"], recurrence=WEEKLY)
        await place.rest()
        assert len(place.world.events(calendar)) == 20
        assert len(await place.home.items()) == 1
        said = [entry for entry in await place.home.log() if entry[3] == "series"]
        assert said == [("to_my_calendar", "create", "skipped", "series")]


async def test_a_mirror_of_one_calendar_in_another_brings_nothing_twice(sqlite_url: str) -> None:
    """Another tool copies what is on Ann's first calendar to her second one, and our own copies back."""
    async with two_people(sqlite_url) as place:
        await _mirrored(place)


async def _mirrored(place: TwoPeople) -> None:
    home = place.home
    mine = place.integrations["ann"]
    first = home.calendars[mine]
    place.world.add_event(first, summary="Review", start="2026-12-03T09:00:00Z", end="2026-12-03T10:00:00Z")
    await place.rest()
    for _ in range(3):
        for event in place.world.events(first):
            place.world.add_event(
                first,
                summary=event["summary"].upper(),
                start=event["start"],
                end=event["end"],
                description="mirrored",
            )
        await place.rest()
    assert len(await home.items()) == 1
    assert len(place.world.events(first)) == 8
    assert all(entry[3] in {"ok", "already_there"} for entry in await home.log())


async def test_a_tool_that_makes_copies_without_end_is_braked(ann: OnePerson) -> None:
    """Twenty of a minute come, the others wait, and Retrieve brings them."""
    mine = await ann.integration()
    for at in range(30):
        ann.add_event(
            mine, summary=f"Lunch (copy {at})", start=f"2026-12-03T09:{at:02}:00Z", end="2026-12-03T10:00:00Z"
        )
    await ann.changed(mine)
    await ann.changed(mine)
    assert len(await ann.items()) == 20
    assert [entry[2:] for entry in await ann.log()].count(("held", "loop_stopped")) == 10

    await ann.run_to_end(mine, retrieve={"past": "today", "future": "1_month"})
    assert len(await ann.items()) == 30
