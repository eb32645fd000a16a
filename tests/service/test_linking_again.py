"""Linking again and again, the same account and other ones: adopted each time and never doubled (R21)."""

from collections.abc import AsyncIterator, Callable

import pytest

from service.demo.simulator.world import SimulatedWorld
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

EMAIL = "ann@example.com"
TYPES = ("appointment", "crm_activity", "service_call", "task", "todo")
WEEK = {"past": "1_week", "future": "1_week"}
SERIES = 3


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


async def _everything(ann: TwoPeopleWithRuns) -> None:
    """An item of each type and a private one, sent; a meeting, a private one and a series, brought."""
    for kind in TYPES:
        await ann.say(f"Our {kind}", type=kind)
    await ann.say("Our secret", private=True)
    ann.add_event("Their meeting")
    ann.add_event("Their secret", event_private=True)
    ann.add_event("Their jour fixe", recurrence={"frequency": "daily", "count": SERIES})
    await ann.people.rest(reads=False)
    assert len(ann.events()) == len(TYPES) + 1 + 2 + SERIES


def _another_account(world: SimulatedWorld) -> None:
    """Cronofy makes another account of the mailbox: what the last one added looks foreign to it."""
    world.faults.change(managed_per_account=True)
    world.linked.pop(("simulated", EMAIL), None)


def _forgetful(world: SimulatedWorld) -> None:
    """The same account, which knows our events no more."""
    world.faults.change(relink_forgets_managed=True)


def _the_same(_: SimulatedWorld) -> None:
    """The same account, as it was."""


async def _shown(ann: TwoPeopleWithRuns) -> tuple[list[str], list[str]]:
    return [title for title, _ in ann.events()], await ann.titles()


@pytest.mark.parametrize(("how", "times"), [(_the_same, 10), (_another_account, 4), (_forgetful, 4)])
async def test_r21_linking_again_and_again_doubles_and_loses_nothing(
    how: Callable[[SimulatedWorld], None], times: int, ann: TwoPeopleWithRuns
) -> None:
    """Five types, private ones, events of the owner's own, private and recurring; with Retrieve and Send."""
    await _everything(ann)
    before = await _shown(ann)

    for _ in range(times):
        await ann.delete()
        await ann.rest()
        how(ann.people.world)
        await ann.link_again(retrieve=WEEK, send=WEEK)
        assert await _shown(ann) == before

    assert {link["item_ref"] for link in await ann.her_links()} == {
        item.ref for item in await ann.home.items()
    }


async def test_r21_linking_again_in_turns_with_the_same_and_other_accounts(ann: TwoPeopleWithRuns) -> None:
    """And what Vorex changes afterwards arrives at the one event that stands for it."""
    await _everything(ann)
    before = await _shown(ann)
    for how in (_another_account, _the_same, _forgetful, _another_account):
        await ann.delete()
        await ann.rest()
        how(ann.people.world)
        await ann.link_again(send=WEEK)
        ann.people.world.faults.change(relink_forgets_managed=False)
    assert await _shown(ann) == before

    for kind in TYPES:
        await ann.retitle(f"Our {kind}", f"Renamed {kind}")
    await ann.people.rest()

    titles = [title for title, _ in ann.events()]
    renamed = sorted(title for title in titles if title.startswith("Renamed"))
    assert renamed == [f"Renamed {kind}" for kind in TYPES]
    assert len(titles) == len(before[0])
