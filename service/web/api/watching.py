"""Watching, as JSON: an integration that says what it would do, and the report of it."""

from typing import Any

from fastapi import APIRouter

from service.integrations import views
from service.integrations.watching import report
from service.web.api.integrations import owner_seen_by, switched
from service.web.api.watching_schema import WatchedShape, watched_form
from service.web.dependencies import Services, SignedInVisitor
from service.web.paging import IntegrationPathId
from service.web.schemas import IntegrationShape, integration_form

router = APIRouter(prefix="/integrations", tags=["integrations"])


@router.get("/{integration_id}/watching", response_model=WatchedShape)
async def get_watching(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """What would have happened since it watches."""
    shown = await views.get_integration(services.store, owner_seen_by(visitor), integration_id)
    masked = shown.integration.user_id != visitor.user_id
    return watched_form(await report(services.store, shown, masked=masked))


@router.post("/{integration_id}/watch", response_model=IntegrationShape)
async def watch(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """Only watch from now on: all is decided and logged, and nothing written on either side."""
    return integration_form(await switched(services, visitor, "watch", integration_id))


@router.post("/{integration_id}/begin", response_model=IntegrationShape)
async def begin(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """Begin for real: what is on both sides is paired, and what changed meanwhile follows (R29, R33)."""
    return integration_form(await switched(services, visitor, "begin", integration_id))
