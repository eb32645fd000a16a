"""What holds for every answer: strict security headers, and no body larger than a message."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.envelope import LARGEST_BODY
from service.web.problems import bug_response

BODY_TOO_LARGE = 413
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
        received, started = 0, False

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise HTTPException(BODY_TOO_LARGE, f"The body must be at most {LARGEST_BODY} bytes.")
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(message, cached=scope["path"].startswith(STATIC_PATH))
            await send(message)

        try:
            await self._app(scope, limited, guarded)
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
