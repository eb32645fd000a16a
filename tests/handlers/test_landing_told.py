"""What a landed write leaves behind for its link, its messages and the log (R17, R18, R22, R27, R30)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, Link, LinkState, LogAction, Origin, Outcome, Written
from contracts.writes import Answer, Delete, EventWrite, ForeignEdit, Upsert
from handlers import link_states
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
    land_result,
    needs_check,
    read_answer,
    write_of,
)
from tests.builders import a_link, an_external_link, an_item, fields_of_item

NOW = 5.0
FIELDS = fields_of_item(an_item())
PRINTS: dict[str, str | bool] = {"title": "t"}
LINK = a_link(
    state=LinkState.BEHIND,
    desired_revision=2,
    applied_revision=1,
    writes=(Written(prints=PRINTS, sent_at=1.0),),
)
SENT = SentWrite(revision=2, epoch=1, applied_hash="h", gone=False, prints=PRINTS)
TRANSIENT = SendResult(kind=ResultKind.TRANSIENT, reason="It is down.")
UNKNOWN = replace(TRANSIENT, unknown=True)
REFUSED = SendResult(kind=ResultKind.PERMANENT, reason="It was refused.")
UPSERT = Upsert(calendar_id="cal", event_id="vcs-1", fields=FIELDS)
REMOVAL = Delete(calendar_id="cal", event_id="vcs-1")
EDIT = ForeignEdit(calendar_id="cal", event_uid="uid", fields=FIELDS.only(set()))


def landing_of(
    result: SendResult,
    *,
    link: Link = LINK,
    sent: SentWrite = SENT,
    mine: bool = True,
    retry_in: float | None = 10.0,
) -> LinkLanding:
    return land_result(link, sent, result, mine=mine, now=NOW, patience=RetrySchedule(retry_in=retry_in))


def doubted(link: Link) -> Link:
    """The link whose only write may arrive once more than it is sent."""
    return replace(link, writes=tuple(replace(each, copies=2) for each in link.writes))


def accepted(link: Link, sent: SentWrite = SENT, *, copies: int = 1) -> Link:
    marked = tuple(replace(each, accepted_at=NOW, copies=copies) for each in link.writes)
    return link_states.accept(
        link,
        revision=sent.revision,
        applied_hash=sent.applied_hash,
        gone=sent.gone,
        now=NOW,
        writes=marked,
    )


def test_g15_what_was_accepted_has_crossed_and_is_told() -> None:
    """The link is as it was sent, its messages are done, and the claim is given back."""
    assert landing_of(RESULT_ACCEPTED) == LinkLanding(
        link=accepted(LINK),
        fate=MessageFate.DONE,
        crossed=True,
        outcome=Outcome.DONE,
        action=LogAction.UPDATE,
        reason="Sent to the linked calendar.",
    )


@pytest.mark.parametrize("result", [RESULT_ACCEPTED, TRANSIENT, REFUSED])
@pytest.mark.parametrize(
    ("there", "gone", "action"),
    [
        (False, False, LogAction.CREATE),
        (True, False, LogAction.UPDATE),
        (True, True, LogAction.DELETE),
        (False, True, LogAction.DELETE),
    ],
)
def test_r27_the_log_tells_what_was_done_to_the_event(
    result: SendResult, there: bool, gone: bool, action: LogAction
) -> None:
    """Whether it was there before, whatever came of it."""
    sent = replace(SENT, gone=gone)

    assert landing_of(result, link=replace(LINK, exists_there=there), sent=sent).action is action


def test_a_removal_that_was_accepted_leaves_no_event() -> None:
    removal = replace(SENT, gone=True)
    landing = landing_of(RESULT_ACCEPTED, sent=removal)

    assert landing.link == accepted(LINK, removal)
    assert not landing.link.exists_there


def test_r18_a_write_that_may_have_been_sent_twice_may_arrive_twice() -> None:
    """A claim was taken over, or it had been accepted before; else once."""
    before = replace(LINK, writes=tuple(replace(each, accepted_at=2.0) for each in LINK.writes))
    over = replace(SENT, verify=True)
    assert landing_of(RESULT_ACCEPTED).link == accepted(LINK)
    assert landing_of(RESULT_ACCEPTED, link=before).link == accepted(before, copies=2)
    assert landing_of(RESULT_ACCEPTED, sent=over).link == accepted(LINK, over, copies=2)


def test_r18_of_equal_writes_the_last_one_is_what_was_sent() -> None:
    """And nothing is marked where none of them looks like it."""
    writes = tuple(
        Written(prints={"title": title}, sent_at=at) for title, at in (("t", 1.0), ("u", 2.0), ("t", 3.0))
    )
    link = replace(LINK, writes=writes)

    assert [each.accepted_at for each in landing_of(RESULT_ACCEPTED, link=link).link.writes] == [
        None,
        None,
        NOW,
    ]
    assert [each.copies for each in landing_of(UNKNOWN, link=link).link.writes] == [1, 1, 2]
    other = replace(SENT, prints={"title": "other"})
    for result in (RESULT_ACCEPTED, UNKNOWN):
        assert landing_of(result, link=link, sent=other).link.writes == writes


@pytest.mark.parametrize("state", [LinkState.BEHIND, LinkState.RETRYING])
def test_what_was_accepted_of_an_older_state_keeps_the_claim_for_the_newer(state: LinkState) -> None:
    """R17: the newer one is sent at once."""
    newer = replace(LINK, state=state, desired_revision=3)
    landing = landing_of(RESULT_ACCEPTED, link=newer)

    assert (landing.fate, landing.keeps_claim, landing.crossed) == (MessageFate.AGAIN, True, True)


def test_what_was_accepted_of_a_link_put_aside_gives_the_claim_back() -> None:
    """Also where it was put aside at a newer revision."""
    aside = replace(LINK, state=LinkState.HELD, desired_revision=3)
    landing = landing_of(RESULT_ACCEPTED, link=aside)

    assert (landing.fate, landing.keeps_claim) == (MessageFate.DONE, False)


@pytest.mark.parametrize(
    ("state", "applied", "fate"),
    [
        (LinkState.AGREED, 2, MessageFate.DONE),
        (LinkState.AGREED, 3, MessageFate.DONE),
        (LinkState.AGREED, 1, MessageFate.ELSEWHERE),
        (LinkState.BEHIND, 2, MessageFate.ELSEWHERE),
        (LinkState.RETRYING, 3, MessageFate.ELSEWHERE),
    ],
)
@pytest.mark.parametrize("made", [True, False])
def test_a_lost_claim_leaves_the_link_to_the_process_that_has_it(
    state: LinkState, applied: int, fate: MessageFate, made: bool
) -> None:
    """A write that was made all the same is told, and is verified; one that was not is neither."""
    link = replace(LINK, state=state, applied_revision=applied)

    assert landing_of(RESULT_ACCEPTED if made else REFUSED, link=link, mine=False) == LinkLanding(
        link=link,
        fate=fate,
        keeps_claim=True,
        verify_in=VERIFY_AFTER_SECONDS if made else None,
        outcome=Outcome.SKIPPED if made else None,
        code=Code.CLAIM_LOST,
        action=LogAction.UPDATE,
        reason="Another process took this over; the newest state is written once more.",
    )


def test_a_claim_is_lost_where_the_result_or_the_row_says_so() -> None:
    """A write without an answer counts as made."""
    lost = landing_of(RESULT_LOST)
    assert (lost.fate, lost.code, lost.verify_in) == (MessageFate.ELSEWHERE, Code.CLAIM_LOST, None)
    unknown = landing_of(UNKNOWN, mine=False)
    assert (unknown.outcome, unknown.verify_in) == (Outcome.SKIPPED, VERIFY_AFTER_SECONDS)


@pytest.mark.parametrize("holding", [Code.NOT_CONNECTED, Code.INACTIVE, None])
def test_r22_a_write_that_must_wait_is_held_and_its_messages_are_done(holding: Code | None) -> None:
    """R33: the reading at Finish is waited for without a word."""
    landing = landing_of(SendResult(kind=ResultKind.HELD, holding=holding))

    assert landing == LinkLanding(
        link=link_states.hold(LINK, holding),
        fate=MessageFate.DONE,
        outcome=Outcome.HELD if holding else None,
        code=holding or Code.OK,
        action=LogAction.UPDATE,
        reason="The change is kept until the calendar can be written to again.",
    )


def test_r10_an_edit_that_the_calendar_does_not_allow_freezes_the_link() -> None:
    """It is told, with the calendar's words."""
    assert landing_of(SendResult(kind=ResultKind.NOT_POSSIBLE, reason="No.")) == LinkLanding(
        link=link_states.freeze(LINK, Code.NOT_POSSIBLE),
        fate=MessageFate.DONE,
        outcome=Outcome.FAILED,
        code=Code.NOT_POSSIBLE,
        action=LogAction.UPDATE,
        reason="No.",
    )


def test_r16_a_copy_of_another_calendar_is_let_go_without_a_word() -> None:
    """With what was known of it."""
    known = replace(LINK, code=Code.SERIES)

    assert landing_of(SendResult(kind=ResultKind.LET_GO), link=known) == LinkLanding(
        link=link_states.let_go(known, Code.SERIES), fate=MessageFate.DONE
    )


@pytest.mark.parametrize(
    ("result", "verify", "verify_in", "link"),
    [
        (TRANSIENT, False, None, LINK),
        (TRANSIENT, True, VERIFY_AFTER_SECONDS, LINK),
        (UNKNOWN, False, VERIFY_AFTER_SECONDS, doubted(LINK)),
    ],
)
def test_r30_a_failure_that_may_pass_is_tried_again(
    result: SendResult, verify: bool, verify_in: float | None, link: Link
) -> None:
    """What may have been done all the same is verified, and may arrive once more."""
    assert landing_of(result, sent=replace(SENT, verify=verify)) == LinkLanding(
        link=link_states.retry(link),
        fate=MessageFate.TRANSIENT,
        retry_in=10.0,
        verify_in=verify_in,
        outcome=Outcome.FAILED,
        code=Code.REFUSED_BY_CALENDAR,
        action=LogAction.UPDATE,
        reason="It is down.",
    )


@pytest.mark.parametrize(
    ("result", "retry_in", "fate"),
    [(REFUSED, 10.0, MessageFate.PERMANENT), (TRANSIENT, None, MessageFate.TRANSIENT)],
)
def test_r30_a_refusal_and_a_last_attempt_fail_the_link(
    result: SendResult, retry_in: float | None, fate: MessageFate
) -> None:
    """Nothing is tried again by itself."""
    assert landing_of(result, retry_in=retry_in) == LinkLanding(
        link=link_states.fail(LINK),
        fate=fate,
        outcome=Outcome.FAILED,
        code=Code.REFUSED_BY_CALENDAR,
        action=LogAction.UPDATE,
        reason=result.reason,
    )


@pytest.mark.parametrize(
    ("changes", "result", "fate", "keeps"),
    [
        ({"desired_revision": 3}, TRANSIENT, MessageFate.AGAIN, True),
        ({"desired_revision": 3, "state": LinkState.FROZEN}, TRANSIENT, MessageFate.DONE, False),
        ({"state": LinkState.HELD}, TRANSIENT, MessageFate.DONE, False),
        ({}, RESULT_LEFT, MessageFate.DONE, False),
    ],
)
@pytest.mark.parametrize("verify", [True, False])
def test_r17_what_failed_for_a_link_that_has_moved_on_is_not_told(
    changes: dict[str, Any], result: SendResult, fate: MessageFate, keeps: bool, verify: bool
) -> None:
    """But a taken over claim is verified in any case."""
    link = replace(LINK, **changes)

    assert landing_of(result, link=link, sent=replace(SENT, verify=verify)) == LinkLanding(
        link=link, fate=fate, keeps_claim=keeps, verify_in=VERIFY_AFTER_SECONDS if verify else None
    )


def test_r4_r10_each_write_names_its_event_and_its_calendar() -> None:
    """Ours by the id, a foreign one by its uid, never by both."""
    foreign = an_external_link(event_id="vcs-of-old", event_uid="their-uid")
    ours = a_link(event_id="vcs-1", event_uid="uid")
    assert write_of(ours, FIELDS) == Upsert(calendar_id="cal_1", event_id="vcs-1", fields=FIELDS)
    assert write_of(ours, None) == Delete(calendar_id="cal_1", event_id="vcs-1")
    assert write_of(foreign, FIELDS) == ForeignEdit(calendar_id="cal_1", event_uid="their-uid", fields=FIELDS)
    assert write_of(foreign, None) == Delete(calendar_id="cal_1", event_uid="their-uid")
    assert foreign.origin is Origin.EXTERNAL


@pytest.mark.parametrize("status", [403, 404, 410, 423])
def test_r22_some_refusals_make_us_look_at_the_account(status: int) -> None:
    """One among many is enough, and what the look finds decides."""
    assert needs_check([Answer(status=202), Answer(status=status)])
    assert read_answer(Answer(status=status), UPSERT, connected=False) == SendResult(
        kind=ResultKind.HELD, holding=Code.NOT_CONNECTED
    )


@pytest.mark.parametrize("status", [200, 401, 422, 429, 500])
def test_other_answers_need_no_look(status: int) -> None:
    """Whatever it would find."""
    assert not needs_check([Answer(status=status)])
    assert not needs_check([])
    assert read_answer(Answer(status=status), UPSERT, connected=False).kind is not ResultKind.HELD


@pytest.mark.parametrize("status", [401, 408, 409, 425, 429, 500, 599])
def test_r30_some_answers_pass(status: int) -> None:
    """They are tried again, and never called a refusal; after the last attempt they are exhausted."""
    assert read_answer(Answer(status=status), REMOVAL, connected=True) == SendResult(
        kind=ResultKind.TRANSIENT,
        reason=f"The calendar did not take the event for now ({status}).",
        code="exhausted",
    )


@pytest.mark.parametrize("status", [300, 400, 422, 499])
def test_r30_other_refusals_are_for_good(status: int) -> None:
    """The rules that were broken are told in the order of their fields."""
    answer = Answer(status=status, errors={"tzid": "invalid", "summary": "required"})

    assert read_answer(answer, UPSERT, connected=True) == SendResult(
        kind=ResultKind.PERMANENT,
        reason=f"The calendar refused the event ({status}: summary: required; tzid: invalid).",
        code="refused",
    )


@pytest.mark.parametrize(("write", "kind"), [(EDIT, ResultKind.NOT_POSSIBLE), (UPSERT, ResultKind.PERMANENT)])
@pytest.mark.parametrize("status", [403, 404, 410])
def test_r10_what_may_not_be_changed_at_all_is_told_so(
    write: EventWrite, kind: ResultKind, status: int
) -> None:
    """Of a foreign event that is no dead letter."""
    assert read_answer(Answer(status=status), write, connected=True) == SendResult(
        kind=kind,
        reason=f"The calendar does not allow this ({status}); account and calendar are in order.",
        code="not_allowed",
    )


@pytest.mark.parametrize("write", [UPSERT, REMOVAL, EDIT])
def test_a_locked_calendar_is_waited_for(write: EventWrite) -> None:
    """R30: whatever is written."""
    assert read_answer(Answer(status=423), write, connected=True) == SendResult(
        kind=ResultKind.TRANSIENT, reason="The calendar is locked for now (423).", code="exhausted"
    )
