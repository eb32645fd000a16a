"""Messages that are no event in structured mode: what they are instead, and what to do about it."""

import gzip
import json
import zlib
from collections.abc import Mapping

import pytest

from contracts.envelope import ItemChanged, decode
from contracts.errors import Malformed

EVENT = {
    "specversion": "1.0",
    "id": "m-1",
    "type": "com.vorex.calendar.item.changed.v1",
    "source": "/vorex/demo",
    "time": "2026-12-01T08:00:00Z",
    "data": {"tenant_id": "demo"},
}
BODY = json.dumps(EVENT).encode()
DATA = json.dumps(EVENT["data"]).encode()
MISFRAMED: Mapping[str, tuple[bytes, Mapping[str, object], str]] = {
    "gzip": (gzip.compress(BODY), {}, "is compressed with gzip"),
    "deflate": (zlib.compress(BODY), {}, "is compressed with zlib"),
    "zstd": (b"\x28\xb5\x2f\xfd rest", {}, "is compressed with zstd"),
    "UTF-16": (BODY.decode().encode("utf-16"), {}, "is UTF-16"),
    "a batch": (b"[" + BODY + b"," + BODY + b"]", {}, "is a batch of events"),
    "binary mode, AMQP": (DATA, {"cloudEvents:type": "x", "cloudEvents:id": "1"}, "is in binary mode"),
    "binary mode, JMS": (DATA, {"cloudEvents_specversion": "1.0"}, "is in binary mode"),
    "binary mode, HTTP": (b"<item/>", {"ce-id": "1"}, "is in binary mode"),
    "binary mode, Kafka": (DATA, {"ce_source": "/vorex"}, "is in binary mode"),
}


@pytest.mark.parametrize("kind", sorted(MISFRAMED))
def test_what_is_framed_otherwise_is_told_what_it_is(kind: str) -> None:
    """The letter's field is the body, and the rule says what to publish instead."""
    body, headers, said = MISFRAMED[kind]

    with pytest.raises(Malformed, match=said) as caught:
        decode(body, expected=ItemChanged, headers=headers)

    assert caught.value.field == "body"
    assert "publish" in caught.value.rule


def test_data_in_base64_is_named() -> None:
    """CloudEvents knows two fields for data; one is read."""
    form = {name: value for name, value in EVENT.items() if name != "data"} | {"data_base64": "e30="}

    with pytest.raises(Malformed, match="data_base64: is not read: give the same as JSON in data"):
        decode(json.dumps(form).encode(), expected=ItemChanged)


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (BODY, {"ce-id": "1"}, "data.action: is required"),
        (b"nonsense", {"ce-team": "blue"}, "body: is not JSON"),
        (b"[1]", {}, "body: must be an object"),
    ],
)
def test_what_is_only_wrong_is_told_its_field_and_rule(
    body: bytes, headers: Mapping[str, object], said: str
) -> None:
    """A header of a publisher's own explains nothing."""
    with pytest.raises(Malformed, match=said):
        decode(body, expected=ItemChanged, headers=headers)
