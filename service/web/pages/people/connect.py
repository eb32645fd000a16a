"""To Cronofy and back: the person's permission becomes an integration once they confirm it (G5, R45)."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from contracts.errors import GrantRefused
from service.integrations import views
from service.integrations.linking.consents import CONSENT_SECONDS, ConsentHolder, ConsentQuestion
from service.integrations.refusals import StateRefused, StateUsed
from service.store.integrations import listing
from service.store.people.keys import new_key, print_of
from service.web import labels
from service.web.cookies import cookie_of, drop_cookie, lay_cookie
from service.web.dependencies import (
    Services,
    SignedInVisitor,
    WebServices,
    session_cookie,
    session_visitor,
    visitor_of,
)
from service.web.error_page import TOKEN_FIELD
from service.web.pages.form import OPEN_FORM_AGAIN, PageVisitor, form_fields, text_of
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId
from service.web.paths import CALLBACK_PATH, CONNECT_PATH, INTEGRATIONS_PATH
from service.web.problems import NoEntry
from service.web.rendering import render_page
from service.web.sessions import greet
from service.web.tokens import Visitor

STATE_COOKIE = "calendar_sync_state"
ANSWER_LINK = "link"
router = APIRouter()


@router.get(CONNECT_PATH)
async def connect(services: Services, visitor: SignedInVisitor, reconnect: str = "") -> Response:
    """Send the person to Cronofy with a state that only this session, or this browser, can bring back.

    ``reconnect``: an integration that is to come back. What the account's own page at Cronofy can mend is
    mended there, and nothing is allowed anew (R22).
    """
    if reconnect and (mends := await services.integrations.relink_address(visitor.person.owner, reconnect)):
        return RedirectResponse(mends, HTTPStatus.SEE_OTHER)
    key = None if visitor.session else new_key()
    address = await services.consents.begin(
        visitor.person, session_id=visitor.session, browser_key=key, reconnects=reconnect or None
    )
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    if key is not None:
        life = timedelta(seconds=CONSENT_SECONDS)
        lay_cookie(answer, STATE_COOKIE, key, life=life, https=services.https)
    return answer


@router.get(CALLBACK_PATH)
async def callback(
    request: Request,
    services: Services,
    *,
    state: str = "",
    code: str = "",
    error: str = "",
) -> Response:
    """Whose calendar is about to be linked to whom; a state is good once, and so far nothing is kept."""
    visitor = await _visitor_or_none(request)
    try:
        row = await services.consents.returned(state, _holder(request, services, visitor))
    except StateUsed:
        return redirect_to(INTEGRATIONS_PATH, complaint="consent_over")
    except StateRefused as refused:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"state: {refused}") from None
    if error:
        await services.consents.refused(row)
        return redirect_to(INTEGRATIONS_PATH, complaint="refused")
    if not code:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "code: is required")
    try:
        question = await services.consents.ask(row, code)
    except GrantRefused:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "code: is unknown or was used before") from None
    return await _asked(request, services, question, visitor)


async def _asked(
    request: Request, services: WebServices, question: ConsentQuestion, visitor: Visitor | None
) -> Response:
    await greet(request, visitor)
    return render_page(
        request,
        "consent.html",
        question=question,
        person=(visitor.name if visitor else "") or question.user_id,
        provider=labels.provider_name(question.provider_service),
        here="calendar-sync",
        form_token=services.tokens.form_token(_seal(request, services, visitor)),
    )


@router.post(f"{CONNECT_PATH}/{{consent_id}}")
async def answer_consent(request: Request, services: Services, consent_id: str) -> Response:
    """*Link it*, once; any other answer gives the permission back to Cronofy."""
    visitor = await _visitor_or_none(request, form=True)
    if visitor is None and not cookie_of(request, STATE_COOKIE, https=services.https):
        raise NoEntry
    await greet(request, visitor)
    form = await form_fields(request)
    seal = _seal(request, services, visitor)
    by_header = "Authorization" in request.headers
    if not by_header and not services.tokens.is_form_token(seal, text_of(form, TOKEN_FIELD)):
        raise HTTPException(HTTPStatus.FORBIDDEN, OPEN_FORM_AGAIN)
    holder = _holder(request, services, visitor)
    if text_of(form, "answer") != ANSWER_LINK:
        await services.consents.decline(consent_id, holder)
        return _left(services, redirect_to(INTEGRATIONS_PATH, notice="declined"))
    integration_id = await services.consents.link(consent_id, holder)
    return _left(services, redirect_to(await _after_linking(services, integration_id)))


async def _after_linking(services: WebServices, integration_id: str) -> str:
    """A new one is set up; one that came back is set up already, and its page says what happens now (R22)."""
    async with services.store.read() as connection:
        shown = await listing.find(connection, integration_id)
    back = shown is not None and shown.integration.finished_at is not None
    return f"{INTEGRATIONS_PATH}/{integration_id}/{'reconnected' if back else 'settings/linked-calendar'}"


@router.get(f"{INTEGRATIONS_PATH}/{{integration_id}}/reconnected")
async def reconnected(
    request: Request, services: Services, visitor: PageVisitor, integration_id: IntegrationPathId
) -> Response:
    """How it stands now, and what happens with what waited."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    card = integration_card(shown) | {"waiting": shown.waiting_changes}
    return render_page(request, "reconnected.html", one=card, here="calendar-sync")


async def _visitor_or_none(request: Request, *, form: bool = False) -> Visitor | None:
    """Who is signed in; a form proves by its own token that a page of ours sent it."""
    try:
        if form and "Authorization" not in request.headers and session_cookie(request):
            return await session_visitor(request)
        return await visitor_of(request)
    except NoEntry:
        return None


def _holder(request: Request, services: WebServices, visitor: Visitor | None) -> ConsentHolder:
    return ConsentHolder(
        session_id=visitor.session if visitor else None,
        vouched=visitor.person if visitor and visitor.session is None else None,
        browser_key=cookie_of(request, STATE_COOKIE, https=services.https),
    )


def _seal(request: Request, services: WebServices, visitor: Visitor | None) -> str:
    """What the form's token is made of: the session, or the browser's own key where there is none."""
    if visitor is not None and visitor.session is not None:
        return visitor.session
    return print_of(cookie_of(request, STATE_COOKIE, https=services.https) or "")


def _left(services: WebServices, answer: Response) -> Response:
    drop_cookie(answer, STATE_COOKIE, https=services.https)
    return answer
