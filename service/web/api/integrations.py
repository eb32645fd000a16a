"""Integrations as JSON: the same verbs as the pages."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from service.integrations import views
from service.integrations.delete import DeletionChoice
from service.integrations.settings_form import Choices, HeldAnswer
from service.store.integrations.listing import Owner
from service.web.dependencies import Services, SignedInVisitor
from service.web.paging import DEFAULT_PAGE, IdCursor, IntegrationPathId, PageLimit
from service.web.schemas import (
    CalendarShape,
    FinishedShape,
    IntegrationShape,
    Listed,
    SettledShape,
    calendar_form,
    integration_form,
    page_form,
)
from service.web.tokens import Visitor

router = APIRouter(prefix="/integrations", tags=["integrations"])


def owner_seen_by(visitor: Visitor) -> Owner:
    """Whose integrations are shown: one's own, or the tenant's to an administrator."""
    return Owner(tenant_id=visitor.tenant_id, user_id=None if visitor.sees_tenant else visitor.user_id)


@router.get("", response_model=Listed[IntegrationShape])
async def list_integrations(
    services: Services, visitor: SignedInVisitor, after: IdCursor, limit: PageLimit = DEFAULT_PAGE
) -> dict[str, Any]:
    """Your integrations, oldest first; to an administrator all of the tenant's."""
    page = await views.list_integrations(services.store, owner_seen_by(visitor), after=after, limit=limit)
    return page_form(page, integration_form)


@router.get("/{integration_id}", response_model=IntegrationShape)
async def get_integration(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    return integration_form(
        await views.get_integration(services.store, owner_seen_by(visitor), integration_id)
    )


@router.get("/{integration_id}/calendars", response_model=Listed[CalendarShape])
async def list_calendars(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """The calendars of the connected account, asked of Cronofy now."""
    calendars = await services.integrations.calendars(visitor.person.owner, integration_id)
    return {"items": [calendar_form(one) for one in calendars], "next": None}


@router.put("/{integration_id}/settings", response_model=FinishedShape)
async def put_settings(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId, choices: Choices
) -> dict[str, Any]:
    """Finish: save everything, activate, and start the run that the options ask for."""
    finished = await services.integrations.finish(visitor.person, integration_id, choices)
    return integration_form(finished.shown) | {"run_id": finished.run_id}


@router.post("/{integration_id}/activate", response_model=IntegrationShape)
async def activate(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    return integration_form(await services.switching.activate(visitor.person.owner, integration_id))


@router.post("/{integration_id}/deactivate", response_model=IntegrationShape)
async def deactivate(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    return integration_form(await services.switching.deactivate(visitor.person.owner, integration_id))


@router.post("/{integration_id}/held-deletions", response_model=SettledShape)
async def answer_held_deletions(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId, form: HeldAnswer
) -> dict[str, Any]:
    """Carry out the deletions that wait for an answer, or undo them in the calendar (R11)."""
    return {"count": await services.held.settle(visitor.person.owner, integration_id, form.answer)}


@router.delete("/{integration_id}", status_code=HTTPStatus.ACCEPTED, response_class=Response)
async def delete_integration(
    services: Services,
    visitor: SignedInVisitor,
    integration_id: IntegrationPathId,
    copies: DeletionChoice = "keep",
) -> Response:
    """Delete for good; copies that were added to the linked calendar stay or are removed (G13, R21)."""
    await services.deletion.delete(visitor.person.owner, integration_id, copies=copies)
    return Response(status_code=HTTPStatus.ACCEPTED)
