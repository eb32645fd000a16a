"""What must never have happened is seen where it happened: the convergence test's eyes are open (R8, R40)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from service.demo.simulator.model import AcceptedWrite
from tests.support import never
from tests.support.odd_days import Diary, Odd, add_secret, restore
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


def odd(here: TwoPeopleWithRuns, value: int) -> Odd:
    return Odd(here=here, diary=Diary(), who="ann", which=0, value=value)


def written(here: TwoPeopleWithRuns, kind: str, key: str, **data: Any) -> None:
    """As if we had sent it just now."""
    binding = here.people.world.binding(here.calendar)
    now = here.people.world.clock.now()
    sent = AcceptedWrite(at=now, kind=kind, binding=binding, key=key, data=data, changes={})
    here.people.world.log.writes.append(sent)


async def test_a_restored_event_that_we_delete_is_seen(here: TwoPeopleWithRuns) -> None:
    """An owner's own event, and one of which Vorex never said anything."""
    here.add_event("Review")
    await here.people.rest()
    act = odd(here, 3)
    await restore(act)
    await here.people.rest()
    (uid,) = act.diary.restored
    await never.no_restored_event_was_deleted(here, act.diary)

    written(here, "remove", uid)

    with pytest.raises(AssertionError):
        await never.no_restored_event_was_deleted(here, act.diary)
    await never.no_restored_event_was_deleted(here, replace(act.diary, removed=True))


async def test_a_secret_that_is_told_is_seen(here: TwoPeopleWithRuns) -> None:
    """In what was sent."""
    await add_secret(odd(here, 1))
    await here.people.rest()
    assert await here.titles() == ["Private appointment"]
    await never.no_secret_was_told(here)

    written(here, "upsert", "vcs-1", summary="Secret 1")

    with pytest.raises(AssertionError):
        await never.no_secret_was_told(here)


async def test_an_appointment_without_a_cause_is_seen(here: TwoPeopleWithRuns) -> None:
    """One more than people added."""
    here.add_event("Review")
    await here.people.rest()
    await never.nothing_was_made_without_a_cause(here, 1)
    with pytest.raises(AssertionError):
        await never.nothing_was_made_without_a_cause(here, 0)
