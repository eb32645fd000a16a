"""Reading a linked calendar, against the simulator and a real store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from contracts.calendar import Code, LinkState, Origin
from handlers.judge import MOST_REWRITES
from service.store import Store
from service.store.tables import items as items_table
from service.store.tables import links as links_table
from tests.support.household import Household, household

NINE = "2026-12-03T09:00:00Z"
TEN = "2026-12-03T10:00:00Z"
ELEVEN = "2026-12-03T11:00:00Z"


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[Household]:
    async with household(database_url) as built:
        yield built


def _add(home: Household, integration: str, **fields: object) -> str:
    details = {"summary": "Lunch", "start": NINE, "end": TEN} | fields
    (event,) = home.world.add_event(home.calendars[integration], **details)
    return str(event["event_uid"])


async def test_g3_an_event_added_to_the_linked_calendar_is_added_to_my_calendar(home: Household) -> None:
    """R3: it becomes an appointment of that user, and a fact is published."""
    mine = await home.integration()
    _add(home, mine, description="Bring\r\nfruit", location="Park")

    await home.changed(mine)

    item = await home.item()
    assert item.content is not None
    assert (item.type, item.content.title, item.content.location) == ("appointment", "Lunch", "Park")
    assert item.content.start == datetime(2026, 12, 3, 9, tzinfo=UTC)
    assert (item.assignees, item.version, item.imported_by) == (("ann",), 1, mine)
    assert await home.facts() == 1
    assert await home.log() == [("to_my_calendar", "create", "done", "ok")]
    assert (await home.state(mine)).last_sync_at is not None


async def test_r18_reading_the_same_again_changes_nothing(home: Household) -> None:
    """An event that was brought is in agreement."""
    mine = await home.integration()
    _add(home, mine)
    await home.changed(mine)

    await home.changed(mine)

    assert (await home.item()).version == 1
    assert await home.facts() == 1


async def test_r5_an_edit_comes_across_with_update_checked(home: Household) -> None:
    """Every field of an appointment may be changed there (R6)."""
    mine = await home.integration()
    uid = _add(home, mine)
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


async def test_r7_an_edit_with_update_off_is_not_applied_and_marks_the_link(home: Household) -> None:
    """The link is marked as differing, and the log says why, once."""
    mine = await home.integration(boxes={"update": False})
    uid = _add(home, mine)
    await home.changed(mine)
    home.world.change_event(home.calendars[mine], uid, summary="Brunch")

    await home.changed(mine)
    await home.changed(mine)

    (link,) = await home.links()
    item = await home.item()
    assert item.content is not None
    assert (item.content.title, link.differs) == ("Lunch", True)
    assert (await home.log())[1:] == [("to_my_calendar", "update", "skipped", "update_off")]


async def test_r5_a_deletion_comes_across_with_delete_checked(home: Household) -> None:
    """R11: a deleted row deletes the appointment."""
    mine = await home.integration()
    uid = _add(home, mine)
    await home.changed(mine)

    home.world.delete_event(home.calendars[mine], uid)
    await home.changed(mine)

    assert await home.items() == []
    assert (await home.log())[-1] == ("to_my_calendar", "delete", "done", "ok")


async def test_r7_a_deletion_with_delete_off_leaves_the_item(home: Household) -> None:
    """The copy is let go."""
    mine = await home.integration(boxes={"delete": False})
    uid = _add(home, mine)
    await home.changed(mine)

    home.world.delete_event(home.calendars[mine], uid)
    await home.changed(mine)

    (link,) = await home.links()
    assert len(await home.items()) == 1
    assert link.state is LinkState.LET_GO


async def test_r5_create_off_brings_nothing_and_says_so_once(home: Household) -> None:
    """Later readings of the same event stay silent."""
    mine = await home.integration(boxes={"create": False})
    uid = _add(home, mine)
    await home.changed(mine)

    home.world.change_event(home.calendars[mine], uid, summary="Brunch")
    await home.changed(mine)

    assert await home.items() == []
    assert await home.log() == [("to_my_calendar", "create", "skipped", "create_off")]


async def test_r8_a_private_event_comes_with_its_time_only(home: Household) -> None:
    """And is read-only from Vorex."""
    mine = await home.integration()
    _add(home, mine, summary="Doctor", description="secret", event_private=True)

    await home.changed(mine)

    item = await home.item()
    assert item.content is not None
    assert (item.content.title, item.content.description) == ("Private appointment", "")
    assert item.read_only_reason == "private"


async def test_r8_declined_and_cancelled_events_do_not_come(home: Household) -> None:
    """Tentative ones do."""
    mine = await home.integration()
    _add(home, mine, summary="No", participation_status="declined")
    _add(home, mine, summary="Off", status="cancelled")
    _add(home, mine, summary="Maybe", status="tentative")

    await home.changed(mine)

    assert [item.content.title for item in await home.items() if item.content] == ["Maybe"]


async def test_r9_a_series_comes_as_one_read_only_item_per_occurrence(home: Household) -> None:
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


async def test_r11_deletions_of_more_than_a_third_are_held(home: Household) -> None:
    """More than ten and more than a third: none is carried out."""
    mine = await home.integration()
    uids = [_add(home, mine, summary=f"Event {at}") for at in range(20)]
    await home.changed(mine)

    for uid in uids[:11]:
        home.world.delete_event(home.calendars[mine], uid)
    await home.changed(mine)

    assert len(await home.items()) == 20
    held = [link for link in await home.links() if link.state is LinkState.HELD]
    assert len(held) == 11


async def test_r11_deletions_drip_by_drip_are_held_too(home: Household) -> None:
    """The deletions of 24 hours count together."""
    mine = await home.integration()
    uids = [_add(home, mine, summary=f"Event {at}") for at in range(20)]
    await home.changed(mine)

    for uid in uids[:14]:
        home.world.delete_event(home.calendars[mine], uid)
        await home.changed(mine)

    assert len(await home.items()) == 10


async def test_r11_an_empty_or_cut_read_deletes_nothing(home: Household) -> None:
    """Absence never deletes."""
    mine = await home.integration()
    for at in range(5):
        _add(home, mine, summary=f"Event {at}")
    await home.changed(mine)

    home.world.faults.change(next_empty_reads=1)
    await home.reader.read_all(mine)
    home.world.faults.change(next_truncated_reads=1, page_size=2)
    await home.reader.read_all(mine)

    assert len(await home.items()) == 5


async def test_r11_a_vanished_calendar_deletes_nothing(home: Household) -> None:
    """The calendar must be listed before deletions count; the integration says what is wrong."""
    mine = await home.integration()
    uid = _add(home, mine)
    await home.changed(mine)
    home.world.delete_event(home.calendars[mine], uid)
    home.world.set_missing(home.calendars[mine])

    await home.changed(mine)

    assert len(await home.items()) == 1
    assert (await home.value(mine)).reason == "calendar_missing"


async def test_r20_a_notice_while_inactive_is_noted_and_read_later(home: Household) -> None:
    """Nothing crosses meanwhile."""
    mine = await home.integration(active=False)
    _add(home, mine)
    await home.changed(mine)
    assert await home.items() == []

    await home.set(mine, active=True)
    assert list(await home.reader.pending()) == [mine]
    await home.reader.catch_up(mine)

    assert len(await home.items()) == 1


async def test_r33_what_was_there_before_finish_is_never_brought(home: Household) -> None:
    """Also when it changes later, and also a later occurrence of its series."""
    ann = "ann@example.com"
    home.world.add_mailbox(email=ann)
    calendar = next(iter(home.world.link(ann).calendar_ids.values()))
    (old,) = home.world.add_event(calendar, summary="Old", start=NINE, end=TEN)
    await home.world.advance(60)
    mine = await home.integration(ann, baseline_at=None)
    await home.finish(mine)

    home.world.change_event(home.calendars[mine], old["event_uid"], summary="Old, changed")
    _add(home, mine, summary="New")
    await home.changed(mine)

    assert [item.content.title for item in await home.items() if item.content] == ["New"]


async def test_r24_the_reading_at_finish_waits_for_cronofys_own_first_sync(home: Household) -> None:
    """It is asked for again, and fails after 30 minutes with a sentence."""
    home.world.add_mailbox(email="ann@example.com")
    mine = await home.integration(baseline_at=None)
    home.world.start_initial_sync("ann@example.com")

    first = await home.finish(mine)
    await home.world.advance(1900)
    second = await home.finish(mine, run_id=first.id)

    assert (first.state, second.state) == ("waiting", "failed")
    assert (await home.value(mine)).baseline_at is None


async def test_r1_a_copy_by_another_persons_sync_on_a_shared_calendar_does_not_come(home: Household) -> None:
    """Equal in title, start and end to a living copy there."""
    ann = await home.integration("ann@example.com")
    _add(home, ann, summary="Visit")
    await home.changed(ann)
    bob = await home.integration("bob@example.com")
    await home.make_copy_of_first_link(ann)
    await home.set(bob, provider_name="google", profile_name="ann@example.com", calendar_name="Calendar")
    _add(home, bob, summary="Visit")

    await home.changed(bob)

    assert len(await home.items()) == 1
    assert (await home.log())[-1] == ("to_my_calendar", "create", "skipped", "shared_mailbox")


async def test_dates_of_all_day_events_stay_dates(home: Household) -> None:
    """R12: the end is exclusive."""
    mine = await home.integration()
    _add(home, mine, start="2026-12-24", end="2026-12-27")

    await home.changed(mine)

    item = await home.item()
    assert item.content is not None
    assert item.content.all_day
    assert item.content.end is not None
    assert item.content.end.isoformat() == "2026-12-27"


async def test_an_unknown_integration_is_acknowledged_and_changes_nothing(home: Household) -> None:
    """Notices outlive integrations."""
    await home.notice("0192e4c1-0000-7000-8000-000000000000")

    assert await home.log() == []


async def test_a_failing_read_loses_no_notice(home: Household) -> None:
    """What was noticed stays noticed until a read has ended well."""
    mine = await home.integration()
    _add(home, mine)
    home.world.faults.change(next_errors=1, error_status=500)
    with pytest.raises(Exception, match="500"):
        await home.changed(mine)

    await home.world.advance(61)
    await home.reader.catch_up(mine)

    assert len(await home.items()) == 1


async def test_many_pages_arrive_whole(home: Household) -> None:
    """A page is a transaction; the read is complete with the last one."""
    mine = await home.integration()
    home.world.faults.change(page_size=7)
    for at in range(30):
        _add(home, mine, summary=f"Event {at}")

    await home.changed(mine)

    assert len(await home.items()) == 30
    assert {link.origin for link in await home.links()} == {Origin.EXTERNAL}


async def test_g15_r28_last_checked_moves_without_anything_crossing(home: Household) -> None:
    """*Last Sync Date* does not."""
    mine = await home.integration()

    await home.changed(mine)

    state = await home.state(mine)
    assert state.last_sync_at is None
    assert state.last_checked_at >= home.clock.now() - timedelta(seconds=10)


async def test_r11_a_missing_copy_is_written_again_in_its_newest_form(home: Household) -> None:
    """Also where Vorex changes it while the read ends."""
    mine = await home.integration()
    _add(home, mine)
    await home.changed(mine)
    await home.make_copy_of_first_link(mine)
    (link,) = await home.links()
    assert link.desired is not None
    newer = {**link.desired, "summary": "Newer"}
    home.world.faults.change(next_empty_reads=1)
    await home.world.advance(60)

    async with home.store.begin() as connection:
        reading = None if home.store.sqlite else asyncio.create_task(home.reader.read_all(mine))
        statement = update(links_table).where(links_table.c.id == link.id)
        await connection.execute(statement.values(desired=newer, desired_revision=7))
        await _until_blocked(home.store, reading)
    await (reading or home.reader.read_all(mine))

    (after,) = await home.links()
    assert (after.state, after.desired_revision) == (LinkState.BEHIND, 7)
    assert after.desired == newer


async def test_a_copy_that_never_shows_is_not_written_for_ever(home: Household) -> None:
    """DESIGN 7.3: more than six writes of one link in an hour because of reads, and it is left alone."""
    mine = await home.integration()
    _add(home, mine)
    await home.changed(mine)
    await home.make_copy_of_first_link(mine)
    (link,) = await home.links()
    now = home.clock.now().timestamp()
    often = [now - 60 * each for each in range(MOST_REWRITES)]
    async with home.store.begin() as connection:
        statement = update(links_table).where(links_table.c.id == link.id)
        await connection.execute(statement.values(rewrites=often))
    home.world.faults.change(next_empty_reads=1)
    await home.world.advance(60)

    await home.reader.read_all(mine)

    (after,) = await home.links()
    assert (after.state, after.code) == (LinkState.FROZEN, Code.LOOP_STOPPED)
    assert any("loop_stopped" in entry for entry in await home.log())


async def _until_blocked(store: Store, reading: asyncio.Task[None] | None) -> None:
    """Wait until the reader waits for this transaction's lock, where the engine can tell."""
    query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    while reading is not None and not reading.done():
        async with store.read() as connection:
            if await connection.scalar(query):
                return


async def test_r28_a_copy_that_is_let_go_moves_no_last_sync_date(home: Household) -> None:
    """R6: the record stays, so nothing crossed."""
    mine = await home.integration()
    uid = _add(home, mine)
    await home.changed(mine)
    await home.make_copy_of_first_link(mine)
    async with home.store.begin() as connection:
        await connection.execute(update(items_table).values(item_type="task"))
    before = (await home.state(mine)).last_sync_at
    await home.world.advance(60)
    home.world.delete_event(home.calendars[mine], uid)

    await home.changed(mine)

    (link,) = await home.links()
    assert link.state is LinkState.LET_GO
    assert (await home.state(mine)).last_sync_at == before
