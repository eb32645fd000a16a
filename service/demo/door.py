"""The way into the demonstration that always works: fresh links for its people, on this machine alone."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import ChoiceLoader, FileSystemLoader
from starlette.routing import BaseRoute

from service.integrations.refusals import Unknown
from service.web.rendering import TEMPLATES, render_page

DOOR_PATH = "/demo/door"
DOORS = (
    ("My Calendar", "What is yours in Vorex: month, week, day and agenda.", "/my-calendar", "user"),
    ("Both calendars side by side", "Change something on either side, watch the other.", "/demo", "user"),
    ("Calendar Sync", "Connect a calendar, choose what crosses, see what did.", "/calendar-sync", "user"),
    (
        "Administration", "Everybody's calendars, the company calendar, people who left.",
        "/administration", "administrator",
    ),
    (
        "Operations and dead letters", "How the service does, and what needs a person.",
        "/operations", "operator",
    ),
)  # fmt: skip
"""What each link opens, what there is to see, where, and in which role."""
_LOADERS = [FileSystemLoader(Path(__file__).parent / "templates"), *filter(None, [TEMPLATES.env.loader])]
_AMONG = Jinja2Templates(env=TEMPLATES.env.overlay(loader=ChoiceLoader(_LOADERS)))

SignInToken = Callable[[str], str]
"""Signs somebody in once, in that role."""


class Door:
    """Its page; ``token`` makes what each of its links needs."""

    def __init__(self, token: SignInToken) -> None:
        self._token = token

    def routes(self) -> Sequence[BaseRoute]:
        """To be served beside the pages."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(DOOR_PATH, self.show, methods=["GET"])
        return router.routes

    async def show(self, request: Request) -> Response:
        """Links that each work once; whoever is elsewhere, or led here under another name, finds none."""
        near = _is_loopback(request.client.host if request.client else "")
        if not (near and _names_loopback(request)) or _is_forwarded(request):
            raise Unknown("There is no such page.")
        links = [(word, told, self._link(page, role)) for word, told, page, role in DOORS]
        answer = render_page(request, "door.html", among=_AMONG, links=links, here="demo")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _link(self, page: str, role: str) -> str:
        return f"/sign-in?{urlencode({'token': self._token(role), 'next': page})}"


def _names_loopback(request: Request) -> bool:
    """Another name that leads here belongs to somebody else's page."""
    try:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_forwarded(request: Request) -> bool:
    """A proxy is near, whoever sent it need not be."""
    return any(name == "forwarded" or name.startswith("x-forwarded-") for name in request.headers)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
