"""What Cronofy's answers make of links and messages: pure, the settlement table of DESIGN 6.4, 6.5 and 9."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from contracts.calendar import Code, Link, LogAction, Origin, Outcome, Prints, Written
from contracts.event_fields import EventFields
from contracts.writes import Answer, Delete, EventWrite, ForeignEdit, Upsert
from handlers import link_states
from handlers.link_states import UNFINISHED
from handlers.settlement import EXHAUSTED, Failure

VERIFY_AFTER = 20.0
"""Seconds after which a write whose fate is in doubt is made once more (DESIGN 6.4)."""
GONE = frozenset({404, 410})
"""What is gone counts as what is unknown (fact sheet 10)."""
LOOKED_AT = frozenset({403, 423}) | GONE
LOCKED = 423
TOO_MANY = 429
SERVER_ERROR = 500
PASSING = frozenset({401, 408, 409, 425, LOCKED, TOO_MANY})
"""Refusals that may not be repeated another time."""


class Kind(StrEnum):
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
class Result:
    kind: Kind
    reason: str = ""
    code: str = "refused"
    """A dead letter's code, should it come to that."""
    holding: Code | None = None
    unknown: bool = False
    """Whether it may have been done all the same."""
    failure: Failure | None = None
    """The failure of the request, where it was none of a single link."""


ACCEPTED = Result(kind=Kind.ACCEPTED)
LEFT = Result(kind=Kind.LEFT)
LOST = Result(kind=Kind.LOST)


class Fate(StrEnum):
    """What a landed link means to the messages that wait for it."""

    DONE = "done"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    AGAIN = "again"
    """A newer state is to be written first."""
    ELSEWHERE = "elsewhere"
    """Another process has the link; it is looked after until that one gives it back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What was sent for a link, and on whose right."""

    revision: int
    epoch: int
    applied_hash: str
    gone: bool
    prints: Prints | None = None
    verify: bool = False
    """Whether it is to be made once more in any case: an expired claim was taken over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """What remains to be tried for a link: the seconds until the next attempt, None after the last."""

    retry_in: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Landing:
    """The link as it is to be stored, and what is to be told of it."""

    link: Link
    fate: Fate
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
    if fields is None:
        return Delete(
            calendar_id=link.calendar_id,
            event_id=link.event_id if ours else None,
            event_uid=None if ours else link.event_uid,
        )
    if ours:
        return Upsert(calendar_id=link.calendar_id, event_id=link.event_id or "", fields=fields)
    return ForeignEdit(calendar_id=link.calendar_id, event_uid=link.event_uid or "", fields=fields)


def needs_look(answers: Sequence[Answer]) -> bool:
    """Whether an answer makes us look at the account and its calendars (DESIGN 9)."""
    return any(answer.status in LOOKED_AT for answer in answers)


def read_answer(answer: Answer, write: EventWrite, *, connected: bool) -> Result:
    """What one answer says; ``connected`` is what the look found, where one was needed."""
    if answer.accepted:
        return ACCEPTED
    if answer.status in LOOKED_AT and not connected:
        return Result(kind=Kind.HELD, holding=Code.NOT_CONNECTED)
    if answer.status in LOOKED_AT and isinstance(write, Delete) and answer.status != LOCKED:
        return ACCEPTED
    reason = _sentence(answer)
    if answer.status in LOOKED_AT and answer.status != LOCKED:
        kind = Kind.NOT_POSSIBLE if isinstance(write, ForeignEdit) else Kind.PERMANENT
        return Result(kind=kind, reason=reason, code="not_allowed")
    if answer.status in PASSING or answer.status >= SERVER_ERROR:
        return Result(kind=Kind.TRANSIENT, reason=reason, code=EXHAUSTED)
    return Result(kind=Kind.PERMANENT, reason=reason)


def _sentence(answer: Answer) -> str:
    if answer.status == LOCKED:
        return f"The calendar is locked for now ({answer.status})."
    if answer.status in LOOKED_AT:
        return f"The calendar does not allow this ({answer.status}); account and calendar are in order."
    rules = "; ".join(f"{name}: {rule}" for name, rule in sorted(answer.errors.items()))
    return f"The calendar refused the event ({answer.status}{': ' + rules if rules else ''})."


def land(link: Link, sent: Sent, result: Result, *, mine: bool, now: float, patience: Patience) -> Landing:
    """Say what becomes of a link, given its row as it is now (DESIGN 6.4)."""
    if not mine or result.kind is Kind.LOST:
        return _land_lost(link, sent, result)
    if result.kind is Kind.ACCEPTED:
        return _land_accepted(link, sent, now)
    link = replace(link, writes=_in_doubt(link.writes, sent)) if result.unknown else link
    verify_in = VERIFY_AFTER if result.unknown or sent.verify else None
    if link.state in UNFINISHED and link.desired_revision > sent.revision:
        return Landing(link=link, fate=Fate.AGAIN, keeps_claim=True, verify_in=verify_in)
    if link.state not in UNFINISHED or result.kind is Kind.LEFT:
        return Landing(link=link, fate=Fate.DONE, verify_in=verify_in)
    return _land_refused(link, sent, result, patience)


def _land_lost(link: Link, sent: Sent, result: Result) -> Landing:
    """Another process took the claim: only a write that was made is in doubt."""
    made = result.kind is Kind.ACCEPTED or result.unknown
    reached = link.applied_revision >= sent.revision and link.state not in UNFINISHED
    return Landing(
        link=link,
        fate=Fate.DONE if reached else Fate.ELSEWHERE,
        keeps_claim=True,
        verify_in=VERIFY_AFTER if made else None,
        outcome=Outcome.SKIPPED if made else None,
        code=Code.CLAIM_LOST,
        action=_action(link, sent),
        reason="Another process took this over; the newest state is written once more.",
    )


def _land_accepted(link: Link, sent: Sent, now: float) -> Landing:
    newest = link.desired_revision <= sent.revision
    waits = link.state in UNFINISHED
    marked = replace(link, writes=_accepted(link.writes, sent, now))
    return Landing(
        link=link_states.accept(
            marked, revision=sent.revision, applied_hash=sent.applied_hash, gone=sent.gone, now=now
        ),
        fate=Fate.DONE if newest or not waits else Fate.AGAIN,
        crossed=True,
        keeps_claim=waits and not newest,
        verify_in=VERIFY_AFTER if sent.verify else None,
        outcome=Outcome.DONE,
        action=_action(link, sent),
        reason="Sent to the linked calendar.",
    )


def _accepted(writes: Sequence[Written], sent: Sent, now: float) -> tuple[Written, ...]:
    """The remembered writes, the one that was sent marked; newer ones may have been wished meanwhile."""
    marked, at = list(writes), _place(writes, sent)
    if at is not None:
        again = sent.verify or marked[at].accepted_at is not None
        marked[at] = replace(marked[at], accepted_at=now, copies=marked[at].copies + again)
    return tuple(marked)


def _in_doubt(writes: Sequence[Written], sent: Sent) -> tuple[Written, ...]:
    """The remembered writes, where the one that was sent may arrive although it will be sent again."""
    marked, at = list(writes), _place(writes, sent)
    if at is not None:
        marked[at] = replace(marked[at], copies=marked[at].copies + 1)
    return tuple(marked)


def _place(writes: Sequence[Written], sent: Sent) -> int | None:
    found = (at for at in reversed(range(len(writes))) if writes[at].prints == sent.prints)
    return next(found, None)


def _land_refused(link: Link, sent: Sent, result: Result, patience: Patience) -> Landing:
    action = _action(link, sent)
    verify_in = VERIFY_AFTER if result.unknown or sent.verify else None
    match result.kind:
        case Kind.LET_GO:
            return Landing(link=link_states.let_go(link, link.code), fate=Fate.DONE)
        case Kind.HELD:
            return Landing(
                link=link_states.hold(link, result.holding),
                fate=Fate.DONE,
                outcome=Outcome.HELD if result.holding else None,
                code=result.holding or Code.OK,
                action=action,
                reason="The change is kept until the calendar can be written to again.",
            )
        case Kind.NOT_POSSIBLE:
            return Landing(
                link=link_states.freeze(link, Code.NOT_POSSIBLE),
                fate=Fate.DONE,
                outcome=Outcome.FAILED,
                code=Code.NOT_POSSIBLE,
                action=action,
                reason=result.reason,
            )
        case Kind.TRANSIENT if patience.retry_in is not None:
            return Landing(
                link=link_states.retry(link),
                fate=Fate.TRANSIENT,
                retry_in=patience.retry_in,
                verify_in=verify_in,
                outcome=Outcome.FAILED,
                code=Code.REFUSED_BY_CALENDAR,
                action=action,
                reason=result.reason,
            )
    transient = result.kind is Kind.TRANSIENT
    return Landing(
        link=link_states.fail(link),
        fate=Fate.TRANSIENT if transient else Fate.PERMANENT,
        verify_in=None,
        outcome=Outcome.FAILED,
        code=Code.REFUSED_BY_CALENDAR,
        action=action,
        reason=result.reason,
    )


def _action(link: Link, sent: Sent) -> LogAction:
    if sent.gone:
        return LogAction.DELETE
    return LogAction.UPDATE if link.exists_there else LogAction.CREATE
