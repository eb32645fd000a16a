"""Whatever two people and Vorex do, in whatever order it arrives: at rest both calendars agree (G1, R17–R19).

What owners do on odd days is part of it: they fetch back, split, repeat, invite and reconnect (R34–R40).
``CONVERGENCE_EXAMPLES=1000 pytest tests/scenarios/test_convergence.py`` tries more.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from contracts.calendar import Code, Item, Link, LinkState, Origin
from contracts.cronofy import CronofyEvent
from contracts.errors import Transient
from handlers.agreement import Why
from handlers.arrivals.look_alikes import look_of_event, looks_of_items
from handlers.edits import edited_item, masked_event
from handlers.fingerprints import differing_fields, fingerprints_of_event
from handlers.texts.compose import compose
from service.consumers.inbound.held_imports import HeldImports
from service.demo.simulator.world import SimulatedWorld
from service.integrations.refusals import Conflict
from service.integrations.undoing.answers import AnswerGiven
from service.integrations.views import get_integration
from service.store.integrations.listing import IntegrationView, Owner
from service.store.tables import disagreements
from tests.support import integration_acts as acts
from tests.support import never
from tests.support.histories import CALLS, EVERYDAY, WHOLE_LIVES, Step, do, steps
from tests.support.in_step import LeisurelyLoop
from tests.support.knobs import examples
from tests.support.odd_days import Diary
from tests.support.questioned import nobody_was_asked_twice, settle_all
from tests.support.reused import ReusedDatabase
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

EXAMPLES = examples("CONVERGENCE_EXAMPLES", 5)
COMPARED_ANEW_SECONDS = 61.0
A_DAY_SECONDS = 86_400.0
BOB = Owner(tenant_id="acme", user_id="bob")
READ_ONLY = frozenset({Code.NOT_POSSIBLE, Code.SERIES, Code.PRIVATE, Code.MEETING})
STILL = frozenset({Code.LOOP_STOPPED, Code.TYPE_OFF, Code.HELD_DELETION, Code.QUESTIONED}) | READ_ONLY
LANGUAGES = {"ann": "de", "bob": "en"}
"""In which copies say what doing something to them does (R52)."""


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


def in_other_words(world: SimulatedWorld) -> None:
    """Texts come back in the providers' forms: html, links, blanks, cuts, and what leads to a meeting."""
    world.faults.change(
        apply_delay=1.0,
        read_lag=1.0,
        normalise_text=["no_break", "zero_width", "links", "join", "html", "cut_titles", "tidy_places"],
    )


def late_for_hours(world: SimulatedWorld) -> None:
    """Accepted writes reach the provider long after they were taken, and texts are encoded."""
    world.faults.change(
        write_stall=1800.0, read_lag=1.0, normalise_text=["encode", "folded_blanks", "paragraphs"]
    )


def forgetfully(world: SimulatedWorld) -> None:
    """After every reconnection all events have other uids (R36)."""
    world.faults.change(new_event_uids=True, read_lag=1.0)


# -- what must hold at rest ---------------------------------------------------------------------------


def _row(calendar: str, event: dict[str, Any]) -> CronofyEvent:
    return CronofyEvent.parse({**event, "calendar_id": calendar})


async def _check(here: TwoPeopleWithRuns, diary: Diary) -> None:
    place = here.people
    await never.no_restored_event_was_deleted(here, diary)
    await never.no_secret_was_told(here)
    await never.private_has_not_widened(here)
    await never.nothing_was_made_without_a_cause(here, _added(place.world))
    items = {item.ref: item for item in await place.home.items()}
    links = await place.home.links()
    for person, integration_id in place.integrations.items():
        calendar = here.calendar_of(person)
        value = await place.home.value(integration_id)
        mine = [
            link
            for link in links
            if link.integration_id == integration_id and link.calendar_id == value.calendar_id
        ]
        truth = _there(place.world, calendar, mine, diary)
        _no_event_twice(truth, mine)
        for link in mine:
            _agrees(link, items.get(link.item_ref), truth, calendar)
        if person not in place.toggled:
            _all_imported(truth, mine, items, diary)
            _all_sent(person, mine, [item for item in items.values() if item.type in value.item_types])


def _there(world: SimulatedWorld, calendar: str, mine: Sequence[Link], diary: Diary) -> list[dict[str, Any]]:
    """The living events, without those that Vorex had removed and whose owner fetched them back today.

    Only a day later is it sure that no late write of ours shows them (R38).
    """
    removed = {link.event_uid for link in mine if link.desired is None}
    today = {uid for uid, at in diary.restored.items() if world.clock.now() - at < A_DAY_SECONDS}
    there = [event for event in world.events(calendar) if not event["deleted"]]
    return [event for event in there if event["event_uid"] not in removed & today]


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
    row = _row(calendar, found[0])
    row = masked_event(row) if link.origin is Origin.EXTERNAL else row
    read = fingerprints_of_event(row, item.content)
    wanted = fingerprints_of_event(ours, item.content)
    fields = differing_fields(read, wanted)
    # The account's name may be missing from a title that a person typed: the item's title is the same (R13).
    taken_over = edited_item(item.content, row, fields, link.forms)
    assert taken_over == item.content, (fields, link, item, found[0])
    _has_not_grown(item, found[0])


def _has_not_grown(item: Item, event: dict[str, Any]) -> None:
    """No mark of ours is there, or here, more than once (R13)."""
    reference = item.content.reference if item.content else None
    if reference is not None and item.content is not None:
        assert event["description"].count(f"{reference.label}:") <= 1, event
        assert item.content.description.count(f"{reference.label}:") == 0, item
    assert event["summary"].count("Contoso") <= 1, event
    assert event["description"].count("Vorex:") <= 1, event
    assert item.content is None or "Vorex:" not in item.content.description, item


def _added(world: SimulatedWorld) -> int:
    """How many events people have made, whatever became of them."""
    made = set[str]()
    for calendar in world.calendars.values():
        there = [*calendar.events.values(), *calendar.bin.values()]
        made |= {event.uid for event in there if event.owner is None}
    return len(made)


def _all_imported(
    truth: Sequence[dict[str, Any]], mine: Sequence[Link], items: dict[Any, Item], diary: Diary
) -> None:
    known = {link.event_uid for link in mine if link.item_ref in items or _is_refused_deletion(link)}
    truth = [event for event in truth if event["series_identifier"] not in diary.own_series]
    alike = looks_of_items(items.values())
    sent = [items[link.item_ref] for link in mine if link.origin is Origin.OURS and link.item_ref in items]
    sent_titles = {title for title, *_ in looks_of_items(sent)}
    for event in truth:
        if event["event_id"] is None:
            look = look_of_event(CronofyEvent.parse({**event, "calendar_id": "any"}))
            # A copy of ours that was made recurring has another series after the account came back.
            repeated = event["series_identifier"] is not None and look[0] in sent_titles
            assert repeated or event["event_uid"] in known or look in alike, event


def _is_refused_deletion(link: Link) -> bool:
    """Vorex deleted the item of an event that it may not delete: it stays, and the log says why (R8, R40)."""
    return link.origin is Origin.EXTERNAL and link.state is LinkState.FROZEN and link.code in READ_ONLY


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


async def _complete(here: TwoPeopleWithRuns, diary: Diary) -> None:
    """After a wide sync nothing is on one side only."""
    items = {item.ref: item for item in await here.home.items()}
    value = await here.home.value(here.mine)
    mine = [
        link
        for link in await here.home.links()
        if link.integration_id == here.mine and link.calendar_id == value.calendar_id
    ]
    truth = _there(here.people.world, here.calendar, mine, diary)
    _all_imported(truth, mine, items, diary)
    there = {link.item_ref for link in mine if link.exists_there or link.code in STILL}
    elsewhere = {item.ref for item in items.values() if _came_from(here.mine, item)} - {
        link.item_ref for link in mine
    }
    for item in items.values():
        wanted = item.type in value.item_types and "ann" in item.assignees and item.ref not in elsewhere
        if wanted and item.content is not None and item.content.start is not None:
            assert item.ref in there, (item, [link for link in mine if link.item_ref == item.ref])


def _came_from(integration_id: str, item: Item) -> bool:
    """Whether it was brought through this integration, and no person changed it: it never goes back (R18)."""
    return item.imported_by == integration_id == item.changed_by


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


async def _says_how_it_stands(here: TwoPeopleWithRuns) -> None:
    """R51: after one more look at everything, all pairs agree, or each that does not has its reason."""
    place = here.people
    for person, integration_id in place.integrations.items():
        await place.pass_time(COMPARED_ANEW_SECONDS)
        owner = Owner(tenant_id="acme", user_id=person)
        with suppress(Conflict):
            await here.syncing.compare(owner, integration_id)
            await here.rest()
            await here.rest()
            await _is_explained(here, await get_integration(here.home.store, owner, integration_id))


async def _is_explained(here: TwoPeopleWithRuns, shown: IntegrationView) -> None:
    assert shown.agreement is not None
    mine = disagreements.c.integration_id == shown.integration.id
    found = [row["why"] for row in await here.rows(disagreements, mine)]
    assert len(found) == shown.agreement.of - shown.agreement.agree
    assert Why.UNEXPLAINED not in found, found


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
    given = AnswerGiven(by="bob")
    await HeldImports(here.home.store).settle(BOB, here.people.integrations["bob"], "bring", given)
    await here.rest()
    await nobody_was_asked_twice(here)
    await settle_all(here)
    await here.rest()


async def _live(
    history: Sequence[Step], manner: Callable[[SimulatedWorld], None], reused: ReusedDatabase
) -> None:
    async with two_people_with_runs(change=manner, reused=reused) as here:
        place = here.people
        place.world.add_calendar("ann@example.com", "Second")
        for person, language in LANGUAGES.items():
            await place.home.set(place.integrations[person], language=language)
        diary = Diary()
        for step in history:
            await do(here, step, diary)
        place.world.faults.change(error_ratio=0.0, stamp_offset=0.0)
        await _all_on(here)
        await place.rest()
        await _check(here, diary)
        await _synced(here)
        await _check(here, diary)
        await _complete(here, diary)
        await _again_changes_nothing(here)
        await _says_how_it_stands(here)
        await never.meetings_are_left_alone(here)
        await nobody_was_asked_twice(here)
        assert all(isinstance(error, Transient) for error in place.failures), place.failures


@pytest.fixture
def reused(tmp_path: Path) -> Iterator[tuple[asyncio.Runner, ReusedDatabase]]:
    with asyncio.Runner(loop_factory=LeisurelyLoop) as runner:
        made = ReusedDatabase(tmp_path / "histories.db")
        runner.run(made.open())
        yield runner, made
        runner.run(made.close())


def _try(
    names: list[str],
    manner: Callable[[SimulatedWorld], None],
    reused: tuple[asyncio.Runner, ReusedDatabase],
    most: int,
) -> None:
    runner, made = reused

    @settings(
        max_examples=most,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        print_blob=True,
    )
    @given(steps(names))
    def live(history: list[Step]) -> None:
        runner.run(_live(history, manner, made))

    live()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("manner", [kindly, unkindly, sparsely, in_other_words, late_for_hours, forgetfully])
@pytest.mark.parametrize("names", [EVERYDAY, WHOLE_LIVES], ids=["days", "lives"])
def test_r17_r18_r19_both_calendars_agree_at_rest_whatever_happened(
    manner: Callable[[SimulatedWorld], None], names: list[str], reused: tuple[asyncio.Runner, ReusedDatabase]
) -> None:
    """One event per item, both sides alike by the rules, and a second sync writes nothing."""
    _try(names, manner, reused, EXAMPLES)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("manner", [kindly, unkindly])
def test_r52_nobody_is_asked_twice_and_both_calendars_agree_once_all_is_answered(
    manner: Callable[[SimulatedWorld], None], reused: tuple[asyncio.Runner, ReusedDatabase]
) -> None:
    """Whatever technicians, dispatchers and Vorex do with service calls, in whatever order."""
    _try(CALLS, manner, reused, EXAMPLES)
