"""A record of removal says what was signed, or is found out (R54)."""

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from service.integrations.leavers.signing import NotGenuine, RecordSigner, verified

OLD, NEW = (base64.urlsafe_b64encode(bytes([one] * 32)).decode() for one in (1, 2))
RECORD: dict[str, Any] = {
    "format": 1,
    "id": "0192e4c1-7a00-7000-8000-0000000000aa",
    "tenant_id": "acme",
    "user_id": "u-17",
    "left_at": "2026-12-03T09:00:00Z",
    "said_by": "administrator véra",
    "choice": "remove",
    "recorded_at": "2026-12-03T09:05:00Z",
    "integrations": [
        {"integration_id": "a", "provider": "google", "copies_there": 12, "copies_left": 0,
         "authorisation": "ended", "ended_at": "2026-12-03T09:04:00Z"},
        {"integration_id": "b", "provider": "office365", "copies_there": 3, "copies_left": 3,
         "authorisation": "kept", "ended_at": None},
    ],
}  # fmt: skip


def signed(key: str = NEW) -> dict[str, Any]:
    return RecordSigner([key]).sign(RECORD)


def trusted(*keys: str) -> list[str]:
    return list(RecordSigner(keys or [NEW]).public_keys)


@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"sort_keys": True}, {"ensure_ascii": False}])
def test_r54_a_record_is_genuine_however_its_file_is_laid_out(layout: dict[str, Any]) -> None:
    assert verified(json.dumps(signed(), **layout), trusted()) == RECORD


def places(value: Any, *way: Any) -> Iterator[tuple[Any, ...]]:
    """The way to everything that the document says."""
    yield way
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in named:
        yield from places(part, *way, name)


PLACES = [way for way in places(signed()) if way]
OTHER: list[Any] = ["otherwise", "", 0, 1, 13, None, True, [], {}, ["x"], {"x": 1}]


def changed(way: tuple[Any, ...], to: Any) -> dict[str, Any]:
    document = copy.deepcopy(signed())
    inner: Any = document
    for name in way[:-1]:
        inner = inner[name]
    if to is PLACES:
        del inner[way[-1]]
    else:
        inner[way[-1]] = to
    return document


@pytest.mark.parametrize("way", PLACES, ids=lambda way: ".".join(map(str, way)))
def test_r54_whatever_is_changed_in_it_is_found(way: tuple[Any, ...]) -> None:
    """Every field, to every kind of value, or taken away."""
    for to in (*OTHER, PLACES):
        document = changed(way, to)
        if document == signed() and json.dumps(document) == json.dumps(signed()):
            continue
        with pytest.raises(NotGenuine):
            verified(json.dumps(document), trusted())


@pytest.mark.parametrize("way", [(), ("record",), ("signature",), ("record", "integrations", 0)], ids=str)
def test_r54_whatever_is_added_is_found(way: tuple[Any, ...]) -> None:
    document: Any = signed()
    inner = document
    for name in way:
        inner = inner[name]
    inner["note"] = "and more"
    with pytest.raises(NotGenuine):
        verified(json.dumps(document), trusted())


def test_r54_integrations_cannot_change_places() -> None:
    document = signed()
    document["record"]["integrations"].reverse()
    with pytest.raises(NotGenuine):
        verified(json.dumps(document), trusted())


def test_r54_a_name_that_is_given_twice_is_found() -> None:
    """A person reads the first, a program the last."""
    text = json.dumps(signed()).replace('"user_id": "u-17"', '"user_id": "u-99", "user_id": "u-17"')
    with pytest.raises(NotGenuine, match="cannot be read"):
        verified(text, trusted())


@pytest.mark.parametrize("at", range(0, 88, 3))
def test_r54_every_character_of_the_signature_counts(at: int) -> None:
    """Its spelling too: the bits that base 64 leaves over are none to play with."""
    document = signed()
    value = document["signature"]["value"]
    for other in "AQgw+/=":
        spelt = value[:at] + other + value[at + 1 :]
        if spelt != value:
            document["signature"]["value"] = spelt
            with pytest.raises(NotGenuine):
                verified(json.dumps(document), trusted())


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "1", "null", "{}", "[" * 5000, '{"record": 1, "signature": {}}', b"\xff"]
)
def test_r54_what_is_no_record_is_told_so(text: str | bytes) -> None:
    with pytest.raises(NotGenuine):
        verified(text, trusted())


def test_r54_another_key_signs_nothing_here() -> None:
    """Not even where the document brings it along."""
    with pytest.raises(NotGenuine, match="not known here"):
        verified(json.dumps(signed(OLD)), trusted(NEW))
    forged = signed(OLD)
    forged["signature"]["key"] = signed(NEW)["signature"]["key"]
    with pytest.raises(NotGenuine, match="something in it was changed"):
        verified(json.dumps(forged), trusted(NEW))


def test_r54_an_older_key_is_known_for_as_long_as_it_is_in_the_list() -> None:
    signer = RecordSigner([NEW, OLD])
    assert verified(json.dumps(signed(OLD)), signer.public_keys) == RECORD
    assert not signer.is_newest(signed(OLD))
    assert signer.is_newest(signer.sign(RECORD))
