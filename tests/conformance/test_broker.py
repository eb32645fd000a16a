"""What the service may rely on in a broker, shown by RabbitMQ and by the memory broker alike."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from contracts.errors import Permanent, Unavailable, Unroutable
from contracts.messages import (
    COMMANDS_EXCHANGE,
    FACTS_EXCHANGE,
    INTEGRATIONS_EXCHANGE,
    NOTICES_EXCHANGE,
    PEOPLE_EXCHANGE,
    QUEUE_INBOUND,
    QUEUE_OUTBOUND,
    QUEUE_PEOPLE,
    QUEUE_RUNS,
    REPLAY_EXCHANGE,
)
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER
from service.broker.topology import WORK_QUEUES, retry_exchange
from tests.support.brokers import BrokerUnderTest, MemoryUnderTest, RabbitUnderTest, item, take
from tests.support.waiting import until


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def bare(request: pytest.FixtureRequest) -> BrokerUnderTest:
    if request.param == "memory":
        return MemoryUnderTest()
    return RabbitUnderTest(request.getfixturevalue("broker_url"))


@pytest.fixture
async def ground(bare: BrokerUnderTest) -> AsyncIterator[BrokerUnderTest]:
    await bare.broker.open()
    await bare.broker.declare()
    yield bare
    await bare.broker.close()


async def test_what_is_published_is_delivered_with_all_that_belongs_to_it(ground: BrokerUnderTest) -> None:
    """Body, id, routing key and application headers arrive; the attempt is the first, nothing came back."""
    taker, _ = await take(ground.broker, QUEUE_OUTBOUND)

    await ground.broker.publish(item("m-1", body=b'{"a":1}', headers={REPLAY_HEADER: "letter-1"}))

    (got,) = await taker.received(1)
    assert (got.queue, got.body, got.message_id) == (QUEUE_OUTBOUND, b'{"a":1}', "m-1")
    assert (got.routing_key, got.headers) == ("task.created", {REPLAY_HEADER: "letter-1"})
    assert (got.attempt, got.returns, got.origin) == (1, 0, None)


async def test_an_acknowledged_message_never_comes_again(ground: BrokerUnderTest) -> None:
    """Settled is settled, also after the channel is gone."""
    taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
    await ground.broker.publish(item("m-1"))

    await subscription.ack(await taker.received(1))
    await subscription.close()

    await ground.quiet()
    assert await ground.broker.depth(QUEUE_OUTBOUND) == 0


async def test_settling_twice_does_nothing_the_second_time(ground: BrokerUnderTest) -> None:
    """A second acknowledgement is no reason to lose the channel."""
    taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
    await ground.broker.publish(item("m-1"))
    got = await taker.received(1)

    await subscription.ack(got)
    await subscription.ack(got)

    await ground.broker.publish(item("m-2"))
    await taker.received(2)
    assert taker.lost_generations == []


async def test_messages_arrive_in_the_order_of_publishing(ground: BrokerUnderTest) -> None:
    """One publisher, one queue, one consumer."""
    taker, _ = await take(ground.broker, QUEUE_OUTBOUND)
    for number in range(20):
        await ground.broker.publish(item(f"m-{number}"))

    await taker.received(20)

    assert taker.ids == [f"m-{number}" for number in range(20)]


async def test_a_mandatory_message_that_no_queue_takes_is_unroutable(ground: BrokerUnderTest) -> None:
    """The publisher learns of a topology with a hole."""
    with pytest.raises(Unroutable):
        await ground.broker.publish(item(exchange=INTEGRATIONS_EXCHANGE, routing_key="integration.connected"))


async def test_a_message_that_need_not_be_heard_is_dropped_in_silence(ground: BrokerUnderTest) -> None:
    """Nobody has to hold a queue on the integrations' exchange."""
    await ground.broker.publish(
        item(exchange=INTEGRATIONS_EXCHANGE, routing_key="integration.connected", mandatory=False),
    )

    assert [await ground.broker.depth(queue) for queue in WORK_QUEUES] == [0] * len(WORK_QUEUES)


async def test_an_exchange_that_does_not_exist_is_unroutable_and_publishing_goes_on(
    ground: BrokerUnderTest,
) -> None:
    """One wrong name spoils nothing for the next message."""
    with pytest.raises(Unroutable):
        await ground.broker.publish(item(exchange="calendar-sync.nowhere"))

    await ground.broker.publish(item("m-2"))

    assert await ground.broker.depth(QUEUE_OUTBOUND) == 1


async def test_the_window_bounds_what_is_unsettled(ground: BrokerUnderTest) -> None:
    """No more than the prefetch is in hand, and settling makes room for as much."""
    for number in range(5):
        await ground.broker.publish(item(f"m-{number}"))
    taker, subscription = await take(ground.broker, QUEUE_OUTBOUND, prefetch=2)
    first = await taker.received(2)
    await ground.quiet()
    assert taker.ids == ["m-0", "m-1"]

    await subscription.ack(first[:1])

    await taker.received(3)
    await ground.quiet()
    assert taker.ids == ["m-0", "m-1", "m-2"]


async def test_any_selection_can_be_settled_and_the_rest_stays(ground: BrokerUnderTest) -> None:
    """A prefix, a hole and a tail: exactly the chosen ones are gone."""
    for number in range(10):
        await ground.broker.publish(item(f"m-{number}"))
    taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
    got = await taker.received(10)

    await subscription.ack([got[9], got[1], got[0], got[5]])
    await subscription.ack([got[2], got[7]])
    await subscription.close()

    again, _ = await take(ground.broker, QUEUE_OUTBOUND)
    await again.received(4)
    await ground.quiet()
    assert again.ids == ["m-3", "m-4", "m-6", "m-8"]


async def test_what_was_unsettled_comes_back_at_the_head_and_says_so(ground: BrokerUnderTest) -> None:
    """Closing gives everything back before what has not been out yet, with returns of one at least."""
    for number in range(3):
        await ground.broker.publish(item(f"m-{number}"))
    first, subscription = await take(ground.broker, QUEUE_OUTBOUND, prefetch=2)
    await first.received(2)
    await subscription.close()

    again, _ = await take(ground.broker, QUEUE_OUTBOUND)

    got = await again.received(3)
    assert again.ids == ["m-0", "m-1", "m-2"]
    assert [delivery.returns >= 1 for delivery in got] == [True, True, False]
    assert [delivery.attempt for delivery in got] == [1, 1, 1]


async def test_returns_count_up(ground: BrokerUnderTest) -> None:
    """A message that keeps coming back is told from one that came back once."""
    await ground.broker.publish(item("m-1"))
    counts = []
    for _ in range(3):
        taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
        counts.append((await taker.received(1))[0].returns)
        await subscription.close()

    assert counts == [0, 1, 2]


async def test_nothing_is_delivered_after_close(ground: BrokerUnderTest) -> None:
    """A closed subscription is no longer alive and its sink hears nothing."""
    taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
    alive = [subscription.alive]

    await subscription.close()
    await ground.broker.publish(item("m-1"))
    await ground.quiet()

    alive.append(subscription.alive)
    assert alive == [True, False]
    assert (taker.deliveries, taker.lost_generations) == ([], [])


async def test_two_consumers_share_a_queue(ground: BrokerUnderTest) -> None:
    """Each message goes to one of them."""
    one, _ = await take(ground.broker, QUEUE_OUTBOUND, prefetch=3)
    two, _ = await take(ground.broker, QUEUE_OUTBOUND, prefetch=3)
    for number in range(6):
        await ground.broker.publish(item(f"m-{number}"))

    await one.received(3)
    await two.received(3)

    assert {*one.ids, *two.ids} == {f"m-{number}" for number in range(6)}


async def test_a_lost_channel_is_told_once_and_its_deliveries_come_again(ground: BrokerUnderTest) -> None:
    """The sink hears which generation is gone; the same message comes by a newer one."""
    taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
    await ground.broker.publish(item("m-1"))
    (old,) = await taker.received(1)

    await ground.interrupt()

    _, new = await taker.received(2)
    assert taker.lost_generations == [old.generation]
    assert (new.message_id, new.returns) == ("m-1", 1)
    assert new.generation > old.generation
    await until(lambda: subscription.alive)


async def test_settling_a_delivery_of_a_lost_channel_does_nothing(ground: BrokerUnderTest) -> None:
    """Its tag may by now be another message's; that one stays unsettled."""
    taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
    await ground.broker.publish(item("m-1"))
    (old,) = await taker.received(1)
    await ground.interrupt()
    await taker.received(2)

    await subscription.ack([old])
    await subscription.close()

    again, _ = await take(ground.broker, QUEUE_OUTBOUND)
    await again.received(1)
    assert again.ids == ["m-1"]


async def test_a_retry_brings_the_message_home_after_its_delay(ground: BrokerUnderTest) -> None:
    """To the queue that the routing key names, body, id and our headers intact."""
    taker, _ = await take(ground.broker, QUEUE_INBOUND)
    published = ground.moment()
    await ground.broker.publish(
        item(
            "m-1",
            exchange=retry_exchange(1),
            routing_key=QUEUE_INBOUND,
            body=b"whole",
            headers={ATTEMPT_HEADER: 2, REPLAY_HEADER: "letter-1", "x-death": "forged"},
        ),
    )
    await ground.quiet()
    assert taker.deliveries == [] or ground.moment() >= published + 1

    await ground.pass_time(1)

    (got,) = await taker.received(1)
    assert (got.body, got.message_id, got.routing_key) == (b"whole", "m-1", QUEUE_INBOUND)
    assert got.headers == {ATTEMPT_HEADER: 2, REPLAY_HEADER: "letter-1"}
    assert (got.attempt, got.returns) == (2, 0)


async def test_retries_of_different_delays_do_not_wait_for_each_other(ground: BrokerUnderTest) -> None:
    """A long delay in front holds up no short one behind it, which comes while the long one still waits."""
    taker, _ = await take(ground.broker, QUEUE_RUNS)
    published = ground.moment()
    await ground.broker.publish(item("long", exchange=retry_exchange(3), routing_key=QUEUE_RUNS))
    await ground.broker.publish(item("short", exchange=retry_exchange(1), routing_key=QUEUE_RUNS))

    await ground.pass_time(1)
    (first,) = await taker.received(1)
    assert first.message_id == "short" or ground.moment() >= published + 3
    await ground.pass_time(2)
    await taker.received(2)

    assert sorted(map(str, taker.ids)) == ["long", "short"]


@pytest.mark.parametrize(
    ("exchange", "key", "queue"),
    [
        ("vorex.items", "task.created", QUEUE_OUTBOUND),
        (FACTS_EXCHANGE, "appointment.updated", QUEUE_OUTBOUND),
        (NOTICES_EXCHANGE, "change", QUEUE_INBOUND),
        (COMMANDS_EXCHANGE, "run.requested", QUEUE_RUNS),
        (REPLAY_EXCHANGE, QUEUE_OUTBOUND, QUEUE_OUTBOUND),
        (REPLAY_EXCHANGE, QUEUE_INBOUND, QUEUE_INBOUND),
        (REPLAY_EXCHANGE, QUEUE_RUNS, QUEUE_RUNS),
        (PEOPLE_EXCHANGE, "session.revoked", QUEUE_PEOPLE),
        (REPLAY_EXCHANGE, QUEUE_PEOPLE, QUEUE_PEOPLE),
    ],
)
async def test_each_exchange_leads_to_its_queue_and_to_no_other(
    ground: BrokerUnderTest, exchange: str, key: str, queue: str
) -> None:
    """The bindings, one by one."""
    await ground.broker.publish(item("m-1", exchange=exchange, routing_key=key))

    depths = {name: await ground.broker.depth(name) for name in WORK_QUEUES}
    assert depths == {name: int(name == queue) for name in WORK_QUEUES}


async def test_a_replay_that_names_no_work_queue_is_unroutable(ground: BrokerUnderTest) -> None:
    """A replay is never lost because of a wrong name."""
    with pytest.raises(Unroutable):
        await ground.broker.publish(item(exchange=REPLAY_EXCHANGE, routing_key="calendar-sync.parked"))


async def test_what_is_missing_is_named_and_declaring_heals_it(bare: BrokerUnderTest) -> None:
    """The check changes nothing; declaring twice does no harm."""
    await bare.broker.open()
    missing = await bare.broker.missing()
    assert {"exchange vorex.items", "queue calendar-sync.parked", "exchange calendar-sync.retry.3"} <= {
        *missing
    }
    assert await bare.broker.missing() == missing

    await bare.broker.declare()
    await bare.broker.publish(item("m-1"))
    await bare.broker.declare()

    assert await bare.broker.missing() == []
    assert await bare.broker.depth(QUEUE_OUTBOUND) == 1
    await bare.broker.close()


async def test_the_depth_of_an_unknown_queue_is_an_error(ground: BrokerUnderTest) -> None:
    """It is not zero."""
    with pytest.raises(Permanent):
        await ground.broker.depth("calendar-sync.nothing")


async def test_a_closed_broker_is_not_ready_and_publishes_nothing(bare: BrokerUnderTest) -> None:
    """Before opening and after closing."""
    ready = [bare.broker.ready]
    await bare.broker.open()
    ready.append(bare.broker.ready)
    await bare.broker.declare()

    await bare.broker.close()

    assert [*ready, bare.broker.ready] == [False, True, False]
    with pytest.raises(Unavailable):
        await bare.broker.publish(item("m-1"))


async def test_closing_the_broker_gives_back_what_was_in_hand(ground: BrokerUnderTest) -> None:
    """The next process finds it at the head."""
    await ground.broker.publish(item("m-1"))
    taker, _ = await take(ground.broker, QUEUE_OUTBOUND)
    await taker.received(1)

    await ground.broker.close()
    await ground.broker.open()

    again, _ = await take(ground.broker, QUEUE_OUTBOUND)
    await again.received(1)
    assert again.ids == ["m-1"]


async def test_generations_only_ever_rise(ground: BrokerUnderTest) -> None:
    """So that one sink can tell the channels of all its subscriptions apart."""
    for number in range(3):
        await ground.broker.publish(item(f"m-{number}"))
    seen = []
    for _ in range(3):
        taker, subscription = await take(ground.broker, QUEUE_OUTBOUND)
        seen.append((await taker.received(1))[0].generation)
        await subscription.close()

    assert all(earlier < later for earlier, later in pairwise(seen))
