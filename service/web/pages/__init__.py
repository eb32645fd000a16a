"""The pages: server-rendered, usable without script, each verb the API's own.

No page decides anything that its route in ``api`` does not.
"""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from service.web.pages import dead_letters, integrations, logs, my_calendar, operations, wizard

router = APIRouter(include_in_schema=False)


@router.get("/")
async def first_page() -> Response:
    return RedirectResponse("/calendar-sync", HTTPStatus.SEE_OTHER)


for _part in (integrations, my_calendar, logs, wizard, dead_letters, operations):
    router.include_router(_part.router)
