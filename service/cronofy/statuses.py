"""The one table that turns Cronofy's statuses and httpx's exceptions into errors of ours."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from contracts.errors import GrantRefused, Permanent, SyncError, Throttled, Transient, Unanswered, Unavailable

Sentence = str
LONGEST_WAIT_SECONDS = 86_400.0
"""Nobody waits longer for Cronofy, whatever it asks for."""

STATUS_ERRORS: dict[int, tuple[type[Transient | Permanent], Sentence]] = {
    400: (Permanent, "Cronofy could not read the request"),
    401: (Transient, "Cronofy refuses the access token"),
    402: (Permanent, "the Cronofy plan lacks this feature"),
    403: (Permanent, "Cronofy does not allow this on that account"),
    404: (Permanent, "Cronofy does not know the calendar or channel"),
    408: (Transient, "Cronofy waited too long for the request"),
    410: (Permanent, "what was asked for is gone from Cronofy"),
    422: (Permanent, "Cronofy refused the values"),
    423: (Transient, "the calendar cannot be written to at present"),
    425: (Transient, "Cronofy wants the request later"),
    429: (Throttled, "Cronofy received too many requests"),
}
OTHER_CLIENT_ERROR: tuple[type[Transient | Permanent], Sentence] = (Permanent, "Cronofy refused the request")
OTHER_SERVER_ERROR: tuple[type[Transient | Permanent], Sentence] = (
    Unavailable,
    "Cronofy has a fault of its own",
)
UNEXPECTED_ANSWER: tuple[type[Transient | Permanent], Sentence] = (
    Transient,
    "Cronofy gave an unexpected answer",
)

EXCEPTION_ERRORS: tuple[tuple[type[Exception], Callable[[str], SyncError]], ...] = (
    (UnicodeError, Permanent),  # half a surrogate pair: it can never be sent
    (httpx.ConnectError, Unavailable),
    (httpx.ConnectTimeout, Unavailable),
    (httpx.ProxyError, Unavailable),
    (httpx.PoolTimeout, Transient),
    (httpx.LocalProtocolError, Transient),
    (httpx.UnsupportedProtocol, Transient),
    (httpx.TransportError, Unanswered),  # every other: the request may have arrived
    (TimeoutError, Unanswered),
    (httpx.HTTPError, Transient),
    (httpx.InvalidURL, Transient),
)


def status_error(status: int, *, wait: float | None = None) -> SyncError:
    """The error for a status that is not a success; who says when to come back only asks us to wait."""
    kind, sentence = _kind(status)
    if kind is Unavailable and wait is not None:
        kind = Throttled
    message = f"{sentence} ({status})"
    if issubclass(kind, Transient):
        return kind(message, retry_after=wait, status=status)
    return kind(message, status=status)


def _kind(status: int) -> tuple[type[Transient | Permanent], Sentence]:
    if known := STATUS_ERRORS.get(status):
        return known
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OTHER_SERVER_ERROR
    return OTHER_CLIENT_ERROR if status >= HTTPStatus.BAD_REQUEST else UNEXPECTED_ANSWER


def exception_error(error: Exception) -> SyncError:
    """The error for what httpx or a time limit raised; names its class and nothing of the request."""
    for kind, make in EXCEPTION_ERRORS:
        if isinstance(error, kind):
            return make(f"no answer from Cronofy: {type(error).__name__}")
    return Transient(f"the request to Cronofy failed: {type(error).__name__}")


def token_error(status: int, word: str, *, wait: float | None = None) -> SyncError:
    """The error of the token endpoint, whose 400 tells a lost grant from a wrong client (CRONOFY.md C9)."""
    if status == HTTPStatus.BAD_REQUEST and word in {"invalid_grant", "errors.unknown_or_used"}:
        return GrantRefused("the calendar account no longer allows access", status=status)
    if word == "invalid_client" or status == HTTPStatus.UNAUTHORIZED:
        return Transient("Cronofy refuses this application's client id or secret", status=status)
    return status_error(status, wait=wait)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a Retry-After in seconds or as an HTTP date; None where it is neither."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return min(max(0.0, (at - now).total_seconds()), LONGEST_WAIT_SECONDS)
    except (OverflowError, TypeError, ValueError):
        return None
