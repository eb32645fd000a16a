"""Whatever two people and Vorex do, in whatever order it arrives: at rest both calendars agree (G1, R17–R19).

``CONVERGENCE_EXAMPLES=1000 pytest tests/scenarios/test_convergence.py`` tries more.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from contracts.calendar import Code, Item, Link, LinkState, Origin
from contracts.cronofy import CronofyEvent
from contracts.errors import Transient
from handlers.compose import compose
from handlers.edits import edited_item
from handlers.fingerprints import differing_fields, fingerprints_of_event
from service.demo.simulator.world import SimulatedWorld
from tests.support import integration_acts as acts
from tests.support.histories import EVERYDAY, WHOLE_LIVES, Step, do, steps
from tests.support.knobs import examples
from tests.support.reused import ReusedDatabase
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

EXAMPLES = examples("CONVERGENCE_EXAMPLES", 8)
STILL = frozenset({Code.LOOP_STOPPED, Code.TYPE_OFF, Code.NOT_POSSIBLE, Code.HELD_DELETION})


def kindly(world: SimulatedWorld) -> None:
    """Cronofy at its best: prompt, orderly and exact."""
    world.faults.change(apply_delay=0.0, read_lag=0.0, notice_delay=0.0)


def unkindly(world: SimulatedWorld) -> None:
    """Late reads, late and overtaking writes, rewritten texts, repeated and late notices, failures."""
    world.faults.change(
        apply_delay=1.0,
        write_jitter=6.0,
        read_lag=2.0,
        notice_delay=1.0,
        notice_jitter=30.0,
        notice_duplicates=1,
        normalise_text=True,
        page_size=3,
        error_ratio=0.03,
        error_after_applying=True,
    )


def sparsely(world: SimulatedWorld) -> None:
    """Rows without what is empty, stamps that are nonsense, late and empty last pages."""
    world.faults.change(read_lag=1.0, sparse_events=True, page_size=2, empty_next_page=True)


# -- what must hold at rest ---------------------------------------------------------------------------


def _row(calendar: str, event: dict[str, Any]) -> CronofyEvent:
    return CronofyEvent.parse({**event, "calendar_id": calendar})


async def _check(here: TwoPeopleWithRuns) -> None:
    place = here.people
    items = {item.ref: item for item in await place.home.items()}
    links = await place.home.links()
    for person, integration_id in place.integrations.items():
        calendar = here.calendar_of(person)
        truth = [event for event in place.world.events(calendar) if not event["deleted"]]
        value = await place.home.value(integration_id)
        mine = [
            link
            for link in links
            if link.integration_id == integration_id and link.calendar_id == value.calendar_id
        ]
        _no_event_twice(truth, mine)
        for link in mine:
            _agrees(link, items.get(link.item_ref), truth, calendar)
        if person not in place.toggled:
            _all_imported(truth, mine, items)
            _all_sent(person, mine, [item for item in items.values() if item.type in value.item_types])


def _no_event_twice(truth: Sequence[dict[str, Any]], mine: Sequence[Link]) -> None:
    ours = Counter(event["event_id"] for event in truth if event["event_id"])
    assert all(count == 1 for count in ours.values()), ours
    uids = Counter(link.event_uid for link in mine if link.exists_there and link.event_uid)
    assert all(count == 1 for count in uids.values()), uids


def _agrees(link: Link, item: Item | None, truth: Sequence[dict[str, Any]], calendar: str) -> None:
    key = "event_id" if link.origin is Origin.OURS else "event_uid"
    found = [event for event in truth if event[key] == getattr(link, key)]
    if link.state is LinkState.LET_GO or link.code in STILL or link.differs:
        return
    assert link.state is LinkState.AGREED, link
    if item is None or item.content is None or not link.exists_there:
        assert not found, (link, found)
        return
    assert len(found) == 1, (link, item)
    ours = compose(item.content)
    assert ours is not None, (link, item)
    read = fingerprints_of_event(_row(calendar, found[0]), item.content)
    wanted = fingerprints_of_event(ours, item.content)
    fields = differing_fields(read, wanted)
    # The account's name may be missing from a title that a person typed: the item's title is the same (R13).
    taken_over = edited_item(item.content, _row(calendar, found[0]), fields)
    assert taken_over == item.content, (fields, link, item, found[0])


def _all_imported(truth: Sequence[dict[str, Any]], mine: Sequence[Link], items: dict[Any, Item]) -> None:
    known = {link.event_uid for link in mine if link.item_ref in items}
    for event in truth:
        if event["event_id"] is None:
            assert event["event_uid"] in known, event


def _all_sent(person: str, mine: Sequence[Link], items: Sequence[Item]) -> None:
    linked = {link.item_ref for link in mine}
    for item in items:
        if person in item.assignees and item.content is not None and item.content.start is not None:
            assert item.ref in linked, item


async def _synced(here: TwoPeopleWithRuns) -> None:
    """Everything within reach is brought and sent because Ann asked for it (R26)."""
    await acts.sync(here, retrieve=acts.WIDE, send=acts.WIDE)
    await here.rest()
    await here.people.rest()
    assert await here.unfinished() == []


async def _complete(here: TwoPeopleWithRuns) -> None:
    """After a wide sync nothing is on one side only."""
    items = {item.ref: item for item in await here.home.items()}
    value = await here.home.value(here.mine)
    mine = [
        link
        for link in await here.home.links()
        if link.integration_id == here.mine and link.calendar_id == value.calendar_id
    ]
    truth = [event for event in here.people.world.events(here.calendar) if not event["deleted"]]
    _all_imported(truth, mine, items)
    there = {link.item_ref for link in mine if link.exists_there or link.code in STILL}
    for item in items.values():
        wanted = item.type in value.item_types and "ann" in item.assignees
        if wanted and item.content is not None and item.content.start is not None:
            assert item.ref in there, (item, [link for link in mine if link.item_ref == item.ref])


async def _again_changes_nothing(here: TwoPeopleWithRuns) -> None:
    """Messages once more, a run once more, a day once more: no write, no new version (R18)."""
    place = here.people
    before = len(place.world.log.writes)
    versions = {item.ref: item.version for item in await here.home.items()}
    for message in place.said[-10:]:
        await place.broker.publish(message)
    await _synced(here)
    written = list(place.world.log.writes)[before:]
    assert not written, written
    assert {item.ref: item.version for item in await here.home.items()} == versions


async def _nothing_is_left(here: TwoPeopleWithRuns) -> None:
    """R21: what was to be removed is removed."""
    ours = [
        e for e in here.people.world.events(here.calendar_of("ann")) if e["event_id"] and not e["deleted"]
    ]
    assert here.last_left == "keep" or not ours, ours


async def _all_on(here: TwoPeopleWithRuns) -> None:
    """Ann links her calendar again if she has to, reconnects, activates, and answers what waits."""
    await here.rest()
    if not here.linked:
        await _nothing_is_left(here)
        await acts.come_back(here, 0, 0)
    await acts.reconnect(here)
    await acts.activate(here)
    await here.rest()
    await acts.answer(here, 1)
    await here.rest()


async def _live(
    history: Sequence[Step], manner: Callable[[SimulatedWorld], None], reused: ReusedDatabase
) -> None:
    async with two_people_with_runs(change=manner, reused=reused) as here:
        place = here.people
        place.world.add_calendar("ann@example.com", "Second")
        for step in history:
            await do(here, step)
        place.world.faults.change(error_ratio=0.0)
        await _all_on(here)
        await place.rest()
        await _check(here)
        await _synced(here)
        await _check(here)
        await _complete(here)
        await _again_changes_nothing(here)
        assert all(isinstance(error, Transient) for error in place.failures), place.failures


@pytest.fixture
def reused(tmp_path: Path) -> Iterator[tuple[asyncio.Runner, ReusedDatabase]]:
    with asyncio.Runner() as runner:
        made = ReusedDatabase(tmp_path / "histories.db")
        runner.run(made.open())
        yield runner, made
        runner.run(made.close())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("manner", [kindly, unkindly, sparsely])
@pytest.mark.parametrize("names", [EVERYDAY, WHOLE_LIVES], ids=["days", "lives"])
def test_r17_r18_r19_both_calendars_agree_at_rest_whatever_happened(
    manner: Callable[[SimulatedWorld], None], names: list[str], reused: tuple[asyncio.Runner, ReusedDatabase]
) -> None:
    """One event per item, both sides alike by the rules, and a second sync writes nothing."""
    runner, made = reused

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        print_blob=True,
    )
    @given(steps(names))
    def live(history: list[Step]) -> None:
        runner.run(_live(history, manner, made))

    live()
