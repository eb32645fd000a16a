"""Signing out everywhere as JSON."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from service.web.cookies import drop_cookie
from service.web.dependencies import Services, visitor_of
from service.web.tokens import SESSION_COOKIE, Visitor

router = APIRouter(prefix="/sessions", tags=["sessions"])


@router.delete("", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def end_sessions(services: Services, visitor: Annotated[Visitor, Depends(visitor_of)]) -> Response:
    """End all sessions and tokens of the person whom cookie or Bearer token names, that token too (R45)."""
    await services.sessions.end_all(visitor)
    answer = Response(status_code=HTTPStatus.NO_CONTENT)
    drop_cookie(answer, SESSION_COOKIE, https=services.https)
    return answer
