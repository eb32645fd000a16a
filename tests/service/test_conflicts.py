"""Both sides changed the same item: who wins, and where the loser can be looked up (R19)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome
from contracts.vorex import Action
from service.integrations.activate import IntegrationSwitch
from service.store.logs.logs import log
from service.store.tables import log_entries
from tests.support.office import Office
from tests.support.pages import Browser
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

API = "/api/v1/integrations"
PRIVATE = {"kept": {"start": "2026-12-03T09:00:00Z"}, "lost": {"deleted": True}, "private": True}
BOTH = {"kept": {"title": "Dinner"}, "lost": {"title": "Supper"}}


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


async def _both_change(
    ann: TwoPeopleWithRuns, *, kind: str, vorex_first: bool, private: bool = False
) -> None:
    """While nothing is synced, Vorex and the calendar's owner each change the time and the title."""
    await ann.say("Lunch", type=kind, private=private)
    await ann.people.rest(reads=False)
    (event,) = ann.people.world.events(ann.calendar)
    switching = IntegrationSwitch(ann.home.store)
    await switching.deactivate(ANN, ann.mine)
    for step in (0, 1):
        if (step == 0) is vorex_first:
            await ann.say("Lunch", start="2026-12-03T12:00:00Z", end="2026-12-03T13:00:00Z", title="Ours")
        else:
            times = {"start": "2026-12-03T15:00:00Z", "end": "2026-12-03T16:00:00Z"}
            ann.people.world.change_event(ann.calendar, event["event_uid"], summary="Theirs", **times)
        await ann.people.settle()
        await ann.people.pass_time(30)
    await switching.activate(ANN, ann.mine)
    await ann.rest()


async def _lost(ann: TwoPeopleWithRuns) -> dict[str, Any]:
    (row,) = await ann.rows(log_entries, log_entries.c.code == "conflict_lost")
    return dict(row["detail"])


async def test_r19_of_an_appointment_the_newer_change_wins_and_both_are_kept(ann: TwoPeopleWithRuns) -> None:
    """Here the calendar's."""
    await _both_change(ann, kind="appointment", vorex_first=True)

    assert await ann.titles() == ["Theirs"]
    assert ann.events() == [("Theirs", True)]
    assert await _lost(ann) == {
        "kept": {"title": "Theirs", "start": "2026-12-03T15:00:00Z", "end": "2026-12-03T16:00:00Z"},
        "lost": {"title": "Ours", "start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z"},
    }


async def test_r19_of_an_appointment_vorexs_newer_change_wins(ann: TwoPeopleWithRuns) -> None:
    """And the calendar's is kept in the log."""
    await _both_change(ann, kind="appointment", vorex_first=False)

    assert await ann.titles() == ["Ours"]
    assert ann.events() == [("Ours", True)]
    assert (await _lost(ann))["lost"]["title"] == "Theirs"


async def test_r19_of_a_record_vorex_wins_whoever_was_last(ann: TwoPeopleWithRuns) -> None:
    """Of a service call only the time could have been taken, so only the time is told."""
    await _both_change(ann, kind="service_call", vorex_first=True)

    assert ann.events() == [("Ours", True)]
    assert await _lost(ann) == {
        "kept": {"start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z"},
        "lost": {"start": "2026-12-03T15:00:00Z", "end": "2026-12-03T16:00:00Z"},
    }


async def _deleted_and_changed(
    ann: TwoPeopleWithRuns, *, kind: str, deleted_first: bool, inactive: bool
) -> None:
    """Vorex deletes the item and the calendar's owner moves its copy, before either hears of the other."""
    await ann.say("Lunch", type=kind)
    await ann.people.rest(reads=False)
    (event,) = ann.people.world.events(ann.calendar)
    switching = IntegrationSwitch(ann.home.store)
    await switching.deactivate(ANN, ann.mine)
    for step in (0, 1):
        if (step == 0) is deleted_first:
            await ann.say("Lunch", action=Action.DELETED)
        else:
            ann.people.world.change_event(
                ann.calendar, event["event_uid"], start="2026-12-03T15:00:00Z", end="2026-12-03T16:00:00Z"
            )
        if inactive:
            await ann.people.settle()
        await ann.people.pass_time(30)
    await switching.activate(ANN, ann.mine)
    await ann.rest()


async def test_r19_an_appointment_deleted_in_vorex_and_changed_later_lives_on(ann: TwoPeopleWithRuns) -> None:
    """With the change, on both sides; that Vorex had deleted it is kept in the log."""
    await _deleted_and_changed(ann, kind="appointment", deleted_first=True, inactive=True)

    assert await ann.titles() == ["Lunch"]
    (event,) = ann.people.world.events(ann.calendar)
    assert event["start"] == "2026-12-03T15:00:00Z"
    assert (await _lost(ann))["lost"] == {"deleted": True}


@pytest.mark.parametrize("inactive", [True, False])
async def test_r19_an_appointment_changed_and_deleted_in_vorex_later_is_gone(
    inactive: bool, ann: TwoPeopleWithRuns
) -> None:
    """And the change is kept in the log, where it was heard of."""
    await _deleted_and_changed(ann, kind="appointment", deleted_first=False, inactive=inactive)

    assert await ann.titles() == []
    assert ann.events() == []
    lost = await _lost(ann)
    assert lost["lost"]["start"] == "2026-12-03T15:00:00Z"


async def test_r19_a_record_deleted_in_vorex_is_gone_whatever_is_newer(ann: TwoPeopleWithRuns) -> None:
    """Records are Vorex's."""
    await _deleted_and_changed(ann, kind="service_call", deleted_first=True, inactive=True)

    assert ann.events() == []


async def test_r27_of_a_private_item_the_times_alone_are_kept(ann: TwoPeopleWithRuns) -> None:
    """No text of it enters the log."""
    await _both_change(ann, kind="appointment", vorex_first=True, private=True)

    told = await _lost(ann)
    assert told["private"] is True
    assert sorted(told["lost"]) == sorted(told["kept"]) == ["end", "start"]


async def _with_entry(office: Office, detail: dict[str, Any]) -> str:
    integration_id = await office.connect()
    entry = LogEntry(
        integration_id=IntegrationId(integration_id), direction=Direction.TO_MY_CALENDAR,
        action=LogAction.UPDATE, outcome=Outcome.SKIPPED, code=Code.CONFLICT_LOST,
        reason="Changed on both sides.", detail=detail,
    )  # fmt: skip
    async with office.store.begin() as connection:
        await log(connection, [entry], now=office.clock.now())
    return integration_id


@pytest.mark.parametrize("detail", [BOTH, PRIVATE])
async def test_r19_the_api_tells_both_values(detail: dict[str, Any], office: Office) -> None:
    """In the entry of a conflict, and in no other."""
    integration_id = await _with_entry(office, detail)
    (entry,) = (await office.get(f"{API}/{integration_id}/logs?trigger=all")).json()["items"]
    assert (entry["kept"], entry["lost"]) == (detail["kept"], detail["lost"])


async def test_r19_what_is_private_is_told_to_its_owner_alone(office: Office) -> None:
    """An administrator sees that there was a conflict."""
    integration_id = await _with_entry(office, PRIVATE)
    address = f"{API}/{integration_id}/logs?trigger=all"
    (entry,) = (await office.get(address, "boss", role="administrator")).json()["items"]
    assert entry["code"] == "conflict_lost"
    assert not {"kept", "lost"} & set(entry)


async def test_r19_the_logs_page_shows_both_values(office: Office) -> None:
    """Folded away behind the reason."""
    integration_id = await _with_entry(office, BOTH)
    await office.sign_in()
    page = await Browser(client=office.client).open(f"/calendar-sync/{integration_id}/logs?trigger=real_time")
    assert "Both values" in page.words
    assert "Kept: Dinner" in page.words
    assert "Lost: Supper" in page.words
