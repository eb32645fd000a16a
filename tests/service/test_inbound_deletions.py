"""What is deleted or missing on a linked calendar, and what that may do to My Calendar (R5, R7, R11)."""

import asyncio
from dataclasses import replace

from sqlalchemy import update

from contracts.calendar import Code, LinkState
from handlers.link_states import MOST_REWRITES
from service.store.tables import items as items_table
from service.store.tables import links as links_table
from tests.support.locks import until_blocked
from tests.support.one_person import OnePerson


async def test_r5_a_deletion_comes_across_with_delete_checked(home: OnePerson) -> None:
    """R11: a deleted row deletes the appointment."""
    mine = await home.integration()
    uid = home.add_event(mine)
    await home.changed(mine)

    home.world.delete_event(home.calendars[mine], uid)
    await home.changed(mine)

    assert await home.items() == []
    assert (await home.log())[-1] == ("to_my_calendar", "delete", "done", "ok")


async def test_r7_a_deletion_with_delete_off_leaves_the_item(home: OnePerson) -> None:
    """The copy is let go."""
    mine = await home.integration(boxes={"delete": False})
    uid = home.add_event(mine)
    await home.changed(mine)

    home.world.delete_event(home.calendars[mine], uid)
    await home.changed(mine)

    (link,) = await home.links()
    assert len(await home.items()) == 1
    assert link.state is LinkState.LET_GO


async def test_r11_deletions_of_more_than_a_third_are_held(home: OnePerson) -> None:
    """More than ten and more than a third: none is carried out."""
    mine = await home.integration()
    uids = [home.add_event(mine, summary=f"Event {at}") for at in range(20)]
    await home.changed(mine)

    for uid in uids[:11]:
        home.world.delete_event(home.calendars[mine], uid)
    await home.changed(mine)

    assert len(await home.items()) == 20
    held = [link for link in await home.links() if link.state is LinkState.HELD]
    assert len(held) == 11


async def test_r11_deletions_drip_by_drip_are_held_too(home: OnePerson) -> None:
    """The deletions of 24 hours count together."""
    mine = await home.integration()
    uids = [home.add_event(mine, summary=f"Event {at}") for at in range(20)]
    await home.changed(mine)

    for uid in uids[:14]:
        home.world.delete_event(home.calendars[mine], uid)
        await home.changed(mine)

    assert len(await home.items()) == 10


async def test_r11_an_empty_or_cut_read_deletes_nothing(home: OnePerson) -> None:
    """Absence never deletes."""
    mine = await home.integration()
    for at in range(5):
        home.add_event(mine, summary=f"Event {at}")
    await home.changed(mine)

    home.world.faults.change(next_empty_reads=1)
    await home.reader.read_all(mine)
    home.world.faults.change(next_truncated_reads=1, page_size=2)
    await home.reader.read_all(mine)

    assert len(await home.items()) == 5


async def test_r11_a_vanished_calendar_deletes_nothing(home: OnePerson) -> None:
    """The calendar must be listed before deletions count; the integration says what is wrong."""
    mine = await home.integration()
    uid = home.add_event(mine)
    await home.changed(mine)
    home.world.delete_event(home.calendars[mine], uid)
    home.world.set_missing(home.calendars[mine])

    await home.changed(mine)

    assert len(await home.items()) == 1
    assert (await home.value(mine)).reason == "calendar_missing"


async def test_r11_a_missing_copy_is_written_again_in_its_newest_form(home: OnePerson) -> None:
    """Also where Vorex changes it while the read ends."""
    mine = await home.integration()
    home.add_event(mine)
    await home.changed(mine)
    await home.make_copy_of_first_link(mine)
    (link,) = await home.links()
    assert link.desired is not None
    newer = replace(link.desired, summary="Newer")
    home.world.faults.change(next_empty_reads=1)
    await home.world.advance(60)

    async with home.store.begin() as connection:
        reading = None if home.store.sqlite else asyncio.create_task(home.reader.read_all(mine))
        statement = update(links_table).where(links_table.c.id == link.id)
        await connection.execute(statement.values(desired=newer.to_wire_dict(), desired_revision=7))
        if reading:
            await until_blocked(home.store, reading)
    await (reading or home.reader.read_all(mine))

    (after,) = await home.links()
    assert (after.state, after.desired_revision) == (LinkState.BEHIND, 7)
    assert after.desired == newer


async def test_a_copy_that_never_shows_is_not_written_for_ever(home: OnePerson) -> None:
    """More than six writes of one link in an hour because of reads, and it is left alone."""
    mine = await home.integration()
    home.add_event(mine)
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


async def test_r28_a_copy_that_is_let_go_moves_no_last_sync_date(home: OnePerson) -> None:
    """R6: the record stays, so nothing crossed."""
    mine = await home.integration()
    uid = home.add_event(mine)
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
