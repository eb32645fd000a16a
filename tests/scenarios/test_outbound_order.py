"""R17 as a property: any order, any repetition, any number of consumers end at the newest version."""

import asyncio
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.ports import Outgoing
from contracts.writes import Upsert
from service.store.engine.store import Store
from tests.support.calendars import MORNING, Outbound, changed, outbound
from tests.support.clock import ManualClock

USERS = ("u-1", "u-2")


@dataclass(frozen=True)
class Change:
    """One version of one item."""

    item: str
    version: int
    assignees: tuple[str, ...]
    deleted: bool
    dated: bool

    @property
    def message(self) -> Outgoing:
        when = {} if self.dated else {"start": None, "end": None}
        return changed(
            self.item,
            self.version,
            id=f"{self.item}-{self.version}",
            assignees=list(self.assignees),
            action="deleted" if self.deleted else "updated",
            **when,
        )

    @property
    def expected(self) -> set[tuple[str, str]]:
        """Calendar and title of every event that this version should leave."""
        if self.deleted or not self.dated:
            return set()
        return {(f"cal_{USERS.index(user) + 1}", f"{self.item} v{self.version}") for user in self.assignees}


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    made = []
    for item in ("a", "b", "c")[: draw(st.integers(1, 3))]:
        for version in range(1, draw(st.integers(1, 4)) + 1):
            people = draw(st.sets(st.sampled_from(USERS)))
            whole, dated = draw(st.integers(0, 5)) > 0, draw(st.integers(0, 5)) > 0
            made.append(Change(item, version, tuple(sorted(people)), not whole, dated))
    return made


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Change], list[list[Change]]]:
    """A history, and its messages shuffled, some twice, in portions."""
    history = draw(histories())
    again = draw(st.lists(st.sampled_from(history), max_size=4))
    order = draw(st.permutations([*history, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=3)))
    return history, [order[start:end] for start, end in itertools.pairwise([0, *cuts, len(order)])]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with nothing in it, to be copied for every example."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    asyncio.run(_prepare(path))
    return path


async def _prepare(path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{path}")
    await store.upgrade()
    await store.close()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=deliveries(), consumers=st.integers(1, 2), interruptions=st.integers(0, 2))
def test_r17_any_order_any_repetition_any_number_of_consumers(
    empty: Path, plan: tuple[list[Change], list[list[Change]]], consumers: int, interruptions: int
) -> None:
    """The calendars end at the newest versions, each event once, no older write after a newer one."""
    history, portions = plan
    path = empty.with_name("example.db")
    for leftover in empty.parent.glob("example.db*"):
        leftover.unlink()
    shutil.copy(empty, path)
    asyncio.run(_check(path, history, portions, consumers, interruptions))


async def _check(
    path: Path,
    history: Sequence[Change],
    portions: Sequence[Sequence[Change]],
    consumers: int,
    interruptions: int,
) -> None:
    clock = ManualClock(MORNING)
    store = Store(f"sqlite+aiosqlite:///{path}", clock=clock)
    async with outbound(store, clock) as world:
        for user in USERS:
            await world.integration(user)
        for _ in range(consumers):
            await world.start(prefetch=5, intake_size=3)
        for number, portion in enumerate(portions):
            await world.publish(*(change.message for change in portion))
            if number < interruptions:
                world.interrupt()
        await world.settled()
        await _agrees(world, history)
    await store.close()


async def _agrees(world: Outbound, history: Sequence[Change]) -> None:
    newest = {change.item: change for change in history}
    there = [(calendar, event["summary"]) for (calendar, _), event in world.calendars.events.items()]
    assert sorted(there) == sorted(set().union(*(change.expected for change in newest.values())))
    assert (await world.finished()).keys() == {f"{change.item}-{change.version}" for change in history}
    seen: dict[tuple[str, str], str] = {}
    for write in world.calendars.writes:
        if isinstance(write, Upsert):
            assert seen.get(write.key, "") <= write.fields.summary
            seen[write.key] = write.fields.summary
    assert await world.letters() == []
