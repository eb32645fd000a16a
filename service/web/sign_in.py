"""The link with which Vorex signs its users in."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from service.web.cookies import lay_cookie
from service.web.dependencies import Services, spend_token, unauthorized
from service.web.paths import INTEGRATIONS_PATH
from service.web.tokens import SESSION_COOKIE, SESSION_LIFE, BadToken

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def sign_in(services: Services, token: str = "", next: str = INTEGRATIONS_PATH) -> RedirectResponse:  # noqa: A002
    """A session for whom Vorex vouches, once per link; 401 for every other token."""
    try:
        pass_ = services.tokens.sign_in(token)
        await spend_token(services, pass_)
    except BadToken as error:
        raise unauthorized(error) from None
    answer = RedirectResponse(own_path(next), HTTPStatus.SEE_OTHER)
    session = services.tokens.open_session(pass_.visitor)
    lay_cookie(answer, SESSION_COOKIE, session, life=SESSION_LIFE, https=services.https)
    return answer


def own_path(wanted: str) -> str:
    """The path where it leads to a page of ours, else the first page: never to another site."""
    odd = "\\" in wanted or any(not "!" <= character <= "~" for character in wanted)
    if not wanted.startswith("/") or wanted.startswith("//") or odd:
        return INTEGRATIONS_PATH
    return wanted
