"""Questions to dispatchers as JSON (R52)."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from contracts.fields import rfc3339
from contracts.messages import QuestionKind
from service.consumers.inbound.questions.answers import QuestionAnswer, ShownQuestion
from service.web.dependencies import (
    AdministratorVisitor,
    Services,
    dispatcher_of,
)
from service.web.paging import DEFAULT_PAGE, IdCursor, PageLimit, QuestionPathId
from service.web.schemas import InstantText, Listed, page_form

router = APIRouter(prefix="/questions", tags=["questions"])
QuestionState = Literal["open", "answered", "closed"]


class QuestionForm(BaseModel):
    """``put_back``: the copy is written as Vorex has the call; ``leave``: it stays as it is."""

    answer: QuestionAnswer


class QuestionShape(BaseModel):
    """Times are instants or days; ``found_start`` and ``found_end`` where it was moved, or of the absence."""

    id: str
    state: QuestionState
    kind: QuestionKind
    user_id: str
    """The technician."""
    integration_id: str
    item_id: str | None
    item_type: str | None
    title: str
    """Masked where the call is private."""
    start: str | None
    end: str | None
    found_start: str | None
    found_end: str | None
    asked_at: InstantText
    answer: QuestionAnswer | None
    closed: str | None
    """Why it needed no answer any more."""
    settled_by: str | None
    settled_at: InstantText | None


@router.get("", response_model=Listed[QuestionShape])
async def list_questions(
    services: Services,
    visitor: AdministratorVisitor,
    after: IdCursor,
    state: QuestionState = "open",
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """Questions of your tenant: open ones oldest first, settled ones newest first (R52)."""
    page = await services.questions.page(visitor.tenant_id, state=state, after=after, limit=limit)
    return page_form(page, question_form)


@router.post("/{question_id}", response_model=QuestionShape)
async def answer_question(
    services: Services, visitor: AdministratorVisitor, question_id: QuestionPathId, form: QuestionForm
) -> dict[str, Any]:
    """Put the copy back, or leave it as the technician has it (R52); the same again changes nothing."""
    return question_form(await services.questions.answer(dispatcher_of(visitor), question_id, form.answer))


@router.post("/{question_id}/undo", response_model=QuestionShape)
async def undo_answer(
    services: Services, visitor: AdministratorVisitor, question_id: QuestionPathId
) -> dict[str, Any]:
    """Take the answer back, and ask again (R50)."""
    return question_form(await services.questions.undo(dispatcher_of(visitor), question_id))


def question_form(shown: ShownQuestion) -> dict[str, Any]:
    """A question with the call that it is about."""
    one = shown.question
    return {
        "id": one.id,
        "state": one.state,
        "kind": one.kind,
        "user_id": one.user_id,
        "integration_id": one.integration_id,
        "item_id": shown.item.id if shown.item else None,
        "item_type": shown.item.type.value if shown.item else None,
        "title": shown.title,
        "start": one.starts,
        "end": one.ends,
        "found_start": one.found_starts,
        "found_end": one.found_ends,
        "asked_at": rfc3339(one.asked_at),
        "answer": one.answer,
        "closed": one.closed,
        "settled_by": one.settled_by,
        "settled_at": rfc3339(one.settled_at) if one.settled_at else None,
    }
