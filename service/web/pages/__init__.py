"""The pages: server-rendered, usable without script, each verb the API's own.

No page decides anything that its route in ``api`` does not.
"""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from service.web.pages import (
    agreement,
    docs,
    integrations,
    logs,
    mirror,
    operators,
    people,
    questions,
    tenant,
    watching,
    wizard,
)
from service.web.pages.calendar import appointments, clock_changes, views

router = APIRouter(include_in_schema=False)


@router.get("/")
async def first_page() -> Response:
    return RedirectResponse("/calendar-sync", HTTPStatus.SEE_OTHER)


for _part in (
    people,
    questions,
    integrations,
    agreement,
    watching,
    mirror,
    views,
    clock_changes,
    appointments,
    logs,
    wizard,
    operators,
    tenant,
    docs,
):
    router.include_router(_part.router)
