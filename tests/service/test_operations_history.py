"""Operators look back at the last day and fortnight: bounded samples, drawn and in a table."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.messages import QUEUE_OUTBOUND
from service.monitoring.alerts import ALERTS, Condition, alerts_on
from service.monitoring.samples import LAST_DAY, LAST_FORTNIGHT, Samples
from service.monitoring.vitals import Vitals
from service.operations.history import History, within
from service.store.engine.ids import new_id
from service.store.messages.burying import bury
from service.store.operations import processes
from service.store.tables import operation_samples
from service.web.pages.operators.pictures import path_of
from tests.support.letters import a_letter
from tests.support.office import Office
from tests.support.pages import Browser


async def told(office: Office, **queue: Any) -> None:
    said = {
        "does": "consume outbound", "takes": [QUEUE_OUTBOUND], "host": "far", "pid": 7, "down_since": None,
        "queues": {QUEUE_OUTBOUND: {"a_minute": {"done": 60.0, "dead": 2.0}, "age": 3.0} | queue},
        "accepted_after": {"0.1": 30.0, "0.5": 59.0, "10.0": 60.0, "+Inf": 60.0},
    }  # fmt: skip
    async with office.store.begin() as connection:
        await processes.tell(connection, new_id(), said, now=office.clock.now().timestamp())


def samples_of(office: Office) -> Samples:
    return Samples(office.store, Vitals(office.store, None), data_centre="us")


async def test_looks_are_added_up_and_the_oldest_are_forgotten(office: Office) -> None:
    """At most one row for each span of the day and of the fortnight, whatever happened."""
    taker = samples_of(office)
    await told(office)
    await taker.take()
    await taker.take()
    for row in await office.rows(operation_samples):
        assert (row["told"]["looks"], row["told"]["done"], row["told"]["age"]) == (2, 120.0, 3.0)
        assert row["told"]["accepted_after"]["0.5"] == 118.0
    await office.clock.pass_time(timedelta(days=15).total_seconds())
    await taker.take()
    lengths = [row["seconds"] for row in await office.rows(operation_samples)]
    assert sorted(lengths) == [LAST_DAY.seconds, LAST_FORTNIGHT.seconds]


async def test_the_page_tells_it_in_pictures_and_in_a_table(office: Office) -> None:
    await told(office)
    await samples_of(office).take()
    async with office.store.begin() as connection:
        await bury(connection, [a_letter(1), a_letter(2, tenant_id="globex")], now=office.clock.now())
    await office.sign_in("olga", role="operator", tz="UTC")
    page = await Browser(client=office.client).open("/operations")
    assert (page.words.count("The same as a table"), page.text.count('<svg viewBox="0 0 240 48"')) == (2, 10)
    assert "style=" not in page.text
    day, fortnight = await History(office.store).of("acme")
    for span in (day, fortnight):
        newest = span.points[-1]
        assert (newest.done, newest.dead, newest.age, newest.median, newest.late) == (60, 2, 3, 0.1, 10)
        assert (newest.letters, span.rows[-1].letters) == (1, 1)
    assert (len(day.points), len(day.rows)) == (144, 24)
    assert (len(fortnight.points), len(fortnight.rows)) == (168, 14)


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("cronofy_down", {"down": True}),
        ("brake_on", {"braked": True}),
        ("nobody_takes", {"waiting": {"q": 3}}),
        ("queue_late", {"waiting": {"q": 3}, "taken": frozenset({"q"}), "ages": {"q": 61.0}}),
        ("outbox_late", {"outbox_age": 61.0}),
        ("parked", {"waiting": {"calendar-sync.parked": 1}}),
        ("slowed_down", {"level": 0.5}),
    ],
)
def test_each_alert_has_its_cause(name: str, condition: dict[str, Any]) -> None:
    assert alerts_on(Condition(**({"waiting": {"q": None}} | condition))) == [name]
    assert name in ALERTS


def test_nothing_alerts_where_all_is_well() -> None:
    assert alerts_on(Condition(waiting={"q": 5}, taken=frozenset({"q"}), ages={"q": 1.0})) == []


@pytest.mark.parametrize(
    ("counted", "median", "late"),
    [({}, None, None), ({"1.0": 1, "+Inf": 1}, 1.0, 1.0), ({"1.0": 0, "+Inf": 4}, 1.0, 1.0)],
)
def test_times_are_told_by_the_bounds_that_were_counted(
    counted: dict[str, float], median: float | None, late: float | None
) -> None:
    assert (within(counted, 0.5), within(counted, 0.99)) == (median, late)


def test_a_picture_is_broken_where_nobody_looked() -> None:
    assert path_of([1, 2, None, 2], 2) == "M0.0 24.0h.1M0.0 24.0L80.0 1.0M240.0 1.0h.1M240.0 1.0"
    assert path_of([None, None], 1) == ""
