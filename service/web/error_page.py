"""Every error as a page: a sentence, a way on, and what the person had entered (DESIGN 11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response
from starlette.datastructures import FormData

from service.web.passes import SESSION_COOKIE, BadToken, Passes, Visitor
from service.web.rendering import page

TOKEN_FIELD = "csrf_token"  # noqa: S105 -- a field's name
HEADINGS: Mapping[int, str] = {
    400: "That did not come from here",
    401: "Please sign in",
    403: "That was not allowed",
    404: "Nothing is here",
    405: "Nothing is here",
    409: "That is not possible now",
    413: "That is too long",
    422: "That cannot be read",
    500: "Something went wrong",
    502: "Cronofy refused",
    503: "Not just now",
}
SENTENCES: Mapping[int, str] = {
    400: "What came back from Cronofy belongs to nothing that was begun here, or was used before. "
    "Nothing was saved. Press Click to Connect on Calendar Sync once more.",
    401: "Sign in through Vorex.",
    413: "What was sent is longer than any form here can be. Nothing was saved.",
    500: "Something went wrong here, and it was noted. Nothing was saved. Try once more in a moment.",
    502: "Cronofy gave an answer that cannot be used, and it was noted. Try once more in a moment.",
    503: "What this page needs does not answer just now. Nothing is lost: open it again in a moment.",
}
"""Said to a person in place of what a program is told."""
_NO_PAGE = "There is no such page. The address may be mistyped, or what it showed was deleted."


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsent:
    """What somebody entered in a form of ours that could not be taken."""

    address: str
    fields: Sequence[tuple[str, str]]


def keep_unsent(request: Request, fields: FormData) -> None:
    """Offer it again on the error's page, where the browser vouches that the form was one of ours."""
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        return
    typed = [(name, value) for name, value in fields.multi_items() if isinstance(value, str)]
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    request.state.unsent = Unsent(address=address, fields=[one for one in typed if one[0] != TOKEN_FIELD])


def error_page(request: Request, status: int, detail: str) -> Response:
    """The page of that error, with the ways that are open to whoever asked."""
    phrase = HTTPStatus(status).phrase
    if getattr(request.state, "visitor", None) is None:
        request.state.visitor = _visitor(request)
    return page(
        request,
        "error.html",
        status=status,
        code=status,
        heading=HEADINGS.get(status, phrase),
        detail=SENTENCES.get(status, _NO_PAGE if detail == phrase else detail),
        unsent=getattr(request.state, "unsent", None),
        arriving=request.url.path == "/sign-in",
        sent=request.method != "GET",
    )


def _visitor(request: Request) -> Visitor | None:
    """Whom the cookie names, for the ways on alone; whoever is not let in is nobody."""
    passes: Passes = request.app.state.desk.passes
    try:
        return passes.session(request.cookies[SESSION_COOKIE])
    except (BadToken, KeyError):
        return None
