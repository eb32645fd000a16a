"""The link with which Vorex signs its users in (DESIGN 11)."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from service.web.dependencies import AtDesk, refused, spend
from service.web.tokens import SESSION_COOKIE, SESSION_LIFE, BadToken

FIRST_PAGE = "/calendar-sync"
router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def sign_in(desk: AtDesk, token: str = "", next: str = FIRST_PAGE) -> RedirectResponse:  # noqa: A002
    """A session for whom Vorex vouches, once per link; 401 for every other token."""
    try:
        pass_ = desk.passes.sign_in(token)
        await spend(desk, pass_)
    except BadToken as error:
        raise refused(error) from None
    answer = RedirectResponse(own_path(next), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        SESSION_COOKIE,
        desk.passes.open_session(pass_.visitor),
        max_age=int(SESSION_LIFE.total_seconds()),
        path="/",
        secure=desk.https,
        httponly=True,
        samesite="lax",
    )
    return answer


def own_path(wanted: str) -> str:
    """The path where it leads to a page of ours, else the first page: never to another site."""
    odd = "\\" in wanted or any(not "!" <= character <= "~" for character in wanted)
    if not wanted.startswith("/") or wanted.startswith("//") or odd:
        return FIRST_PAGE
    return wanted
