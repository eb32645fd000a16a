"""Cookies as they are laid down and read back: never by script, and under https by this host alone."""

import hashlib
from datetime import timedelta
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import MutableHeaders

SAID_COOKIE = "calendar_sync_said"
"""A print of the address that has said its notice: so that it is said once, also without script."""
SAID_LIFE = timedelta(hours=12)
_SAYING = ("notice", "complaint")
_SILENT: dict[str, Any] = {"notice": None, "complaint": None, "undo": None}


def cookie_name(name: str, *, https: bool, path: str = "/") -> str:
    """Under https a name that a browser lets only this very host set, and only securely.

    Without https, or beside a neighbour of the same domain, anybody could plant one of the plain name.
    """
    if not https:
        return name
    return f"__Host-{name}" if path == "/" else f"__Secure-{name}"


def lay_cookie(
    answer: Response, name: str, value: str, *, life: timedelta, https: bool, path: str = "/"
) -> None:
    """Sent back with requests to this path, and not with forms and scripts of other sites."""
    answer.set_cookie(
        cookie_name(name, https=https, path=path),
        value,
        max_age=int(life.total_seconds()),
        path=path,
        secure=https,
        httponly=True,
        samesite="lax",
    )


def cookie_of(request: Request, name: str, *, https: bool, path: str = "/") -> str | None:
    """What was laid down under that name for that path."""
    return request.cookies.get(cookie_name(name, https=https, path=path))


def drop_cookie(answer: Response, name: str, *, https: bool, path: str = "/") -> None:
    answer.delete_cookie(
        cookie_name(name, https=https, path=path), path=path, secure=https, httponly=True, samesite="lax"
    )


def left_unsaid(request: Request) -> dict[str, Any]:
    """What a page leaves out where its address has said it before, and nothing was done since."""
    kept = cookie_of(request, SAID_COOKIE, https=_https(request)) if _says(request) else None
    return _SILENT if kept == _print(request) else {}


def note_said(request: Request, answer: Response) -> None:
    """Keep that this address has said its notice."""
    if _says(request):
        lay_cookie(answer, SAID_COOKIE, _print(request), life=SAID_LIFE, https=_https(request))


def forget_said(request: Request, headers: MutableHeaders) -> None:
    """Whoever is led on after something was done is told of it, even in the same words as before."""
    if cookie_of(request, SAID_COOKIE, https=_https(request)) is not None:
        answer = Response()
        drop_cookie(answer, SAID_COOKIE, https=_https(request))
        headers.append("Set-Cookie", answer.headers["Set-Cookie"])


def _says(request: Request) -> bool:
    return any(name in request.query_params for name in _SAYING)


def _print(request: Request) -> str:
    return hashlib.sha256(f"{request.url.path}?{request.url.query}".encode()).hexdigest()[:32]


def _https(request: Request) -> bool:
    return bool(request.app.state.services.https)
