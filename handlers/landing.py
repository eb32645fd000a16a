"""What Cronofy's answers make of links and messages. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from contracts.calendar import Code, Fingerprints, Link, LogAction, Origin, Outcome, Written
from contracts.event_fields import EventFields
from contracts.writes import Answer, Delete, EventWrite, ForeignEdit, Upsert
from contracts.zones import zones_instead
from handlers import link_states
from handlers.forms import as_there, kept_shade
from handlers.link_states import UNWRITTEN_STATES
from handlers.settlement import EXHAUSTED_CODE, LinkFailure

VERIFY_AFTER_SECONDS = 20.0
"""Seconds after which a write whose fate is in doubt is made once more."""
GONE_STATUSES = frozenset({404, 410})
"""What is gone counts as what is unknown (CRONOFY.md C47)."""
CHECKED_STATUSES = frozenset({403, 423}) | GONE_STATUSES
STATUS_LOCKED = 423
STATUS_TOO_MANY = 429
STATUS_INVALID = 422
NO_TITLE_THERE = "\u200b"
"""What no reader sees, where a calendar insists on a title."""
FIRST_SERVER_ERROR = 500
PASSING_STATUSES = frozenset({401, 408, 409, 425, STATUS_LOCKED, STATUS_TOO_MANY})
"""Refusals that may not be repeated another time."""


class ResultKind(StrEnum):
    """What came of sending one link."""

    ACCEPTED = "accepted"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    HELD = "held"
    LET_GO = "let_go"
    """It was not sent: the integration has another calendar now."""
    NOT_POSSIBLE = "not_possible"
    LEFT = "left"
    """It was not sent: the store says that nothing is to be sent any more."""
    LOST = "lost"
    """It was not sent, or its answer does not count: another process holds the claim."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SendResult:
    kind: ResultKind
    reason: str = ""
    code: str = "refused"
    """A dead letter's code, should it come to that."""
    holding: Code | None = None
    unknown: bool = False
    """Whether it may have been done all the same."""
    failure: LinkFailure | None = None
    """The failure of the request, where it was none of a single link."""


RESULT_ACCEPTED = SendResult(kind=ResultKind.ACCEPTED)
RESULT_LEFT = SendResult(kind=ResultKind.LEFT)
RESULT_LOST = SendResult(kind=ResultKind.LOST)


class MessageFate(StrEnum):
    """What a landed link means to the messages that wait for it."""

    DONE = "done"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    AGAIN = "again"
    """A newer state is to be written first."""
    ELSEWHERE = "elsewhere"
    """Another process has the link; it is looked after until that one gives it back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentWrite:
    """What was sent for a link, and on whose right."""

    revision: int
    epoch: int
    applied_hash: str
    gone: bool
    prints: Fingerprints | None = None
    verify: bool = False
    """Whether it is to be made once more in any case: an expired claim was taken over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrySchedule:
    """What remains to be tried for a link: the seconds until the next attempt, None after the last."""

    retry_in: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkLanding:
    """The link as it is to be stored, and what is to be told of it."""

    link: Link
    fate: MessageFate
    crossed: bool = False
    """Whether an item reached the linked calendar (G15)."""
    keeps_claim: bool = False
    retry_in: float | None = None
    verify_in: float | None = None
    outcome: Outcome | None = None
    code: Code = Code.OK
    action: LogAction = LogAction.NONE
    reason: str = ""


def write_of(link: Link, fields: EventFields | None) -> EventWrite:
    """The write that makes the event as the fields say; None deletes it."""
    ours = link.origin is Origin.OURS
    fields = fields and as_there(link, fields)
    if fields is None:
        return Delete(
            calendar_id=link.calendar_id,
            event_id=link.event_id if ours else None,
            event_uid=None if ours else link.event_uid,
        )
    shade = kept_shade(link.forms, fields)
    if ours:
        return Upsert(calendar_id=link.calendar_id, event_id=link.event_id or "", fields=fields, shade=shade)
    return ForeignEdit(
        calendar_id=link.calendar_id, event_uid=link.event_uid or "", fields=fields, shade=shade
    )


def write_otherwise(write: EventWrite, answer: Answer, tried: Collection[str]) -> EventWrite | None:
    """The write as the calendar may take it that refused a name of a zone, a detail, or one without a title.

    ``tried``: the zones that were refused already. None where nothing else is left to be tried.
    """
    if answer.status != STATUS_INVALID or isinstance(write, Delete):
        return None
    if isinstance(write, Upsert) and write.details.keys() & answer.errors.keys():
        return replace(write, details={})
    said = " ".join(f"{name} {rule}" for name, rule in answer.errors.items())
    fields = write.fields
    if "summary" in said and not fields.summary:
        return replace(write, fields=replace(fields, summary=NO_TITLE_THERE))
    zone = fields.tzid
    if "tzid" not in said or zone is None:
        return None
    first = next(iter(tried), zone)
    other = next((each for each in zones_instead(first) if each not in {zone, *tried}), None)
    return None if other is None else in_zone(write, other)


def in_zone(write: Upsert | ForeignEdit, zone: str) -> EventWrite:
    """The same write with its times in another zone: the same instants."""
    return replace(write, fields=replace(write.fields, tzid=zone))


def needs_check(answers: Sequence[Answer]) -> bool:
    """Whether an answer makes us look at the account and its calendars."""
    return any(answer.status in CHECKED_STATUSES for answer in answers)


def read_answer(answer: Answer, write: EventWrite, *, connected: bool) -> SendResult:
    """What one answer says; ``connected`` is what the look found, where one was needed."""
    if answer.accepted:
        return RESULT_ACCEPTED
    if answer.status in CHECKED_STATUSES and not connected:
        return SendResult(kind=ResultKind.HELD, holding=Code.NOT_CONNECTED)
    if answer.status in CHECKED_STATUSES and isinstance(write, Delete) and answer.status != STATUS_LOCKED:
        return RESULT_ACCEPTED
    reason = _sentence(answer)
    if answer.status in CHECKED_STATUSES and answer.status != STATUS_LOCKED:
        kind = ResultKind.NOT_POSSIBLE if isinstance(write, ForeignEdit) else ResultKind.PERMANENT
        return SendResult(kind=kind, reason=reason, code="not_allowed")
    if _passes(answer):
        return SendResult(kind=ResultKind.TRANSIENT, reason=reason, code=EXHAUSTED_CODE)
    return SendResult(kind=ResultKind.PERMANENT, reason=reason)


def _passes(answer: Answer) -> bool:
    return answer.status in PASSING_STATUSES or answer.status >= FIRST_SERVER_ERROR


def _sentence(answer: Answer) -> str:
    if answer.status == STATUS_LOCKED:
        return f"The calendar is locked for now ({answer.status})."
    if answer.status in CHECKED_STATUSES:
        return f"The calendar does not allow this ({answer.status}); account and calendar are in order."
    if _passes(answer):
        return f"The calendar did not take the event for now ({answer.status})."
    rules = "; ".join(f"{name}: {rule}" for name, rule in sorted(answer.errors.items()))
    told = f"{answer.status}: {rules}" if rules else answer.status
    return f"The calendar refused the event ({told})."


def land_result(
    link: Link, sent: SentWrite, result: SendResult, *, mine: bool, now: float, patience: RetrySchedule
) -> LinkLanding:
    """Say what becomes of a link, given its row as it is now."""
    if not mine or result.kind is ResultKind.LOST:
        return _land_lost(link, sent, result)
    if result.kind is ResultKind.ACCEPTED:
        return _land_accepted(link, sent, now)
    link = replace(link, writes=_in_doubt(link.writes, sent)) if result.unknown else link
    verify_in = VERIFY_AFTER_SECONDS if result.unknown or sent.verify else None
    if link.state in UNWRITTEN_STATES and link.desired_revision > sent.revision:
        return LinkLanding(link=link, fate=MessageFate.AGAIN, keeps_claim=True, verify_in=verify_in)
    if link.state not in UNWRITTEN_STATES or result.kind is ResultKind.LEFT:
        return LinkLanding(link=link, fate=MessageFate.DONE, verify_in=verify_in)
    return _land_refused(link, sent, result, patience)


def _land_lost(link: Link, sent: SentWrite, result: SendResult) -> LinkLanding:
    """Another process took the claim: only a write that was made is in doubt."""
    made = result.kind is ResultKind.ACCEPTED or result.unknown
    reached = link.applied_revision >= sent.revision and link.state not in UNWRITTEN_STATES
    return LinkLanding(
        link=link,
        fate=MessageFate.DONE if reached else MessageFate.ELSEWHERE,
        keeps_claim=True,
        verify_in=VERIFY_AFTER_SECONDS if made else None,
        outcome=Outcome.SKIPPED if made else None,
        code=Code.CLAIM_LOST,
        action=_action(link, sent),
        reason="Another process took this over; the newest state is written once more.",
    )


def _land_accepted(link: Link, sent: SentWrite, now: float) -> LinkLanding:
    newest = link.desired_revision <= sent.revision
    waits = link.state in UNWRITTEN_STATES
    return LinkLanding(
        link=link_states.accept(
            link,
            revision=sent.revision,
            applied_hash=sent.applied_hash,
            gone=sent.gone,
            now=now,
            writes=_accepted(link.writes, sent, now),
        ),
        fate=MessageFate.DONE if newest or not waits else MessageFate.AGAIN,
        crossed=True,
        keeps_claim=waits and not newest,
        verify_in=VERIFY_AFTER_SECONDS if sent.verify else None,
        outcome=Outcome.DONE,
        action=_action(link, sent),
        reason="Sent to the linked calendar.",
    )


def _accepted(writes: Sequence[Written], sent: SentWrite, now: float) -> tuple[Written, ...]:
    """The remembered writes, the one that was sent marked; newer ones may have been wished meanwhile."""
    marked, at = list(writes), _place(writes, sent)
    if at is not None:
        again = sent.verify or marked[at].accepted_at is not None
        marked[at] = replace(marked[at], accepted_at=now, copies=marked[at].copies + again)
    return tuple(marked)


def _in_doubt(writes: Sequence[Written], sent: SentWrite) -> tuple[Written, ...]:
    """The remembered writes, where the one that was sent may arrive although it will be sent again."""
    marked, at = list(writes), _place(writes, sent)
    if at is not None:
        marked[at] = replace(marked[at], copies=marked[at].copies + 1)
    return tuple(marked)


def _place(writes: Sequence[Written], sent: SentWrite) -> int | None:
    found = (at for at in reversed(range(len(writes))) if writes[at].prints == sent.prints)
    return next(found, None)


def _land_refused(link: Link, sent: SentWrite, result: SendResult, patience: RetrySchedule) -> LinkLanding:
    action = _action(link, sent)
    verify_in = VERIFY_AFTER_SECONDS if result.unknown or sent.verify else None
    match result.kind:
        case ResultKind.LET_GO:
            return LinkLanding(link=link_states.let_go(link, link.code), fate=MessageFate.DONE)
        case ResultKind.HELD:
            return LinkLanding(
                link=link_states.hold(link, result.holding),
                fate=MessageFate.DONE,
                outcome=Outcome.HELD if result.holding else None,
                code=result.holding or Code.OK,
                action=action,
                reason="The change is kept until the calendar can be written to again.",
            )
        case ResultKind.NOT_POSSIBLE:
            return LinkLanding(
                link=link_states.freeze(link, Code.NOT_POSSIBLE),
                fate=MessageFate.DONE,
                outcome=Outcome.FAILED,
                code=Code.NOT_POSSIBLE,
                action=action,
                reason=result.reason,
            )
        case ResultKind.TRANSIENT if patience.retry_in is not None:
            return LinkLanding(
                link=link_states.retry(link),
                fate=MessageFate.TRANSIENT,
                retry_in=patience.retry_in,
                verify_in=verify_in,
                outcome=Outcome.FAILED,
                code=Code.REFUSED_BY_CALENDAR,
                action=action,
                reason=result.reason,
            )
    transient = result.kind is ResultKind.TRANSIENT
    return LinkLanding(
        link=link_states.fail(link),
        fate=MessageFate.TRANSIENT if transient else MessageFate.PERMANENT,
        outcome=Outcome.FAILED,
        code=Code.REFUSED_BY_CALENDAR,
        action=action,
        reason=result.reason,
    )


def _action(link: Link, sent: SentWrite) -> LogAction:
    if sent.gone:
        return LogAction.DELETE
    return LogAction.UPDATE if link.exists_there else LogAction.CREATE
