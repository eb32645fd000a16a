"""However a call and an absence come to overlap, a dispatcher is asked once, while copies are sent (R52)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.questioned import AWAY, asked, call, facts, standing, tend
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

ANNS = "ann@example.com"
SEND: dict[str, Any] = {"past": "today", "future": "1_week"}


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


@pytest.fixture
async def anywhere(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _hears(ann: TwoPeopleWithRuns) -> None:
    await ann.people.rest()
    await tend(ann)
    await ann.people.repeat(0)
    await ann.people.rest()
    await tend(ann)


def _is_away(ann: TwoPeopleWithRuns) -> None:
    """By the provider's own key, which stands whether it is linked or not."""
    ann.people.world.add_event(ann.calendar_of("ann"), **AWAY, extended_transparency="out_of_office")


async def _looks(ann: TwoPeopleWithRuns, finding: str) -> None:
    await ann.people.pass_time(61)
    assert await ann.home.looker.look(ann.mine) == finding
    await ann.rest()


async def test_r52_calls_and_an_absence_from_before_finish_with_send_are_asked_about_once(
    anywhere: TwoPeopleWithRuns,
) -> None:
    """The absence is first seen by the reading at Finish, and the copy is made by Send."""
    ann = anywhere
    await ann.delete("remove")
    await ann.rest()
    await call(ann)
    _is_away(ann)
    await ann.link_again(send=SEND)
    assert ("Firewall", True) in ann.events()
    await _hears(ann)

    assert await standing(ann) == [("out_of_office", "open", None)]
    assert len(await facts(ann)) == 1


async def test_r52_an_absence_that_came_while_nothing_was_connected_is_asked_about_once(
    anywhere: TwoPeopleWithRuns,
) -> None:
    """It is first seen by the reading after the reconnection."""
    ann = anywhere
    await call(ann)
    ann.people.world.disconnect(ANNS)
    await _looks(ann, "not_connected")
    _is_away(ann)
    ann.people.world.reconnect(ANNS)
    await _looks(ann, "fine")
    await _hears(ann)

    assert await standing(ann) == [("out_of_office", "open", None)]
    assert len(await facts(ann)) == 1


@pytest.mark.parametrize("switched", ["watching", "paused"])
async def test_r52_nobody_is_asked_of_an_absence_before_copies_are_sent(
    anywhere: TwoPeopleWithRuns, switched: str
) -> None:
    """Neither where an integration only watches nor where it is paused; as soon as it begins, once."""
    ann = anywhere
    _is_away(ann)
    await ann.people.rest()
    await (ann.switching.watch if switched == "watching" else ann.switching.deactivate)(ANN, ann.mine)
    await call(ann)
    await tend(ann)
    assert (await asked(ann), await facts(ann)) == ([], [])

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()
    await _hears(ann)

    assert await standing(ann) == [("out_of_office", "open", None)]
    assert len(await facts(ann)) == 1


@pytest.mark.parametrize("switched", ["watching", "paused"])
async def test_r52_what_was_asked_stays_open_while_an_integration_rests(
    ann: TwoPeopleWithRuns, switched: str
) -> None:
    """The copy is on the calendar still; nobody is asked a second time when it goes on."""
    await call(ann)
    _is_away(ann)
    await ann.people.rest()
    await (ann.switching.watch if switched == "watching" else ann.switching.deactivate)(ANN, ann.mine)
    await tend(ann)
    assert await standing(ann) == [("out_of_office", "open", None)]

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()
    await _hears(ann)

    assert await standing(ann) == [("out_of_office", "open", None)]
    assert len(await facts(ann)) == 1
