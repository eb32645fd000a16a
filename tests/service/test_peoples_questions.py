"""What people ask of Cronofy through pages: once for all, seldom, and behind live changes (R44)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from contracts.cronofy import Calendar
from contracts.errors import Transient
from contracts.ports import Budget, Turn
from service.cronofy.allowance import limits_of
from service.cronofy.budget import SharedBudget
from service.cronofy.questions import (
    ANSWER_LIFE_SECONDS,
    MOST_ANSWERS_KEPT,
    QUESTIONS_A_MINUTE,
    QUESTIONS_AT_ONCE,
    AskedTooOften,
    PeoplesQuestions,
)
from service.store.engine.store import Store
from service.store.integrations.listing import Owner
from service.store.operations.budget import BudgetRow
from tests.support.clock import ManualClock
from tests.support.office import Office, form
from tests.support.pages import BROWSER

_T = TypeVar("_T")
ASKED = "GET /v1/calendars"
LATENCY = 0.2
STEP = 0.05
LISTED = Calendar(
    calendar_id="c",
    name="",
    profile_id="p",
    read_only=False,
    deleted=False,
    primary=True,
    permission_level="",
)


class _Cronofy:
    """Answers after a while, where the budget lets it be asked."""

    def __init__(self, clock: ManualClock, budget: Budget | None = None) -> None:
        self._clock, self._budget = clock, budget
        self.asked: list[Turn] = []
        self.at_once = self.most_at_once = 0
        self.failing = False

    async def calendars(self, sub: str, *, turn: Turn) -> Sequence[Calendar]:
        if self._budget is not None:
            await self._budget.take(turn)
        self.asked.append(turn)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self._clock.sleep(LATENCY)
        self.at_once -= 1
        if self.failing:
            raise Transient("Cronofy is away")
        return [replace(LISTED, name=f"{len(self.asked)}")]


class _Ledger:
    """The store's row, which tells when nobody is at it: a slow disk passes no time of the manual clock."""

    def __init__(self, store: Store) -> None:
        self._row = BudgetRow(store)
        self._at_work = 0
        self.rests = asyncio.Event()
        self.rests.set()

    async def change(self, judge: Callable[[str, float], tuple[str, _T]]) -> _T:
        self._at_work += 1
        self.rests.clear()
        try:
            return await self._row.change(judge)
        finally:
            self._at_work -= 1
            if not self._at_work:
                self.rests.set()


async def _until_done(clock: ManualClock, work: Awaitable[_T], *, ledger: _Ledger | None = None) -> _T:
    task = asyncio.ensure_future(work)
    for _ in range(4000):
        if task.done():
            break
        await clock.pass_time(STEP)
        if ledger is not None:
            await ledger.rests.wait()
    return await task


async def test_r44_fifty_requests_at_once_are_one_question_to_cronofy(office: Office) -> None:
    integration_id = await office.connect()
    office.wire.asked.clear()
    address = f"/api/v1/integrations/{integration_id}/calendars"
    answers = await asyncio.gather(*(office.get(address) for _ in range(50)))
    assert {one.status_code for one in answers} == {200}
    assert len({one.text for one in answers}) == 1
    assert office.wire.asked.count(ASKED) == 1


async def test_r44_an_answer_is_kept_for_a_minute_and_no_longer(office: Office) -> None:
    """By page and API alike."""
    integration_id = await office.connect()
    await office.sign_in()
    office.wire.asked.clear()
    await office.calendars(integration_id)
    page = f"/calendar-sync/{integration_id}/settings/linked-calendar"
    assert (await office.client.get(page, headers=BROWSER)).status_code == 200
    await office.clock.pass_time(ANSWER_LIFE_SECONDS - 1)
    await office.calendars(integration_id)
    assert office.wire.asked.count(ASKED) == 1
    await office.clock.pass_time(2)
    await office.calendars(integration_id)
    assert office.wire.asked.count(ASKED) == 2


async def test_r44_finish_asks_anew(office: Office) -> None:
    """What is saved is checked against what is so now (R23)."""
    integration_id = await office.connect()
    calendars = await office.calendars(integration_id)
    office.world.set_missing(calendars["Second"])
    assert (await office.put(integration_id, form(calendars["Second"]))).status_code == 422
    assert "Second" not in await office.calendars(integration_id)


async def test_r44_connecting_anew_forgets_what_was_known(office: Office) -> None:
    integration_id = await office.connect()
    await office.calendars(integration_id)
    again = await office.connect()
    office.wire.asked.clear()
    await office.calendars(again)
    assert office.wire.asked.count(ASKED) == 1


async def test_r44_a_question_too_many_in_a_minute_is_429(office: Office) -> None:
    integration_id = await office.connect()
    for each in range(QUESTIONS_A_MINUTE - 1):  # connecting was one
        async with office.accounts.asking(Owner(tenant_id="acme", user_id="u-17")):
            await office.clock.pass_time(each / 40)
    address = f"/api/v1/integrations/{integration_id}/calendars"
    refused = await office.get(address)
    assert (refused.status_code, refused.headers["Content-Type"]) == (429, "application/problem+json")
    assert 50 <= int(refused.headers["Retry-After"]) <= 60
    await office.sign_in()
    page = await office.client.get(
        f"/calendar-sync/{integration_id}/settings/linked-calendar", headers=BROWSER
    )
    assert (page.status_code, "try once more in a moment" in page.text) == (429, True)
    await office.clock.pass_time(60)
    assert (await office.get(address)).status_code == 200


class TestQuestions:
    async def test_r44_one_person_asks_two_things_at_once(self) -> None:
        clock = ManualClock()
        cronofy = _Cronofy(clock)
        asking = PeoplesQuestions(cronofy, clock)
        each = (asking.calendars("a", f"i{n}", "s") for n in range(QUESTIONS_A_MINUTE))
        await _until_done(clock, asyncio.gather(*each))
        assert (len(cronofy.asked), cronofy.most_at_once) == (QUESTIONS_A_MINUTE, QUESTIONS_AT_ONCE)
        with pytest.raises(AskedTooOften):
            await asking.calendars("a", "another", "s")
        assert await _until_done(clock, asking.calendars("b", "another", "s"))

    async def test_r44_a_failure_is_told_to_all_who_wait_and_not_kept(self) -> None:
        clock = ManualClock()
        cronofy = _Cronofy(clock)
        cronofy.failing = True
        asking = PeoplesQuestions(cronofy, clock)
        waiting = asyncio.gather(*(asking.calendars("a", "i", "s") for _ in range(5)), return_exceptions=True)
        assert [type(one) for one in await _until_done(clock, waiting)] == [Transient] * 5
        cronofy.failing = False
        assert await _until_done(clock, asking.calendars("a", "i", "s"))
        assert len(cronofy.asked) == 2

    async def test_r44_who_goes_away_takes_the_answer_from_nobody(self) -> None:
        clock = ManualClock()
        asking = PeoplesQuestions(_Cronofy(clock), clock)
        first, second = (asyncio.create_task(asking.calendars("a", "i", "s")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await _until_done(clock, second)

    async def test_r44_a_new_connection_does_not_keep_the_answer_that_was_on_its_way(self) -> None:
        clock = ManualClock()
        cronofy = _Cronofy(clock)
        asking = PeoplesQuestions(cronofy, clock)
        old = asyncio.create_task(asking.calendars("a", "i", "s"))
        await asyncio.sleep(0)
        asking.forget("i")
        await _until_done(clock, old)
        (new,) = await _until_done(clock, asking.calendars("a", "i", "s"))
        assert new.name == "2"

    async def test_r44_what_is_kept_is_bounded(self) -> None:
        clock = ManualClock()
        cronofy = _Cronofy(clock)
        asking = PeoplesQuestions(cronofy, clock)
        for each in range(MOST_ANSWERS_KEPT + 1):
            await _until_done(clock, asking.calendars(f"a{each}", f"i{each}", "s"))
        asked = len(cronofy.asked)
        await _until_done(clock, asking.calendars("z", f"i{MOST_ANSWERS_KEPT}", "s", fresh=False))
        await _until_done(clock, asking.calendars("z", "i0", "s"))
        assert len(cronofy.asked) > asked

    async def test_r44_questions_never_make_another_tenant_wait(self, store: Store) -> None:
        """Fifty pages of one person at once, and another tenant's changes: less than twice the time."""
        alone, beside = [await _changes_take(store, crowd=crowd) for crowd in (0, 50)]
        assert beside < 2 * alone


async def _changes_take(store: Store, *, crowd: int) -> float:
    """The longest that one of another tenant's changes waits for its turn, in seconds of the clock."""
    clock = ManualClock()
    timed = Store(store.url, clock=clock)
    ledger = _Ledger(timed)
    budget = SharedBudget(ledger, clock, limits_of(10, 0))
    asking = PeoplesQuestions(_Cronofy(clock, budget), clock)
    pages = [asyncio.create_task(asking.calendars("hostile", f"i{each % 20}", "s")) for each in range(crowd)]
    await clock.pass_time(0)

    async def change(each: int) -> float:
        began = clock.monotonic()
        await budget.take(Turn(integration_id=f"other-{each % 3}", tenant_id="other"))
        return clock.monotonic() - began

    waits = await _until_done(clock, asyncio.gather(*(change(each) for each in range(40))), ledger=ledger)
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
    await timed.close()
    return max(waits)
