"""To Cronofy and back: the person's permission becomes an integration (G5)."""

import hashlib
import hmac
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from contracts.errors import GrantRefused
from service.web.cookies import cookie_of, drop_cookie, lay_cookie
from service.web.dependencies import Services, SignedInVisitor, WebServices, spend_token, visitor_of
from service.web.paths import CALLBACK_PATH
from service.web.problems import NoEntry
from service.web.tokens import STATE_LIFE, BadToken, OneTimeToken, Visitor

STATE_COOKIE = "calendar_sync_state"
ACCESS_REFUSED_PATH = "/calendar-sync?notice=refused"
router = APIRouter(include_in_schema=False)


@router.get("/calendar-sync/connect")
async def connect(services: Services, visitor: SignedInVisitor) -> Response:
    """Send the person to Cronofy with a state that only this browser can bring back."""
    state = services.tokens.open_state(visitor)
    answer = RedirectResponse(services.integrations.authorize_url(state), HTTPStatus.SEE_OTHER)
    lay_cookie(answer, STATE_COOKIE, _fingerprint(state), life=STATE_LIFE, https=services.https)
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
    """The permission becomes an integration, or nothing is saved; a state is good once."""
    began = cookie_of(request, STATE_COOKIE, https=services.https) or ""
    pass_ = await _returned(request, services, state, began)
    if error:
        return _to(services, ACCESS_REFUSED_PATH)
    if not code:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "code: is required")
    try:
        integration_id = await services.integrations.connect(pass_.visitor.person, code)
    except GrantRefused:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "code: is unknown or was used before") from None
    return _to(services, f"/calendar-sync/{integration_id}/settings/linked-calendar")


async def _returned(request: Request, services: WebServices, state: str, began: str) -> OneTimeToken:
    try:
        pass_ = services.tokens.state(state)
        _check_starter(pass_.visitor, _visitor_or_none(request), state, began)
        await spend_token(services, pass_)
    except BadToken as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"state: {error}") from None
    return pass_


def _check_starter(starter: Visitor, visitor: Visitor | None, state: str, began: str) -> None:
    """Who comes back is who began: else a stranger's permission could be led to one's own list."""
    known = (
        visitor.same(starter)
        if visitor is not None
        else hmac.compare_digest(_fingerprint(state).encode(), began.encode())
    )
    if not known:
        raise BadToken("was given to someone else")


def _visitor_or_none(request: Request) -> Visitor | None:
    try:
        return visitor_of(request)
    except NoEntry:
        return None


def _fingerprint(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _to(services: WebServices, address: str) -> Response:
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    drop_cookie(answer, STATE_COOKIE, https=services.https)
    return answer
