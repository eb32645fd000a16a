"""Both calendars side by side, with a dispatcher's panel: part of ``up --demo`` and of nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fastapi import APIRouter, Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import ChoiceLoader, FileSystemLoader
from starlette.routing import BaseRoute

from service.demo.vorex import Dispatcher, DispatcherAct
from service.integrations.views import list_integrations
from service.store.engine.store import Store
from service.web.dependencies import Services, WebServices
from service.web.middleware import SECURITY_HEADERS
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.redirect import redirect_to
from service.web.rendering import TEMPLATES, render_page
from service.web.tokens import Visitor

STAGE_PATH = "/demo"
STAGE_NOTICES = {
    "assign": "Vorex published: a service call was assigned to you.",
    "reassign": "Vorex published: the service call went to Alex.",
    "take_back": "Vorex published: the service call came back to you.",
    "complete": "Vorex published: the service call is completed.",
    "delete": "Vorex published: the service call was deleted.",
}
_FOLDER = FileSystemLoader(Path(__file__).parent / "templates")
_LOADERS = [_FOLDER, *filter(None, [TEMPLATES.env.loader])]
_AMONG = Jinja2Templates(env=TEMPLATES.env.overlay(loader=ChoiceLoader(_LOADERS)))


class Stage:
    """Its page and its verb; ``simulator`` is the address of the provider's side."""

    def __init__(self, simulator: str) -> None:
        self._simulator = simulator
        self._dispatchers: dict[int, Dispatcher] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """To be served beside the pages."""
        router = APIRouter(prefix=STAGE_PATH, include_in_schema=False)
        router.add_api_route("", self.show, methods=["GET"])
        router.add_api_route("/vorex", self.publish, methods=["POST"])
        return router.routes

    async def show(
        self, request: Request, services: Services, visitor: PageVisitor, *, notice: str = ""
    ) -> Response:
        """My Calendar on the one side, the linked calendar on the other."""
        calendar_id = await _linked(services, visitor)
        answer = render_page(
            request,
            "stage.html",
            among=_AMONG,
            calls=await self._dispatcher(services.store).calls(visitor.person),
            linked=f"{self._simulator}/owner/{calendar_id}" if calendar_id else self._simulator,
            notice=STAGE_NOTICES.get(notice),
            here="demo",
        )
        policy = SECURITY_HEADERS["Content-Security-Policy"]
        answer.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self' {self._simulator}"
        return answer

    async def publish(self, services: Services, form: SentForm) -> Response:
        """What the dispatcher does in Vorex."""
        dispatcher, person = self._dispatcher(services.store), form.visitor.person
        act = form.text("act")
        if act == "assign":
            await dispatcher.assign(person)
        else:
            known = next((word for word in get_args(DispatcherAct) if word == act), None)
            if known is None:
                return redirect_to(STAGE_PATH)
            await dispatcher.change(person, form.text("call"), known)
        return redirect_to(STAGE_PATH, notice=act)

    def _dispatcher(self, store: Store) -> Dispatcher:
        return self._dispatchers.setdefault(id(store), Dispatcher(store=store))


async def _linked(services: WebServices, visitor: Visitor) -> str | None:
    """The person's first linked calendar."""
    listed = await list_integrations(services.store, visitor.person.owner, limit=1)
    return listed.rows[0].integration.calendar_id if listed.rows else None
