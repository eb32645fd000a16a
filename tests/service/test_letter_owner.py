"""Whose a message is, is read from it, however large or broken it is (R46)."""

import json
from collections.abc import Callable, Mapping
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Delivery
from handlers.settlement import LinkFailure
from service.consumers.failures import letter_of
from service.store.messages.ownership import owner_of, read_document
from tests.support.odd_letters import ODD, as_bytes


def a_delivery(body: bytes) -> Delivery:
    return Delivery(
        queue=QUEUE_OUTBOUND, body=body, message_id="m", routing_key="", headers={},
        attempt=1, returns=0, generation=0, handle=0,
    )  # fmt: skip


class TestOwner:
    """Whose a message is, is read from it, however large or broken it is."""

    @pytest.mark.parametrize(
        "odd", sorted(ODD.keys() - {"the item alone", "single quotes", "a fragment of the tail", "base64"})
    )
    def test_is_found(self, odd: str) -> None:
        assert owner_of(ODD[odd]).tenant_id == "acme"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b'"tenant_id": "acme", "tenant_id": "other"',
            b'{"tenant_id": "acme", "x": {"tenant_id": 5}',
            b'{"tenant_id": "ac',
            b'{"title": "\\"tenant_id\\": \\"acme\\"',
            as_bytes([{"tenant_id": "acme"}, {"tenant_id": "other"}]),
        ],
    )
    def test_is_nobody_where_the_bytes_do_not_agree(self, body: bytes) -> None:
        assert owner_of(body).tenant_id is None

    def test_is_buried_with_it(self) -> None:
        failure = LinkFailure(transient=False, code="malformed", reason="no")
        letter = letter_of(a_delivery(ODD["too large"]), ("s", "m"), failure)
        assert letter.tenant_id == "acme"

    @given(st.binary(max_size=200), st.sampled_from(sorted(ODD)))
    def test_no_bytes_break_the_reading(self, more: bytes, odd: str) -> None:
        middle = len(ODD[odd]) // 2
        for body in (more, ODD[odd][:middle] + more + ODD[odd][middle:]):
            assert owner_of(body).tenant_id in {None, *names(body)}
            read_document(body)


def names(body: bytes) -> set[str]:
    """Every tenant that may be meant by it."""
    return {"acme"} if b"tenant" in body.replace(b"\0", b"") else set()


WORST: Mapping[str, Callable[[int], bytes]] = {
    "claims": lambda size: b'"tenant_id": ' * (size // 13),
    "claims without an end": lambda size: b'"tenant_id":"' * (size // 13),
    "blanks": lambda size: b'"tenant_id"' + b" " * size,
    "blanks after the colon": lambda size: b'"tenant_id":' + b" " * size,
    "a long claim": lambda size: b'"tenant_id":"' + b"a" * size,
    "backslashes": lambda size: b'"tenant_id":"' + b"\\" * size,
    "quotes": lambda size: b'"' * size,
    "brackets": lambda size: b"[" * size,
    "wrapped": lambda size: json.dumps(json.dumps('"' * (size // 4))).encode(),
    "escaped letters": lambda size: b"\\u0074" * (size // 6),
}


@pytest.mark.parametrize("worst", WORST.values(), ids=WORST.keys())
def test_reading_the_owner_takes_time_in_proportion(worst: Callable[[int], bytes]) -> None:
    """R46: twice the bytes take twice as long, four times at the very most."""

    def seconds(size: int) -> float:
        body, taken = worst(size), []
        for _ in range(3):
            began = process_time()
            owner_of(body)
            taken.append(process_time() - began)
        return min(taken)

    assert seconds(1 << 20) < 4 * max(seconds(1 << 19), 0.001)
