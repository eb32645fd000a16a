"""The OpenAPI description as it is served: every error as problem details (RFC 9457)."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.web.problems import PROBLEM_TYPE

FIRST_ERROR_STATUS = 400


def describe(app: FastAPI) -> None:
    """Have the application serve its description so."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(
                get_openapi(title=app.title, version=app.version, routes=app.routes)
            )
        return app.openapi_schema

    setattr(app, "openapi", described)  # noqa: B010 -- FastAPI's own way, which types forbid


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    for response in _errors(document):
        content = response.get("content", {})
        if "application/json" in content:
            content[PROBLEM_TYPE] = content.pop("application/json")
    return document


def _errors(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for verbs in document["paths"].values():
        for operation in verbs.values():
            for status, response in operation["responses"].items():
                if status.isdecimal() and int(status) >= FIRST_ERROR_STATUS:
                    yield response
