"""How an administrator opens an Exchange server for Calendar Sync (G19)."""

from fastapi import APIRouter, Request, Response

from service.web.pages.leading import LIST
from service.web.pages.people import Guest
from service.web.rendering import page

router = APIRouter(prefix=LIST)


@router.get("/exchange-help")
async def exchange_help(request: Request, visitor: Guest) -> Response:  # noqa: ARG001 -- who may read it
    return page(request, "exchange_help.html", here="calendar-sync")
