"""A run that no message moves any more does not stand as running for ever (R25, issue 4 item 1)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import delete

from contracts.envelope import IntegrationChanged, decode
from contracts.errors import Permanent
from contracts.messages import DEAD_EXCHANGE, QUEUE_RUNS
from service.broker.memory import MemoryBroker
from service.consumers.parked import ParkedMessages
from service.integrations.run_requests import run_requested
from service.keeper import runs_at_a_standstill
from service.store.messages.burying import NewDeadLetter, bury
from service.store.tables import dead_letters, outbox, runs
from tests.support.clock import ManualClock
from tests.support.message_loop import loop_under_test
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs
from tests.support.waiting import until

WEEK = {"past": "1_week", "future": "1_week"}


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


async def _lost(ann: TwoPeopleWithRuns, kind: str = "sync_now") -> str:
    """A run whose message never reached anybody."""
    run_id = await ann.start(kind, retrieve=WEEK)
    async with ann.home.store.begin() as connection:
        await connection.execute(delete(outbox))
    return run_id


async def _buried(ann: TwoPeopleWithRuns, run_id: str) -> None:
    """Its message crashed whoever took it."""
    now = ann.people.clock.now()
    message = run_requested(run_id, ann.mine, step=0, now=now)
    letter = NewDeadLetter(
        queue=QUEUE_RUNS,
        source="/calendar-sync",
        message_id=message.message_id,
        code="crash_loop",
        field=None,
        reason="It crashed three processes.",
        exception=None,
        tenant_id="acme",
        integration_id=ann.mine,
        routing_key=message.routing_key,
        headers={},
        body=message.body,
    )
    async with ann.home.store.begin() as connection:
        await bury(connection, [letter], now=now)


async def _state(ann: TwoPeopleWithRuns, run_id: str) -> tuple[str, str | None]:
    (row,) = await ann.rows(runs, runs.c.id == run_id)
    return row["state"], row["reason"]


async def test_r25_a_run_whose_step_became_a_dead_letter_has_failed_and_says_why(
    ann: TwoPeopleWithRuns,
) -> None:
    """However the letter came about; the person can start the next one."""
    run_id = await _lost(ann)
    await _buried(ann, run_id)

    state, reason = await _state(ann, run_id)
    assert state == "failed"
    assert reason == "The message of its next step was given up: It crashed three processes."
    await ann.rest()
    await ann.start("sync_now", retrieve=WEEK)
    await ann.rest()


async def _told(ann: TwoPeopleWithRuns) -> list[str]:
    """Of which integrations Vorex heard that a run failed."""
    rows = await ann.rows(outbox, outbox.c.routing_key == "integration.run_failed")
    return [decode(bytes(row["body"]), expected=IntegrationChanged).data.integration_id for row in rows]


async def test_r48_vorex_hears_of_a_run_that_ended_with_a_message_that_was_given_up(
    ann: TwoPeopleWithRuns,
) -> None:
    """Once: the run has ended when the same message is given up again."""
    run_id = await _lost(ann)
    message = run_requested(run_id, ann.mine, step=0, now=ann.people.clock.now())
    async with loop_under_test(ann.home.store, Permanent("no"), Permanent("no")) as ground:
        await ground.publish(message.message_id, message.body)
        await ground.settle(message.message_id)

    assert (await _state(ann, run_id))[0] == "failed"
    assert await _told(ann) == [ann.mine]
    await _buried(ann, run_id)
    assert await _told(ann) == [ann.mine]


async def test_r48_vorex_hears_of_a_run_whose_message_the_broker_gave_up(ann: TwoPeopleWithRuns) -> None:
    """It came by the last net, and nobody else will end that run; a deletion waits for its replay."""
    clock = ManualClock()
    broker = MemoryBroker(clock=clock)
    parked = ParkedMessages(store=ann.home.store, broker=broker, clock=clock)
    gone, deletion = await _lost(ann), await _lost(ann, "delete")
    await broker.open()
    await broker.declare()
    await parked.start()
    importing = asyncio.create_task(parked.run())
    for run_id in (gone, deletion):
        message = run_requested(run_id, ann.mine, step=0, now=ann.people.clock.now())
        await broker.publish(replace(message, exchange=DEAD_EXCHANGE))

    async def imported() -> bool:
        return len(await ann.rows(dead_letters)) == 2

    await until(imported, what="both letters")
    await parked.stop()
    await importing
    await broker.close()

    assert ((await _state(ann, gone))[0], (await _state(ann, deletion))[0]) == ("failed", "waiting")
    assert await _told(ann) == [ann.mine]


async def test_r21_a_deletion_whose_step_became_a_dead_letter_waits_for_its_replay(
    ann: TwoPeopleWithRuns,
) -> None:
    """What is promised is done in the end."""
    run_id = await _lost(ann, "delete")
    await _buried(ann, run_id)
    assert (await _state(ann, run_id))[0] == "waiting"


async def test_r25_a_run_whose_message_was_lost_goes_on_by_itself(ann: TwoPeopleWithRuns) -> None:
    """After an hour without a step; before that it is left alone."""
    ann.add_event("Meeting")
    await ann.people.pass_time(30)
    run_id = await _lost(ann)
    await ann.people.pass_time(3500)
    await runs_at_a_standstill(ann.home.store).work()
    assert (await _state(ann, run_id))[0] == "waiting"
    assert await ann.rows(outbox, outbox.c.sent_at.is_(None)) == []

    await ann.people.pass_time(200)
    await runs_at_a_standstill(ann.home.store).work()
    await ann.rest()

    assert await _state(ann, run_id) == ("done", None)
