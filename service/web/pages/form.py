"""Who opens a page, and who sends a form: the form's token vouches for the session it was made in."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from contracts.limits import MOST_DIGITS
from service.web.catalogue import gettext
from service.web.dependencies import check_pace, services_of, session_cookie, session_visitor, visitor_of
from service.web.error_page import TOKEN_FIELD, keep_unsent
from service.web.problems import NoEntry
from service.web.sessions import greet
from service.web.tokens import Visitor

FieldErrors = dict[str, str]
"""A sentence beside each field that cannot stay so."""

MOST_FIELDS = 1_000
FORM_EXPIRED = "This form was opened in an earlier session, so nothing was done."

FORM_CHARSETS = frozenset({"", "utf-8"})
"""Others name any codec of Python's, of which some take quadratic time or make half characters."""
OPEN_FORM_AGAIN = "This form was opened in an earlier session, so nothing was done. Open the page again."


def text_of(fields: FormData, name: str) -> str:
    """The field's text, a file's never; lines end as on every other way in."""
    value = fields.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FormSubmission:
    """A form that this person sent from a page of ours."""

    visitor: Visitor
    fields: FormData

    def text(self, name: str) -> str:
        """The field's text, a file's never; lines end as on every other way in."""
        return text_of(self.fields, name)

    def number(self, name: str) -> int | None:
        """The field as a whole number from 0; None where it is none that anything here can reach."""
        given = self.text(name)
        sane = given.isascii() and given.isdecimal() and len(given) <= MOST_DIGITS
        return int(given) if sane else None

    def checked(self, name: str) -> bool:
        return name in self.fields

    def boxes(self, names: Mapping[str, str]) -> dict[str, bool]:
        """Which of these boxes are checked; a browser sends nothing for the others."""
        return {name: self.checked(name) for name in names}


async def _guest(request: Request) -> Visitor:
    visitor = await visitor_of(request)
    await greet(request, visitor)
    return visitor


def form_to(
    act: str = "", *, steering: tuple[str, ...] = (), paced: bool = True
) -> Callable[[Request], Awaitable[FormSubmission]]:
    """Who takes in a form; one in which something is typed names its act, and outlives what goes wrong.

    No other is handed back: an act that nobody reads beside its button is done for nobody. What is not
    ``paced`` is no change of anything, and never too much.
    """

    def kept(request: Request, fields: FormData) -> bool:
        return bool(act) and keep_unsent(request, act, fields, steering=steering)

    async def sent(request: Request) -> FormSubmission:
        ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
        try:
            visitor = await _sender(request)
        except NoEntry:
            if act and ours:
                with suppress(HTTPException):
                    kept(request, await form_fields(request))
            raise
        await greet(request, visitor)
        form = FormSubmission(visitor=visitor, fields=await form_fields(request))
        vouched = _vouched(request, form)
        offered = (vouched or ours) and kept(request, form.fields)
        if not vouched:
            said = gettext(FORM_EXPIRED) if offered else gettext(OPEN_FORM_AGAIN)
            raise HTTPException(HTTPStatus.FORBIDDEN, said)
        if paced:
            await check_pace(services_of(request), visitor)
        return form

    return sent


async def form_fields(request: Request) -> FormData:
    """What was sent, in the only charset that a page of ours sends; 415 for every other.

    No form of ours takes a file: 400 for one that brings some, or more fields than a page can have.
    """
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    if options.get(b"charset", b"").decode("latin-1").lower() not in FORM_CHARSETS:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A form must be sent as UTF-8.")
    if kind == b"application/x-www-form-urlencoded":
        await _check_separators(request)
    return await request.form(max_files=0, max_fields=MOST_FIELDS)


async def _check_separators(request: Request) -> None:
    """The parser reads fields without a name uncounted, and slowly."""
    if (await request.body()).count(b"&") > MOST_FIELDS:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"A form has at most {MOST_FIELDS} fields.")


def _vouched(request: Request, form: FormSubmission) -> bool:
    session = form.visitor.session
    return session is None or services_of(request).tokens.is_form_token(session, form.text(TOKEN_FIELD))


async def _sender(request: Request) -> Visitor:
    """Whoever the cookie names: a page's form proves its origin by its token, not by a header."""
    if session_cookie(request) is None or "Authorization" in request.headers:
        return await visitor_of(request)
    return await session_visitor(request)


PageVisitor = Annotated[Visitor, Depends(_guest)]
SentForm = Annotated[FormSubmission, Depends(form_to())]
PersonsForm = Annotated[FormSubmission, Depends(form_to(paced=False))]
"""About who is signed in here: nobody is kept from going."""
