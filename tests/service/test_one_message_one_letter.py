"""One message is one dead letter, whatever it calls itself and whoever gives it up (R30)."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import ItemChanged, decode
from contracts.errors import Malformed
from contracts.fields import is_identifier
from contracts.messages import (
    COMMANDS_EXCHANGE,
    DEAD_EXCHANGE,
    ITEMS_EXCHANGE,
    QUEUE_OUTBOUND,
    QUEUE_PARKED,
    QUEUE_RUNS,
    REPLAY_EXCHANGE,
)
from contracts.ports import Delivery, Outgoing
from service.consumers.failures import identity_of
from service.consumers.parked import ParkedMessages
from service.store.engine.store import Store
from tests.support.calendars import Outbound, changed
from tests.support.message_loop import LoopUnderTest, a_step, loop_under_test
from tests.support.waiting import until

ODD_IDS: Mapping[str, Any] = {
    "plain": "m-1",
    "line-break": "m-1\nm-2",
    "last-line-break": "m-1\n",
    "blank": " ",
    "blanks-around": "  m 1  ",
    "no-break-space": "m\u00a01",
    "line-separator": "m\u20281",
    "control": "m\x1f1",
    "zero": "m\x001",
    "delete": "m\x7f1",
    "surrogate": "m\ud8001",
    "empty": "",
    "longest": "m" * 200,
    "too-long": "m" * 256,
    "ten-kilobytes": "m" * 10_000,
    "number": 17,
    "fraction": 1.5,
    "nothing": None,
    "yes": True,
    "list": ["m-1"],
    "object": {"id": "m-1"},
    "unicode": "überprüfung-✓",
}
ids = pytest.mark.parametrize("message_id", ODD_IDS.values(), ids=ODD_IDS)
HEADERS = ("h-1", "h-2", "h-3")
"""What the broker calls the first, the second and the third delivery."""


def named(form: bytes, message_id: Any, **data: Any) -> bytes:
    """The same message under another id, with wrong data."""
    body = json.loads(form)
    return json.dumps(body | {"id": message_id, "data": body["data"] | data}).encode()


def an_item(message_id: Any) -> bytes:
    return named(changed("bad").body, message_id, version=0)


def a_delivery(body: bytes, header: str | None, queue: str = QUEUE_OUTBOUND) -> Delivery:
    return Delivery(
        queue=queue,
        body=body,
        message_id=header,
        routing_key="task.created",
        headers={},
        attempt=1,
        returns=0,
        generation=1,
        handle=1,
    )


@ids
async def test_r30_a_malformed_outbound_message_is_one_letter(world: Outbound, message_id: Any) -> None:
    """Twice by different headers, then replayed, then given up by the broker: its own id, or its bytes."""
    body = an_item(message_id)
    key = identity_of(a_delivery(body, None))
    await world.integration()
    await world.start()
    for header in HEADERS[:2]:
        await world.send(
            Outgoing(exchange=ITEMS_EXCHANGE, routing_key="task.created", body=body, message_id=header)
        )
    (letter,) = await world.letters()
    await world.replay(letter)
    await parked(world.store, world, body)

    (letter,) = await world.letters()
    assert (letter["source"], letter["message_id"], letter["state"]) == (*key, "open")
    assert await world.finished() == {key[1]: "dead"}


async def parked(store: Store, world: Outbound, body: bytes) -> None:
    """The broker gives the message up."""
    importing = ParkedMessages(store=store, broker=world.broker, clock=world.clock)
    await importing.start()
    task = asyncio.create_task(importing.run())
    await world.publish(
        Outgoing(exchange=DEAD_EXCHANGE, routing_key="task.created", body=body, message_id=HEADERS[2])
    )

    async def empty() -> bool:
        return await world.broker.depth(QUEUE_PARKED) == 0

    await until(empty, what="an import")
    await importing.stop()
    with suppress(TimeoutError):
        await asyncio.wait_for(task, 5)


@ids
async def test_r30_a_malformed_message_of_the_loop_is_one_letter(store: Store, message_id: Any) -> None:
    """As outbound, and under the same name."""
    body = named(a_step("m-1"), message_id, step=-1)
    async with loop_under_test(store) as ground:
        for header in HEADERS[:2]:
            await _step(ground, body, header)
            await ground.settle(header)
        (letter,) = await ground.letters()

    assert (letter["source"], letter["message_id"]) == identity_of(a_delivery(body, "h", QUEUE_RUNS))


async def _step(ground: LoopUnderTest, body: bytes, header: str) -> None:
    await ground.broker.publish(
        Outgoing(exchange=COMMANDS_EXCHANGE, routing_key="run.requested", body=body, message_id=header)
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
headers = st.none() | st.text(st.characters(), max_size=300)


@given(message_id=json_values, source=json_values, one=headers, other=headers)
def test_whatever_names_itself_is_called_the_same_by_every_header(
    message_id: Any, source: Any, one: str | None, other: str | None
) -> None:
    """And so that any database and any index can hold it."""
    body = json.dumps({"id": message_id, "source": source}).encode()
    key = identity_of(a_delivery(body, one))

    assert key == identity_of(a_delivery(body, other))
    assert 0 < len(key[1]) <= 255
    for name in key:
        assert len(name.encode()) <= 4 * 255
        assert not any(character in name for character in "\0\n\x1f")


@given(message_id=st.text(st.characters(), max_size=260), source=st.text(st.characters(), max_size=260))
def test_a_readable_message_is_called_what_it_calls_itself(message_id: str, source: str) -> None:
    """What cannot be read is named by the rule that reads it: a message given up later is the same one."""
    body = json.dumps(json.loads(changed().body) | {"id": message_id, "source": source}).encode()
    try:
        message = decode(body, expected=ItemChanged)
    except Malformed:
        assert not (is_identifier(source) and is_identifier(message_id))
    else:
        assert identity_of(a_delivery(body, "h-1")) == (message.source, message.id) == (source, message_id)


def test_of_an_id_given_twice_the_last_counts_for_both_readers() -> None:
    """JSON leaves it open; here it must not depend on who reads."""
    body = changed(id="m-1").body.replace(b'"id":"m-1"', b'"id":"m-0","id":"m-1"', 1)

    assert identity_of(a_delivery(body, "h-1"))[1] == decode(body, expected=ItemChanged).id == "m-1"


@pytest.mark.parametrize("header", ["h\n1", "", "h" * 256, None, "\ud800"])
def test_bytes_that_name_nothing_under_a_header_that_names_nothing_are_named_by_themselves(
    header: str | None,
) -> None:
    """The same bytes twice are the same message."""
    key = identity_of(a_delivery(b"no json", header))

    assert key == identity_of(a_delivery(b"no json", None))
    assert key != identity_of(a_delivery(b"other bytes", header))


async def test_r30_a_suspicious_message_that_is_malformed_is_a_letter_under_its_own_name(
    world: Outbound,
) -> None:
    """Its crashes were counted by its header; its replay comes under the name of the letter."""
    await world.integration()
    await world.publish(
        Outgoing(
            exchange=REPLAY_EXCHANGE,
            routing_key=QUEUE_OUTBOUND,
            body=an_item("m-1"),
            message_id="another",
        )
    )
    await world.return_all(2)
    await world.start()
    await world.at_rest()

    (letter,) = await world.letters()
    assert letter["message_id"] == "m-1"
