"""The OpenAPI description as it is served, in a form that generators and linters take without a word."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from service.web.problems import PROBLEM_TYPE
from service.web.tokens import SESSION_COOKIE

FIRST_ERROR_STATUS = 400
SESSION_SCHEME = "Session"
_BEARER_SCHEME = "HTTPBearer"
_LISTED = re.compile(r"Listed_(?P<row>[A-Za-z]+?)(Shape)?_+")
_ITEM_LIST = "Listed_Annotated_dict_str__Any___WithJsonSchema__"
_SCHEMAS_AT = "#/components/schemas/"
_ABOUT = (
    "Everything that a person does in the pages of Vorex Calendar Sync, and what operators do, as JSON. "
    "Lists are paged: `next` of one page is `after` of the following one. Every error is problem details "
    "(RFC 9457). A person makes at most 60 changes a minute and 600 an hour; then 429 says when to go on."
)
_TAGS: Mapping[str, str] = {
    "integrations": "Connections of a person to a linked calendar, their settings and questions.",
    "runs": "Syncs that a person starts.",
    "logs": "What happened, entry by entry.",
    "my calendar": "Items of My Calendar.",
    "dead letters": "Messages that could not be processed; for operators.",
    "operations": "How everything stands; for operators.",
    "questions": "What technicians did with service calls, for dispatchers to answer.",
    "leavers": "People who left, and the signed record of what was removed; for administrators.",
    "company calendar": "One permission for all people of a domain; for administrators.",
    "weather": "Which calendar providers are slow or failing for many.",
    "sessions": "Signing out.",
}
_SCHEMES: Mapping[str, Mapping[str, str]] = {
    _BEARER_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token that Vorex signs (HS256) with sub, tenant and exp, for 24 hours at most.",
    },
    SESSION_SCHEME: {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "The session of a person who signed in; over https its name begins with `__Host-`.",
    },
}


def operation_id(route: APIRoute) -> str:
    """Short: the verb as the code calls it."""
    return route.name


def describe(app: FastAPI) -> None:
    """Have the application serve its description so."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    setattr(app, "openapi", described)  # noqa: B010 -- FastAPI's own way, which types forbid


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_ABOUT,
        contact={"name": "Whoever runs this service"},
        servers=[{"url": "/", "description": "This installation"}],
        tags=[{"name": name, "description": about} for name, about in _TAGS.items()],
        routes=app.routes,
    )
    document["components"]["securitySchemes"] = _SCHEMES
    for operation in _operations(document):
        operation["security"] = [{name: []} for name in _SCHEMES]
    named: dict[str, Any] = _renamed(_with_problems(document))
    return named


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for verbs in document["paths"].values():
        yield from verbs.values()


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    for operation in _operations(document):
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            is_error = status.isdecimal() and int(status) >= FIRST_ERROR_STATUS
            if is_error and "application/json" in content:
                content[PROBLEM_TYPE] = content.pop("application/json")
    return document


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Pages are called for what they list, and forms that stand in several places are said once."""
    hoisted: dict[str, Any] = {}
    document = _hoisting(document, hoisted)
    schemas = document["components"]["schemas"] | hoisted
    document["components"]["schemas"] = {
        _name(old): _titled(_name(old), schema) for old, schema in sorted(schemas.items())
    }
    pointed: dict[str, Any] = _pointed(document)
    return pointed


def _name(old: str) -> str:
    if old == _ITEM_LIST:
        return "ItemList"
    listed = _LISTED.fullmatch(old)
    return f"{listed['row']}List" if listed else old.removesuffix("Shape")


def _titled(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "title": name}


def _hoisting(form: Any, hoisted: dict[str, Any]) -> Any:
    """The same without schemas inside that have a name of their own and stand elsewhere, too."""
    if isinstance(form, list):
        return [_hoisting(one, hoisted) for one in form]
    if not isinstance(form, dict):
        return form
    if str(form.get("title")) in {"Item", "AppointmentForm"} and "properties" in form:
        hoisted[form["title"]] = {
            name: one for name, one in form.items() if name not in {"examples", "example"}
        }
        return {"$ref": f"{_SCHEMAS_AT}{form['title']}"}
    return {name: _hoisting(one, hoisted) for name, one in form.items()}


def _pointed(form: Any) -> Any:
    if isinstance(form, list):
        return [_pointed(one) for one in form]
    if not isinstance(form, dict):
        return form
    return {
        name: f"{_SCHEMAS_AT}{_name(one.removeprefix(_SCHEMAS_AT))}"
        if name == "$ref" and isinstance(one, str)
        else _pointed(one)
        for name, one in form.items()
    }
