"""Rows of a linked calendar that say odd things of their times, against the simulator (R11, R30)."""

from typing import Any

import pytest

from contracts.calendar import LinkState
from contracts.envelope import NoticeReceived
from contracts.errors import Transient
from contracts.messages import NoticeData
from service.consumers.failures import ReceivedMessage
from service.store.engine.ids import new_id
from tests.support.one_person import OnePerson

DAY = 86_400


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-12-03T09:00:00Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01", "2026-12-31"),
        ("2026-12-03", "9999-12-31"),
        ("1400-01-01T00:00:00Z", "2900-01-01T00:00:00Z"),
    ],
)
async def test_a_row_that_no_clock_can_hold_breaks_nothing(home: OnePerson, start: str, end: str) -> None:
    """Its neighbours come, reads go on, and it is said once."""
    mine = await home.integration()
    odd = home.add_event(mine, summary="For ever", start=start, end=end)
    home.add_event(mine)
    for _ in range(2):
        await home.changed(mine)
        await home.reader.read_all(mine)

    titles = [item.content.title for item in await home.items() if item.content]
    held = start.startswith("1400")
    assert titles == (["For ever", "Lunch"] if held else ["Lunch"])
    said = [entry for entry in await home.log() if entry[3] == "not_possible"]
    assert said == ([] if held else [("to_my_calendar", "none", "skipped", "not_possible")])

    home.world.change_event(home.calendars[mine], odd, start="2026-12-04", end="2026-12-05", summary="A day")
    await home.changed(mine)
    assert "A day" in [item.content.title for item in await home.items() if item.content]


async def test_an_event_that_is_made_endless_leaves_its_item_as_it_is(home: OnePerson) -> None:
    """Neither edited nor deleted, and our own copy is not taken for missing (R11)."""
    mine = await home.integration()
    uid = home.add_event(mine)
    await home.changed(mine)
    home.world.change_event(home.calendars[mine], uid, end="9999-12-31T00:00:00Z")
    await home.changed(mine)
    await home.reader.read_all(mine)

    (link,) = await home.links()
    assert (link.state, link.differs, (await home.item()).version) == (LinkState.AGREED, True, 1)

    home.world.change_event(home.calendars[mine], uid, end="2026-12-03T11:00:00Z")
    await home.changed(mine)
    assert (await home.item()).version == 2


async def test_r11_a_deleted_row_without_times_deletes(home: OnePerson) -> None:
    """Its link knows when it was."""
    mine = await home.integration()
    uid = home.add_event(mine)
    await home.changed(mine)
    home.world.faults.change(deleted_without_times=True)
    home.world.delete_event(home.calendars[mine], uid)

    await home.changed(mine)

    assert await home.items() == []


@pytest.mark.parametrize("faults", [{}, {"deleted_without_times": True}])
async def test_r11_leaving_the_window_deletes_nothing(home: OnePerson, faults: dict[str, Any]) -> None:
    """An event that ended before the window's first day shows as deleted, and is only out of reach."""
    mine = await home.integration()
    home.add_event(mine)
    await home.changed(mine)
    home.world.faults.change(left_is_deleted=True, access_token_seconds=90 * DAY, **faults)
    home.world.expire_access_tokens()
    await home.world.advance(50 * DAY)

    await home.changed(mine)
    await home.reader.read_all(mine)

    assert len(await home.items()) == 1


@pytest.mark.parametrize("faults", [{}, {"deleted_without_times": True}])
@pytest.mark.parametrize(("reach", "days"), [(30, 35), (10, 12), (3, 5)])
async def test_r11_leaving_a_smaller_window_deletes_nothing(
    home: OnePerson, faults: dict[str, Any], reach: int, days: int
) -> None:
    """How far back Cronofy reads is known from what it answers, and not taken for granted."""
    mine = await home.integration()
    home.add_event(mine)
    await home.changed(mine)
    home.world.faults.change(
        left_is_deleted=True, window_past_days=reach, access_token_seconds=90 * DAY, **faults
    )
    home.world.expire_access_tokens()
    await home.world.advance(days * DAY)

    await home.changed(mine)
    await home.reader.read_all(mine)

    assert len(await home.items()) == 1


@pytest.mark.parametrize(("reach", "days"), [(42, 30), (10, 5), (3, 0)])
async def test_r11_what_is_deleted_within_reach_is_deleted(home: OnePerson, reach: int, days: int) -> None:
    """Also where it is over, and in a window that is smaller than usual."""
    mine = await home.integration()
    uid = home.add_event(mine)
    await home.changed(mine)
    home.world.faults.change(window_past_days=reach, access_token_seconds=90 * DAY)
    home.world.expire_access_tokens()
    await home.world.advance(days * DAY)
    home.world.delete_event(home.calendars[mine], uid)

    await home.changed(mine)

    assert await home.items() == []


@pytest.mark.parametrize("since", [None, "soon", "0000-12-29T00:00:00Z", 17])
async def test_a_notice_without_a_sane_moment_is_read_from_the_last_known_point(
    home: OnePerson, since: Any
) -> None:
    """Nothing that happened since the last read is missed."""
    mine = await home.integration()
    await home.changed(mine)
    home.add_event(mine)
    await home.world.advance(7 * 3600)
    notification = {"type": "change", "changes_since": since}
    data = NoticeData(integration_id=mine, received_at=home.clock.now(), notification=notification)
    message = NoticeReceived.of(data, id=new_id(), time=home.clock.now())

    await home.notices(ReceivedMessage(message=message))

    assert len(await home.items()) == 1


async def test_pages_on_a_sister_host_and_a_smaller_window_stop_no_read(home: OnePerson) -> None:
    """A full read goes as far as the window does."""
    mine = await home.integration()
    for at in range(3):
        home.add_event(mine, summary=f"Event {at}")
    home.world.faults.change(
        page_size=1, next_page_host="api-de.cronofy.com", window_past_days=7, window_future_days=30
    )
    await home.world.advance(5)

    await home.reader.read_all(mine)

    assert len(await home.items()) == 3


async def test_a_page_that_names_itself_ends_the_read_with_a_sentence(home: OnePerson) -> None:
    """What was read until then has come."""
    mine = await home.integration()
    for at in range(3):
        home.add_event(mine, summary=f"Event {at}")
    home.world.faults.change(page_size=1, page_names_itself=True)
    await home.world.advance(5)

    with pytest.raises(Transient, match="names itself"):
        await home.reader.read_all(mine)

    assert len(await home.items()) == 1
