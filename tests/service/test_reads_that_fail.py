"""No read that was cut short, emptied, refused or asked wrongly deletes anything (R11, issue 4 item 4)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.cronofy import EventsPage, EventsQuery
from contracts.cronofy_accounts import UserInfo
from contracts.errors import Transient
from contracts.ports import EventReader, Turn
from service.store.integrations import reads
from tests.support.one_person import OnePerson, one_person
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

ANN = "ann@example.com"
EVENTS, GONE, PAGE = 40, 9, 15
PAGES = 3


@pytest.fixture
async def home(sqlite_url: str) -> AsyncIterator[OnePerson]:
    async with one_person(sqlite_url) as built:
        yield built


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


class Mishap:
    """The linked calendar, to whose reads something happens."""

    def __init__(
        self,
        inner: EventReader,
        *,
        before_page: int = 0,
        happens: Callable[[], Awaitable[None]] | None = None,
        asks: Callable[[EventsQuery], EventsQuery] = lambda query: query,
        shows: Callable[[EventsPage], EventsPage] = lambda page: page,
    ) -> None:
        self._inner, self._left, self._happens = inner, before_page, happens
        self._asks, self._shows = asks, shows

    async def first_page(self, sub: str, query: EventsQuery, *, turn: Turn) -> EventsPage:
        await self._before()
        return self._shows(await self._inner.first_page(sub, self._asks(query), turn=turn))

    async def next_page(self, sub: str, url: str, *, turn: Turn) -> EventsPage:
        await self._before()
        return self._shows(await self._inner.next_page(sub, url, turn=turn))

    async def userinfo(self, sub: str, *, turn: Turn) -> UserInfo:
        return await self._inner.userinfo(sub, turn=turn)

    async def _before(self) -> None:
        self._left -= 1
        if self._left == 0 and self._happens is not None:
            await self._happens()


async def _brought(home: OnePerson) -> str:
    """Forty appointments came from the calendar; then nine of their events were deleted there."""
    mine = await home.integration()
    for at in range(EVENTS):
        home.add_event(mine, f"Event {at:02}")
    await home.changed(mine)
    assert len(await home.items()) == EVENTS
    await home.world.advance(60)
    for event in home.world.events(home.calendars[mine])[::4][:GONE]:
        home.world.delete_event(home.calendars[mine], event["event_uid"])
    await home.world.advance(60)
    home.world.faults.change(page_size=PAGE)
    return mine


async def _reads(home: OnePerson, mine: str, calendars: EventReader) -> None:
    """A full read by that way, whatever it comes to."""
    reader = home.reader_over(calendars)
    try:
        await reader.read_all(mine)
    except Transient:
        return


@pytest.mark.parametrize("page", range(1, PAGES + 1))
async def test_r11_a_read_that_breaks_before_any_page_deletes_nothing(page: int, home: OnePerson) -> None:
    """And the next one that is complete deletes what is to be deleted."""
    mine = await _brought(home)

    async def breaks() -> None:
        raise Transient("the connection broke")

    await _reads(home, mine, Mishap(home.cronofy.gateway, before_page=page, happens=breaks))
    assert len(await home.items()) == EVENTS

    await _reads(home, mine, home.cronofy.gateway)
    assert len(await home.items()) == EVENTS - GONE


async def test_r30_whoever_waits_too_long_for_a_read_of_this_process_comes_again_later(
    home: OnePerson,
) -> None:
    """A run's read holds up the notices of its calendar, and not the consumer: their places are needed."""
    mine = await home.integration()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def lasts() -> None:
        begun.set()
        await go_on.wait()

    calendars = Mishap(home.cronofy.gateway, before_page=1, happens=lasts)
    reader = home.reader_over(calendars, turn_wait_seconds=0.05)
    run = asyncio.create_task(reader.read_all(mine, run_id="a run"))
    await begun.wait()
    async with asyncio.timeout(10):
        with pytest.raises(Transient, match="too long"):
            await reader.read(mine, noticed_at=home.clock.now().timestamp())
        with pytest.raises(Transient, match="too long"):
            await reader.read_all(mine)

    go_on.set()
    await run
    await reader.read_all(mine)
    async with home.store.read() as connection:
        assert await reads.last_checked(connection, mine) is not None


@pytest.mark.parametrize("page", range(1, PAGES + 1))
async def test_r11_a_grant_that_is_lost_between_pages_deletes_nothing(page: int, home: OnePerson) -> None:
    """The integration is not connected, and everything stays."""
    mine = await _brought(home)

    async def revoked() -> None:
        home.world.revoke(ANN)

    await _reads(home, mine, Mishap(home.cronofy.gateway, before_page=page, happens=revoked))

    assert len(await home.items()) == EVENTS
    assert (await home.value(mine)).reason == "permission_withdrawn"


@pytest.mark.parametrize("page", range(1, PAGES + 1))
async def test_r11_a_calendar_that_vanishes_between_pages_deletes_nothing(page: int, home: OnePerson) -> None:
    """The deletions of a read wait for its end, and then for a calendar that is listed."""
    mine = await _brought(home)

    async def vanishes() -> None:
        home.world.set_missing(home.calendars[mine])

    await _reads(home, mine, Mishap(home.cronofy.gateway, before_page=page, happens=vanishes))

    assert len(await home.items()) == EVENTS


async def test_r11_a_read_that_is_ended_too_early_deletes_only_what_it_was_told(home: OnePerson) -> None:
    """Cronofy says after the first page that there is no more: what was not shown is not gone."""
    mine = await _brought(home)
    seen: list[int] = []

    def ended(page: EventsPage) -> EventsPage:
        seen.append(sum(event.deleted for event in page.events))
        return replace(page, next_page=None)

    await _reads(home, mine, Mishap(home.cronofy.gateway, shows=ended))

    assert len(await home.items()) == EVENTS - seen[0]
    assert seen[0] < GONE


async def test_r11_an_empty_answer_deletes_nothing(home: OnePerson) -> None:
    """Nor does one that shows only what lives."""
    mine = await _brought(home)
    await _reads(home, mine, Mishap(home.cronofy.gateway, shows=lambda page: replace(page, events=())))
    assert len(await home.items()) == EVENTS

    def living(page: EventsPage) -> EventsPage:
        return replace(page, events=tuple(event for event in page.events if not event.deleted))

    await _reads(home, mine, Mishap(home.cronofy.gateway, shows=living))
    assert len(await home.items()) == EVENTS


@pytest.mark.parametrize("shift", [-35, 60], ids=["too early", "too late"])
async def test_r11_a_read_of_the_wrong_days_deletes_nothing(shift: int, home: OnePerson) -> None:
    """What lies outside what was read cannot be missing."""
    mine = await _brought(home)

    def elsewhere(query: EventsQuery) -> EventsQuery:
        assert query.from_ is not None
        first = query.from_ + timedelta(days=41 + shift)
        return replace(query, from_=first, to=first + timedelta(days=20))

    await _reads(home, mine, Mishap(home.cronofy.gateway, asks=elsewhere))

    assert len(await home.items()) == EVENTS


async def test_r11_many_deletions_over_many_pages_count_together(home: OnePerson) -> None:
    """Not one page of them would be too many."""
    mine = await _brought(home)
    for event in home.world.events(home.calendars[mine])[1::4][:8]:
        home.world.delete_event(home.calendars[mine], event["event_uid"])
    await home.world.advance(60)
    home.world.faults.change(page_size=6)

    await _reads(home, mine, home.cronofy.gateway)

    assert len(await home.items()) == EVENTS
    assert {link.code for link in await home.links() if not link.exists_there} == {"held_deletion"}


async def test_r11_a_third_is_counted_of_what_there_was_before_the_days_deletions(home: OnePerson) -> None:
    """Of forty pairs thirteen are not more than a third, a fourteenth is: also after the first are gone."""
    mine = await _brought(home)
    await _reads(home, mine, home.cronofy.gateway)
    assert len(await home.items()) == EVENTS - GONE
    living = [event for event in home.world.events(home.calendars[mine]) if not event["deleted"]]
    for event in living[:4]:
        home.world.delete_event(home.calendars[mine], event["event_uid"])
    await home.world.advance(3600)
    await _reads(home, mine, home.cronofy.gateway)
    assert len(await home.items()) == EVENTS - 13

    home.world.delete_event(home.calendars[mine], living[4]["event_uid"])
    await home.world.advance(3600)
    await _reads(home, mine, home.cronofy.gateway)
    assert len(await home.items()) == EVENTS - 13
    assert [link.code for link in await home.links() if link.state == "held"] == ["held_deletion"]


async def test_r11_live_traffic_goes_on_while_deletions_wait_for_an_answer(ann: TwoPeopleWithRuns) -> None:
    """Both ways, for the other items and for new ones."""
    for at in range(16):
        await ann.say(f"Item {at:02}")
    await ann.people.rest(reads=False)
    events = {event["summary"]: event["event_uid"] for event in ann.people.world.events(ann.calendar)}
    for title in sorted(events)[:12]:
        ann.people.world.delete_event(ann.calendar, events[title])
    await ann.people.rest(reads=False)
    assert sum(link["code"] == "held_deletion" for link in await ann.her_links()) == 12

    await ann.say("Item 14", title="From Vorex")
    await ann.say("New")
    ann.people.world.change_event(ann.calendar, events["Item 15"], summary="From the calendar")
    ann.add_event("Added")
    await ann.people.rest()

    assert sum(link["code"] == "held_deletion" for link in await ann.her_links()) == 12
    living = {title for title, _ in ann.events()}
    assert living == {"Item 12", "Item 13", "From Vorex", "From the calendar", "New", "Added"}
    assert living < set(await ann.titles())


async def test_r10_a_foreign_event_is_changed_and_deleted_from_vorex_where_it_may_be(
    ann: TwoPeopleWithRuns,
) -> None:
    """The calendar is unrestricted and the event's options allow it."""
    ann.add_event("Meeting")
    ann.add_event("Lunch")
    await ann.people.rest(reads=False)

    await ann.retitle("Meeting", "Renamed")
    await ann.people.rest(reads=False)

    assert ann.events() == [("Lunch", False), ("Renamed", False)]


@pytest.mark.parametrize("how", ["restricted", "options"])
async def test_r10_where_it_may_not_be_the_log_says_why(how: str, ann: TwoPeopleWithRuns) -> None:
    """Nothing is written, and nothing is tried again."""
    closed = {"options": {"update": False, "delete": False}} if how == "options" else {}
    if how == "restricted":
        await ann.home.set(ann.mine, permission_level="sandbox")
    ann.add_event("Meeting", **closed)
    await ann.people.rest(reads=False)
    writes = len(ann.people.world.log.writes)

    await ann.retitle("Meeting", "Renamed")
    await ann.people.rest()

    assert ann.events() == [("Meeting", False)]
    assert len(ann.people.world.log.writes) == writes
    assert ("to_linked_calendar", "update", "skipped", "not_possible") in await ann.home.log()


async def test_r9_an_occurrence_is_read_only_from_vorex_and_the_log_says_so(ann: TwoPeopleWithRuns) -> None:
    """*Part of a series*: logged as not possible, and not retried."""
    ann.add_event("Jour fixe", recurrence={"frequency": "daily", "count": 3})
    await ann.people.rest(reads=False)
    first = next(iter(await ann.home.items()))
    assert {item.read_only_reason for item in await ann.home.items()} == {"series"}

    await ann.say(first.id, title="Renamed")
    await ann.people.rest()

    assert ann.events() == [("Jour fixe", False)] * 3
    assert ("to_linked_calendar", "update", "skipped", "series") in await ann.home.log()


@pytest.mark.parametrize("fate", [{"status": "cancelled"}, {"participation_status": "declined"}])
async def test_r8_a_known_event_that_is_cancelled_or_declined_counts_as_deleted(
    fate: dict[str, str], ann: TwoPeopleWithRuns
) -> None:
    """Its appointment goes; a new one of that kind does not come."""
    uid = ann.add_event("Meeting")
    await ann.people.rest(reads=False)
    assert await ann.titles() == ["Meeting"]

    ann.people.world.change_event(ann.calendar, uid, **fate)
    ann.add_event("Never", **fate)
    await ann.people.rest(reads=False)

    assert await ann.titles() == []
