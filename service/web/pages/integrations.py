"""The *Calendar Sync page*: a person's integrations and what they do with them (G4, G11–G16)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.integrations import views
from service.integrations.refusals import Conflict
from service.integrations.runs import runs_under_way
from service.store.integrations.listing import Shown
from service.web import labels
from service.web.dependencies import AtDesk
from service.web.pages.form import Form, Guest
from service.web.pages.redirect import LIST, to
from service.web.paging import OfIntegration
from service.web.rendering import page

MOST = 200
router = APIRouter(prefix=LIST)


@router.get("")
async def list_page(
    request: Request, desk: AtDesk, visitor: Guest, notice: str = "", complaint: str = ""
) -> Response:
    """Every integration with its switch, its buttons and how it stands (G11–G16)."""
    owner = visitor.person.owner
    listed = await views.list_integrations(desk.store, owner, limit=MOST)
    running = await runs_under_way(desk.store, owner)
    return page(
        request,
        "list.html",
        integrations=[card(one) | {"run": running.get(one.integration.id)} for one in listed.rows],
        here="calendar-sync",
        live=bool(running),
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
    )


def card(shown: Shown) -> dict[str, Any]:
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
async def activate(desk: AtDesk, form: Form, integration_id: OfIntegration) -> Response:
    try:
        await desk.switching.activate(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return to(LIST, complaint=conflict.code)
    return to(LIST, notice="activated")


@router.post("/{integration_id}/deactivate")
async def deactivate(desk: AtDesk, form: Form, integration_id: OfIntegration) -> Response:
    try:
        await desk.switching.deactivate(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return to(LIST, complaint=conflict.code)
    return to(LIST, notice="deactivated")


@router.post("/{integration_id}/held-deletions")
async def answer_held_deletions(desk: AtDesk, form: Form, integration_id: OfIntegration) -> Response:
    """*Delete them* or *Keep them* (R11); any other answer leaves them waiting."""
    owner = form.visitor.person.owner
    await views.get_integration(desk.store, owner, integration_id)
    if form.text("answer") == "delete":
        await desk.held.settle(owner, integration_id, "delete")
        return to(LIST, notice="released")
    if form.text("answer") == "keep":
        await desk.held.settle(owner, integration_id, "keep")
        return to(LIST, notice="kept")
    return to(LIST)


@router.get("/{integration_id}/delete")
async def ask_before_deleting(
    request: Request, desk: AtDesk, visitor: Guest, integration_id: OfIntegration
) -> Response:
    """What deleting means, and how many copies the second answer would remove (G13, R21)."""
    owner = visitor.person.owner
    shown = await views.get_integration(desk.store, owner, integration_id)
    copies = await desk.leaving.copies(owner, integration_id)
    return page(request, "delete.html", one=card(shown), copies=copies, here="calendar-sync")


@router.post("/{integration_id}/delete")
async def delete(desk: AtDesk, form: Form, integration_id: OfIntegration) -> Response:
    owner = form.visitor.person.owner
    if form.text("copies") == "remove":
        await desk.leaving.delete(owner, integration_id, copies="remove")
    else:
        await desk.leaving.delete(owner, integration_id, copies="keep")
    return to(LIST, notice="deleted")


@router.post("/{integration_id}/discard")
async def discard(desk: AtDesk, form: Form, integration_id: OfIntegration) -> Response:
    """Give up an unfinished set-up; one that is set up is asked about first."""
    owner = form.visitor.person.owner
    shown = await views.get_integration(desk.store, owner, integration_id)
    if shown.integration.finished_at is not None:
        return to(f"{LIST}/{integration_id}/delete")
    await desk.leaving.delete(owner, integration_id, copies="keep")
    return to(LIST, notice="discarded")


@router.get("/exchange-help")
async def exchange_help(request: Request, visitor: Guest) -> Response:  # noqa: ARG001 -- who may read it
    return page(request, "exchange_help.html", here="calendar-sync")
