"""The *Calendar Sync page*: a person's integrations and what they do with them (G4, G11–G16)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.integrations import views
from service.integrations.refusals import Conflict
from service.integrations.runs import runs_under_way
from service.store.integrations.listing import IntegrationView
from service.web import labels
from service.web.dependencies import Services
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page

MOST_INTEGRATIONS_LISTED = 200
router = APIRouter(prefix=INTEGRATIONS_PATH)


@router.get("")
async def list_page(
    request: Request, services: Services, visitor: PageVisitor, notice: str = "", complaint: str = ""
) -> Response:
    """Every integration with its switch, its buttons and how it stands (G11–G16)."""
    owner = visitor.person.owner
    listed = await views.list_integrations(services.store, owner, limit=MOST_INTEGRATIONS_LISTED)
    running = await runs_under_way(services.store, owner)
    return render_page(
        request,
        "list.html",
        integrations=[
            integration_card(one) | {"run": running.get(one.integration.id)} for one in listed.rows
        ],
        here="calendar-sync",
        live=bool(running),
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
    )


def integration_card(shown: IntegrationView) -> dict[str, Any]:
    """What the list and the tops of other pages tell of an integration."""
    known = shown.integration
    return {
        "id": known.id,
        "name": known.calendar_name,
        "account_name": shown.account_name,
        "provider": labels.PROVIDERS.get(shown.provider_service, "Calendar account"),
        "active": known.active,
        "status": known.status.value,
        "reason": known.reason.value if known.reason else None,
        "delayed_since": shown.delayed_since,
        "last_sync_at": shown.last_sync_at,
        "last_checked_at": shown.last_checked_at,
        "held": shown.held_deletions,
    }


@router.post("/{integration_id}/activate")
async def activate(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    try:
        await services.switching.activate(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
    return redirect_to(INTEGRATIONS_PATH, notice="activated")


@router.post("/{integration_id}/deactivate")
async def deactivate(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    try:
        await services.switching.deactivate(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
    return redirect_to(INTEGRATIONS_PATH, notice="deactivated")


@router.post("/{integration_id}/held-deletions")
async def answer_held_deletions(
    services: Services, form: SentForm, integration_id: IntegrationPathId
) -> Response:
    """*Delete them* or *Keep them* (R11); any other answer leaves them waiting."""
    owner = form.visitor.person.owner
    await views.get_integration(services.store, owner, integration_id)
    if form.text("answer") == "delete":
        await services.held.settle(owner, integration_id, "delete")
        return redirect_to(INTEGRATIONS_PATH, notice="released")
    if form.text("answer") == "keep":
        await services.held.settle(owner, integration_id, "keep")
        return redirect_to(INTEGRATIONS_PATH, notice="kept")
    return redirect_to(INTEGRATIONS_PATH)


@router.get("/{integration_id}/delete")
async def ask_before_deleting(
    request: Request, services: Services, visitor: PageVisitor, integration_id: IntegrationPathId
) -> Response:
    """What deleting means, and how many copies the second answer would remove (G13, R21)."""
    owner = visitor.person.owner
    shown = await views.get_integration(services.store, owner, integration_id)
    copies = await services.deletion.copies(owner, integration_id)
    return render_page(
        request, "delete.html", one=integration_card(shown), copies=copies, here="calendar-sync"
    )


@router.post("/{integration_id}/delete")
async def delete(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    owner = form.visitor.person.owner
    if form.text("copies") == "remove":
        await services.deletion.delete(owner, integration_id, copies="remove")
    else:
        await services.deletion.delete(owner, integration_id, copies="keep")
    return redirect_to(INTEGRATIONS_PATH, notice="deleted")


@router.post("/{integration_id}/discard")
async def discard(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    """Give up an unfinished set-up; one that is set up is asked about first."""
    owner = form.visitor.person.owner
    shown = await views.get_integration(services.store, owner, integration_id)
    if shown.integration.finished_at is not None:
        return redirect_to(f"{INTEGRATIONS_PATH}/{integration_id}/delete")
    await services.deletion.delete(owner, integration_id, copies="keep")
    return redirect_to(INTEGRATIONS_PATH, notice="discarded")


@router.get("/exchange-help")
async def exchange_help(request: Request, visitor: PageVisitor) -> Response:  # noqa: ARG001 -- who may read it
    return render_page(request, "exchange_help.html", here="calendar-sync")
