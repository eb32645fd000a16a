"""Events shuffled and repeated into three consumers: newest versions, one event each (R17, R31)."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from contracts.vorex import Action
from service.broker.rabbitmq import RabbitBroker
from service.store.engine.store import Store
from service.store.tables import inbox, log_entries
from tests.support.calendars import MORNING, Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.processes import SECRETS, Started, started
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import free_port
from tests.support.waiting import until

PEOPLE, ITEMS, VERSIONS, TIMES = 8, 200, 10, 5
CONSUMERS = 3
AT_ONCE = 500
GONE = range(0, ITEMS, 10)
"""Items whose last version deletes them."""

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql]


async def test_r17_r31_shuffled_and_repeated_events_end_at_the_newest_versions(
    rabbitmq: RabbitMQ, postgresql_url: str, tmp_path: Path
) -> None:
    """2,000 events over 200 items, each five times: one event per item, never an older one over a newer."""
    store = Store(postgresql_url)
    await store.upgrade()
    with ExitStack() as stack:
        settings, calendars = _simulated(stack, postgresql_url, rabbitmq.url, tmp_path)
        async with (
            outbound(store, ManualClock(), RabbitBroker(rabbitmq.url)) as world,
            httpx.AsyncClient(base_url=f"{calendars}/_control", trust_env=False, timeout=60) as control,
        ):
            calendar_ids = await _people(world, control)
            consumers = [
                stack.enter_context(started("consume", "outbound", settings=settings, folder=tmp_path))
                for _ in range(CONSUMERS)
            ]
            for consumer in consumers:
                await asyncio.to_thread(consumer.logged, "process.started")
            events = _events()
            await _publish(world, _shuffled(events))
            await until(lambda: _empty(rabbitmq), seconds=90, what="an empty queue")
            assert await _stopped(consumers) == [0] * CONSUMERS
            assert set(rabbitmq.queues().values()) == {0}
            assert await world.letters() == []
            await _each_once(world, events)
            await _newest(control, calendar_ids)
            await _in_order(world, control)
    await store.close()


def _simulated(
    stack: ExitStack, database_url: str, broker_url: str, folder: Path
) -> tuple[dict[str, str], str]:
    """The simulator in a process of its own, and settings with which consumers find it.

    Their windows are small, so that each item comes to all of them many times.
    """
    port = str(free_port())
    address = f"http://127.0.0.1:{port}"
    settings = {
        **SECRETS,
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "CRONOFY_API_URL": address,
        "CRONOFY_REQUESTS_PER_SECOND": "0",
        "CRONOFY_REQUESTS_PER_MINUTE": "0",
        "SIMULATOR_PORT": port,
        "PREFETCH": "60",
        "INTAKE_SIZE": "20",
    }
    simulator = stack.enter_context(started("simulator", settings=settings, folder=folder))
    simulator.logged("process.started")
    return settings, address


async def _people(world: Outbound, control: httpx.AsyncClient) -> list[str]:
    """Each with a linked calendar; the calendars' ids."""
    await control.post("/faults", json={"per_second": 0, "per_minute": 0, "apply_delay": 0.0})
    accounts: list[Account] = []
    for number in range(PEOPLE):
        email = f"u-{number}@contoso.example"
        await control.post("/accounts", json={"provider": "google", "email": email, "calendars": ["Work"]})
        linked = await control.post(f"/accounts/{email}/link", json={})
        accounts.append(Account.told(linked.json()))
        await link(world, f"u-{number}", accounts[-1])
    return [account.calendar_id for account in accounts]


def _events() -> list[Outgoing]:
    return [_event(item, version) for item in range(ITEMS) for version in range(1, VERSIONS + 1)]


def _event(item: int, version: int) -> Outgoing:
    last = version == VERSIONS and item in GONE
    return changed(
        f"i-{item}",
        version,
        id=f"m-{item}-{version}",
        start=MORNING + timedelta(minutes=item),
        end=MORNING + timedelta(minutes=item + 30),
        assignees=[f"u-{item % PEOPLE}"],
        **({"action": Action.DELETED} if last else {}),
    )


def _shuffled(events: Sequence[Outgoing]) -> list[Outgoing]:
    repeated = [event for event in events for _ in range(TIMES)]
    random.Random(17).shuffle(repeated)
    return repeated


async def _publish(world: Outbound, messages: Sequence[Outgoing]) -> None:
    for at in range(0, len(messages), AT_ONCE):
        await asyncio.gather(*(world.broker.publish(each) for each in messages[at : at + AT_ONCE]))


async def _empty(rabbitmq: RabbitMQ) -> bool:
    """Whether nothing waits and nobody has a message in hand."""
    return (await asyncio.to_thread(rabbitmq.queues))[QUEUE_OUTBOUND] == 0


async def _stopped(consumers: Sequence[Started]) -> list[int]:
    return list(await asyncio.gather(*(asyncio.to_thread(each.stop) for each in consumers)))


async def _each_once(world: Outbound, events: Sequence[Outgoing]) -> None:
    found = [row["message_id"] for row in await world.rows(inbox, inbox.c.consumer == QUEUE_OUTBOUND)]
    assert sorted(found) == sorted(event.message_id for event in events)


async def _newest(control: httpx.AsyncClient, calendar_ids: Sequence[str]) -> None:
    """Every calendar holds its person's items at their newest versions, each once, and nothing else."""
    for person, calendar_id in enumerate(calendar_ids):
        wanted = sorted(f"i-{item} v{VERSIONS}" for item in range(person, ITEMS, PEOPLE) if item not in GONE)
        await until(lambda: _shows(control, calendar_id, wanted), what=f"the calendar of u-{person}")  # noqa: B023


async def _shows(control: httpx.AsyncClient, calendar_id: str, wanted: Sequence[str]) -> bool:
    answer = await control.get("/events", params={"calendar_id": calendar_id})
    return sorted(event["summary"] for event in answer.json()["events"]) == wanted


async def _in_order(world: Outbound, control: httpx.AsyncClient) -> None:
    """What arrived for one event never goes back in versions, unless the log says a claim was lost."""
    writes: dict[str, list[int]] = defaultdict(list)
    for write in (await control.get("/writes")).json()["writes"]:
        writes[write["key"]].append(_version(write))
    assert any(len(seen) > 1 for seen in writes.values()), "nothing was ever overtaken"
    lost = await world.rows(log_entries, log_entries.c.code == "claim_lost")
    forgiven = {entry["item_ref"] for entry in lost}
    event_ids = {link.event_id for link in await world.links() if link.item_ref not in forgiven}
    assert {key: seen for key, seen in writes.items() if key in event_ids and seen != sorted(seen)} == {}


def _version(write: dict[str, Any]) -> int:
    """By the title; a deletion is the newest."""
    return VERSIONS if write["kind"] == "delete" else int(write["data"]["summary"].partition(" v")[2])
