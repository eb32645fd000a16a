"""The *Calendar Sync page*: a person's integrations and what they do with them (G4, G11–G16)."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from contracts.errors import GrantRefused
from service.integrations import views
from service.integrations.accounts.own_events import edits_own_events
from service.integrations.refusals import Conflict
from service.integrations.runs import runs_under_way
from service.monitoring.weather import WeatherNotice, is_held_back
from service.store.integrations.listing import IntegrationView
from service.web import labels
from service.web.dependencies import Services
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId, is_id
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page

MOST_INTEGRATIONS_LISTED = 200
RUN_REFRESH_SECONDS = 2
"""Seconds after which the list is looked at anew while a run goes on."""
router = APIRouter(prefix=INTEGRATIONS_PATH)


@router.get("")
async def list_page(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    *,
    notice: str = "",
    complaint: str = "",
    of: str = "",
    answered: str = "",
) -> Response:
    """Every integration with its switch, its buttons and how it stands (G11–G16)."""
    owner = visitor.person.owner
    listed = await views.list_integrations(services.store, owner, limit=MOST_INTEGRATIONS_LISTED)
    running = await runs_under_way(services.store, owner)
    company = await services.company.connected_by([one.integration.id for one in listed.rows])
    return render_page(
        request,
        "list.html",
        integrations=[
            _beside_weather(integration_card(one), one, request.state.weather)
            | {"run": running.get(one.integration.id), "company": company.get(one.integration.id)}
            for one in listed.rows
        ],
        here="calendar-sync",
        live=RUN_REFRESH_SECONDS if running else request.app.state.live,
        undo=of if notice == "deactivated" else None,
        undo_at=_undo_of(listed.rows, of, answered, brought=notice == "brought"),
        notice=None if notice == "deactivated" and of else labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
    )


def _beside_weather(
    card: dict[str, Any], shown: IntegrationView, notices: Sequence[WeatherNotice]
) -> dict[str, Any]:
    """No word of a delay that is told of its provider already; it is said again if it remains (R53)."""
    return card | {"delayed_since": None} if is_held_back(shown.provider_service, notices) else card


def _undo_of(listed: Sequence[IntegrationView], of: str, answered: str, *, brought: bool) -> str | None:
    """Where the answer that was just given is taken back (R50): what is brought, once it is there."""
    if not is_id(answered) or all(one.integration.id != of for one in listed):
        return None
    return f"{INTEGRATIONS_PATH}/{of}/runs/{answered}{'' if brought else '/undo'}"


def integration_card(shown: IntegrationView) -> dict[str, Any]:
    """What the list and the tops of other pages tell of an integration."""
    known = shown.integration
    return {
        "id": known.id,
        "name": shown.own_name or known.calendar_name,
        "calendar_name": known.calendar_name,
        "mark": labels.provider_mark(shown.provider_service),
        "account_name": shown.account_name,
        "provider": labels.provider_name(shown.provider_service),
        "active": known.active,
        "watching_since": known.watching_since if known.watching else None,
        "status": known.status.value,
        "reason": known.reason.value if known.reason else None,
        "delayed_since": shown.delayed_since,
        "last_sync_at": shown.last_sync_at,
        "last_checked_at": shown.last_checked_at,
        "held": shown.held_deletions,
        "held_imports": shown.held_imports,
        "held_alike": shown.held_alike,
        "own_events": edits_own_events(shown),
        "agreement": shown.agreement,
        "old_protocol": shown.migration_url is not None,
    }


@router.get("/{integration_id}/migration")
async def migrate(services: Services, visitor: PageVisitor, integration_id: IntegrationPathId) -> Response:
    """Away to where the account leaves the old protocol; back to the list where it has left it (R22)."""
    try:
        address = await services.integrations.migration_address(visitor.person.owner, integration_id)
    except GrantRefused:
        return redirect_to(INTEGRATIONS_PATH, complaint="not_connected")
    return redirect_to(address) if address else redirect_to(INTEGRATIONS_PATH, notice="migrated")


@router.post("/{integration_id}/activate")
async def activate(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    try:
        await services.switching.activate(form.visitor.person.owner, integration_id, begins=False)
    except Conflict as conflict:
        why = "only_watches" if conflict.code == "not_editable" else conflict.code
        return redirect_to(INTEGRATIONS_PATH, complaint=why)
    return redirect_to(INTEGRATIONS_PATH, notice="activated")


@router.post("/{integration_id}/deactivate")
async def deactivate(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    try:
        await services.switching.deactivate(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
    return redirect_to(INTEGRATIONS_PATH, notice="deactivated", of=integration_id)


@router.post("/{integration_id}/sync")
async def sync_now(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    """*Sync now* on the card: both sides are compared, and what differs crosses (R20)."""
    try:
        await services.syncing.compare(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
    return redirect_to(INTEGRATIONS_PATH, notice="comparing")


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
    if await services.deletion.is_done(owner, integration_id):
        return redirect_to(INTEGRATIONS_PATH, notice="deleted")
    if form.text("copies") == "remove":
        await services.deletion.delete(owner, integration_id, copies="remove")
    else:
        await services.deletion.delete(owner, integration_id, copies="keep")
    return redirect_to(INTEGRATIONS_PATH, notice="deleted")


@router.post("/{integration_id}/discard")
async def discard(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    """Give up an unfinished set-up; one that is set up is asked about first."""
    owner = form.visitor.person.owner
    if await services.deletion.is_done(owner, integration_id):
        return redirect_to(INTEGRATIONS_PATH, notice="discarded")
    shown = await views.get_integration(services.store, owner, integration_id)
    if shown.integration.finished_at is not None:
        return redirect_to(f"{INTEGRATIONS_PATH}/{integration_id}/delete")
    await services.deletion.delete(owner, integration_id, copies="keep")
    return redirect_to(INTEGRATIONS_PATH, notice="discarded")


@router.get("/exchange-help")
async def exchange_help(request: Request, visitor: PageVisitor) -> Response:  # noqa: ARG001 -- who may read it
    return render_page(request, "exchange_help.html", here="calendar-sync")
