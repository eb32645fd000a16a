"""*Let Vorex also change events that you made*: asked once Finish is done, and from the list (R34)."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response

from service.integrations import views
from service.integrations.accounts.own_events import edits_own_events
from service.integrations.refusals import Conflict, Unknown
from service.store.integrations.listing import Owner
from service.web import labels
from service.web.dependencies import Services, visitor_of
from service.web.pages.form import PageVisitor
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH, PERMISSION_PATH
from service.web.problems import NoEntry
from service.web.rendering import render_page

router = APIRouter()


@router.get(PERMISSION_PATH)
async def back_from_cronofy(request: Request, services: Services, state: str = "") -> Response:
    """The person has answered: the account is looked at, and the list tells what came of it."""
    try:
        await services.own_events.settle(state, await _owner_or_none(request))
    except Unknown as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from None
    return redirect_to(INTEGRATIONS_PATH)


async def _owner_or_none(request: Request) -> Owner | None:
    try:
        return (await visitor_of(request)).person.owner
    except NoEntry:
        return None


@router.get(f"{INTEGRATIONS_PATH}/{{integration_id}}/permission")
async def ask(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    integration_id: IntegrationPathId,
    notice: str = "",
) -> Response:
    """The question in plain words, with *Not now*."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    if edits_own_events(shown) in {"allowed", "not_needed"}:
        return redirect_to(INTEGRATIONS_PATH, notice=notice)
    return render_page(
        request,
        "permission.html",
        one=integration_card(shown),
        notice=labels.NOTICES.get(notice),
        here="calendar-sync",
    )


@router.get(f"{INTEGRATIONS_PATH}/{{integration_id}}/permission/ask")
async def go_to_cronofy(
    services: Services, visitor: PageVisitor, integration_id: IntegrationPathId
) -> Response:
    """A link and no form: the browser lets no form lead to another site."""
    try:
        return redirect_to(await services.own_events.ask(visitor.person.owner, integration_id))
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
