"""Who opens a page, and who sends a form: the form's token vouches for the session it was made in."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from service.web.dependencies import services_of, session_cookie, unauthorized, visitor_of
from service.web.error_page import TOKEN_FIELD, keep_unsent
from service.web.problems import NoEntry
from service.web.tokens import BadToken, Visitor

FieldErrors = dict[str, str]
"""A sentence beside each field that cannot stay so."""

FORM_EXPIRED = "This form was opened in an earlier session, so nothing was done."
OPEN_FORM_AGAIN = f"{FORM_EXPIRED} Open the page again."


@dataclass(frozen=True, kw_only=True, slots=True)
class FormSubmission:
    """A form that this person sent from a page of ours."""

    visitor: Visitor
    fields: FormData

    def text(self, name: str) -> str:
        """The field's text, a file's never; lines end as on every other way in."""
        value = self.fields.get(name)
        return value.replace("\r\n", "\n") if isinstance(value, str) else ""

    def checked(self, name: str) -> bool:
        return name in self.fields

    def boxes(self, names: Mapping[str, str]) -> dict[str, bool]:
        """Which of these boxes are checked; a browser sends nothing for the others."""
        return {name: self.checked(name) for name in names}


def _guest(request: Request) -> Visitor:
    visitor = visitor_of(request)
    request.state.visitor = visitor
    return visitor


def form_to(
    act: str = "", *, steering: tuple[str, ...] = ()
) -> Callable[[Request], Awaitable[FormSubmission]]:
    """Who takes in a form; one in which something is typed names its act, and outlives what goes wrong.

    No other is handed back: an act that nobody reads beside its button is done for nobody.
    """

    def kept(request: Request, fields: FormData) -> bool:
        return bool(act) and keep_unsent(request, act, fields, steering=steering)

    async def sent(request: Request) -> FormSubmission:
        ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
        try:
            visitor = _sender(request)
        except NoEntry:
            if act and ours:
                with suppress(HTTPException):
                    kept(request, await request.form())
            raise
        request.state.visitor = visitor
        form = FormSubmission(visitor=visitor, fields=await request.form())
        vouched = _vouched(request, form)
        offered = (vouched or ours) and kept(request, form.fields)
        if not vouched:
            raise HTTPException(HTTPStatus.FORBIDDEN, FORM_EXPIRED if offered else OPEN_FORM_AGAIN)
        return form

    return sent


def _vouched(request: Request, form: FormSubmission) -> bool:
    session = form.visitor.session
    return session is None or services_of(request).tokens.is_form_token(session, form.text(TOKEN_FIELD))


def _sender(request: Request) -> Visitor:
    """Whoever the cookie names: a page's form proves its origin by its token, not by a header."""
    cookie = session_cookie(request)
    if cookie is None or "Authorization" in request.headers:
        return visitor_of(request)
    try:
        return services_of(request).tokens.session(cookie)
    except BadToken as error:
        raise unauthorized(error) from None


PageVisitor = Annotated[Visitor, Depends(_guest)]
SentForm = Annotated[FormSubmission, Depends(form_to())]
