"""My Calendar's items as JSON."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from pydantic import WithJsonSchema

from contracts.fields import Identifier
from service.store.engine.paging import Page
from service.store.items.my_calendar import NO_MEETING, WHOLE_ITEMS
from service.web.api.item_schema import answered_item_schema, given_item_schema
from service.web.dependencies import Services, SignedInVisitor, person_shown
from service.web.paging import DEFAULT_PAGE, PageLimit, PlaceCursor, cursor_of, range_bounds
from service.web.schemas import Listed, item_form, page_form

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
    person = person_shown(visitor, user_id)
    first, last = range_bounds(since, until, visitor.time_zone)
    found = await services.my_calendar.items(
        person, WHOLE_ITEMS, since=first, until=last, after=after, limit=limit + 1
    )
    page = Page.of(found, limit, cursor=lambda one: cursor_of(one[1]))
    masked = person.user_id != visitor.user_id
    met = await services.my_calendar.meetings(person, [item for item, _ in page.rows])
    return page_form(page, lambda one: item_form(one[0], met.get(one[0].ref, NO_MEETING), masked=masked))


@router.post("", status_code=HTTPStatus.CREATED)
async def add_item(services: Services, visitor: SignedInVisitor, form: GivenItem) -> AnsweredItem:
    """Add an appointment; it is published as Vorex would (G17)."""
    return item_form(await services.my_calendar.add(visitor.person, form))


@router.put("/{key:path}")
async def change_item(
    services: Services, visitor: SignedInVisitor, key: str, form: GivenItem
) -> AnsweredItem:
    """Replace an appointment; ``key`` is ``<type>:<id>``."""
    item = await services.my_calendar.change(visitor.person, key, form)
    met = await services.my_calendar.meetings(visitor.person, [item])
    return item_form(item, met.get(item.ref, NO_MEETING))


@router.post("/{key:path}/restore")
async def restore_item(services: Services, visitor: SignedInVisitor, key: str) -> AnsweredItem:
    """Put a deleted appointment back as it was (R50); one that is there stays as it is."""
    return item_form(await services.my_calendar.restore(visitor.person, key))


@router.delete("/{key:path}", status_code=HTTPStatus.NO_CONTENT)
async def remove_item(services: Services, visitor: SignedInVisitor, key: str) -> Response:
    """Delete an appointment; it goes from the linked calendars, too."""
    await services.my_calendar.remove(visitor.person, key)
    return Response(status_code=HTTPStatus.NO_CONTENT)
