"""Deactivating stops both directions and runs at once, also for what was taken in before (G11, R20)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import func, select, update

from contracts.cronofy import EventsPage, EventsQuery
from contracts.cronofy_accounts import UserInfo
from contracts.errors import Permanent
from contracts.ports import EventReader, Permit, Turn
from service.cronofy.gateway import CronofyGateway
from service.integrations.activate import IntegrationSwitch
from service.keeper import daily_reads
from service.store.integrations.integrations import change
from service.store.integrations.listing import Owner
from service.store.links.links import release
from service.store.tables import links, runs
from tests.support.calendars import FreeBudget, Outbound, changed
from tests.support.locks import until_blocked
from tests.support.one_person import OnePerson, one_person
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs
from tests.support.waiting import until

OWNER = Owner(tenant_id="acme", user_id="u-17")
WEEK = {"past": "1_week", "future": "1_week"}
MANY = 120


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Of one kind here: what is proved lies above the store."""
    return sqlite_url


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


async def test_r20_a_full_lane_sends_nothing_more_after_the_answer(world: Outbound) -> None:
    """One request is in the air, the lane behind it is full: only what was in the air arrives."""
    mine = await world.integration()
    world.calendars.gate.clear()
    await world.start(prefetch=200)
    await world.publish(*(changed(f"i-{at:03}") for at in range(MANY)))
    await until(lambda: world.calendars.requests, what="a request in the air")

    await IntegrationSwitch(world.store).deactivate(OWNER, mine)
    in_the_air = world.calendars.requests[0]
    world.calendars.gate.set()
    await world.at_rest()

    assert world.calendars.requests == [in_the_air]
    assert len(world.calendars.events) == in_the_air < MANY
    assert len(await world.finished()) == MANY
    waiting = [link for link in await world.rows(links) if not link["exists_there"]]
    assert {(link["state"], link["code"]) for link in waiting} == {("held", "inactive")}


async def test_r20_what_waited_for_its_budget_is_not_sent_either(world: Outbound) -> None:
    """The lane asks the store once more after every wait."""
    mine = await world.integration()

    world.budget = Late(lambda: IntegrationSwitch(world.store).deactivate(OWNER, mine))
    await world.start()
    await world.send(changed("one"))

    assert world.calendars.requests == []


class Late(FreeBudget):
    """Its owner deactivates the integration while the lane waits for a permit."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        await self._meanwhile()
        return await super().take(turn, cost)


class Interrupted:
    """The linked calendar, whose owner deactivates the integration while a page is on its way."""

    def __init__(self, inner: EventReader, at_page: int, then: Callable[[], Awaitable[object]]) -> None:
        self._inner, self._left, self._then = inner, at_page, then

    async def first_page(self, sub: str, query: EventsQuery, *, turn: Turn) -> EventsPage:
        page = await self._inner.first_page(sub, query, turn=turn)
        await self._passed()
        return page

    async def next_page(self, sub: str, url: str, *, turn: Turn) -> EventsPage:
        page = await self._inner.next_page(sub, url, turn=turn)
        await self._passed()
        return page

    async def userinfo(self, sub: str, *, turn: Turn) -> UserInfo:
        return await self._inner.userinfo(sub, turn=turn)

    async def _passed(self) -> None:
        self._left -= 1
        if self._left == 0:
            await self._then()


class Account(Interrupted):
    """The same for a run, which also writes to the calendar and lets go of its account."""

    def __init__(self, inner: CronofyGateway, at_page: int, then: Callable[[], Awaitable[object]]) -> None:
        super().__init__(inner, at_page, then)
        self.largest_batch, self.write = inner.largest_batch, inner.write
        self.close_channel, self.revoke_profile = inner.close_channel, inner.revoke_profile
        self.revoke_account = inner.revoke_account


async def _with_events(home: OnePerson, number: int) -> str:
    mine = await home.integration()
    for at in range(number):
        home.add_event(mine, f"Event {at:02}")
    await home.world.advance(30)
    home.world.faults.change(page_size=10)
    return mine


async def test_r20_a_read_that_is_under_way_brings_nothing_more(home: OnePerson) -> None:
    """The page that comes in after the answer is not applied, though Cronofy has sent it."""
    mine = await _with_events(home, 25)
    switching = IntegrationSwitch(home.store)
    calendars = Interrupted(home.cronofy.gateway, 2, lambda: switching.deactivate(ANN, mine))
    reader = home.reader_over(calendars)

    await reader.read_all(mine)

    assert len(await home.items()) == 10


async def test_r20_a_retrieve_that_is_under_way_ends_and_brings_nothing_more(home: OnePerson) -> None:
    """The run says that it was ended by the deactivation."""
    mine = await _with_events(home, 25)
    switching = IntegrationSwitch(home.store)
    calendars = Account(home.cronofy.gateway, 2, lambda: switching.deactivate(ANN, mine))
    home.runs = home.runs_over(calendars)

    run = await home.run_to_end(mine, retrieve=WEEK, steps=6)

    assert (run.state, run.tally["created"]) == ("cancelled", 10)
    assert len(await home.items()) == 10


async def test_r20_what_goes_wrong_in_a_run_that_is_over_is_no_fault_of_its_message(home: OnePerson) -> None:
    """No dead letter, whatever Cronofy says to the last request of a run that was ended meanwhile."""
    mine = await _with_events(home, 5)
    switching = IntegrationSwitch(home.store)

    async def deactivated() -> None:
        await switching.deactivate(ANN, mine)
        raise Permanent("payment required", status=402)

    calendars = Account(home.cronofy.gateway, 1, deactivated)
    home.runs = home.runs_over(calendars)

    run = await home.run_to_end(mine, retrieve=WEEK, steps=4)

    assert (run.state, run.tally["created"]) == ("cancelled", 0)


async def test_r20_a_run_that_is_asked_for_too_late_is_cancelled_too(home: OnePerson) -> None:
    """It has not failed: it was begun as the integration was deactivated."""
    mine = await _with_events(home, 5)
    await home.set(mine, active=False)

    run = await home.run_to_end(mine, retrieve=WEEK, steps=1)

    async with home.store.read() as connection:
        reason = await connection.scalar(select(runs.c.reason).where(runs.c.id == run.id))
    assert (run.state, reason) == ("cancelled", "The integration was deactivated.")


async def test_r20_no_daily_read_begins_while_its_calendar_is_deactivated(postgresql_url: str) -> None:
    """Found to be due, and deactivated before it was locked."""
    async with one_person(postgresql_url) as home:
        mine = await home.integration()
        async with home.store.begin() as connection:
            await change(connection, mine, active=False)
            beginning = asyncio.ensure_future(daily_reads(home.store).work())
            await until_blocked(home.store, beginning)
        await beginning

        async with home.store.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(runs)) == 0


async def test_r20_what_is_decided_of_a_held_link_meanwhile_is_not_overwritten(postgresql_url: str) -> None:
    """Its type was unchecked while the release waited for it."""
    async with one_person(postgresql_url) as home:
        mine = await _with_events(home, 1)
        await home.run_to_end(mine, retrieve=WEEK)
        async with home.store.begin() as connection:
            await connection.execute(update(links).values(state="held", code="inactive"))

        async def releasing() -> int:
            async with home.store.begin() as connection:
                return await release(connection, mine, limit=500)

        async with home.store.begin() as connection:
            await connection.execute(update(links).values(state="frozen", code="type_off"))
            waiting = asyncio.ensure_future(releasing())
            await until_blocked(home.store, waiting)
        assert await waiting == 0

        (link,) = await home.links()
        assert (link.state, link.code) == ("frozen", "type_off")


async def test_r20_a_send_that_is_under_way_ends_and_sends_nothing_more(ann: TwoPeopleWithRuns) -> None:
    """Not more than what had been handed over; what was not sent waits for the activation."""
    types = dict.fromkeys(("appointment", "crm_activity", "service_call", "task", "todo"), False)
    await ann.home.set(ann.mine, item_types=types)
    for at in range(160):
        await ann.say(f"Item {at:03}")
    await ann.people.rest(reads=False)
    await ann.home.set(ann.mine, item_types={**types, "appointment": True})
    switching = IntegrationSwitch(ann.home.store)
    before = ann.people.world.log.writes.copy()

    async def handed_over() -> bool:
        await ann.people.outbox.flush()
        return bool(await ann.her_links())

    await ann.start("sync_now", send=WEEK)
    await until(handed_over, what="the first fifty")
    await switching.deactivate(ANN, ann.mine)
    sent = len(ann.people.world.log.writes) - len(before)
    await ann.rest()

    assert len(ann.people.world.log.writes) - len(before) == sent
    (run,) = await ann.rows(runs, runs.c.kind == "sync_now")
    assert (run["state"], run["reason"]) == ("cancelled", "The integration was deactivated.")
    handed = len(await ann.her_links())
    assert handed in {50, 100}

    await switching.activate(ANN, ann.mine)
    await ann.rest()
    assert len(ann.events()) == handed
