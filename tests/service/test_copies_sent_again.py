"""A copy that its owner deleted is sent anew: told as an addition, before and after (R6, R27)."""

from collections.abc import AsyncIterator

import pytest

from service.consumers.runs.dry_run import DryRun
from service.consumers.runs.dry_run_result import DryRunAction
from service.integrations.ownership import Person
from service.integrations.settings_form import Choices
from service.store.tables import runs
from tests.support.choices import form
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

PERSON = Person(tenant_id="acme", user_id="ann", time_zone="Europe/London")
WEEK = {"past": "1_week", "future": "1_week"}


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def test_r27_a_send_counts_what_stood_there_no_more_as_created(ann: TwoPeopleWithRuns) -> None:
    """The run says what its log entries say; what still stands there is an update or nothing."""
    await _let_go_of_a_call(ann)

    run_id = await ann.start("sync_now", send=WEEK)
    await ann.rest()

    (run,) = await ann.rows(runs, runs.c.id == run_id)
    assert (run["found"], run["created"], run["updated"], run["failed"]) == (2, 1, 0, 0)
    assert ann.events() == [("Call", True), ("Visit", True)]


async def test_the_rehearsal_of_a_send_tells_it_as_an_addition(ann: TwoPeopleWithRuns) -> None:
    """R6: nothing of it is on the calendar that could be changed."""
    await _let_go_of_a_call(ann)
    rehearsal = DryRun(
        store=ann.home.store, people=ann.accounts, calendars=ann.home.cronofy.gateway, patience=60.0
    )
    choices = Choices.model_validate(form(ann.calendar, send={"enabled": True, **WEEK}))

    found = await rehearsal.of(PERSON, ann.mine, choices)

    assert {doing: [line.title for line in lines] for doing, lines in found.shown} == {
        DryRunAction.ADD_THERE: ["Call"],
        DryRunAction.LEAVE: ["Visit"],
    }


async def _let_go_of_a_call(ann: TwoPeopleWithRuns) -> None:
    """A task and a visit were sent; she deleted the task's copy (R6)."""
    await ann.say("Call", type="task")
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    (call,) = [event for event in ann.people.world.events(ann.calendar) if event["summary"] == "Call"]
    ann.people.world.delete_event(ann.calendar, call["event_uid"])
    await ann.people.rest()
    assert ann.events() == [("Visit", True)]
