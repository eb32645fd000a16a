"""Lists a tenant's questions to its dispatchers, answers them, and takes answers back (R52, R50)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from contracts.calendar import (
    Code,
    Direction,
    Integration,
    Item,
    Link,
    LogAction,
    LogEntry,
    Outcome,
    Trigger,
)
from contracts.messages import QuestionKind
from contracts.times import read_time
from handlers.inbound_page import PageChanges
from handlers.judgement import Judgement, Reading
from handlers.outbound_message import shown_title
from handlers.plan import question_print
from handlers.questions.answering import (
    CallTimes,
    ask_again_about_deletion,
    ask_again_about_move,
    leave_deleted,
    leave_moved,
    put_back,
)
from handlers.questions.standing import gone_from_sight
from service.consumers.inbound.pages import PageWriter
from service.integrations.refusals import Conflict, Unknown
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, IntegrityError, Store
from service.store.integrations import integrations
from service.store.items import items
from service.store.links import links
from service.store.questions import questions
from service.store.questions.questions import ANSWERED, OPEN, Question

QuestionAnswer = Literal["put_back", "leave"]
NO_QUESTION = "There is no such question."
ASKED_SINCE = "The same has been asked again since; answer the open question."
ANSWERED_SAID: Mapping[QuestionAnswer, str] = {
    "put_back": "Put back by {}.",
    "leave": "Left as the technician has it by {}.",
}
TAKEN_BACK_SAID = "The answer to the dispatcher's question was taken back by {}."


@dataclass(frozen=True, kw_only=True, slots=True)
class Respondent:
    """Who answers, as the technician's log names them."""

    tenant_id: str
    named: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownQuestion:
    """A question with the call that it is about, as whoever answers it sees it; a private one is masked."""

    question: Question
    item: Item | None
    integration: Integration | None

    @property
    def title(self) -> str:
        return (shown_title(self.item.content) if self.item else None) or ""

    @property
    def account(self) -> str:
        """Of the customer."""
        content = self.item.content if self.item else None
        return "" if content is None or content.private else content.account_name or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """A question with everything that an answer changes, locked."""

    question: Question
    item: Item
    integration: Integration
    link: Link
    reading: Reading

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.reading.now, UTC)


class DispatcherQuestions:
    """What is not of the own tenant is Unknown; what cannot be answered by now, a Conflict."""

    def __init__(self, store: Store, pages: PageWriter) -> None:
        self._store, self._pages = store, pages

    async def count(self, tenant_id: str) -> int:
        """How many wait for an answer."""
        async with self._store.read() as connection:
            return await questions.count_open(connection, tenant_id)

    async def page(
        self, tenant_id: str, *, state: str = OPEN, after: str | None = None, limit: int
    ) -> Page[ShownQuestion]:
        """Open ones, the oldest first, or those that are settled, the newest first."""
        async with self._store.read() as connection:
            found = await questions.listed(connection, tenant_id, state=state, after=after, limit=limit + 1)
            shown = await self._shown(connection, found)
        return Page.of(shown, limit, cursor=lambda one: one.question.id)

    async def find(self, tenant_id: str, question_id: str) -> ShownQuestion:
        """Raises Unknown."""
        async with self._store.read() as connection:
            found = await questions.find(connection, tenant_id, question_id)
            if found is None:
                raise Unknown(NO_QUESTION)
            return (await self._shown(connection, [found]))[0]

    async def answer(self, who: Respondent, question_id: str, answer: QuestionAnswer) -> ShownQuestion:
        """Carry it out; given twice it is done once. Raises Unknown, or Conflict where it is settled."""
        async with self._store.begin() as connection:
            case = await self._case(connection, who.tenant_id, question_id)
            asked = case.question
            if asked.state != OPEN and asked.answer == answer:
                return (await self._shown(connection, [asked]))[0]
            if asked.state != OPEN:
                raise Conflict("not_editable", "The question is settled already.")
            if gone_from_sight(case.link, case.item, case.integration) is not None:
                raise Conflict("not_editable", "There is nothing to be answered any more.")
            judged = _answered(case, answer)
            await questions.settle(connection, asked.id, at=case.moment, answer=answer, by=who.named)
            await self._save(connection, case, judged, ANSWERED_SAID[answer].format(who.named))
        return await self.find(who.tenant_id, question_id)

    async def undo(self, who: Respondent, question_id: str) -> ShownQuestion:
        """Ask again; done twice it is done once.

        Raises Unknown, or Conflict where the call has changed, or the same was asked again since.

        What *Put it back* has written stays, until *Leave it* is answered.
        """
        async with self._store.begin() as connection:
            case = await self._case(connection, who.tenant_id, question_id)
            asked = case.question
            if asked.state == OPEN:
                return (await self._shown(connection, [asked]))[0]
            if asked.state != ANSWERED:
                raise Conflict("not_editable", "Nobody answered it: it closed by itself.")
            opened = await questions.open_ones(connection, link_id=case.link.id, limit=len(QuestionKind))
            if any(one.kind is asked.kind for one in opened):
                raise Conflict("not_editable", ASKED_SINCE)
            judged = _taken_back(case)
            if judged is None:
                raise Conflict("not_editable", "The call has changed since the answer.")
            if not await _open_again(connection, asked, judged.item or case.item):
                raise Conflict("not_editable", "The question is settled otherwise by now.")
            await self._save(connection, case, judged, TAKEN_BACK_SAID.format(who.named))
        return await self.find(who.tenant_id, question_id)

    async def _case(self, connection: AsyncConnection, tenant_id: str, question_id: str) -> _Case:
        found = await questions.find(connection, tenant_id, question_id)
        if found is None:
            raise Unknown(NO_QUESTION)
        known = await items.load(connection, [found.item_ref], lock=True)
        owners = await integrations.load(connection, [found.integration_id], lock=True)
        pairs = await links.load(connection, [found.link_id], lock=True)
        item, link = known.get(found.item_ref), pairs.get(found.link_id)
        integration = owners.get(found.integration_id)
        if item is None or link is None or integration is None or item.content is None:
            raise Conflict("not_editable", "There is nothing to be answered any more.")
        now = await self._store.now(connection)
        again = await questions.find(connection, tenant_id, question_id)  # as it is behind the locks
        return _Case(
            question=again or found,
            item=item,
            integration=integration,
            link=link,
            reading=Reading(asked_at=now, now=now, trigger=Trigger.OPERATOR),
        )

    async def _save(self, connection: AsyncConnection, case: _Case, judged: Judgement, reason: str) -> None:
        changes = PageChanges()
        changes.take(judged)
        changes.entries.append(_told(case, reason))
        await self._pages.save(connection, case.integration, changes, now=case.reading.now)

    async def _shown(self, connection: AsyncConnection, found: Sequence[Question]) -> list[ShownQuestion]:
        known = await items.load(connection, {one.item_ref for one in found})
        owners = await integrations.load(connection, {one.integration_id for one in found})
        return [
            ShownQuestion(
                question=one, item=known.get(one.item_ref), integration=owners.get(one.integration_id)
            )
            for one in found
        ]


async def _open_again(connection: AsyncConnection, asked: Question, item: Item) -> bool:
    """Whether it was answered still. Raises Conflict where the same is asked in this very moment."""
    try:
        return await questions.open_again(
            connection,
            asked.id,
            reopened=asked.answer == "put_back",
            content_print=question_print(item.content),
        )
    except IntegrityError:
        raise Conflict("not_editable", ASKED_SINCE) from None


def _answered(case: _Case, answer: QuestionAnswer) -> Judgement:
    kind, found = case.question.kind, _span(case.question.found_starts, case.question.found_ends)
    link, item, integration = case.link, case.item, case.integration
    if answer == "put_back":
        return Judgement(link=put_back(link, item, integration))
    if kind is QuestionKind.DELETED:
        return Judgement(link=leave_deleted(link, item, integration))
    if kind is QuestionKind.MOVED and found is not None:
        return leave_moved(link, item, integration, case.reading, found)
    return Judgement()


def _taken_back(case: _Case) -> Judgement | None:
    asked = case.question
    if asked.answer == "put_back":
        stands = gone_from_sight(case.link, case.item, case.integration) is None
        return Judgement() if stands and question_print(case.item.content) == asked.print else None
    match asked.kind:
        case QuestionKind.DELETED:
            return ask_again_about_deletion(case.link, case.item)
        case QuestionKind.MOVED:
            was = _span(asked.starts, asked.ends)
            return ask_again_about_move(case.link, case.item, case.integration, case.reading, was)
    return Judgement()


def _span(start: str | None, end: str | None) -> CallTimes | None:
    if start is None:
        return None
    return CallTimes(read_time(start), None if end is None else read_time(end))


def _told(case: _Case, reason: str) -> LogEntry:
    return LogEntry(
        integration_id=case.integration.id,
        trigger=Trigger.OPERATOR,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.DONE,
        code=Code.QUESTIONED,
        reason=reason,
        item_ref=case.item.ref,
        item_id=case.item.id,
        item_type=case.item.type,
        title=shown_title(case.item.content),
    )
