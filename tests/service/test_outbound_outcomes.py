"""What outbound messages leave in the log when they end."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.errors import Unanswered
from contracts.messages import QUEUE_OUTBOUND
from contracts.tracing import trace_id_of
from service.consumers.outbound.state import SETTLED_TOGETHER
from service.store.engine.store import Store
from service.store.tables import inbox
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock


class TickingClock(ManualClock):
    """Tells another time whenever it is asked."""

    def now(self) -> datetime:
        self._elapsed += 0.001
        return super().now()


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[Outbound]:
    clock = ManualClock()
    store = Store(sqlite_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as opened:
        await opened.integration()
        yield opened
    await store.close()


def of_messages(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line["event"] in {"message.settled", "messages.settled"}]


async def test_one_wide_line_tells_how_a_message_ended(world: Outbound) -> None:
    """Names, ids, outcome, attempt and duration; no text of the item."""
    await world.start()
    with capture_logs() as lines:
        await world.send(changed("5512", id="m-1", title="Dentist"))

    (line,) = of_messages(lines)
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "message.settled",
        "log_level": "info",
        "queue": QUEUE_OUTBOUND,
        "source": "/vorex/acme",
        "message_id": "m-1",
        "attempt": 1,
        "tenant_id": "acme",
        "item": "appointment/5512",
        "trace_id": trace_id_of("/vorex/acme", "m-1"),
        "letter_id": None,
        "outcome": "done",
    }


async def test_what_is_not_plain_success_has_its_reason(world: Outbound) -> None:
    """A retry says when it comes again, a dead letter its code."""
    world.calendars.refused["bad v1"] = 422
    world.calendars.faults.append(Unanswered("no answer"))
    await world.start()
    with capture_logs() as lines:
        await world.send(changed("slow", id="m-1"))
        await world.send(changed("bad", id="m-2"))

    retry, dead = of_messages(lines)
    assert (retry["outcome"], retry["delay"], retry["reason"]) == ("retry", 10, "no answer")
    assert (dead["outcome"], dead["code"], dead["log_level"]) == ("dead", "refused", "warning")
    assert dead["integration_id"].startswith("00000001")


async def test_a_crowd_of_successes_shares_a_line(world: Outbound) -> None:
    """A line costs as much as a twentieth of a message; nothing is told twice."""
    await world.publish(*(changed(f"i-{number}") for number in range(40)))
    with capture_logs() as lines:
        await world.start()
        await world.at_rest()

    told = of_messages(lines)
    singles = [line for line in told if line["event"] == "message.settled"]
    assert sum(line.get("done", 0) for line in told) + len(singles) == 40
    assert len(told) <= 10


async def test_each_message_of_a_crowd_is_named_in_its_line(world: Outbound) -> None:
    """By id and trace, in the same order, no more than a hundred in a line; those that came again as well."""
    crowd = [changed(f"i-{number}", id=f"m-{number}") for number in range(220)]
    with capture_logs() as lines:
        await world.start()
        await world.send(*crowd)
        await world.send(*crowd)

    told = of_messages(lines)
    shared = [line for line in told if line["event"] == "messages.settled"]
    named = [pair for line in shared for pair in zip(line["message_ids"], line["trace_ids"], strict=True)]
    named += [(line["message_id"], line["trace_id"]) for line in told if line["event"] == "message.settled"]
    assert Counter(named) == {(f"m-{n}", trace_id_of("/vorex/acme", f"m-{n}")): 2 for n in range(220)}
    assert all(len(line["message_ids"]) <= 100 for line in shared)
    assert sum(line.get("duplicate", 0) for line in shared) >= 200


async def test_what_ends_where_it_was_taken_in_is_told_too(world: Outbound) -> None:
    """Stale, known already, or nobody's."""
    await world.start()
    await world.send(changed(version=5, id="m-5"))
    with capture_logs() as lines:
        await world.send(changed(version=2, id="m-2"))
        await world.send(changed(version=5, id="m-5"))
        await world.send(changed("other", id="m-6", assignees=["nobody"]))

    stale, known, nobody = of_messages(lines)
    assert (stale["message_id"], stale["outcome"]) == ("m-2", "stale")
    assert (known["message_id"], known["outcome"]) == ("m-5", "duplicate")
    assert {line["trace_id"] for line in (stale, known)} == {
        trace_id_of("/vorex/acme", n) for n in ("m-2", "m-5")
    }
    assert (nobody["message_id"], nobody["outcome"]) == ("m-6", "done")


async def test_r25_a_crowd_of_answers_is_stored_in_parts(sqlite_url: str) -> None:
    """What one transaction over thousands of rows takes at once would stay with the process for good."""
    clock = TickingClock()
    store = Store(sqlite_url, clock=clock)
    await store.upgrade()
    messages = 2 * SETTLED_TOGETHER + 100
    async with outbound(store, clock) as world:
        people = [f"u-{number}" for number in range(40)]
        for person in people:
            await world.integration(person)
        await world.start(prefetch=messages, concurrency=len(people))
        world.calendars.gate.clear()
        start = clock.now() + timedelta(days=1)
        span: dict[str, Any] = {"start": start, "end": start + timedelta(hours=1)}
        numbers = range(messages)
        await world.publish(*(changed(f"i-{n}", assignees=[people[n % 40]], **span) for n in numbers))
        world.calendars.gate.set()
        await world.at_rest()
        rounds = Counter(row["processed_at"] for row in await world.rows(inbox))
    await store.close()

    assert rounds.total() == messages
    assert max(rounds.values()) <= SETTLED_TOGETHER
