"""Brings the questions into agreement with links, items and absences, in the caller's transaction (R52)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from contracts.calendar import Code, Integration, Item, ItemRef, Link, LogAction, LogEntry, Outcome
from contracts.cronofy import CronofyEvent
from contracts.envelope import AssignmentQuestioned
from contracts.messages import QuestionData, QuestionKind
from contracts.ports import Outgoing
from handlers.judgement import Reading
from handlers.log_entries import RowLog
from handlers.questions.standing import ClosedBecause, absences_among
from service.integrations.questions.due import (
    Known,
    QuestionsDue,
    due_of_absences,
    due_of_calls,
    due_of_copies,
    due_of_open,
)
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection
from service.store.logs import logs
from service.store.messages import outbox
from service.store.messages.outbox import outgoing
from service.store.questions import absences, questions
from service.store.questions.questions import Question
from service.telemetry.current import going_on

QUESTIONS_A_CHUNK = 200
ABSENT = "It overlaps an out-of-office event in the linked calendar; the dispatcher is asked."
CLOSED_SAID: Mapping[ClosedBecause, str] = {
    ClosedBecause.UNLINKED: "The question to the dispatcher is closed: the calendar is not linked any more.",
    ClosedBecause.CALL_DELETED: "The question to the dispatcher is closed: the call was deleted in Vorex.",
    ClosedBecause.UNASSIGNED: "The question to the dispatcher is closed: others are assigned now.",
    ClosedBecause.COMPLETED: "The question to the dispatcher is closed: the call is completed.",
    ClosedBecause.CHANGED_IN_VOREX: "The question to the dispatcher is closed: Vorex changed the call.",
    ClosedBecause.RESTORED: "The question to the dispatcher is closed: the copy was restored.",
    ClosedBecause.WRITTEN_AGAIN: "The question to the dispatcher is closed: the copy was sent again.",
    ClosedBecause.MOVED_BACK: "The question to the dispatcher is closed: the copy was moved back.",
    ClosedBecause.DELETED_SINCE: "The question to the dispatcher is closed: the copy was deleted since.",
    ClosedBecause.NOT_OUT_OF_OFFICE: "The question to the dispatcher is closed: nothing overlaps any more.",
}


async def note_absences(
    connection: AsyncConnection, integration: Integration, events: Sequence[CronofyEvent]
) -> bool:
    """Remember which of these events are absences; whether that changes anything."""
    absent, present = absences_among(events, integration.time_zone)
    return await absences.note(connection, integration, absent, present)


async def tend_integration(connection: AsyncConnection, integration_id: str, *, now: datetime) -> None:
    """All questions about one integration's copies: those that are due are asked, the others closed.

    Of very many the keeper does the rest.
    """
    opened = await questions.open_ones(connection, integration_id=integration_id, limit=QUESTIONS_A_CHUNK)
    await carry_out(connection, await due_of_open(connection, opened, now=now), now=now)
    copies = await questions.questioned(connection, integration_id=integration_id, limit=QUESTIONS_A_CHUNK)
    await carry_out(connection, await due_of_copies(connection, copies, now=now), now=now)
    await carry_out(connection, await due_of_absences(connection, [integration_id], now=now), now=now)


async def tend_calls(connection: AsyncConnection, refs: Collection[ItemRef], *, now: datetime) -> None:
    """Calls that came or changed: whether an absence is in their way."""
    if refs:
        await carry_out(connection, await due_of_calls(connection, refs, now=now), now=now)


async def carry_out(connection: AsyncConnection, due: QuestionsDue, *, now: datetime) -> None:
    """Close, follow and ask; each question that is new is logged and told once."""
    if not due:
        return
    entries: list[LogEntry] = []
    for change in due.changes:
        one, link = change.question, due.known.links.get(change.question.link_id)
        if change.found is not None:
            await questions.find_elsewhere(connection, one, *change.found, cause=change.cause)
        elif change.closed is not None:
            closed = await questions.settle(connection, one.id, at=now, closed=change.closed)
            if closed and link is not None:
                entries += _told(due.known, link, Outcome.DONE, CLOSED_SAID[change.closed], now)
    new = set(await questions.ask(connection, due.asked))
    told = [one for one in due.asked if one.id in new]
    for one in told:
        if one.kind is QuestionKind.OUT_OF_OFFICE:
            entries += _told(due.known, due.known.links[one.link_id], Outcome.HELD, ABSENT, now)
    facts = [_fact(one, due.known.items[one.item_ref], now) for one in told]
    await outbox.enqueue(connection, facts, now=now.timestamp())
    await logs.log(connection, entries, now=now)


def _told(known: Known, link: Link, outcome: Outcome, reason: str, now: datetime) -> Sequence[LogEntry]:
    """A private item's title is masked here as everywhere (R27)."""
    item, integration = known.of(link)
    if item is None:
        return ()
    reading = Reading(asked_at=now.timestamp(), now=now.timestamp())
    return (RowLog(item, integration, reading)(LogAction.NONE, outcome, Code.QUESTIONED, reason),)


def _fact(one: Question, item: Item, now: datetime) -> Outgoing:
    """Nobody has to hear it, so it is not mandatory."""
    data = QuestionData(
        question_id=one.id,
        tenant_id=one.tenant_id,
        user_id=one.user_id,
        integration_id=one.integration_id,
        item_type=item.type.value,
        item_id=item.id,
        version=item.version,
        kind=one.kind,
        start=one.starts,
        end=one.ends,
        found_start=one.found_starts,
        found_end=one.found_ends,
    )
    fact_id = new_id()
    message = AssignmentQuestioned.of(data, id=fact_id, time=now, traceparent=going_on(fact_id))
    return outgoing(message, mandatory=False)
