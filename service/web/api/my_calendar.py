"""My Calendar's items as JSON."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from pydantic import WithJsonSchema

from contracts.fields import Identifier
from service.integrations.ownership import Person
from service.integrations.refusals import Unknown
from service.store.engine.paging import Page
from service.web.api.item_schema import answered_item_schema, given_item_schema
from service.web.dependencies import Services, SignedInVisitor
from service.web.paging import DEFAULT_PAGE, PageLimit, PlaceCursor, cursor_of, range_bounds
from service.web.schemas import Listed, item_form, page_form
from service.web.tokens import Visitor

ITEM_EXAMPLE = {
    "title": "Replace firewall",
    "description": "Bring the spare.",
    "location": "Contoso HQ",
    "start": "2026-12-03T09:00:00Z",
    "end": "2026-12-03T11:00:00Z",
    "time_zone": "Europe/London",
    "all_day": False,
    "private": False,
    "show_as": "busy",
}
GivenItem = Annotated[dict[str, Any], WithJsonSchema(given_item_schema()), Body(examples=[ITEM_EXAMPLE])]
AnsweredItem = Annotated[dict[str, Any], WithJsonSchema(answered_item_schema())]
router = APIRouter(prefix="/my-calendar/items", tags=["my calendar"])


@router.get("", response_model=Listed[AnsweredItem])
async def list_items(
    services: Services,
    visitor: SignedInVisitor,
    *,
    after: PlaceCursor,
    since: Annotated[str | None, Query(alias="from")] = None,
    until: Annotated[str | None, Query(alias="to")] = None,
    user_id: Identifier | None = None,
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """Items with a date that touch the range, by start; an administrator may name another user."""
    person = _person(visitor, user_id)
    first, last = range_bounds(since, until, visitor.time_zone)
    found = await services.my_calendar.items(person, since=first, until=last, after=after, limit=limit + 1)
    page = Page.of(found, limit, cursor=lambda one: cursor_of(one[1]))
    masked = person.user_id != visitor.user_id
    return page_form(page, lambda one: item_form(one[0], masked=masked))


def _person(visitor: Visitor, user_id: str | None) -> Person:
    if user_id is None or user_id == visitor.user_id:
        return visitor.person
    if not visitor.sees_tenant:
        raise Unknown("There is no such user.")
    return replace(visitor.person, user_id=user_id)


@router.post("", status_code=HTTPStatus.CREATED)
async def add_item(services: Services, visitor: SignedInVisitor, form: GivenItem) -> AnsweredItem:
    """Add an appointment; it is published as Vorex would (G17)."""
    return item_form(await services.my_calendar.add(visitor.person, form))


@router.put("/{key:path}")
async def change_item(
    services: Services, visitor: SignedInVisitor, key: str, form: GivenItem
) -> AnsweredItem:
    """Replace an appointment; ``key`` is ``<type>:<id>``."""
    return item_form(await services.my_calendar.change(visitor.person, key, form))


@router.delete("/{key:path}", status_code=HTTPStatus.NO_CONTENT)
async def remove_item(services: Services, visitor: SignedInVisitor, key: str) -> Response:
    await services.my_calendar.remove(visitor.person, key)
    return Response(status_code=HTTPStatus.NO_CONTENT)
