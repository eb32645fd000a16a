"""Every error as a page: a sentence, a way on, and what the person had entered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response
from starlette.datastructures import FormData

from service.web.catalogue import Texts, gettext
from service.web.catalogue.told import told
from service.web.paths import CALLBACK_PATH
from service.web.rendering import render_page

TOKEN_FIELD = "csrf_token"  # noqa: S105 -- a field's name
ERROR_HEADINGS: Mapping[int, str] = Texts(
    {
        400: "That cannot be read",
        401: "Please sign in",
        403: "That was not allowed",
        404: "Nothing is here",
        405: "Nothing is here",
        409: "That is not possible now",
        413: "That is too long",
        415: "That cannot be read",
        422: "That cannot be read",
        429: "That was too much at once",
        500: "Something went wrong",
        502: "Cronofy refused",
        503: "Not just now",
    }
)
ERROR_SENTENCES: Mapping[int, str] = Texts(
    {
        400: "What was sent cannot be read, so nothing was done. Go back and send it once more.",
        401: "Sign in through Vorex.",
        413: "What was sent is longer than any form here can be. Nothing was saved.",
        500: "Something went wrong here, and it was noted. Try once more in a moment.",
        502: "Cronofy gave an answer that cannot be used, and it was noted. Try once more in a moment.",
        503: "What this page needs does not answer just now. Open it again in a moment.",
    }
)
"""Said to a person in place of what a program is told."""
FORM_SENTENCES: Mapping[int, str] = Texts(
    {
        500: "Something went wrong here, and it was noted. "
        "Look whether it was done before you send it again.",
        503: "What this needs does not answer just now, so it may not have been done. "
        "Go back and send it again in a moment.",
    }
)
"""The same where a form was sent: how far it came is not known."""
STATUSES_TO_SEND_AGAIN = frozenset({401, 403, 429, 502, 503})
"""Where the same form may go well a moment later, and has done nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnsentForm:
    """What somebody typed in a form of ours that could not be taken."""

    act: str
    """What sending it does, as its button says it."""
    address: str
    fields: Sequence[tuple[str, str]]


def keep_unsent(request: Request, act: str, fields: FormData, *, steering: Collection[str] = ()) -> bool:
    """Offer it again on the error's page, unless nothing was typed; the caller knows the form for ours.

    ``steering`` are fields that choose what is done with the others.
    """
    typed = [(name, value) for name, value in fields.multi_items() if isinstance(value, str)]
    kept = [one for one in typed if one[0] != TOKEN_FIELD and one[0] not in steering]
    if kept:
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        request.state.unsent = UnsentForm(act=gettext(act), address=address, fields=kept)
    return bool(kept)


def error_page(request: Request, status: int, detail: str) -> Response:
    """The page of that error, with the ways that are open to whoever asked."""
    unsent = getattr(request.state, "unsent", None) if status in STATUSES_TO_SEND_AGAIN else None
    heading, sentence = _said(request, status, detail, kept=unsent is not None)
    return render_page(
        request,
        "error.html",
        status=status,
        code=status,
        heading=heading,
        detail=sentence,
        unsent=unsent,
        arriving=request.url.path == "/sign-in",
        sent=_sent(request),
        vorex_url=request.app.state.services.vorex_url,
    )


def _said(request: Request, status: int, detail: str, *, kept: bool) -> tuple[str, str]:
    phrase = HTTPStatus(status).phrase
    if status == HTTPStatus.BAD_REQUEST and request.url.path == CALLBACK_PATH:
        return gettext("That did not come from here"), gettext(
            "What came back from Cronofy belongs to nothing that was begun here, or was used before. "
            "Nothing was saved. Press Click to Connect on Calendar Sync once more."
        )
    said = told(detail)
    if detail == phrase:
        said = gettext("There is no such page. The address may be mistyped, or what it showed was deleted.")
    sentence = ERROR_SENTENCES.get(status, said)
    if _sent(request):
        sentence = FORM_SENTENCES.get(status, sentence)
    if kept and status == HTTPStatus.SERVICE_UNAVAILABLE:
        sentence = gettext("What this needs does not answer just now. Send it again in a moment.")
    return ERROR_HEADINGS.get(status, phrase), sentence


def _sent(request: Request) -> bool:
    return request.method not in {"GET", "HEAD"}
