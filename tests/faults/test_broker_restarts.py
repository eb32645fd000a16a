"""RabbitMQ is killed and restarted while events flow (T6, T8)."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from contracts.ports import Outgoing
from service.store.engine.store import Store
from tests.support.faults_broker import ConsumersOnRabbitMQ, consumers_on_rabbitmq, events_of, shuffled
from tests.support.knobs import FULL, sized
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 3600))]

Fault = Callable[[RabbitMQ], None]


def faults_for(store: Store) -> Sequence[Fault]:
    """All on both engines, or each on one of them."""
    if FULL:
        return [RabbitMQ.restart, RabbitMQ.restart_cleanly, RabbitMQ.restart_cleanly, RabbitMQ.restart]
    return [RabbitMQ.restart] if store.sqlite else [RabbitMQ.restart_cleanly, RabbitMQ.restart_cleanly]


async def test_t8_restarted_under_load_rabbitmq_loses_nothing_and_nobody_has_to_act(
    rabbitmq: RabbitMQ, store: Store
) -> None:
    """Shuffled versions with repeats: everything confirmed is done, one event per item, at its newest."""
    async with consumers_on_rabbitmq(rabbitmq, store) as place:
        consumers = [await place.consumer(prefetch=60, intake_size=20) for _ in range(2)]
        events: list[Outgoing] = []
        for number, fault in enumerate(faults_for(store)):
            part = events_of(sized(40, 500), 4, prefix=f"part{number}")
            events += part
            publishing = asyncio.create_task(place.publish(shuffled(part), at_once=20))
            await begun(place, part)
            await asyncio.to_thread(fault, rabbitmq)
            await until(lambda: all(each.ready for each in consumers), what="ready consumers")
            await publishing
        await place.settled((event.message_id for event in events), seconds=sized(90, 600))
        await place.newest_once(events)


async def begun(place: ConsumersOnRabbitMQ, part: Sequence[Outgoing]) -> None:
    """Return when some of it are done."""
    ids = {event.message_id for event in part}

    async def some() -> bool:
        return bool(ids & {*await place.world.finished()})

    await until(some, what="the first of them")


async def test_t6_consumers_come_and_go_under_load_and_give_back_what_they_hold(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """One, three, one, two: nothing is lost or doubled, no dead letter, no write of an older version after
    a newer one."""
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place:
        events = events_of(sized(40, 600), 3)
        staff = [await place.consumer(prefetch=40, intake_size=10)]
        publishing = asyncio.create_task(place.publish(events, at_once=10))
        for wanted in (3, 1, 2, 1):
            while len(staff) < wanted:
                staff.append(await place.consumer(prefetch=40, intake_size=10))
            while len(staff) > wanted:
                await staff.pop(0).stop()
        await publishing
        await place.settled((event.message_id for event in events), seconds=sized(90, 600))
        await place.newest_once(events)
        for event_id in {write.key[1] for write in place.world.calendars.writes}:
            seen = [
                int((title or "").rpartition(" v")[2]) for title in place.world.calendars.history(event_id)
            ]
            assert seen == sorted(seen)
