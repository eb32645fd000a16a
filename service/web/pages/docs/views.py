"""The pages of the documentation, the pictures and the raw descriptions."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from itertools import chain
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from contracts.generate import SCHEMAS_FOLDER
from service.integrations.refusals import Unknown
from service.web.catalogue import gettext
from service.web.help_links import DOCS_PATH
from service.web.pages.docs.book import PICTURES_FOLDER, HandbookPage, handbook, neighbours, pictures
from service.web.pages.docs.finding import LONGEST_QUESTION, SearchedText, find_places
from service.web.pages.docs.reference import (
    API_TITLE,
    CHANNEL_ACTS,
    MESSAGES_TITLE,
    PLACES,
    ApiReference,
    MessagesReference,
    read_api,
    read_messages,
)
from service.web.pages.docs.schema_tables import schema_document
from service.web.rendering import render_page
from service.web.sessions import recognise

ASYNCAPI_FILE = "asyncapi.json"
KEPT_FOR = {"Cache-Control": "public, max-age=3600"}
"""What is the same for everybody, and changes with a version alone."""
router = APIRouter(prefix=DOCS_PATH, dependencies=[Depends(recognise)])


@router.get("")
async def show_start(request: Request) -> Response:
    """Where four kinds of people begin."""
    return _shown(request, "docs_start.html", gettext("Documentation"), at="start")


@router.get("/search")
async def search(request: Request, q: str = "") -> Response:
    """The sections in which the words stand, of handbook and descriptions alike."""
    question = q[:LONGEST_QUESTION]
    found = find_places(question, _texts(request))
    return _shown(request, "docs_search.html", gettext("Search"), question=question, found=found)


@router.get("/api")
async def show_api(request: Request) -> Response:
    """The API, from the description that it serves."""
    return _shown(
        request, "docs_api.html", gettext(API_TITLE), at="api", reference=_api(request), stands=PLACES
    )


@router.get("/messages")
async def show_messages(request: Request) -> Response:
    """The messages, from the document that ships with the contracts."""
    return _shown(
        request,
        "docs_messages.html",
        gettext(MESSAGES_TITLE),
        at="messages",
        reference=_messages(),
        does=CHANNEL_ACTS,
    )


@router.get("/schemas/{schema}")
async def schema_file(schema: str) -> Response:
    """A document of the contracts as it is; they lead to each other by their names."""
    try:
        schema_document(schema)
    except KeyError:
        raise Unknown("There is no such schema.") from None
    return FileResponse(SCHEMAS_FOLDER / schema, media_type="application/json", headers=KEPT_FOR)


@router.get("/pictures/{picture}")
async def picture_file(picture: str) -> Response:
    """A picture of the handbook."""
    if picture not in pictures():
        raise Unknown("There is no such picture.")
    return FileResponse(PICTURES_FOLDER / picture, headers=KEPT_FOR)


@router.get("/{page:path}")
async def show_page(request: Request, page: str) -> Response:
    """A page of the handbook; what is none leads to those in which its words stand."""
    plain = page.strip("/").removesuffix(".md")
    if not plain or (plain != page and plain in handbook()):
        address = f"{DOCS_PATH}/{plain}".rstrip("/")
        return RedirectResponse(address, HTTPStatus.PERMANENT_REDIRECT)
    if page not in handbook():
        found = find_places(page.replace("-", " "), _texts(request))
        return _shown(request, "docs_missing.html", gettext("No such page"), status=404, found=found[:5])
    before, after = neighbours(page)
    one = handbook()[page]
    return _shown(request, "docs_page.html", one.title, page=one, before=before, after=after)


def _shown(request: Request, template: str, title: str, *, status: int = 200, **values: Any) -> Response:
    pages: Sequence[HandbookPage] = list(handbook().values())
    return render_page(
        request,
        template,
        status=status,
        title=title,
        pages=pages,
        here="docs",
        longest=LONGEST_QUESTION,
        **values,
    )


def _api(request: Request) -> ApiReference:
    state = request.app.state
    if not hasattr(state, "api_reference"):
        state.api_reference = read_api(request.app.openapi())
    reference: ApiReference = state.api_reference
    return reference


@cache
def _messages() -> MessagesReference:
    return read_messages(schema_document(ASYNCAPI_FILE))


@cache
def _handbook_texts() -> Sequence[SearchedText]:
    return [
        SearchedText(
            page=page.title,
            title=section.title,
            address=f"{page.address}#{section.anchor}",
            text=section.text,
        )
        for page in handbook().values()
        for section in page.sections
    ]


def _texts(request: Request) -> Sequence[SearchedText]:
    return list(chain(_handbook_texts(), _api(request).texts(), _messages().texts()))
