"""Every error as problem details (RFC 9457), or as a plain page where a browser asks for one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from contracts.envelope import complaint
from contracts.errors import GrantRefused, SyncError, Transient
from service.cronofy.questions import AskedTooOften
from service.integrations.refusals import Conflict, FieldError, Invalid, Unknown
from service.telemetry.logs import EventName
from service.web.catalogue.told import told
from service.web.error_page import error_page
from service.web.paths import API_ROOT
from service.web.sessions import recognise

PROBLEM_TYPE = "application/problem+json"
WEB_FAILED: EventName = "web.failed"
_PLACES = frozenset({"body", "query", "path", "header", "cookie"})
log = structlog.get_logger(__name__)


class NoEntry(HTTPException):
    """401: nobody whom Vorex vouches for."""

    def __init__(self, detail: str = "Sign in through Vorex.") -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def problem_response(
    request: Request,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The answer that says what is wrong, in the form that the asker understands."""
    title = HTTPStatus(status).phrase
    if _is_browser(request):
        answer = error_page(request, status, detail)
        answer.headers.update(headers or {})
        return answer
    said = detail if request.url.path.startswith(API_ROOT) else told(detail)
    body = {"type": "about:blank", "title": title, "status": status, "detail": said, **more}
    return JSONResponse(body, status, headers, media_type=PROBLEM_TYPE)


def _is_browser(request: Request) -> bool:
    return not request.url.path.startswith(API_ROOT) and "text/html" in request.headers.get("Accept", "")


def invalid_response(request: Request, errors: Sequence[FieldError]) -> Response:
    """422 naming each field and the rule that it breaks."""
    detail = "; ".join(error.message for error in errors)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem_response(request, status, detail, errors=[asdict(error) for error in errors])


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _form)
    app.add_exception_handler(SyncError, _sync)
    app.add_exception_handler(AskedTooOften, _too_often)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(type(error).__name__)
    await recognise(request)
    cause = error.__cause__  # of FastAPI's 400 for a body that no reader of JSON can take in
    if isinstance(cause, RecursionError | ValueError):
        rule = "is nested too deeply" if isinstance(cause, RecursionError) else "cannot be read"
        return invalid_response(request, [FieldError(field="body", rule=rule, message=f"body: {rule}")])
    return problem_response(request, error.status_code, error.detail, headers=error.headers)


async def _form(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError(type(error).__name__)
    await recognise(request)
    return invalid_response(request, [_field_error(detail) for detail in error.errors()])


def _field_error(detail: Mapping[str, Any]) -> FieldError:
    place, *path = detail["loc"]
    if detail["type"] == "json_invalid":
        path = []
    known = complaint({**detail, "loc": path if place in _PLACES else detail["loc"]})
    return FieldError(field=known.field, rule=known.rule, message=str(known))


async def _sync(request: Request, error: Exception) -> Response:
    detail = str(error)
    if isinstance(error, Invalid):
        return invalid_response(request, error.errors)
    if isinstance(error, Unknown):
        return problem_response(request, HTTPStatus.NOT_FOUND, detail)
    if isinstance(error, Conflict):
        return problem_response(request, HTTPStatus.CONFLICT, detail, code=error.code)
    if isinstance(error, GrantRefused):
        return problem_response(request, HTTPStatus.CONFLICT, detail, code="not_connected")
    log.warning(WEB_FAILED, path=request.url.path, error=type(error).__name__, reason=detail)
    if isinstance(error, Transient):
        headers = {"Retry-After": str(max(1, round(error.retry_after or 5)))}
        return problem_response(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers)
    return problem_response(request, HTTPStatus.BAD_GATEWAY, detail)


async def _too_often(request: Request, error: Exception) -> Response:
    if not isinstance(error, AskedTooOften):
        raise TypeError(type(error).__name__)
    headers = {"Retry-After": str(math.ceil(error.retry_after))}
    return problem_response(request, HTTPStatus.TOO_MANY_REQUESTS, str(error), headers=headers)


def bug_response(request: Request, error: Exception) -> Response:
    """500 without a word of what went wrong, which may hold anything."""
    log.error(WEB_FAILED, path=request.url.path, error=type(error).__name__)
    return problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here.")
