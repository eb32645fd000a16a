"""Ann chooses another calendar: what tests of R16 do and see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.integrations.activate import IntegrationSwitch
from service.integrations.ownership import Person
from service.integrations.settings_form import Choices
from tests.support.choices import form
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

WHO = Person(tenant_id="acme", user_id="ann", time_zone="Europe/London")


@asynccontextmanager
async def two_calendars(request: pytest.FixtureRequest) -> AsyncIterator[TwoPeopleWithRuns]:
    """Ann with a second calendar, empty so far; on both engines where the test says so."""
    name = "database_url" if "database_url" in request.fixturenames else "sqlite_url"
    async with two_people_with_runs(request.getfixturevalue(name)) as built:
        built.people.world.add_calendar("ann@example.com", "Second")
        yield built


def second(ann: TwoPeopleWithRuns) -> str:
    """Her other calendar."""
    return called(ann, "Second")


def called(ann: TwoPeopleWithRuns, name: str) -> str:
    """Her calendar of that name, as Cronofy knows it."""
    (profile,) = ann.people.world.profiles("ann@example.com")
    return next(one.calendar_id for one in profile.bindings if one.calendar.name == name)


async def choose(ann: TwoPeopleWithRuns, calendar_id: str | None = None, **changes: Any) -> str | None:
    """Finish with another calendar; the id of the run that it started."""
    choices = Choices.model_validate(form(calendar_id or second(ann), **changes))
    finished = await ann.accounts.finish(WHO, ann.mine, choices)
    return finished.run_id


def on(ann: TwoPeopleWithRuns, calendar_id: str) -> list[tuple[str, bool]]:
    """What stands on that calendar, by title, and whether it is a copy of ours."""
    there = [event for event in ann.people.world.events(calendar_id) if not event["deleted"]]
    return sorted((event["summary"], event["event_id"] is not None) for event in there)


async def settled(ann: TwoPeopleWithRuns, *, items: int = 2) -> None:
    """So many visits that were sent, and a meeting that was brought."""
    for at in range(items):
        await ann.say(f"Visit {at:02}")
    ann.add_event("Meeting")
    await ann.people.rest(reads=False)


async def inactive_for_a_while(
    ann: TwoPeopleWithRuns,
) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """She deactivates, and activates again when all is at rest; what stood on both calendars between."""
    switching = IntegrationSwitch(ann.home.store)
    await switching.deactivate(ANN, ann.mine)
    await ann.rest()
    meanwhile = on(ann, ann.calendar), on(ann, second(ann))
    await switching.activate(ANN, ann.mine)
    await ann.rest()
    return meanwhile


def visits(number: int) -> list[tuple[str, bool]]:
    """So many copies, as ``on`` tells them."""
    return [(f"Visit {at:02}", True) for at in range(number)]
