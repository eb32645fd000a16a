"""What waits for an answer, one by one, and both answers to each kind (R11, R36)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from fastapi import APIRouter, Request, Response

from service.consumers.inbound.held_deletions import DeletionAnswer
from service.consumers.inbound.held_imports import ImportAnswer
from service.integrations import views
from service.integrations.accounts.held import list_held
from service.integrations.undoing.answers import AnswerGiven, SettledAnswer
from service.store.integrations.listing import IntegrationView, Owner
from service.web.dependencies import Services, WebServices
from service.web.pages.form import FormSubmission, PageVisitor, SentForm
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page

HELD_ON_A_PAGE = 200
CONFIRMED_BY_NAME = 20
"""Of more the number says it, and a link leads to all of them."""
_Answer = TypeVar("_Answer", bound=str)
router = APIRouter(prefix=INTEGRATIONS_PATH)


@router.get("/{integration_id}/held")
async def held_page(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    integration_id: IntegrationPathId,
    after: str = "",
) -> Response:
    """The list, with what each answer does."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    page = await list_held(
        services.store, shown.integration, masked=False, after=after or None, limit=HELD_ON_A_PAGE
    )
    return render_page(
        request,
        "held.html",
        one=integration_card(shown),
        rows=page.rows,
        following=page.following,
        first=not after,
        here="calendar-sync",
    )


@router.post("/{integration_id}/held-deletions")
async def answer_held_deletions(
    request: Request, services: Services, form: SentForm, integration_id: IntegrationPathId
) -> Response:
    """*Delete them* or *Keep them* (R11); any other answer leaves them waiting.

    Nothing is deleted before the person has confirmed just as many as wait now.
    """
    shown = await views.get_integration(services.store, form.visitor.person.owner, integration_id)
    if form.text("answer") == "delete" and form.number("sure") != shown.held_deletions:
        return await _ask_once_more(request, services, shown)
    notices: Mapping[DeletionAnswer, str] = {"delete": "released", "keep": "kept"}
    return await _answered(services, form, integration_id, settle=services.held.settle, notices=notices)


@router.post("/{integration_id}/held-imports")
async def answer_held_imports(
    services: Services, form: SentForm, integration_id: IntegrationPathId
) -> Response:
    """*Bring them* or *Leave them there* (R36); any other answer leaves them waiting."""
    notices: Mapping[ImportAnswer, str] = {"bring": "brought", "leave": "left"}
    settle = services.held_imports.settle
    return await _answered(services, form, integration_id, settle=settle, notices=notices)


async def _ask_once_more(request: Request, services: WebServices, shown: IntegrationView) -> Response:
    """What would be deleted, by name, before it is; nothing to confirm leads to the list."""
    if not shown.held_deletions:
        return redirect_to(INTEGRATIONS_PATH)
    page = await list_held(services.store, shown.integration, masked=False, limit=CONFIRMED_BY_NAME)
    return render_page(
        request,
        "held_confirm.html",
        one=integration_card(shown),
        rows=[row for row in page.rows if row.kind == "deletion"],
        more=page.following is not None,
        here="calendar-sync",
    )


async def _answered(
    services: WebServices,
    form: FormSubmission,
    integration_id: str,
    *,
    settle: Callable[[Owner, str, _Answer, AnswerGiven], Awaitable[SettledAnswer]],
    notices: Mapping[_Answer, str],
) -> Response:
    owner = form.visitor.person.owner
    await views.get_integration(services.store, owner, integration_id)
    given = form.text("answer")
    for answer, notice in notices.items():
        if answer == given:
            settled = await settle(owner, integration_id, answer, AnswerGiven(by=form.visitor.user_id))
            if not settled.count:
                return redirect_to(INTEGRATIONS_PATH, complaint="answered_already")
            answered = settled.run_id or ""
            return redirect_to(INTEGRATIONS_PATH, notice=notice, of=integration_id, answered=answered)
    return redirect_to(INTEGRATIONS_PATH)
