"""What is added and changed on a linked calendar comes to My Calendar (against the simulator)."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.calendar import Origin
from tests.support.one_person import ELEVEN, NINE, TEN, OnePerson


async def test_g3_an_event_added_to_the_linked_calendar_is_added_to_my_calendar(home: OnePerson) -> None:
    """R3: it becomes an appointment of that user, and a fact is published."""
    mine = await home.integration()
    home.add_event(mine, description="Bring\r\nfruit", location="Park")

    await home.changed(mine)

    item = await home.item()
    assert item.content is not None
    assert (item.type, item.content.title, item.content.location) == ("appointment", "Lunch", "Park")
    assert item.content.start == datetime(2026, 12, 3, 9, tzinfo=UTC)
    assert (item.assignees, item.version, item.imported_by) == (("ann",), 1, mine)
    assert await home.facts() == 1
    assert await home.log() == [("to_my_calendar", "create", "done", "ok")]
    assert (await home.state(mine)).last_sync_at is not None


async def test_r18_reading_the_same_again_changes_nothing(home: OnePerson) -> None:
    """An event that was brought is in agreement."""
    mine = await home.integration()
    home.add_event(mine)
    await home.changed(mine)

    await home.changed(mine)

    assert (await home.item()).version == 1
    assert await home.facts() == 1


async def test_r5_an_edit_comes_across_with_update_checked(home: OnePerson) -> None:
    """Every field of an appointment may be changed there (R6)."""
    mine = await home.integration()
    uid = home.add_event(mine)
    await home.changed(mine)

    home.world.change_event(home.calendars[mine], uid, summary="Brunch", start=TEN, end=ELEVEN)
    await home.changed(mine)

    item = await home.item()
    assert item.content is not None
    assert (item.content.title, item.content.start, item.version) == (
        "Brunch",
        datetime(2026, 12, 3, 10, tzinfo=UTC),
        2,
    )


async def test_r7_an_edit_with_update_off_is_not_applied_and_marks_the_link(home: OnePerson) -> None:
    """The link is marked as differing, and the log says why, once."""
    mine = await home.integration(boxes={"update": False})
    uid = home.add_event(mine)
    await home.changed(mine)
    home.world.change_event(home.calendars[mine], uid, summary="Brunch")

    await home.changed(mine)
    await home.changed(mine)

    (link,) = await home.links()
    item = await home.item()
    assert item.content is not None
    assert (item.content.title, link.differs) == ("Lunch", True)
    assert (await home.log())[1:] == [("to_my_calendar", "update", "skipped", "update_off")]


async def test_r5_create_off_brings_nothing_and_says_so_once(home: OnePerson) -> None:
    """Later readings of the same event stay silent."""
    mine = await home.integration(boxes={"create": False})
    uid = home.add_event(mine)
    await home.changed(mine)

    home.world.change_event(home.calendars[mine], uid, summary="Brunch")
    await home.changed(mine)

    assert await home.items() == []
    assert await home.log() == [("to_my_calendar", "create", "skipped", "create_off")]


async def test_r8_a_private_event_comes_with_its_time_only(home: OnePerson) -> None:
    """And is read-only from Vorex."""
    mine = await home.integration()
    home.add_event(mine, summary="Doctor", description="secret", event_private=True)

    await home.changed(mine)

    item = await home.item()
    assert item.content is not None
    assert (item.content.title, item.content.description) == ("Private appointment", "")
    assert item.read_only_reason == "private"


async def test_r8_declined_and_cancelled_events_do_not_come(home: OnePerson) -> None:
    """Tentative ones do."""
    mine = await home.integration()
    home.add_event(mine, summary="No", participation_status="declined")
    home.add_event(mine, summary="Off", status="cancelled")
    home.add_event(mine, summary="Maybe", status="tentative")

    await home.changed(mine)

    assert [item.content.title for item in await home.items() if item.content] == ["Maybe"]


async def test_r9_a_series_comes_as_one_read_only_item_per_occurrence(home: OnePerson) -> None:
    """Within Cronofy's window."""
    mine = await home.integration()
    home.world.add_event(
        home.calendars[mine],
        summary="Standup",
        start=NINE,
        end=TEN,
        recurrence={"frequency": "daily", "count": 5},
    )

    await home.changed(mine)

    found = await home.items()
    assert len(found) == 5
    assert {item.read_only_reason for item in found} == {"series"}


async def test_r20_a_notice_while_inactive_is_noted_and_read_later(home: OnePerson) -> None:
    """Nothing crosses meanwhile."""
    mine = await home.integration(active=False)
    home.add_event(mine)
    await home.changed(mine)
    assert await home.items() == []

    await home.set(mine, active=True)
    assert [one for one, _ in await home.reader.pending()] == [mine]
    await home.reader.catch_up(mine)

    assert len(await home.items()) == 1


async def test_r33_what_was_there_before_finish_is_never_brought(home: OnePerson) -> None:
    """Also when it changes later, and also a later occurrence of its series."""
    ann = "ann@example.com"
    home.world.add_mailbox(email=ann)
    calendar = next(iter(home.world.link(ann).calendar_ids.values()))
    (old,) = home.world.add_event(calendar, summary="Old", start=NINE, end=TEN)
    await home.world.advance(60)
    mine = await home.integration(ann, baseline_at=None)
    await home.finish(mine)

    home.world.change_event(home.calendars[mine], old["event_uid"], summary="Old, changed")
    home.add_event(mine, summary="New")
    await home.changed(mine)

    assert [item.content.title for item in await home.items() if item.content] == ["New"]


async def test_r24_the_reading_at_finish_waits_for_cronofys_own_first_sync(home: OnePerson) -> None:
    """It is asked for again, and fails after 30 minutes with a sentence."""
    home.world.add_mailbox(email="ann@example.com")
    mine = await home.integration(baseline_at=None)
    home.world.start_initial_sync("ann@example.com")

    first = await home.finish(mine)
    await home.world.advance(1900)
    second = await home.finish(mine, run_id=first.id)

    assert (first.state, second.state) == ("waiting", "failed")
    assert (await home.value(mine)).baseline_at is None


async def test_r1_a_copy_by_another_persons_sync_on_a_shared_calendar_does_not_come(home: OnePerson) -> None:
    """Equal in title, start and end to a living copy there."""
    ann = await home.integration("ann@example.com")
    home.add_event(ann, summary="Visit")
    await home.changed(ann)
    bob = await home.integration("bob@example.com")
    await home.make_copy_of_first_link(ann)
    await home.set(bob, provider_name="google", profile_name="ann@example.com", calendar_name="Calendar")
    home.add_event(bob, summary="Visit")

    await home.changed(bob)

    assert len(await home.items()) == 1
    assert (await home.log())[-1] == ("to_my_calendar", "create", "skipped", "shared_mailbox")


async def test_dates_of_all_day_events_stay_dates(home: OnePerson) -> None:
    """R12: the end is exclusive."""
    mine = await home.integration()
    home.add_event(mine, start="2026-12-24", end="2026-12-27")

    await home.changed(mine)

    item = await home.item()
    assert item.content is not None
    assert item.content.all_day
    assert item.content.end is not None
    assert item.content.end.isoformat() == "2026-12-27"


async def test_an_unknown_integration_is_acknowledged_and_changes_nothing(home: OnePerson) -> None:
    """Notices outlive integrations."""
    await home.notice("0192e4c1-0000-7000-8000-000000000000")

    assert await home.log() == []


async def test_a_failing_read_loses_no_notice(home: OnePerson) -> None:
    """What was noticed stays noticed until a read has ended well."""
    mine = await home.integration()
    home.add_event(mine)
    home.world.faults.change(next_errors=1, error_status=500)
    with pytest.raises(Exception, match="500"):
        await home.changed(mine)

    await home.world.advance(61)
    await home.reader.catch_up(mine)

    assert len(await home.items()) == 1


async def test_many_pages_arrive_whole(home: OnePerson) -> None:
    """A page is a transaction; the read is complete with the last one."""
    mine = await home.integration()
    home.world.faults.change(page_size=7)
    for at in range(30):
        home.add_event(mine, summary=f"Event {at}")

    await home.changed(mine)

    assert len(await home.items()) == 30
    assert {link.origin for link in await home.links()} == {Origin.EXTERNAL}


async def test_g15_r28_last_checked_moves_without_anything_crossing(home: OnePerson) -> None:
    """*Last Sync Date* does not."""
    mine = await home.integration()

    await home.changed(mine)

    state = await home.state(mine)
    assert state.last_sync_at is None
    assert state.last_checked_at >= home.clock.now() - timedelta(seconds=10)
