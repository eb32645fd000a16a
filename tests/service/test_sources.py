"""R42: a version is said once; a source whose versions start again is recognised and trusted again."""

import shlex
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select

from contracts.envelope import ItemChanged, decode
from contracts.messages import ITEMS_EXCHANGE
from service.monitoring.vitals import Vitals
from service.monitoring.weather import WeatherNotices
from service.operations.dashboard import Dashboard
from service.operations.findings import of_sources
from service.operations.overview import Overview
from service.operations.sources import SOURCE_HOUR_SECONDS, MoreSaid, Sources, has_started_again
from service.store.engine.store import Store
from service.store.messages import sources
from service.store.messages.sources import DOUBT_SECONDS, DoubtfulSource
from service.store.tables import inbox, items, log_entries, outbox
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock

SOURCE = "/vorex/acme"
LATER = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[Outbound]:
    clock = ManualClock()
    store = Store(sqlite_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as opened:
        await opened.integration()
        await opened.start()
        yield opened
    await store.close()


async def rows(world: Outbound, *columns: Any) -> list[tuple[Any, ...]]:
    async with world.store.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


def counted() -> float:
    name = "calendar_sync_conflicting_versions_total"
    return REGISTRY.get_sample_value(name, {"source": SOURCE}) or 0.0


async def test_r42_a_known_version_with_other_content_is_told_and_changes_nothing(world: Outbound) -> None:
    """Acknowledged; in the log of each integration concerned, and counted by its source."""
    before = counted()
    await world.send(changed(version=5, id="m-1", title="First"))
    await world.send(changed(version=5, id="m-2", title="Other"))
    await world.send(changed(version=5, id="m-3", title="First"))

    outcomes = dict(await rows(world, inbox.c.message_id, inbox.c.outcome))
    assert outcomes["m-2"] == "conflicting"
    assert outcomes["m-3"] != "conflicting"
    told = await rows(world, log_entries.c.code, log_entries.c.outcome, log_entries.c.message_id)
    assert ("other_content", "skipped", "m-2") in told
    assert sum(code == "other_content" for code, *_ in told) == 1
    assert counted() == before + 1
    (found,) = await Sources(world.store).doubtful()
    assert (found.source, found.conflicting, found.backwards) == (SOURCE, 1, 0)
    assert not has_started_again(found)


async def test_r42_a_restored_source_is_recognised_and_trusted_with_one_command(world: Outbound) -> None:
    """Its newest message of each item counts from then on, whatever its number; those before come again."""
    for at in range(12):
        await world.send(changed(f"i-{at}", version=50, id=f"old-{at}", title="Before"))
    for at in range(12):
        await world.send(changed(f"i-{at}", version=3, id=f"new-{at}", title="After", time=LATER))
    verbs = Sources(world.store)
    (found,) = await verbs.doubtful(within=SOURCE_HOUR_SECONDS)
    assert (found.backwards, found.conflicting, has_started_again(found)) == (12, 0, True)
    assert found.first_said_at == LATER
    (finding,) = of_sources(_overview(found))
    assert f"sources trust {SOURCE} --since 2026-12-01T12:00:00Z" in finding.detail

    tried = await verbs.forecast(SOURCE, since=LATER)
    assert tried.items == 12
    assert (await verbs.doubtful())[0].trusted_since is None
    with pytest.raises(MoreSaid, match="There are 12 by now, not 11"):
        await verbs.trust(SOURCE, since=LATER, who="op", expect=11)
    assert (await verbs.doubtful())[0].trusted_since is None
    done = await verbs.trust(SOURCE, since=LATER, who="op", expect=12)
    assert done.items == 12
    again = [row for row in await rows(world, outbox.c.exchange, outbox.c.body) if row[0] == ITEMS_EXCHANGE]
    assert len(again) == 12
    said = [decode(body, expected=ItemChanged) for _, body in again]
    assert {message.data.item.title for message in said} == {"After"}
    assert not {message.id for message in said} & {f"new-{at}" for at in range(12)}

    await world.send(changed("i-0", version=3, id="again", title="After", time=LATER))
    await world.send(changed("i-1", version=4, id="newer", title="Newest", time=LATER + timedelta(hours=1)))
    await world.send(changed("i-2", version=9, id="older", title="Old", time=LATER - timedelta(hours=3)))
    titles = dict(await rows(world, items.c.item_id, items.c.content["title"].as_string()))
    assert (titles["i-0"], titles["i-1"], titles["i-2"]) == ("After", "Newest", "Before")
    assert await verbs.doubtful() == []


async def test_r42_an_operator_sees_the_sources_of_the_own_tenant_alone(world: Outbound) -> None:
    """What others publish, and under which name, is theirs; the command line sees all."""
    for at in range(12):
        await world.send(changed(f"i-{at}", version=50, id=f"old-{at}", title="Before"))
        await world.send(changed(f"i-{at}", version=3, id=f"new-{at}", title="After", time=LATER))
    board = Dashboard(
        world.store,
        Vitals(world.store, None),
        Sources(world.store),
        WeatherNotices(world.store, data_centre="us"),
    )

    assert [one.source for one in (await board.overview("acme")).sources] == [SOURCE]
    elsewhere = await board.overview("umbrella")

    assert list(elsewhere.sources) == []
    assert SOURCE not in str(elsewhere.findings)
    assert len(await Sources(world.store).doubtful()) == 1


def test_r42_the_command_that_is_shown_can_be_pasted_whatever_the_source_is_called() -> None:
    """It is a program that says what it is called."""
    (finding,) = of_sources(_overview(replace(_RESTORED, source="/vorex/a;reboot'$(id)")))
    words = shlex.split(finding.detail.partition("`calendar-sync ")[2].partition(" --since")[0])
    assert words == ["sources", "trust", "/vorex/a;reboot'$(id)"]


_RESTORED = DoubtfulSource(source=SOURCE, conflicting=0, backwards=12, first_said_at=LATER)


def _overview(*found: DoubtfulSource) -> Overview:
    return Overview(
        at=LATER, findings=(), queues=(), budget=(), level=1.0, down_since=None, outbox_waiting=0,
        outbox_age=0.0, open_letters=0, replaying=0, processes=(), sources=found,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("conflicting", "backwards", "trusted", "again"),
    [
        (9, 1, None, True),
        (10, 0, None, False),
        (0, 10, None, True),
        (0, 9, None, False),
        (0, 90, LATER, False),
    ],
)
def test_r42_many_items_within_an_hour_tell_a_restored_source(
    conflicting: int, backwards: int, trusted: datetime | None, again: bool
) -> None:
    """Ten, of which one at least was said later under a lower number."""
    found = DoubtfulSource(
        source=SOURCE,
        conflicting=conflicting,
        backwards=backwards,
        first_said_at=LATER,
        trusted_since=trusted,
    )
    assert has_started_again(found) is again
    told = [finding.said for finding in of_sources(_overview(found))]
    assert any("started again" in said for said in told) is again
    assert bool(told) is (again or bool(conflicting))


async def test_what_was_passed_over_is_kept_for_a_week(world: Outbound) -> None:
    """The newest of each item."""
    await world.send(changed(version=5, id="m-1", title="First"))
    await world.send(changed(version=5, id="m-2", title="Other"))
    await world.send(changed(version=5, id="m-3", title="Another", time=LATER))
    async with world.store.begin() as connection:
        kept = await sources.passed_over(connection, SOURCE, since=LATER)
        assert [each.message_id for each in kept] == ["m-3"]
        now = await world.store.now(connection) + DOUBT_SECONDS + 1
        await sources.note(connection, kept[:0], now=now)
        assert len(await sources.passed_over(connection, SOURCE, since=LATER)) == 1
