"""*Questions to the dispatcher*: what technicians did with service calls, and both answers (R52)."""

from typing import Any, cast, get_args

from fastapi import APIRouter, Request, Response

from contracts.messages import QuestionKind
from contracts.times import read_time
from service.consumers.inbound.questions.answers import ASKED_SINCE, QuestionAnswer, ShownQuestion
from service.integrations.refusals import Conflict, Unknown
from service.store.questions.questions import OPEN, QUESTION_STATES
from service.web import labels
from service.web.catalogue import Texts
from service.web.dependencies import Services, dispatcher_of
from service.web.pages.redirect import redirect_to
from service.web.pages.tenant.visitors import Administrator, AdministratorForm
from service.web.paging import IdCursor, QuestionPathId, is_id
from service.web.paths import QUESTIONS_PATH
from service.web.rendering import render_page

QUESTIONS_ON_A_PAGE = 50
QUESTION_TABS: labels.LabelTexts = Texts(
    {"open": "To answer", "answered": "Answered", "closed": "Closed by themselves"}
)
QUESTION_KINDS: labels.LabelTexts = Texts(
    {
        "deleted": "Deleted it",
        "moved": "Moved it too far",
        "out_of_office": "Is out of office then",
    }
)
QUESTION_ANSWERS: labels.LabelTexts = Texts(
    {"put_back": "Put back", "leave": "Left as the technician has it"}
)
QUESTION_CLOSED: labels.LabelTexts = Texts(
    {
        "unlinked": "The calendar is not linked any more",
        "call_deleted": "The call was deleted in Vorex",
        "unassigned": "Others are assigned now",
        "completed": "The call is completed",
        "changed_in_vorex": "Vorex changed the call",
        "restored": "The technician restored it",
        "written_again": "The copy was sent again",
        "moved_back": "The technician moved it back",
        "deleted_since": "The technician deleted it since",
        "not_out_of_office": "Nothing overlaps any more",
    }
)
router = APIRouter(prefix=QUESTIONS_PATH)


@router.get("")
async def questions_page(
    request: Request,
    services: Services,
    visitor: Administrator,
    *,
    after: IdCursor,
    state: str = OPEN,
    done: str = "",
    complaint: str = "",
) -> Response:
    """Who did what with which call, and when; *Put it back* and *Leave it*."""
    wanted = state if state in QUESTION_STATES else OPEN
    page = await services.questions.page(
        visitor.tenant_id, state=wanted, after=after, limit=QUESTIONS_ON_A_PAGE
    )
    settled = await services.questions.find(visitor.tenant_id, done) if is_id(done) else None
    return render_page(
        request,
        "questions.html",
        rows=[_row(one) for one in page.rows],
        following=page.following,
        first=after is None,
        state=wanted,
        states=QUESTION_TABS,
        waiting=await services.questions.count(visitor.tenant_id),
        done=_row(settled) if settled else None,
        complaint=labels.COMPLAINTS.get(complaint),
        here="operations" if visitor.role == "operator" else "administration",
    )


@router.post("/{question_id}")
async def answer_question(
    services: Services, form: AdministratorForm, question_id: QuestionPathId
) -> Response:
    """Carry the answer out; the note that says so offers to take it back."""
    answer = form.text("answer")
    if answer not in get_args(QuestionAnswer):
        raise Unknown("There is no such page.")
    try:
        await services.questions.answer(
            dispatcher_of(form.visitor), question_id, cast(QuestionAnswer, answer)
        )
    except Conflict:
        return redirect_to(QUESTIONS_PATH, complaint="question_settled")
    return redirect_to(QUESTIONS_PATH, done=question_id)


@router.post("/{question_id}/undo")
async def undo_answer(services: Services, form: AdministratorForm, question_id: QuestionPathId) -> Response:
    """Ask again."""
    try:
        await services.questions.undo(dispatcher_of(form.visitor), question_id)
    except Conflict as conflict:
        why = "question_asked_since" if str(conflict) == ASKED_SINCE else "question_changed"
        return redirect_to(QUESTIONS_PATH, complaint=why)
    return redirect_to(QUESTIONS_PATH)


def _row(shown: ShownQuestion) -> dict[str, Any]:
    one = shown.question
    spans = {
        "call": (one.starts, one.ends),
        "found": (one.found_starts, one.found_ends),
    }
    times = {name: [read_time(moment) if moment else None for moment in span] for name, span in spans.items()}
    return {
        "id": one.id,
        "kind": one.kind,
        "what": QUESTION_KINDS[one.kind],
        "moved": one.kind is QuestionKind.MOVED,
        "who": one.user_id,
        "title": shown.title,
        "account": shown.account,
        "calendar": shown.integration.calendar_name if shown.integration else None,
        "asked_at": one.asked_at,
        "state": one.state,
        "answer": QUESTION_ANSWERS.get(one.answer or ""),
        "closed": QUESTION_CLOSED.get(one.closed or ""),
        "by": one.settled_by,
        "settled_at": one.settled_at,
        "reopened": one.reopened,
        **times,
    }
