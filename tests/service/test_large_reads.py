"""Reads of many events: parts instead of long transactions, and nothing that grows with the calendar."""

from sqlalchemy import func, select

from contracts.calendar import LinkState
from service.store.tables import links as links_table
from service.store.tables import run_equals
from tests.support.one_person import NINE, TEN, OnePerson
from tests.support.two_people_with_runs import two_people_with_runs

WEEK = {"past": "1_week", "future": "1_week"}
MANY = 210
"""More than are deleted, or written again, in one transaction."""


def _add(home: OnePerson, mine: str, *titles: str) -> list[str]:
    return [home.add_event(mine, title) for title in titles]


async def _states(home: OnePerson) -> dict[str, int]:
    query = select(links_table.c.state, func.count()).group_by(links_table.c.state)
    async with home.store.read() as connection:
        rows = await connection.execute(query)
        return {row[0]: row[1] for row in rows}


async def _titles(home: OnePerson) -> list[str]:
    return [item.content.title for item in await home.items() if item.content]


async def test_r11_many_deletions_at_once_are_held_together(home: OnePerson) -> None:
    """They are decided upon as a whole, although they are stored in parts."""
    mine = await home.integration()
    uids = _add(home, mine, *(f"Event {at}" for at in range(MANY)))
    await home.changed(mine)
    for uid in uids:
        home.world.delete_event(home.calendars[mine], uid)

    await home.changed(mine)

    assert await _states(home) == {"held": MANY}
    assert len(await home.items()) == MANY


async def test_r11_many_deletions_that_are_less_than_a_third_are_carried_out(home: OnePerson) -> None:
    """Every part counts the same pairs."""
    mine = await home.integration()
    uids = _add(home, mine, *(f"Event {at}" for at in range(3 * MANY)))
    await home.changed(mine)
    for uid in uids[: MANY - 1]:
        home.world.delete_event(home.calendars[mine], uid)

    await home.changed(mine)

    assert len(await home.items()) == 2 * MANY + 1


async def test_r11_many_missing_copies_are_all_written_again(home: OnePerson) -> None:
    """A few hundred a transaction."""
    mine = await home.integration()
    _add(home, mine, *(f"Event {at}" for at in range(MANY)))
    await home.changed(mine)
    await home.make_copy_of_first_link(mine)
    home.world.faults.change(next_empty_reads=1)
    await home.world.advance(60)

    await home.reader.read_all(mine)

    assert await _states(home) == {LinkState.BEHIND.value: MANY}


class TestEquals:
    """R29: exactly one on each side, over the whole range and not only over a page."""

    async def test_r29_equals_on_different_pages_are_not_linked(self, home: OnePerson) -> None:
        """Retrieve brings both."""
        mine = await home.integration()
        home.world.faults.change(page_size=1)
        await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)
        _add(home, mine, "Visit", "Other", "Visit")
        await home.world.advance(5)

        run = await home.run_to_end(mine, retrieve=WEEK)

        assert await _titles(home) == ["Other", "Visit", "Visit", "Visit"]
        assert run.tally == {"found": 3, "created": 3, "updated": 0, "skipped": 0, "failed": 0}

    async def test_r29_one_equal_among_many_pages_is_linked(self, home: OnePerson) -> None:
        """By a second reading that decides about these events alone."""
        mine = await home.integration()
        home.world.faults.change(page_size=1)
        await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)
        _add(home, mine, "Visit", "Other", "Third")
        await home.world.advance(5)

        run = await home.run_to_end(mine, retrieve=WEEK, repeat=True)

        assert await _titles(home) == ["Other", "Third", "Visit"]
        assert run.tally == {"found": 3, "created": 2, "updated": 0, "skipped": 1, "failed": 0}
        async with home.store.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(run_equals)) == 0

    async def test_r29_send_alone_counts_over_all_pages_too(self, home: OnePerson) -> None:
        """Two candidates: the item is sent as an event of its own."""
        mine = await home.integration()
        home.world.faults.change(page_size=1)
        await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)
        _add(home, mine, "Visit", "Other", "Visit")
        await home.world.advance(5)

        await home.run_steps(mine, send=WEEK, steps=8)

        (link,) = await home.links()
        assert (link.state, link.event_uid) == (LinkState.BEHIND, None)


class TestLeaving:
    """R21: what was accepted shortly before is waited for."""

    async def test_r21_a_copy_that_arrives_late_is_removed_too(self, database_url: str) -> None:
        """A 202 says that it was accepted, not that it stands there."""
        async with two_people_with_runs(database_url) as ann:
            key = ann.calendar_of("ann")
            ann.people.world.faults.change(apply_delay=6.0)
            await ann.say("Visit")
            await ann.people.settle()
            ann.people.world.faults.change(apply_delay=0.0)

            await ann.delete("remove")
            await ann.rest()
            await ann.people.pass_time(60)

            assert [event for event in ann.people.world.events(key) if not event["deleted"]] == []

    async def test_r21_a_copy_that_arrives_late_is_not_doubled_by_linking_again(
        self, database_url: str
    ) -> None:
        """It stands there before the account is let go of."""
        async with two_people_with_runs(database_url) as ann:
            ann.people.world.faults.change(apply_delay=6.0)
            await ann.say("Visit")
            await ann.people.settle()
            await ann.delete("keep")
            await ann.rest()

            await ann.link_again(send=WEEK)
            await ann.people.pass_time(60)

            assert ann.events() == [("Visit", True)]
