"""What every address checks that Cronofy calls by itself: size, then signature, before anything is read."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from starlette.requests import Request

from contracts.limits import MOST_DIGITS

SIGNATURE_HEADER = "Cronofy-HMAC-SHA256"


class BodyTooLarge(Exception):
    """More bytes than are allowed; the rest was not read."""


async def bounded_body(request: Request, most: int) -> bytes:
    """The raw bytes, never more of them than are allowed. Raises BodyTooLarge and ClientDisconnect."""
    declared = request.headers.get("Content-Length", "")
    sane = declared.isascii() and declared.isdigit()
    if sane and (len(declared) > MOST_DIGITS or int(declared) > most):
        raise BodyTooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLarge
    return bytes(body)


def is_signed(secrets: Sequence[bytes], body: bytes, headers: Sequence[str]) -> bool:
    """Whether one of the values in these headers is the body's signature by one of the secrets."""
    given = [value.strip().encode("latin-1") for header in headers for value in header.split(",")]
    matches = [
        hmac.compare_digest(value, expected)
        for expected in (_signature(secret, body) for secret in secrets)
        for value in given
    ]
    return any(matches)


def _signature(secret: bytes, body: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret, body, hashlib.sha256))
