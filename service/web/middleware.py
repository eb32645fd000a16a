"""What holds for every answer: strict security headers, and no body larger than a message."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.envelope import LARGEST_BODY
from service.integrations.refusals import FieldError
from service.web.catalogue import speaking
from service.web.cookies import forget_said
from service.web.locales import ENGLISH, Language, language_of
from service.web.pace.peoples_requests import give_back_place
from service.web.paths import API_ROOT
from service.web.problems import bug_response, invalid_response, problem_response

BODY_TOO_LARGE = 413
NO_ZERO = "must not contain U+0000"
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STATIC_PATH = "/static/"
KEPT_STATUSES = frozenset({200, 206, 304})
"""With which a file is answered; the page of an error greets whoever asked for it."""


class ResponseGuard:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, *, https: bool, framed: bool = False) -> None:
        """``framed``: pages of ours may show others of ours in a frame, as the demonstration does."""
        self._app = app
        self._more = {"Strict-Transport-Security": "max-age=31536000"} if https else {}
        if framed:
            policy = "Content-Security-Policy"
            itself = SECURITY_HEADERS[policy].replace("frame-ancestors 'none'", "frame-ancestors 'self'")
            self._more |= {policy: itself, "X-Frame-Options": "SAMEORIGIN"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with speaking(_language(scope)):
            try:
                await self._guard(scope, receive, send)
            finally:
                give_back_place(scope)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                of_all = scope["path"].startswith(STATIC_PATH) and message["status"] in KEPT_STATUSES
                self._add_headers(message, cached=of_all)
                if message["status"] == HTTPStatus.SEE_OTHER:
                    forget_said(Request(scope), MutableHeaders(scope=message))
            await send(message)

        try:
            app = self._app if (refusal := _unkept(scope)) is None else refusal
            await app(scope, _limited(receive), guarded)
        except ClientDisconnect:
            return  # whoever would hear of it is gone
        except Exception as error:
            if started:
                raise
            await bug_response(Request(scope), error)(scope, receive, guarded)

    def _add_headers(self, message: Message, *, cached: bool) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in {**SECURITY_HEADERS, **self._more}.items():
            headers.setdefault(name, value)
        if not cached:
            headers.setdefault("Cache-Control", "no-store")


def _language(scope: Scope) -> Language:
    """Of whoever is not known yet; programs are spoken to in English."""
    if scope["path"].startswith(API_ROOT):
        return ENGLISH
    return language_of(None, Headers(scope=scope).get("Accept-Language", ""))


def _unkept(scope: Scope) -> ASGIApp | None:
    """The answer to an address with U+0000, which no database keeps and nothing of ours is called by."""
    if "\0" in scope["path"]:
        return problem_response(Request(scope), HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
    if b"%00" in scope["query_string"]:
        wrong = FieldError(field="query", rule=NO_ZERO, message=f"query: {NO_ZERO}")
        return invalid_response(Request(scope), [wrong])
    return None


def _limited(receive: Receive) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY:
            raise HTTPException(BODY_TOO_LARGE, f"The body must be at most {LARGEST_BODY} bytes.")
        return message

    return limited
