"""What answers make of links and messages, as tables."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, IntegrationId, ItemRef, Link, LinkId, LinkState, Origin, Outcome, Written
from contracts.event_fields import EventFields
from contracts.writes import Answer, Delete, EventWrite, ForeignEdit, Upsert
from handlers.landing import (
    RESULT_ACCEPTED,
    RESULT_LEFT,
    RESULT_LOST,
    VERIFY_AFTER_SECONDS,
    LinkLanding,
    MessageFate,
    ResultKind,
    RetrySchedule,
    SendResult,
    SentWrite,
    in_zone,
    land_result,
    read_answer,
    write_of,
    write_otherwise,
)

PAYLOAD = {
    "summary": "Contoso – Replace firewall",
    "description": "",
    "start": {"time": "2026-12-03T09:00:00Z", "tzid": "Europe/London"},
    "end": {"time": "2026-12-03T11:00:00Z", "tzid": "Europe/London"},
    "tzid": "Europe/London",
    "location": {"description": ""},
    "transparency": "opaque",
    "event_private": False,
}
FIELDS = EventFields.from_wire_dict(PAYLOAD)
LINK = Link(
    id=LinkId("l"),
    integration_id=IntegrationId("i"),
    item_ref=ItemRef("r"),
    calendar_id="cal",
    origin=Origin.OURS,
    event_id="vcs-1",
    event_uid="uid",
    state=LinkState.BEHIND,
    desired=FIELDS,
    desired_revision=2,
    writes=(Written(prints={"title": "t"}, sent_at=1.0),),
)
SENT = SentWrite(revision=2, epoch=1, applied_hash="h", gone=False, prints={"title": "t"})
TRANSIENT = SendResult(kind=ResultKind.TRANSIENT, reason="down", code="exhausted")
UPSERT = write_of(LINK, FIELDS)
DELETE = write_of(LINK, None)
EDIT = write_of(replace(LINK, origin=Origin.EXTERNAL), FIELDS.only({}))


def landed(
    result: SendResult, *, mine: bool = True, retry_in: float | None = 10.0, **changes: Any
) -> LinkLanding:
    sent = replace(SENT, verify=changes.pop("verify", False))
    return land_result(
        replace(LINK, **changes), sent, result, mine=mine, now=5.0, patience=RetrySchedule(retry_in=retry_in)
    )


def test_a_write_says_exactly_what_the_payload_says() -> None:
    """Our event by its id, a foreign one by its uid and only with what changed."""
    assert isinstance(UPSERT, Upsert)
    assert UPSERT.body() == {"event_id": "vcs-1", **PAYLOAD}
    assert isinstance(DELETE, Delete)
    assert DELETE.body() == {"event_id": "vcs-1"}
    assert isinstance(EDIT, ForeignEdit)
    assert set(EDIT.body()) == {"event_uid", "summary", "start", "end"}


@pytest.mark.parametrize(
    ("status", "write", "connected", "kind"),
    [
        (202, UPSERT, True, ResultKind.ACCEPTED),
        (299, UPSERT, True, ResultKind.ACCEPTED),
        (422, UPSERT, True, ResultKind.PERMANENT),
        (403, UPSERT, True, ResultKind.PERMANENT),
        (404, UPSERT, True, ResultKind.PERMANENT),
        (423, UPSERT, True, ResultKind.TRANSIENT),
        (403, UPSERT, False, ResultKind.HELD),
        (404, DELETE, False, ResultKind.HELD),
        (404, DELETE, True, ResultKind.ACCEPTED),
        (403, DELETE, True, ResultKind.ACCEPTED),
        (410, DELETE, True, ResultKind.ACCEPTED),
        (410, UPSERT, True, ResultKind.PERMANENT),
        (410, UPSERT, False, ResultKind.HELD),
        (410, EDIT, True, ResultKind.NOT_POSSIBLE),
        (423, DELETE, True, ResultKind.TRANSIENT),
        (404, EDIT, True, ResultKind.NOT_POSSIBLE),
        (403, EDIT, True, ResultKind.NOT_POSSIBLE),
        (500, UPSERT, True, ResultKind.TRANSIENT),
        (503, DELETE, True, ResultKind.TRANSIENT),
    ],
)
def test_the_answers_of_a_batch_are_read_by_one_table(
    status: int, write: EventWrite, connected: bool, kind: ResultKind
) -> None:
    """Success is 200 ≤ status < 300; 403, 404, 423 and 410, which is as 404, depend on what a look found."""
    assert read_answer(Answer(status=status), write, connected=connected).kind is kind


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (422, "refused", "The calendar refused the event (422)."),
        (403, "not_allowed", "The calendar does not allow this (403); account and calendar are in order."),
        (404, "not_allowed", "The calendar does not allow this (404); account and calendar are in order."),
        (423, "exhausted", "The calendar is locked for now (423)."),
        (503, "exhausted", "The calendar did not take the event for now (503)."),
    ],
)
def test_a_refusal_has_a_dead_letters_code_and_a_sentence(status: int, code: str, said: str) -> None:
    """What the event says is refused; what may not be done at all is not allowed."""
    result = read_answer(Answer(status=status), UPSERT, connected=True)

    assert (result.code, result.reason) == (code, said)


def test_an_accepted_newest_state_agrees_and_gives_the_claim_back() -> None:
    """Accepted, not confirmed: the write is still remembered."""
    landing = landed(RESULT_ACCEPTED)

    assert (landing.fate, landing.link.state, landing.keeps_claim) == (
        MessageFate.DONE,
        LinkState.AGREED,
        False,
    )
    assert (landing.link.applied_revision, landing.link.exists_there) == (2, True)
    assert [write.accepted_at for write in landing.link.writes] == [5.0]


def test_an_accepted_older_state_is_followed_by_the_newer_one() -> None:
    """The claim is kept, and it is the older write that is marked as accepted."""
    newer = Written(prints={"title": "newer"}, sent_at=2.0)
    landing = landed(RESULT_ACCEPTED, desired_revision=3, writes=(*LINK.writes, newer))

    assert (landing.fate, landing.link.state, landing.keeps_claim) == (
        MessageFate.AGAIN,
        LinkState.BEHIND,
        True,
    )
    assert [write.accepted_at for write in landing.link.writes] == [5.0, None]


@pytest.mark.parametrize("state", [LinkState.FROZEN, LinkState.HELD, LinkState.LET_GO])
def test_a_link_that_was_put_aside_meanwhile_stays_aside(state: LinkState) -> None:
    """What was accepted is noted, the state is left alone."""
    landing = landed(RESULT_ACCEPTED, state=state)

    assert (landing.fate, landing.link.state, landing.link.applied_revision) == (MessageFate.DONE, state, 2)


def test_a_taken_over_claim_is_verified_after_its_write() -> None:
    """The old holder's request may still arrive."""
    assert landed(RESULT_ACCEPTED, verify=True).verify_in == VERIFY_AFTER_SECONDS


def test_an_answer_without_the_claim_is_verified_and_changes_nothing() -> None:
    """Fenced: another process writes this link now."""
    landing = landed(RESULT_ACCEPTED, mine=False)

    assert (landing.link, landing.fate, landing.code) == (LINK, MessageFate.ELSEWHERE, Code.CLAIM_LOST)
    assert landing.verify_in == VERIFY_AFTER_SECONDS
    assert landed(RESULT_LOST, mine=False).verify_in is None


def test_a_transient_failure_waits_for_its_next_attempt() -> None:
    """And after the last one the link has failed."""
    again, last = landed(TRANSIENT), landed(TRANSIENT, retry_in=None)

    assert (again.fate, again.link.state, again.retry_in) == (MessageFate.TRANSIENT, LinkState.RETRYING, 10.0)
    assert (last.fate, last.link.state) == (MessageFate.TRANSIENT, LinkState.FAILED)


def test_a_failure_of_an_older_state_is_nobodys_concern() -> None:
    """The newer one is sent at once."""
    assert landed(TRANSIENT, desired_revision=3).fate is MessageFate.AGAIN
    assert landed(RESULT_LEFT, desired_revision=3).fate is MessageFate.AGAIN


@pytest.mark.parametrize("changes", [{"desired_revision": 3}, {"state": LinkState.AGREED}])
def test_an_older_state_whose_fate_is_unknown_is_verified(changes: dict[str, Any]) -> None:
    """No answer came: it may yet arrive, after the newer one."""
    assert landed(replace(TRANSIENT, unknown=True), **changes).verify_in == VERIFY_AFTER_SECONDS
    assert landed(TRANSIENT, **changes).verify_in is None


def test_a_refusal_fails_the_link_and_says_so_in_the_log() -> None:
    """Until a newer revision or a replay."""
    landing = landed(SendResult(kind=ResultKind.PERMANENT, reason="422"))

    assert (landing.fate, landing.link.state) == (MessageFate.PERMANENT, LinkState.FAILED)
    assert (landing.outcome, landing.code) == (Outcome.FAILED, Code.REFUSED_BY_CALENDAR)


def invalid(**errors: str) -> Answer:
    return Answer(status=422, errors=errors)


def test_r37_a_zone_that_was_refused_is_said_by_its_other_names_then_as_utc() -> None:
    """With the same instants; nothing is left after that."""
    write = write_of(LINK, replace(FIELDS, tzid="Europe/Kyiv"))
    zones: list[str | None] = []
    tried: tuple[str, ...] = ()
    other = write_otherwise(write, invalid(tzid="tzid_unrecognized"), tried)
    while other is not None:
        assert isinstance(other, Upsert)
        assert isinstance(write, Upsert)
        assert replace(other.fields, tzid="Europe/Kyiv") == write.fields
        zones.append(other.zone)
        tried = (*tried, write.zone or "") if not tried else (*tried, zones[-2] or "")
        other = write_otherwise(other, invalid(start="tzid_unrecognized"), tried)
    assert zones == ["Europe/Kiev", "Europe/Uzhgorod", "Etc/UTC"]


def test_r37_another_zone_says_the_same_instants() -> None:
    assert isinstance(UPSERT, Upsert)
    assert in_zone(UPSERT, "Etc/UTC") == replace(UPSERT, fields=replace(UPSERT.fields, tzid="Etc/UTC"))


def test_r14_where_an_event_must_have_a_title_it_gets_one_that_nobody_sees() -> None:
    assert isinstance(EDIT, ForeignEdit)
    untitled = replace(EDIT, fields=replace(EDIT.fields, summary=""))
    other = write_otherwise(untitled, invalid(summary="required"), ())
    assert other == replace(untitled, fields=replace(EDIT.fields, summary="\u200b"))


@pytest.mark.parametrize(
    ("write", "answer"),
    [
        (UPSERT, invalid(summary="too_long")),
        (UPSERT, invalid(start="invalid")),
        (UPSERT, Answer(status=500, errors={"tzid": "invalid"})),
        (DELETE, invalid(tzid="invalid")),
        (EDIT, invalid(description="too_long")),
    ],
)
def test_r30_what_no_other_words_would_mend_is_refused(write: Any, answer: Answer) -> None:
    assert write_otherwise(write, answer, ()) is None
