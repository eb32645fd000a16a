"""The pages of DESIGN 11: server-rendered, usable without script, each verb the API's own."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from service.web.pages import calendar, exchange, letters, listing, logs, operations, wizard

router = APIRouter(include_in_schema=False)


@router.get("/")
async def first_page() -> Response:
    return RedirectResponse("/calendar-sync", HTTPStatus.SEE_OTHER)


for _part in (exchange, calendar, listing, logs, wizard, letters, operations):
    router.include_router(_part.router)
