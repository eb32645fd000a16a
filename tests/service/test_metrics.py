"""Every figure that an alert needs, measured and explained."""

import re
from collections.abc import Iterator
from typing import get_args

import pytest
from prometheus_client import REGISTRY

from contracts.messages import QUEUE_OUTBOUND, REPLAY_EXCHANGE
from contracts.ports import Turn
from handlers.replays.pace import ReplayPace
from service.app.cronofy import open_budget
from service.app.server import SystemClock
from service.broker.memory import MemoryBroker
from service.consumers.outcomes import OTHER_SOURCES, SourceLabels
from service.monitoring.gauges import Gauges
from service.monitoring.vitals import Vitals
from service.operations.letters.letter_filter import LetterCode
from service.store.engine.store import Store
from service.store.integrations.delays import mark
from service.store.messages import dead_letters
from service.store.messages.burying import NewDeadLetter, bury
from service.store.messages.outbox import enqueue
from service.store.operations import weather
from service.store.operations.budget import BudgetRow
from service.store.operations.weather import BELIEVED_SECONDS, WeatherRow
from service.telemetry.metrics import BRAKE_ON, BURIAL_CODES, DEAD_LETTERS, RETRIES, RETRY_KINDS, SHARED
from tests.support.brokers import item
from tests.support.calendars import Outbound, changed
from tests.support.clock import ManualClock
from tests.support.repository import ROOT
from tests.support.waiting import until

OPERATING = ROOT / "service" / "web" / "handbook" / "operating.md"
PREFIX = "calendar_sync_"


@pytest.fixture(autouse=True)
def _telling() -> Iterator[None]:
    """This process tells the shared figures."""
    before, SHARED.told = SHARED.told, True
    yield
    SHARED.told = before


def value(name: str, **labels: str) -> float:
    """A sample as Prometheus would read it; one that never was is 0."""
    return REGISTRY.get_sample_value(f"{PREFIX}{name}", labels) or 0.0


def test_every_metric_is_explained_in_the_operators_handbook() -> None:
    """And nothing is explained that is not measured."""
    measured = set()
    for metric in REGISTRY.collect():
        if metric.name.startswith(PREFIX):
            measured.add(f"{metric.name}_total" if metric.type == "counter" else metric.name)
    page = OPERATING.read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith(f"| `{PREFIX}")]
    explained = {word.strip(" `*").partition("{")[0] for row in rows for word in row.split("`, `")}
    assert measured == explained
    asked = {re.sub("_(bucket|count|sum)$", "", name) for name in re.findall(rf"{PREFIX}[a-z_]+", page)}
    assert asked - {name.partition("{")[0] for name in explained} == set()


def test_r44_sources_that_anybody_can_make_up_are_one_series_beyond_some() -> None:
    """A source is what a publisher wrote; a series for each would fill whoever keeps them."""
    labels = SourceLabels(most=3)
    told = [labels.label_of(f"/vorex/t-{number}") for number in (0, 1, 2, *range(10_000))]
    assert set(told) == {"/vorex/t-0", "/vorex/t-1", "/vorex/t-2", OTHER_SOURCES}
    assert labels.label_of("/vorex/t-1") == "/vorex/t-1"


async def test_what_has_not_happened_yet_is_measured_as_nothing(world: Outbound) -> None:
    """From the start of a consumer: no graph is empty, and the first of a kind is a rise."""
    for metric in (BRAKE_ON, RETRIES, DEAD_LETTERS):
        metric.clear()
    await world.start()

    def measured() -> list[float | None]:
        return [
            REGISTRY.get_sample_value(f"{PREFIX}{name}", {"queue": QUEUE_OUTBOUND, **labels})
            for name, labels in (
                ("brake_on", {}),
                *(("retries_total", {"kind": kind}) for kind in RETRY_KINDS),
                *(("dead_letters_total", {"code": code}) for code in BURIAL_CODES),
            )
        ]

    await until(lambda: set(measured()) == {0.0}, what="series that begin at zero")
    assert get_args(LetterCode) == BURIAL_CODES


async def test_what_becomes_of_messages_is_counted_by_class(world: Outbound) -> None:
    """Outcomes, dead letters, attempts, ages, and the way from event to acceptance."""
    names = ("messages_settled_total", "dead_letters_total", "attempts_count", "message_age_seconds_count")
    labels = (
        {"queue": QUEUE_OUTBOUND, "outcome": "done"},
        {"queue": QUEUE_OUTBOUND, "code": "refused"},
        {"queue": QUEUE_OUTBOUND},
        {"queue": QUEUE_OUTBOUND},
    )

    def figures() -> list[float]:
        told = [value(name, **label) for name, label in zip(names, labels, strict=True)]
        return [*told, value("accepted_after_seconds_count")]

    before = figures()
    await world.integration()
    world.calendars.refused["bad v1"] = 422
    await world.start()
    await world.send(changed("a"), changed("b"))
    await world.send(changed("bad"))

    assert [now - then for now, then in zip(figures(), before, strict=True)] == [2, 1, 3, 3, 2]


async def test_depths_ages_letters_and_budget_are_measured(store: Store) -> None:
    """What no message passes by; a replay that is not due yet is no lag."""
    broker = MemoryBroker(clock=ManualClock())
    await broker.open()
    await broker.declare()
    await broker.publish(item("m-1"))
    budget = open_budget(BudgetRow(store), SystemClock(), per_second=50, per_minute=500)
    for _ in range(3):
        await budget.take(Turn(integration_id="one"))
    async with store.begin() as connection:
        now = await store.moment(connection)
        letter = NewDeadLetter(
            queue=QUEUE_OUTBOUND, source="s", message_id="m", code="bug", reason="r", routing_key="k",
            headers={}, body=b"",
        )  # fmt: skip
        other = NewDeadLetter(
            queue=QUEUE_OUTBOUND, source="s", message_id="n", code="bug", reason="r", routing_key="k",
            headers={}, body=b"",
        )  # fmt: skip
        await bury(connection, [letter, other], now=now)
        first, *_ = await dead_letters.ids_of(connection, dead_letters.LetterFilter(), limit=9)
        pace = ReplayPace(rate=0.001, start=now.timestamp() + 1000)
        await dead_letters.replay(
            connection, [first], exchange=REPLAY_EXCHANGE, who="olga", now=now, pace=pace
        )
        await enqueue(connection, [item("late")], now=now.timestamp() - 90)

    gauges = Gauges(
        store=store, vitals=Vitals(store, broker), clock=ManualClock(), holder="one", data_centre="us"
    )
    for look in (gauges.queues, gauges.outbox, gauges.letters, gauges.integrations, gauges.budget):
        await look()

    assert value("queue_messages", queue=QUEUE_OUTBOUND) == 1
    assert (value("outbox_messages"), value("outbox_age_seconds") >= 90) == (1, True)
    assert value("open_letters", code="bug") == 1
    assert value("replays_waiting") == 1
    assert value("budget_used", window="minute") == 3
    assert value("budget_level") == 1
    await broker.close()


async def test_r53_weather_that_nobody_judges_any_more_is_over(store: Store) -> None:
    """Whoever judged it may be gone: what the pages tell no longer, no alert tells either."""
    async with store.begin() as connection:
        now = await store.now(connection)
        for provider, ago in (("exchange", 1.0), ("google", BELIEVED_SECONDS + 1)):
            told = {"people": 7, "delay": 90.0, "judged_at": now - ago}
            await weather.put(connection, "us", WeatherRow(provider=provider, since=now - 900, told=told))
    vitals = Vitals(store, None)
    await Gauges(store=store, vitals=vitals, clock=ManualClock(), holder="one", data_centre="us").weather()

    names = ("weather_people", "weather_delay_seconds")
    told_of = {
        provider: [value(name, provider=provider, data_centre="us") for name in names]
        for provider in ("exchange", "google")
    }
    assert told_of == {"exchange": [7, 90], "google": [0, 0]}


async def test_integrations_are_counted_by_how_they_stand(world: Outbound) -> None:
    """One that is delayed is still connected, and an alert tells the two apart (R23)."""
    late = await world.integration()
    await world.integration("u-22")
    await world.integration("u-33", status="not_connected")
    async with world.store.begin() as connection:
        await mark(connection, {late: world.clock.now()}, ())

    gauges = Gauges(
        store=world.store,
        vitals=Vitals(world.store, world.broker),
        clock=world.clock,
        holder="one",
        data_centre="us",
    )
    await gauges.integrations()

    told = {state: value("integrations", state=state) for state in ("connected", "delayed", "not_connected")}
    assert told == {"connected": 1, "delayed": 1, "not_connected": 1}


async def test_what_changed_nothing_is_counted(world: Outbound) -> None:
    """Stale and known already."""
    before = [value("messages_passed_over_total", outcome=word) for word in ("stale", "duplicate")]
    await world.integration()
    await world.start()
    await world.send(changed(version=5, id="m-5"))
    await world.send(changed(version=2, id="m-2"))
    await world.send(changed(version=5, id="m-5"))

    after = [value("messages_passed_over_total", outcome=word) for word in ("stale", "duplicate")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]


async def test_one_process_tells_what_all_of_them_share(store: Store) -> None:
    """Whoever came first; when it is silent, another. What is not told is not there, and says no 0."""
    clock, vitals = ManualClock(), Vitals(store, None)
    one, other = (
        Gauges(store=store, vitals=vitals, clock=clock, holder=name, data_centre="us")
        for name in ("one", "other")
    )

    shown = []
    for gauges in (one, other):
        await gauges.measure()
        shown.append(REGISTRY.get_sample_value(f"{PREFIX}budget_level"))

    assert shown == [1, None]
    assert await one.tells()
