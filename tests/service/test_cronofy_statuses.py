"""One table from statuses and exceptions to errors of ours."""

from datetime import UTC, datetime

import httpx
import pytest

from contracts.errors import GrantRefused, Permanent, SyncError, Throttled, Transient, Unanswered, Unavailable
from service.cronofy.statuses import exception_error, retry_after, status_error, token_error

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Transient),
        (400, Permanent),
        (401, Transient),
        (402, Permanent),
        (403, Permanent),
        (404, Permanent),
        (405, Permanent),
        (408, Transient),
        (410, Permanent),
        (422, Permanent),
        (423, Transient),
        (425, Transient),
        (429, Throttled),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (599, Unavailable),
    ],
)
def test_every_status_is_one_error_of_ours(status: int, kind: type[SyncError]) -> None:
    """And keeps the status."""
    error = status_error(status)

    assert type(error) is kind
    assert getattr(error, "status", None) == status


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (httpx.ConnectError("x"), Unavailable),
        (httpx.ConnectTimeout("x"), Unavailable),
        (httpx.PoolTimeout("x"), Transient),
        (httpx.ReadTimeout("x"), Unanswered),
        (httpx.ReadError("x"), Unanswered),
        (httpx.WriteError("x"), Unanswered),
        (httpx.RemoteProtocolError("x"), Unanswered),
        (TimeoutError(), Unanswered),
        (httpx.DecodingError("x"), Transient),
        (httpx.InvalidURL("x"), Transient),
        (UnicodeEncodeError("utf-8", "secret", 0, 1, "x"), Permanent),
        (RuntimeError("x"), Transient),
    ],
)
def test_every_exception_is_one_error_of_ours(raised: Exception, kind: type[SyncError]) -> None:
    """A connection that was never made is told from an answer that never came."""
    error = exception_error(raised)

    assert type(error) is kind
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (400, "invalid_grant", GrantRefused),
        (400, "errors.unknown_or_used", GrantRefused),
        (400, "invalid_client", Transient),
        (401, "", Transient),
        (401, "invalid_grant", Transient),
        (400, "invalid_request", Permanent),
        (429, "", Throttled),
        (503, "", Unavailable),
    ],
)
def test_r23_only_invalid_grant_takes_the_grant_away(status: int, word: str, kind: type[SyncError]) -> None:
    """A wrong client secret is the operator's mistake, not the end of everybody's connection."""
    assert type(token_error(status, word)) is kind


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Tue, 01 Dec 2026 08:00:30 GMT", 30.0),
        ("Tue, 01 Dec 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    """Anything else is as good as nothing."""
    assert retry_after(value, NOW) == seconds
