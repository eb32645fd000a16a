"""Routes that answer the methods they name and no other."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]


def route(path: str, endpoint: Endpoint, *, methods: tuple[str, ...] = ("GET",)) -> Route:
    """Starlette's own, which would take a HEAD for a GET: a button that is pressed, a request that counts."""
    made = Route(path, endpoint, methods=list(methods))
    made.methods = set(methods)
    return made
