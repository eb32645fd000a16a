"""Reading properties that others wrote carelessly, without losing the connection over them (R30).

RabbitMQ hands on texts that are no UTF-8 and moments beyond any calendar; the library gives up the
connection at the first of them, and the message comes again with all its neighbours until the
broker has given up the whole window.
"""

import struct
from typing import Any

from pamqp import decode

_OVERFLOWING = (ValueError, OverflowError, OSError)
LARGEST_READ_HEADERS = 65_536
"""Bytes; the library copies what is left of them for each header that it reads."""
_LENGTH = struct.Struct(">I")


def read_leniently() -> None:
    """Let the library read whatever RabbitMQ lets through; done twice it does no harm."""
    decode.METHODS["shortstr"] = read_short_text
    decode.METHODS["table"] = read_headers
    decode.METHODS["timestamp"] = decode.TABLE_MAPPING[b"T"] = read_timestamp


def read_short_text(value: bytes) -> tuple[int, str]:
    """A short text; bytes that are none are spelt out, so that different ids stay different."""
    length = value[0]
    return length + 1, value[1 : length + 1].decode("utf-8", errors="backslashreplace")


def read_timestamp(value: bytes) -> tuple[int, Any]:
    """A moment, or nothing where no calendar knows it."""
    try:
        return decode.timestamp(value)
    except _OVERFLOWING:
        return 8, None


def read_headers(value: bytes) -> tuple[int, Any]:
    """The headers, or none at all where one of them cannot be read or all are too large to be."""
    length = _LENGTH.unpack_from(value)[0]
    if length > LARGEST_READ_HEADERS:
        return length + _LENGTH.size, {}
    try:
        return decode.field_table(value)
    except Exception:  # noqa: BLE001 -- whatever is wrong in there, the message goes on without it
        return length + _LENGTH.size, {}
