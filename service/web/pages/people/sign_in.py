"""The link with which Vorex signs its users in, and the way out."""

from contextlib import suppress
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from service.store.people import sessions as session_rows
from service.store.people.spent_tokens import is_spent, use_token
from service.web.cookies import drop_cookie, lay_cookie
from service.web.dependencies import Services, WebServices, check_revoked, session_cookie, unauthorized
from service.web.pages.form import PersonsForm
from service.web.pages.redirect import redirect_to
from service.web.paths import INTEGRATIONS_PATH, SIGNED_OUT_PATH
from service.web.rendering import render_page
from service.web.sessions import device_of, meet
from service.web.tokens import BEARER_LIFE, SESSION_COOKIE, SESSION_LIFE, BadToken, Visitor, VouchedToken

router = APIRouter()
_USED = "was used before"


@router.get("/sign-in")
async def sign_in(
    request: Request,
    services: Services,
    token: str = "",
    next: str = INTEGRATIONS_PATH,  # noqa: A002
) -> Response:
    """A session for whom Vorex vouches, once per link; 401 for every other token.

    Where somebody else is signed in here, it asks first and spends nothing; nor does a browser that
    only fetches ahead.
    """
    if _is_ahead(request):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    try:
        vouched = services.tokens.sign_in(token)
        present = await _present(request, services)
        if present is None or present.same(vouched.visitor):
            return await _entered(request, services, vouched, present, next)
        await _check_unspent(services, vouched)
    except BadToken as error:
        raise unauthorized(error) from None
    meet(request, present)
    return render_page(
        request, "sign_in_ask.html", newcomer=vouched.visitor, token=token, next=own_path(next)
    )


@router.post("/sign-in")
async def change_person(request: Request, services: Services, form: PersonsForm) -> Response:
    """The answer: this browser is somebody else's from now on. Only the page that asked can send it."""
    try:
        vouched = services.tokens.sign_in(form.text("token"))
        return await _entered(request, services, vouched, form.visitor, form.text("next"))
    except BadToken as error:
        raise unauthorized(error) from None


@router.post("/sign-out")
async def sign_out(services: Services, form: PersonsForm) -> Response:
    """End this session, here and in the store."""
    if form.visitor.session is not None:
        await services.sessions.end(form.visitor, form.visitor.session)
    answer = redirect_to(SIGNED_OUT_PATH)
    drop_cookie(answer, SESSION_COOKIE, https=services.https)
    return answer


@router.get(SIGNED_OUT_PATH)
async def signed_out(request: Request, services: Services) -> Response:
    """Says so, and leads back to Vorex; another site is no place for a form to lead to by itself."""
    return render_page(request, "signed_out.html", vorex_url=services.vorex_url)


def _is_ahead(request: Request) -> bool:
    """Whether the browser says that nobody has asked to see the page yet."""
    told = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"))
    return any("prefetch" in words.lower() or "preview" in words.lower() for words in told)


async def _present(request: Request, services: WebServices) -> Visitor | None:
    cookie = session_cookie(request)
    with suppress(BadToken):
        return await services.sessions.find(cookie) if cookie else None
    return None


async def _check_unspent(services: WebServices, vouched: VouchedToken) -> None:
    async with services.store.read() as connection:
        await check_revoked(connection, vouched)
        if await is_spent(connection, vouched.name or ""):
            raise BadToken(_USED)


async def _entered(
    request: Request, services: WebServices, vouched: VouchedToken, before: Visitor | None, wanted: str
) -> Response:
    """Spend the token, end the session that was here, and open a new one under a new key."""
    device = device_of(request.headers.get("User-Agent", ""))
    async with services.store.begin() as connection:
        now = await services.store.now(connection)
        await check_revoked(connection, vouched)
        # remembered for as long as any Bearer token of that id could live
        spent_until = now + BEARER_LIFE.total_seconds()
        if not await use_token(connection, vouched.name or "", expires_at=spent_until, now=now):
            raise BadToken(_USED)
        if before is not None and before.session is not None:
            await session_rows.end(connection, before.tenant_id, before.user_id, before.session)
        opened = services.sessions.open
        key = await opened(connection, vouched.visitor, device=device, issued_at=vouched.issued_at)
    answer = RedirectResponse(own_path(wanted), HTTPStatus.SEE_OTHER)
    lay_cookie(answer, SESSION_COOKIE, key, life=SESSION_LIFE, https=services.https)
    return answer


def own_path(wanted: str) -> str:
    """The path where it leads to a page of ours, else the first page: never to another site."""
    odd = "\\" in wanted or any(not "!" <= character <= "~" for character in wanted)
    if not wanted.startswith("/") or wanted.startswith("//") or odd:
        return INTEGRATIONS_PATH
    return wanted
