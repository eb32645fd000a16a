"""The privacy mirror: what others see of a person's own items, by the very code that shows it to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from contracts.calendar import Integration, Item, Origin
from contracts.envelope import ItemChanged
from contracts.times import InstantOrDay, read_time
from contracts.vorex import ItemContent
from handlers.judgement import content_of
from handlers.plan import belongs_on_calendar
from handlers.texts.compose import compose
from service.integrations import views
from service.integrations.refusals import Unknown
from service.operations.masking import LetterReader, masked_document
from service.store.items.my_calendar import WHOLE_ITEMS, RangeBound
from service.store.links import links
from service.web.dependencies import Services, WebServices, person_shown
from service.web.pages.form import PageVisitor
from service.web.pages.integrations import integration_card
from service.web.paging import IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page
from service.web.schemas import item_form
from service.web.tokens import Role, Visitor

MIRRORED_ITEMS = 3
ANOTHER = "\x1fanother"
"""Of the reader who is nobody in particular: no user's id has such a character."""
router = APIRouter()


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenItem:
    """What one reader sees of an item; an empty text is not shown to them, or is not there."""

    start: InstantOrDay | None
    end: InstantOrDay | None
    title: str = ""
    location: str = ""
    description: str = ""
    busy_alone: bool = False
    """Whether the provider shows no more than that this time is taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MirroredItem:
    """An item and what each kind of reader sees of it; None: nothing."""

    item: ItemContent
    colleague: SeenItem | None
    administrator: SeenItem | None
    operator: SeenItem | None
    readers: SeenItem | None
    """Whoever else may open the linked calendar."""


def mirrored(
    visitor: Visitor, item: Item, integration: Integration | None, *, external: bool
) -> MirroredItem:
    """``external``: whether the event was made on the linked calendar itself."""
    return MirroredItem(
        item=content_of(item),
        colleague=seen_in_vorex(visitor, item, Role.USER),
        administrator=seen_in_vorex(visitor, item, Role.ADMINISTRATOR),
        operator=seen_in_letters(visitor, item),
        readers=seen_on_calendar(item, integration, external=external) if integration else None,
    )


def seen_in_vorex(visitor: Visitor, item: Item, role: Role) -> SeenItem | None:
    """In the lists of My Calendar, asked for by somebody else of the tenant with that role."""
    reader = replace(visitor, user_id=ANOTHER, role=role)
    try:
        person_shown(reader, visitor.user_id)
    except Unknown:
        return None
    return _of_form(item_form(item, masked=True))


def seen_in_letters(visitor: Visitor, item: Item) -> SeenItem | None:
    """In a dead letter of the item's message, opened by an operator of the tenant."""
    reader = LetterReader(tenant_id=visitor.tenant_id, user_id=ANOTHER)
    document = {
        "type": ItemChanged.type_word(),
        "data": {"tenant_id": item.tenant_id, "item": _stated(content_of(item))},
    }
    shown = masked_document(document, reader=reader)
    return None if shown is None else _of_form(shown["data"]["item"])


def seen_on_calendar(item: Item, integration: Integration, *, external: bool) -> SeenItem | None:
    """By whoever else may open the linked calendar; what is private is shown there as busy alone."""
    sent = belongs_on_calendar(item, integration) and item.type in integration.item_types
    fields = compose(content_of(item)) if sent or external else None
    if fields is None:
        return None
    if fields.event_private:
        return SeenItem(start=fields.start, end=fields.end, busy_alone=True)
    return SeenItem(
        start=fields.start,
        end=fields.end,
        title=fields.summary,
        location=fields.location or "",
        description=fields.description or "",
    )


def _stated(content: ItemContent) -> dict[str, Any]:
    """The item as Vorex's message states it: a window that it has none of is left out."""
    form = content.to_json_dict()
    return {name: value for name, value in form.items() if value is not None or not name.startswith("not_")}


def _of_form(form: Mapping[str, Any]) -> SeenItem:
    start, end = (read_time(form[name]) if form.get(name) else None for name in ("start", "end"))
    title, location, description = (form.get(name) or "" for name in ("title", "location", "description"))
    return SeenItem(start=start, end=end, title=title, location=location, description=description)


@router.get(f"{INTEGRATIONS_PATH}/{{integration_id}}/mirror")
async def mirror_page(
    request: Request, services: Services, visitor: PageVisitor, integration_id: IntegrationPathId
) -> Response:
    """Three of the person's own next items, with what each kind of reader sees of them."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    now = services.clock.now()
    since = RangeBound(instant=now, day=_today(now, visitor.time_zone))
    found = await services.my_calendar.items(
        visitor.person, WHOLE_ITEMS, since=since, until=None, limit=MIRRORED_ITEMS
    )
    return await _page(
        request,
        services,
        visitor,
        [item for item, _ in found],
        shown.integration,
        one=integration_card(shown),
    )


@router.get("/my-calendar/item/mirror")
async def item_mirror_page(
    request: Request, services: Services, visitor: PageVisitor, *, key: str
) -> Response:
    """The same of one item, for the first linked calendar on which it is."""
    item = await services.my_calendar.item(visitor.person, key)
    listed = await views.list_integrations(services.store, visitor.person.owner, limit=MIRRORED_ITEMS)
    finished = [one for one in listed.rows if one.integration.finished_at is not None]
    integration = finished[0].integration if finished else None
    one = integration_card(finished[0]) if finished else None
    return await _page(request, services, visitor, [item], integration, one=one, key=key)


async def _page(
    request: Request,
    services: WebServices,
    visitor: Visitor,
    found: Sequence[Item],
    integration: Integration | None,
    *,
    one: Mapping[str, Any] | None,
    key: str | None = None,
) -> Response:
    external = await _external(services, found, integration)
    rows = [mirrored(visitor, item, integration, external=item.ref in external) for item in found]
    return render_page(
        request,
        "mirror.html",
        rows=rows,
        one=one,
        key=key,
        here="my-calendar" if key else "calendar-sync",
    )


async def _external(
    services: WebServices, found: Sequence[Item], integration: Integration | None
) -> frozenset[str]:
    """Those whose event the person made on that calendar."""
    if integration is None:
        return frozenset()
    async with services.store.read() as connection:
        known = await links.of_items(connection, [item.ref for item in found])
    return frozenset(
        link.item_ref
        for link in known
        if link.integration_id == integration.id and link.origin is Origin.EXTERNAL and link.exists_there
    )


def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()
