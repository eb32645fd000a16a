"""One change is found again in log lines, log entries, letters and facts, and its way is told."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from contracts.envelope import ItemChanged, decode, faults_of
from contracts.errors import Unanswered
from contracts.messages import FACTS_EXCHANGE
from contracts.ports import Broker, Delivery, Subscription
from contracts.tracing import trace_id_of
from service.consumers.failures import ReceivedMessage
from service.consumers.outbound.faults import MESSAGES_NAMED
from service.store.engine.store import Store
from service.store.logs.traces import way_of
from service.store.tables import log_entries, outbox
from service.telemetry.current import concerning, current_trace
from tests.support.calendars import Outbound, changed, outbound, raw
from tests.support.clock import ManualClock
from tests.support.message_loop import loop_under_test
from tests.support.one_person import OnePerson
from tests.support.processes import SECRETS, run
from tests.support.waiting import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ABOUT_ONE_MESSAGE = {"message.settled", "outbound.fault"}


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[Outbound]:
    clock = ManualClock()
    store = Store(sqlite_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as opened:
        await opened.integration()
        yield opened
    await store.close()


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [
        (PARENT, TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-a-later-version-adds", TRACE),
        (None, None),
        ("decade", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (7, None),
    ],
)
def test_a_trace_is_the_publishers_or_always_the_same(traceparent: object, expected: str | None) -> None:
    """W3C trace context; what cannot be read is as if it were not there."""
    own = trace_id_of("/vorex/demo", "m-1")

    assert trace_id_of("/vorex/demo", "m-1", traceparent) == (expected or own)
    assert own == trace_id_of("/vorex/demo", "m-1") != trace_id_of("/vorex/demo", "m-2")


USABLE_STATE = "vendor=" + "x" * (1024 - len("vendor="))
TRACED = {
    "as it is to be": ({"traceparent": PARENT, "tracestate": USABLE_STATE}, (PARENT, USABLE_STATE)),
    "too long": ({"traceparent": PARENT + "-x" * 600, "tracestate": USABLE_STATE + "x"}, (None, None)),
    "malformed": ({"traceparent": "decade", "tracestate": "a=\0"}, (None, None)),
    "no texts": ({"traceparent": ["00"], "tracestate": {"a": 7}}, (None, None)),
    "numbers": ({"traceparent": 7, "tracestate": True}, (None, None)),
    "null": ({"traceparent": None, "tracestate": None}, (None, None)),
    "one of them": ({"traceparent": 7, "tracestate": "a=1"}, (None, "a=1")),
}


@pytest.mark.parametrize("case", TRACED)
def test_r43_no_message_is_malformed_for_its_trace(case: str) -> None:
    """What cannot be gone on with is dropped, and nothing of it is kept."""
    given, kept = TRACED[case]
    body = json.dumps(json.loads(changed().body) | given).encode()

    message = decode(body, expected=ItemChanged)

    assert (message.traceparent, message.tracestate) == kept
    assert faults_of(body, expected=ItemChanged) == ()
    assert message.trace_id == trace_id_of(message.source, message.id, kept[0])


async def test_every_line_about_one_message_names_it_and_its_trace(world: Outbound) -> None:
    """Done, retried, buried, passed over, unreadable; and those that are not plain success under load too."""
    world.calendars.refused["bad v1"] = 422
    world.calendars.faults.append(Unanswered("no answer"))
    await world.start()
    with capture_logs() as lines:
        await world.send(changed("slow", id="m-1", traceparent=PARENT))
        await world.send(changed("good", id="m-2", version=2, traceparent=PARENT))
        await world.send(changed("good", id="m-3", version=1, traceparent=PARENT))
        await world.send(raw(b"nonsense", "m-4"))
        crowd = [changed(f"i-{each}", traceparent=PARENT) for each in range(30)]
        await world.send(*crowd, changed("bad", id="m-5", traceparent=PARENT))

    told = {line["message_id"]: line for line in lines if line["event"] in ABOUT_ONE_MESSAGE}
    assert {"m-1", "m-2", "m-3", "m-4", "m-5"} <= told.keys()
    assert {told[name]["trace_id"] for name in ("m-1", "m-2", "m-3", "m-5")} == {TRACE}
    assert told["m-4"]["trace_id"] == trace_id_of("", "m-4")


async def test_what_nobody_foresaw_in_a_lane_names_its_messages_and_their_traces(world: Outbound) -> None:
    """At most so many of them, and never the words of what went wrong."""
    world.calendars.faults.append(KeyError("Dentist"))
    await world.start()
    with capture_logs() as lines:
        await world.send(*(changed(f"i-{n}", id=f"m-{n}", traceparent=PARENT) for n in range(15)))
        await world.settled()

    line = next(line for line in lines if line["event"] == "outbound.fault")
    messages = line.get("message_ids") or [line["message_id"]]
    assert set(messages) <= {f"m-{n}" for n in range(15)}
    assert 1 <= len(messages) <= MESSAGES_NAMED
    assert set(line.get("trace_ids") or [line["trace_id"]]) == {TRACE}
    assert (line["tenant_id"], line["integration_id"] is None) == ("acme", False)
    assert "Dentist" not in str(line)


@dataclass(kw_only=True)
class _ForgetfulBroker:
    """Lets acknowledgements fail as nobody foresaw, so often."""

    inner: Broker
    failing: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def subscribe(self, *words: Any, **options: Any) -> "_ForgetfulSubscription":
        return _ForgetfulSubscription(self, await self.inner.subscribe(*words, **options))


class _ForgetfulSubscription:
    def __init__(self, broker: _ForgetfulBroker, inner: Subscription) -> None:
        self._broker, self._inner = broker, inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        if self._broker.failing:
            self._broker.failing -= 1
            raise KeyError("Dentist")
        await self._inner.ack(deliveries)


@pytest.mark.parametrize(
    ("version", "step", "more"),
    [
        (1, "take_in", set()),  # stale: it ends where it is taken in
        (3, "settle", {"integration_id", "item"}),
    ],
)
async def test_what_nobody_foresaw_in_the_engine_names_whom_it_concerned(
    world: Outbound, version: int, step: str, more: set[str]
) -> None:
    """Tenant, message and trace always, item and integration where they are known; never the words."""
    broker = _ForgetfulBroker(inner=world.broker)
    await world.start(broker=broker)
    await world.send(changed("5512", version=2, id="m-before"))
    broker.failing = 1
    with capture_logs() as lines:
        await world.publish(changed("5512", version=version, id="m-1", traceparent=PARENT))
        await until(lambda: any(line["event"] == "outbound.fault" for line in lines), what="the fault")

    line = next(line for line in lines if line["event"] == "outbound.fault")
    assert (line["step"], line["tenant_id"]) == (step, "acme")
    assert (line["message_id"], line["trace_id"]) == ("m-1", TRACE)
    assert more <= line.keys()
    assert line.get("item", "appointment/5512") == "appointment/5512"
    assert "Dentist" not in str(line)


async def test_a_message_that_breaks_a_rule_is_told_under_its_own_trace(world: Outbound) -> None:
    """Whoever looks for it has the publisher's trace, not one that we gave it."""
    broken = json.dumps(json.loads(changed(id="m-8", traceparent=PARENT).body) | {"data": {}}).encode()
    await world.start()
    with capture_logs() as lines:
        await world.send(raw(broken, "m-8"))

    (line,) = (line for line in lines if line["event"] == "message.settled")
    assert (line["outcome"], line["message_id"], line["trace_id"]) == ("dead", "m-8", TRACE)


async def test_log_entries_carry_the_trace_of_their_message(world: Outbound) -> None:
    """Also where the message came again."""
    world.calendars.faults.append(Unanswered("no answer"))
    await world.start()
    await world.send(changed("5512", id="m-1", traceparent=PARENT), changed("5513", id="m-2"))
    await world.settled()

    traces = {row["message_id"]: row["trace_id"] for row in await world.rows(log_entries)}

    assert traces == {"m-1": TRACE, "m-2": trace_id_of("/vorex/acme", "m-2")}


async def test_the_way_of_a_change_is_told_without_its_texts(world: Outbound, tmp_path: Path) -> None:
    """By message, trace or item, with the wait of each step; another tenant's item is another one."""
    world.calendars.refused["bad v1"] = 422
    await world.start()
    await world.send(changed("5512", id="m-1", traceparent=PARENT, title="Dentist"))
    await world.send(changed("bad", id="m-2"))
    settings = {**SECRETS, "DATABASE_URL": world.store.url}

    def told(named: str) -> list[Mapping[str, Any]]:
        ended = run("trace", named, "--json", settings=settings, folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert b"Dentist" not in ended.stdout
        steps: list[Mapping[str, Any]] = json.loads(ended.stdout)["items"]
        return steps

    by_message, by_trace, by_item = told("m-1"), told(TRACE), told("acme/appointment/5512")
    assert by_message == by_trace == by_item
    steps = [one["step"] for one in by_message]
    assert "said, version 1" in steps
    assert "settled by calendar-sync.outbound: done" in steps
    assert "create to_linked_calendar: done, ok" in steps
    assert all(one["waited_seconds"] >= 0 for one in by_message)
    assert any(one["step"].startswith("dead letter ") for one in told("m-2"))
    unknown = run("trace", "other/appointment/5512", settings=settings, folder=tmp_path)
    assert unknown.returncode == 1
    assert b"nothing is known of it" in unknown.stderr
    plain = run("trace", "m-1", settings=settings, folder=tmp_path)
    assert f"trace {TRACE}" in plain.stdout.decode()


async def test_another_tenants_message_of_the_same_id_is_no_step_of_the_tale(world: Outbound) -> None:
    """An id is its source's own; who asks by the id alone is told of each step whose it is."""
    world.calendars.refused["bad v1"] = 422
    theirs: dict[str, Any] = {"source": "/vorex/other", "tenant_id": "other"}
    await world.integration(tenant_id="other")
    await world.start()
    await world.send(changed("5512", id="m-1", traceparent=PARENT), changed("bad", id="m-2"))
    await world.send(changed("7", id="m-1", **theirs), changed("8", id="m-2", **theirs))
    await world.settled()
    async with world.store.read() as connection:
        own = {name: await way_of(connection, name) for name in (TRACE, "acme/appointment/5512")}
        bad = await way_of(connection, "acme/appointment/bad")
        both = await way_of(connection, "m-1")
    for name, steps in own.items():
        assert {step.tenant_id for step in steps} == {"acme"}, name
        assert [step.step for step in steps].count("settled by calendar-sync.outbound: done") == 1, name
        assert [step.step for step in steps].count("said, version 1") == 1, name
    assert {step.tenant_id for step in bad} == {"acme"}
    assert any(step.step.startswith("dead letter ") for step in bad)
    assert {step.tenant_id for step in both} == {"acme", "other"}
    assert [step.step for step in both].count("said, version 1") == 2


async def test_what_nobodys_calendar_is_linked_to_is_traced_by_the_item(world: Outbound) -> None:
    """There is no entry of it in any log; the message says only that it was settled, and not whose it was."""
    await world.start()
    await world.send(changed("alone", id="m-9", assignees=["u-99"]))
    await world.settled()
    async with world.store.read() as connection:
        by_item = await way_of(connection, "acme/appointment/alone")
        by_message = await way_of(connection, "m-9")
    assert {step.step for step in by_item} == {"said, version 1", "settled by calendar-sync.outbound: done"}
    assert {step.tenant_id for step in by_item} == {"acme"}
    assert [step.step for step in by_message] == ["settled by calendar-sync.outbound: done"]


async def test_a_message_id_that_looks_like_a_trace_is_found(world: Outbound) -> None:
    """32 hex digits are how .NET writes an id."""
    await world.start()
    await world.send(changed("5512", id="ab" * 16))
    await world.settled()
    async with world.store.read() as connection:
        steps = [step.step for step in await way_of(connection, "ab" * 16)]
    assert "create to_linked_calendar: done, ok" in steps


async def test_what_a_notice_brings_carries_its_trace(home: OnePerson) -> None:
    """Log entries of the read and its facts go on with the trace that the notice began."""
    mine = await home.integration()
    home.add_event(mine)

    with concerning(message_id="n-1", trace_id=TRACE):
        await home.changed(mine)

    async with home.store.read() as connection:
        entries = (await connection.execute(select(log_entries))).mappings().all()
        facts = (await connection.execute(select(outbox))).mappings().all()
    assert [entry["trace_id"] for entry in entries] == [TRACE]
    told = [json.loads(row["body"]) for row in facts if row["exchange"] == FACTS_EXCHANGE]
    assert [fact["traceparent"].split("-")[1] for fact in told] == [TRACE]


async def test_handlers_work_under_the_trace_of_their_message(store: Store) -> None:
    """And under no other one's, though they work side by side."""
    seen: dict[str, str | None] = {}

    async def handler(received: ReceivedMessage) -> None:
        seen[received.message.id] = current_trace()

    async with loop_under_test(store) as ground:
        ground.consumer._handler = handler
        await ground.publish("m-1")
        await ground.publish("m-2")
        await ground.settle("m-1")
        await ground.settle("m-2")

    assert seen == {name: trace_id_of("/calendar-sync", name) for name in ("m-1", "m-2")}
    assert current_trace() is None
