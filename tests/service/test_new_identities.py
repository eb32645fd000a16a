"""Events and calendars that come back under new ids are the same events and calendars (R35, R36)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.keeper import lost_calendars
from service.store.tables import runs
from tests.support.integration_acts import WIDE, sync
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

ANN = "ann@example.com"
DAY = 86_400.0
WEEK = {"frequency": "weekly", "count": 4}


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


@pytest.fixture
async def ann_on_each(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    """As ``ann``, once on each engine."""
    async with two_people_with_runs(database_url) as built:
        yield built


async def _lost(ann: TwoPeopleWithRuns) -> None:
    """Her account's connection breaks, and everybody knows."""
    ann.people.world.disconnect(ANN)
    await ann.home.looker.look(ann.mine, at_once=True)
    assert (await ann.row())["reason"] == "permission_withdrawn"


async def _back(ann: TwoPeopleWithRuns) -> None:
    """She mends it by Cronofy's mail, and the keeper finds that out within the hour."""
    ann.people.world.reconnect(ANN)
    await ann.people.pass_time(3700)
    await lost_calendars(ann.home.store, ann.home.looker.look).work()
    await ann.people.settle()
    ann.home.calendars[ann.mine] = str((await ann.row())["calendar_id"])
    await ann.rest()


async def _grown(ann: TwoPeopleWithRuns) -> None:
    """An event and a series from before Finish, one that was brought, and two copies of hers."""
    ann.add_event("Before")
    ann.add_event("Series", recurrence=WEEK, start="2026-12-04T09:00:00Z", end="2026-12-04T10:00:00Z")
    await ann.people.pass_time(5)
    await ann.home.set(ann.mine, baseline_at=None, finished_at=ann.home.clock.now())
    await ann.start("finish")
    await ann.rest()
    ann.add_event("Lunch", start="2026-12-05T12:00:00Z", end="2026-12-05T13:00:00Z")
    await ann.say("Visit", start="2026-12-06T09:00:00Z", end="2026-12-06T10:00:00Z")
    await ann.people.rest()
    assert await ann.titles() == ["Lunch", "Visit"]


@pytest.mark.parametrize(
    "how",
    [
        {"new_event_uids": True},
        {"new_event_uids": True, "new_calendar_ids": True},
        {"new_event_uids": True, "relink_forgets_managed": True},
        {"cache_days": 0.0},
        {"cache_days": 0.0, "managed_days": 0.0},
    ],
)
async def test_r36_what_comes_back_under_new_ids_is_neither_brought_nor_written_again(
    ann: TwoPeopleWithRuns, how: dict[str, Any]
) -> None:
    """And goes on: an edit there arrives as an edit, a change here goes to the same event."""
    await _grown(ann)
    before = sorted(ann.events())
    await _lost(ann)
    ann.people.world.faults.change(**how)

    await _back(ann)

    assert (await ann.row())["status"] == "connected"
    assert await ann.titles() == ["Lunch", "Visit"]
    assert sorted(title for title, _ in ann.events()) == sorted(title for title, _ in before)
    ann.people.world.set_permission(ann.calendar, "unrestricted")
    await ann.home.looker.look(ann.mine, at_once=True)
    await ann.rest()
    await ann.retitle("Lunch", "Dinner")
    await ann.retitle("Visit", "Call")
    ann.add_event("New", start="2026-12-08T12:00:00Z", end="2026-12-08T13:00:00Z")
    await ann.people.rest()
    assert await ann.titles() == ["Call", "Dinner", "New"]
    assert sorted({title for title, _ in ann.events()}) == ["Before", "Call", "Dinner", "New", "Series"]
    assert len(ann.events()) == len(before) + 1


@pytest.mark.parametrize("first", ["the daily read", "a notice", "a Retrieve"])
async def test_r36_a_reconnection_that_nobody_noticed_is_noticed_by_what_it_left(
    ann: TwoPeopleWithRuns, first: str
) -> None:
    """Events that stand are missed, and unknown ones are like them: all is paired, nothing brought twice."""
    await _grown(ann)
    for at in range(12):
        ann.add_event(
            f"Talk {at}", start=f"2026-12-07T{at + 8:02}:00:00Z", end=f"2026-12-07T{at + 8:02}:30:00Z"
        )
    ann.add_event("Secret", event_private=True, start="2026-12-08T09:00:00Z", end="2026-12-08T10:00:00Z")
    await ann.people.rest()
    before = await ann.titles()
    ann.people.world.faults.change(new_event_uids=True)
    ann.people.world.disconnect(ANN)
    ann.people.world.reconnect(ANN)
    ann.people.notices.clear()
    ann.people.world.set_permission(ann.calendar, "unrestricted")

    if first == "a notice":
        await ann.home.changed(ann.mine)
    elif first == "a Retrieve":
        await sync(ann, retrieve=WIDE)
    await ann.rest()
    await ann.people.rest()

    if first == "a Retrieve":  # which brings what was there before Finish (R26)
        before = sorted([*before, "Before", *["Series"] * 4])
    assert await ann.titles() == before
    assert (await ann.row())["status"] == "connected"
    await ann.retitle("Talk 3", "Talk, moved")
    there = next(one for one in ann.people.world.events(ann.calendar) if one["summary"] == "Talk 4")
    ann.people.world.change_event(ann.calendar, there["event_uid"], summary="Talk, renamed")
    await ann.people.rest()
    assert {"Talk, moved", "Talk, renamed"} <= {title for title, _ in ann.events()}
    assert {"Talk, moved", "Talk, renamed"} <= set(await ann.titles())
    assert len(await ann.titles()) == len(before)


async def test_r36_what_changed_meanwhile_is_still_a_change(ann_on_each: TwoPeopleWithRuns) -> None:
    """Made anew there in the meantime, moved here in the meantime."""
    ann = ann_on_each
    await _grown(ann)
    await _lost(ann)
    await ann.people.pass_time(60)
    ann.add_event("Meanwhile", start="2026-12-09T12:00:00Z", end="2026-12-09T13:00:00Z")
    await ann.retitle("Lunch", "Dinner")
    ann.people.world.faults.change(new_event_uids=True)

    await _back(ann)

    assert await ann.titles() == ["Dinner", "Meanwhile", "Visit"]
    assert ("Dinner", False) in ann.events()
    assert ("Lunch", False) not in ann.events()


async def test_r36_two_that_fit_are_not_guessed_at(ann_on_each: TwoPeopleWithRuns) -> None:
    """What fits nothing for certain is remembered as there before, and its item stays."""
    ann = ann_on_each
    times = {"start": "2026-12-05T12:00:00Z", "end": "2026-12-05T13:00:00Z"}
    ann.add_event("Lunch", **times)
    second = ann.add_event("Second", **times)
    await ann.people.rest()
    ann.people.world.change_event(ann.calendar, second, summary="Lunch")
    await ann.people.rest()
    await _lost(ann)
    await ann.people.pass_time(60)
    ann.people.world.faults.change(new_event_uids=True)

    await _back(ann)

    assert await ann.titles() == ["Lunch", "Lunch"]


@pytest.mark.parametrize("title", ["Lunch", "Team lunch", "Lunch, LUNCH"])
async def test_r36_two_new_ones_that_look_alike_end_and_do_not_read_for_ever(
    ann_on_each: TwoPeopleWithRuns, title: str
) -> None:
    """One of them was brought and the other passed over; then both have new ids."""
    ann = ann_on_each
    await ann.read(after=60)
    await ann.people.pass_time(5)
    times = {"start": "2026-12-05T12:00:00Z", "end": "2026-12-05T13:00:00Z"}
    first, second = title.split(", ") if ", " in title else (title, title)
    for each in (first, second):
        ann.add_event(each, **times)
        await ann.people.rest(reads=False)
    assert await ann.titles() == [first]
    await _lost(ann)
    await ann.people.pass_time(60)
    ann.people.world.faults.change(new_event_uids=True)

    await _back(ann)

    await ann.say("Visit", start="2026-12-06T09:00:00Z", end="2026-12-06T10:00:00Z")
    await ann.people.rest()
    assert first in await ann.titles()
    assert ("Visit", True) in ann.events()


@pytest.mark.parametrize("how", ["cut and pasted", "copied, and deleted later", "deleted, and made later"])
async def test_r36_what_is_made_again_there_stays_on_my_calendar(
    ann_on_each: TwoPeopleWithRuns, how: str
) -> None:
    """Within minutes, and not with the next daily read; nothing is twice there."""
    ann = ann_on_each
    await ann.read(after=60)
    first = ann.add_event("Lunch")
    await ann.people.rest(reads=False)
    assert await ann.titles() == ["Lunch"]
    if how == "cut and pasted":
        ann.people.world.delete_event(ann.calendar, first)
        ann.add_event("Lunch")
    elif how == "copied, and deleted later":
        ann.add_event("Lunch")
        await ann.people.rest(reads=False)
        ann.people.world.delete_event(ann.calendar, first)
    else:
        ann.people.world.delete_event(ann.calendar, first)
        await ann.people.rest(reads=False)
        ann.add_event("Lunch")
    await ann.people.rest(reads=False)
    await ann.people.pass_time(60)
    await ann.rest()

    assert await ann.titles() == ["Lunch"]
    ann.people.world.change_event(ann.calendar, _living(ann), summary="Dinner")
    await ann.people.rest()
    assert await ann.titles() == ["Dinner"]


def _living(ann: TwoPeopleWithRuns) -> str:
    (event,) = [one for one in ann.people.world.events(ann.calendar) if not one["deleted"]]
    return str(event["event_uid"])


async def test_r9_a_series_goes_on_behind_a_reconnection(ann: TwoPeopleWithRuns) -> None:
    """Its next occurrence comes into sight only afterwards, and was made long ago."""
    await ann.people.pass_time(60)
    daily = {"frequency": "daily", "count": 400}
    ann.add_event("Standup", recurrence=daily, start="2026-12-02T09:00:00Z", end="2026-12-02T09:15:00Z")
    await ann.people.rest()
    for _ in range(3):
        await ann.read(after=DAY)
    before = len(await ann.titles())
    await ann.read(after=DAY)
    assert len(await ann.titles()) == before + 1
    await _lost(ann)
    await ann.people.pass_time(DAY)
    await _back(ann)
    for _ in range(2):
        await ann.read(after=DAY)

    assert len(await ann.titles()) == before + 4


async def test_r35_mended_by_mail_is_found_by_the_next_notice(ann: TwoPeopleWithRuns) -> None:
    """Connected, and one catch-up; what happened meanwhile is there."""
    await _grown(ann)
    await _lost(ann)
    await ann.people.pass_time(7200)
    ann.people.world.reconnect(ANN)
    ann.add_event("Meanwhile", start="2026-12-09T12:00:00Z", end="2026-12-09T13:00:00Z")
    await ann.people.pass_time(5)
    while ann.people.notices:
        await ann.people.notice(0)
    await ann.rest()

    assert (await ann.row())["status"] == "connected"
    assert "Meanwhile" in await ann.titles()
    runs_of = [row["kind"] for row in await ann.rows(runs) if row["kind"] == "catch_up"]
    assert runs_of == ["catch_up"]


async def test_r35_many_notices_make_us_look_once_a_minute(ann: TwoPeopleWithRuns) -> None:
    """And the keeper where a notice came within that minute."""
    await _lost(ann)
    world = ann.people.world
    await ann.people.pass_time(61)
    world.log.clear()

    for kind in ("change", "change", "verification", "something_new"):
        await ann.home.notice(ann.mine, kind)

    assert _asked(world) == 1
    world.reconnect(ANN)
    await lost_calendars(ann.home.store, ann.home.looker.look).work()
    assert _asked(world) == 1, "a moment ago it was as it was"
    await ann.home.notice(ann.mine)
    await ann.people.pass_time(61)
    await lost_calendars(ann.home.store, ann.home.looker.look).work()
    assert _asked(world) == 2
    assert (await ann.row())["status"] == "connected"


def _asked(world: Any) -> int:
    return sum(one["path"] == "/v1/userinfo" for one in world.log.requests)


async def test_r35_a_grant_that_is_gone_is_not_looked_for(ann: TwoPeopleWithRuns) -> None:
    """Only its owner can give another one."""
    ann.people.world.revoke(ANN)
    ann.people.world.expire_access_tokens()
    await ann.people.pass_time(3601)
    await ann.home.looker.look(ann.mine, at_once=True)
    assert (await ann.row())["grant_refused"]
    ann.people.world.log.clear()
    await ann.people.pass_time(7300)

    await lost_calendars(ann.home.store, ann.home.looker.look).work()

    assert list(ann.people.world.log.requests) == []
