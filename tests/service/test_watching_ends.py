"""Whatever ends an integration ends its watching too, and what it remembers is bounded (R41, R43, R54)."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert

from contracts.calendar import Trigger
from service.integrations.leavers.leaving import BY_MESSAGE, LEFT, Leaver, end_integrations
from service.store.links.watched import EVENTS_WATCHED_A_PERSON
from service.store.runs.troubles import troubled
from service.store.tables import leaver_records, log_entries, watched
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns
from tests.support.watching import ON_THE_FIFTH, Act, ann_at, moves, noticed, seen, told


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with ann_at(sqlite_url, watching=True) as built:
        yield built


async def _says_left(ann: TwoPeopleWithRuns) -> None:
    store = ann.home.store
    async with store.begin() as connection:
        leaver = Leaver(
            tenant_id="acme", user_id="ann", left_at=await store.moment(connection), said_by=BY_MESSAGE
        )
        assert await end_integrations(store, connection, leaver, "pause") is not None


async def _erased(ann: TwoPeopleWithRuns) -> None:
    await ann.home.erasure.begin((await ann.row())["sub"])
    assert (await ann.row())["watching_since"] is None  # at once: a read under way keeps nothing more
    while await ann.home.erasure.round():
        pass


async def _deleted(ann: TwoPeopleWithRuns) -> None:
    await ann.leaving.delete(ANN, ann.mine, copies="keep")
    await ann.rest()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(_says_left, id="r54 left"),
        pytest.param(_erased, id="r41 erased"),
        pytest.param(_deleted, id="r21 deleted"),
    ],
)
async def test_watching_ends_with_what_ends_an_integration_and_leaves_nothing(
    ann: TwoPeopleWithRuns, end: Act
) -> None:
    """Nothing of the calendar is read or said from then on, and what it would have is forgotten."""
    ann.add_event("Lunch")
    await noticed(ann)
    assert await ann.rows(watched) != []

    said = len(await ann.rows(log_entries, log_entries.c.trigger == Trigger.WATCHING.value))
    ann.add_event("Dinner", **ON_THE_FIFTH)
    await end(ann)
    await noticed(ann)

    assert await ann.rows(watched) == []
    row = await ann.row()
    assert (row["active"], row["watching_since"]) == (False, None)
    assert len(await ann.rows(log_entries, log_entries.c.trigger == Trigger.WATCHING.value)) == said


async def test_r54_who_leaves_while_watching_is_noted_once(ann: TwoPeopleWithRuns) -> None:
    await _says_left(ann)
    store = ann.home.store
    async with store.begin() as connection:
        now = await store.moment(connection)
        again = Leaver(tenant_id="acme", user_id="ann", left_at=now, said_by=BY_MESSAGE)
        assert await end_integrations(store, connection, again, "pause") is None
    assert [row["reason"] for row in await ann.rows(log_entries)].count(LEFT) == 1
    assert len(await ann.rows(leaver_records)) == 1


async def test_r48_a_watching_integration_that_is_not_connected_needs_its_person(
    ann: TwoPeopleWithRuns,
) -> None:
    await ann.home.set(ann.mine, status="not_connected", reason="permission_withdrawn")
    async with ann.home.store.read() as connection:
        (one,) = await troubled(connection, "acme", "ann")
        assert one.broken
    await ann.switching.deactivate(ANN, ann.mine)
    async with ann.home.store.read() as connection:
        assert not await troubled(connection, "acme", "ann")


@pytest.mark.parametrize("whole", [False, True])
async def test_watching_r43_remembers_no_more_than_one_person_may_have(
    ann: TwoPeopleWithRuns, *, whole: bool
) -> None:
    """What is new then is neither kept nor said, by any reading; what is known is judged as ever."""
    ann.add_event("Lunch")
    await noticed(ann)
    assert not (await seen(ann)).full
    (kept,) = await ann.rows(watched)
    filler = [
        dict(kept) | {"key": f"k{at}", "event_uid": f"u{at}", "event_id": None}
        for at in range(EVENTS_WATCHED_A_PERSON - 1)
    ]
    async with ann.home.store.begin() as connection:
        await connection.execute(insert(watched), filler)
    before = await told(ann, Trigger.WATCHING)

    ann.add_event("Dinner", **ON_THE_FIFTH)
    await moves("Lunch", summary="Long lunch")(ann)
    if whole:
        await ann.home.reader_over(ann.home.cronofy.gateway).read_all(ann.mine)
    await noticed(ann)

    unlinked = {row["key"] for row in await ann.rows(watched)} - {link.id for link in await ann.home.links()}
    assert len(unlinked) == EVENTS_WATCHED_A_PERSON
    assert (await seen(ann)).full
    new = await told(ann, Trigger.WATCHING) - before
    assert {action for _, action, _ in new.elements()} == {"update"}
