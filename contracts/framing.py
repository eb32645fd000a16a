"""Messages that are no event in structured mode, and what their publisher has to change."""

import json
from collections.abc import Mapping

from contracts.errors import Malformed

STRUCTURED_MODE = (
    "one JSON object in UTF-8 that holds the attributes and data, as application/cloudevents+json"
)
_ATTRIBUTE_PREFIXES = ("cloudevents:", "cloudevents_", "ce-", "ce_")
_TELLING_ATTRIBUTES = frozenset({"specversion", "type", "id", "source"})
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x78\x01": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_WIDE, _MARK_BYTES = (b"\xff\xfe", b"\xfe\xff"), 2


def misframed(body: bytes, headers: Mapping[str, object]) -> Malformed | None:
    """What a message that could not be read is instead, where that is plain; None where it is not.

    Told by the bytes and headers themselves: content types and encodings do not survive a retry.
    """
    for signature, name in _COMPRESSED.items():
        if body.startswith(signature):
            return _rule(f"is compressed with {name}: publish it uncompressed, without content-encoding")
    if body.startswith(_WIDE) and len(body) > _MARK_BYTES:
        return _rule("is UTF-16: publish it in UTF-8")
    form = _read(body)
    if isinstance(form, list) and any(isinstance(one, dict) for one in form):
        return _rule("is a batch of events: publish each as a message of its own, never as a list")
    if isinstance(form, dict) and "specversion" in form:
        return _without_data(form)
    if any(map(_is_attribute, headers)):
        return _rule(
            f"is in binary mode, its attributes are headers: publish in structured mode, {STRUCTURED_MODE}"
        )
    return None


def _rule(said: str) -> Malformed:
    return Malformed("body", said)


def _without_data(form: Mapping[str, object]) -> Malformed | None:
    if "data_base64" in form and "data" not in form:
        return Malformed("data_base64", "is not read: give the same as JSON in data")
    return None


def _is_attribute(name: str) -> bool:
    said = name.lower()
    return any(
        said.startswith(prefix) and said.removeprefix(prefix) in _TELLING_ATTRIBUTES
        for prefix in _ATTRIBUTE_PREFIXES
    )


def _read(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
