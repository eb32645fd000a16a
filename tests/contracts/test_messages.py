"""Notices, runs and facts about integrations."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.envelope import IntegrationChanged, ItemChanged, NoticeReceived, RunRequested, decode, encode
from contracts.errors import Malformed
from contracts.messages import IntegrationChange, IntegrationData, NoticeData, RunData

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def notice(notification: dict[str, Any]) -> NoticeReceived:
    data = NoticeData(integration_id="i-1", received_at=NOW, notification=notification)
    return NoticeReceived.of(data, id="n-1", time=NOW)


def test_a_notice_is_carried_as_it_was_received() -> None:
    """Fields that nobody here knows travel on."""
    told = {"type": "change", "changes_since": "2026-12-01T07:59:12Z", "new": [1, {"a": None}]}

    message = decode(encode(notice(told)), expected=NoticeReceived)

    assert message.data.notification == told
    assert message.data.changes_since == datetime(2026, 12, 1, 7, 59, 12, tzinfo=UTC)
    assert message.routing_key == "change"


@pytest.mark.parametrize("kind", ["Change", "a.b", "x" * 65, "ändern"])
def test_a_notice_of_a_strange_type_is_routed_as_unknown(kind: str) -> None:
    """A routing key holds plain words only."""
    assert notice({"type": kind}).routing_key == "unknown"


def test_a_notice_of_an_unknown_type_may_hold_anything() -> None:
    """Only change notices are read for changes_since."""
    assert notice({"type": "novelty", "changes_since": 7}).data.changes_since is None


@pytest.mark.parametrize(
    ("notification", "field"),
    [
        (b"{}", "data.notification.type"),
        (b'{"type":7}', "data.notification.type"),
        (b"[]", "data.notification"),
    ],
)
def test_an_unreadable_notification_names_its_field(notification: bytes, field: str) -> None:
    """A notice that cannot be read is as permanent an error as any."""
    told = encode(notice({"type": "x"})).replace(b'{"type":"x"}', notification)

    with pytest.raises(Malformed) as caught:
        decode(told, expected=NoticeReceived)

    assert caught.value.field == field


def test_the_wrong_kind_of_message_is_told_by_its_type() -> None:
    """A notice on the queue of items is malformed there."""
    with pytest.raises(Malformed) as caught:
        decode(encode(notice({"type": "change"})), expected=ItemChanged)

    assert caught.value.field == "type"


def test_the_next_step_of_a_run_goes_to_the_commands() -> None:
    """One routing key for all of them."""
    message = RunRequested.of(RunData(run_id="r", integration_id="i", step=3), id="m", time=NOW)

    assert decode(encode(message), expected=RunRequested) == message
    assert (message.exchange, message.routing_key) == ("calendar-sync.commands", "run.requested")


def test_a_fact_about_an_integration_has_subject_source_and_an_explicit_reason() -> None:
    """Its whole form, null included."""
    data = IntegrationData(
        tenant_id="acme", user_id="u", integration_id="i", change=IntegrationChange.ACTIVATED
    )

    message = IntegrationChanged.of(data, id="m", time=NOW)

    assert (message.subject, message.source) == ("integration/i", "/calendar-sync")
    assert message.routing_key == "integration.activated"
    assert b'"reason":null' in encode(message)


def test_r48_a_fact_says_since_when_and_how_many_changes_wait() -> None:
    """And one of an earlier service, which says neither, is still read."""
    data = IntegrationData(
        tenant_id="acme",
        user_id="u",
        integration_id="i",
        change=IntegrationChange.QUESTION_WAITING,
        since=NOW,
        waiting_changes=3,
    )

    message = IntegrationChanged.of(data, id="m", time=NOW)
    read = decode(encode(message), expected=IntegrationChanged)

    assert (read.data.since, read.data.waiting_changes) == (NOW, 3)
    assert message.routing_key == "integration.question_waiting"
    older = encode(message).replace(b',"since":"2026-12-01T08:00:00Z","waiting_changes":3', b"")
    assert b"since" not in older
    assert decode(older, expected=IntegrationChanged).data.since is None


@pytest.mark.parametrize(
    "since",
    [
        b"null",
        b'"soon"',
        b'"0000-12-29T00:00:00Z"',
        b'"1999-12-31T23:59:59Z"',
        b'"9999-12-31T00:00:00Z"',
        b'"2026-12-01T08:00:00"',
        b"7",
        b"{}",
        b'""',
    ],
)
def test_a_notice_that_does_not_say_in_earnest_since_when_is_read_all_the_same(since: bytes) -> None:
    """From the last known point, instead of being buried (R30, CRONOFY.md C42)."""
    told = encode(notice({"type": "x"})).replace(
        b'{"type":"x"}', b'{"type":"change","changes_since":%s}' % since
    )
    assert decode(told, expected=NoticeReceived).data.changes_since is None
