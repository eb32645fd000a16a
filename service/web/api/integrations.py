"""Integrations as JSON: the same verbs as the pages."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from service.integrations import views
from service.integrations.accounts.held import list_held
from service.integrations.delete import DeletionChoice
from service.integrations.finish import Aim
from service.integrations.settings_form import Choices, HeldAnswer, HeldImportAnswer
from service.integrations.telling.agreement import list_differing
from service.integrations.undoing.answers import AnswerGiven
from service.store.integrations.listing import IntegrationView, Owner
from service.store.integrations.tenants import TenantQuery
from service.web.api.agreement_schema import DifferingPageShape, differing_form
from service.web.dependencies import Services, SignedInVisitor, WebServices, actor_of
from service.web.paging import DEFAULT_PAGE, IdCursor, IntegrationPathId, PageLimit, SearchText
from service.web.schemas import (
    CalendarShape,
    FinishedShape,
    HeldShape,
    IntegrationShape,
    Listed,
    PermissionShape,
    SettledShape,
    StartedShape,
    calendar_form,
    held_change_form,
    integration_form,
    page_form,
)
from service.web.tokens import Visitor

AskedStatus = Literal["connected", "not_connected", "setup", "paused", "watching", "held"]
Switching = Literal["pause", "resume", "watch", "begin"]
AskedProvider = Literal["office365", "exchange", "outlook_com", "google", "icloud"]
router = APIRouter(prefix="/integrations", tags=["integrations"])


def owner_seen_by(visitor: Visitor) -> Owner:
    """Whose integrations are shown: one's own, or the tenant's to an administrator."""
    return Owner(tenant_id=visitor.tenant_id, user_id=None if visitor.sees_tenant else visitor.user_id)


def tenant_query(
    person: Annotated[SearchText | None, Query()] = None,
    status: AskedStatus | None = None,
    provider: AskedProvider | None = None,
    q: Annotated[SearchText | None, Query()] = None,
) -> TenantQuery:
    """By a Vorex user's id, by how it stands, by provider, or by a part of person, account or calendar."""
    return TenantQuery(
        person=person or None,
        status=status,
        provider=provider,
        q=(q or "").strip() or None,
    )


AskedIntegrations = Annotated[TenantQuery, Depends(tenant_query)]


@router.get("", response_model=Listed[IntegrationShape])
async def list_integrations(
    services: Services,
    visitor: SignedInVisitor,
    after: IdCursor,
    asked: AskedIntegrations,
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """Your integrations, oldest first; to an administrator or operator those of the tenant (R47)."""
    if not visitor.sees_tenant:
        if asked.person not in {None, visitor.user_id}:
            return {"items": [], "next": None}
        asked = replace(asked, person=visitor.user_id)
    page = await views.list_tenants_integrations(
        services.store, visitor.tenant_id, asked, after=after, limit=limit
    )
    return page_form(page, integration_form)


@router.get("/{integration_id}", response_model=IntegrationShape)
async def get_integration(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """One integration with its settings and how it stands."""
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
    services: Services,
    visitor: SignedInVisitor,
    integration_id: IntegrationPathId,
    choices: Choices,
    *,
    watch: bool = False,
) -> dict[str, Any]:
    """Finish: save everything, activate, and start the run that the options ask for.

    With ``watch`` it only watches, until *Begin*: nothing is written on either side, and no run starts.
    """
    aim: Aim = "watch" if watch else "activate"
    finished = await services.integrations.finish(visitor.person, integration_id, choices, aim=aim)
    return integration_form(finished.shown) | {"run_id": finished.run_id}


@router.post("/{integration_id}/activate", response_model=IntegrationShape)
async def activate(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """Switch it on; what changed meanwhile is caught up (R20). One that only watches is begun by *begin*."""
    return integration_form(await switched(services, visitor, "resume", integration_id))


@router.post("/{integration_id}/deactivate", response_model=IntegrationShape)
async def deactivate(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """Switch it off; nothing crosses until it is active again (G11)."""
    return integration_form(await switched(services, visitor, "pause", integration_id))


async def switched(
    services: WebServices, visitor: Visitor, verb: Switching, integration_id: str
) -> IntegrationView:
    """By its owner, or under the name of whoever sees the tenant's (R47)."""
    shown = await views.get_integration(services.store, owner_seen_by(visitor), integration_id)
    if shown.integration.user_id != visitor.user_id:
        changed = await services.tenant_acts.act(actor_of(visitor), verb, integration_id)
        assert changed is not None
        return changed
    owner = visitor.person.owner
    match verb:
        case "pause":
            return await services.switching.deactivate(owner, integration_id)
        case "watch":
            return await services.switching.watch(owner, integration_id)
    return await services.switching.activate(owner, integration_id, begins=verb == "begin")


@router.post("/{integration_id}/permission", response_model=PermissionShape)
async def ask_permission(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """Where the person allows Vorex to change events that they made in the linked calendar (R34)."""
    return {"url": await services.own_events.ask(visitor.person.owner, integration_id)}


@router.post("/{integration_id}/held-deletions", response_model=SettledShape)
async def answer_held_deletions(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId, form: HeldAnswer
) -> dict[str, Any]:
    """Carry out the deletions that wait for an answer, or undo them in the calendar (R11)."""
    given = AnswerGiven(by=visitor.user_id)
    settled = await services.held.settle(visitor.person.owner, integration_id, form.answer, given)
    return {"count": settled.count, "run_id": settled.run_id}


@router.get("/{integration_id}/held", response_model=Listed[HeldShape])
async def list_held_changes(
    services: Services,
    visitor: SignedInVisitor,
    integration_id: IntegrationPathId,
    after: str | None = None,
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """What waits for the owner's answer: deletions first, then imports (R11, R36)."""
    shown = await views.get_integration(services.store, owner_seen_by(visitor), integration_id)
    masked = shown.integration.user_id != visitor.user_id
    page = await list_held(services.store, shown.integration, masked=masked, after=after, limit=limit)
    return page_form(page, held_change_form)


@router.get("/{integration_id}/agreement", response_model=DifferingPageShape)
async def get_agreement(
    services: Services,
    visitor: SignedInVisitor,
    integration_id: IntegrationPathId,
    after: IdCursor,
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """How many pairs of both sides agree, and why each of the others does not (R51)."""
    shown = await views.get_integration(services.store, owner_seen_by(visitor), integration_id)
    masked = shown.integration.user_id != visitor.user_id
    page = await list_differing(services.store, shown.integration, masked=masked, after=after, limit=limit)
    return differing_form(shown, page)


@router.post("/{integration_id}/agreement", status_code=HTTPStatus.ACCEPTED, response_model=StartedShape)
async def check_agreement(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId
) -> dict[str, Any]:
    """Compare both sides now, once a minute at most; what differs crosses (R51)."""
    return {"run_id": await services.syncing.compare(visitor.person.owner, integration_id)}


@router.post("/{integration_id}/held-imports", response_model=SettledShape)
async def answer_held_imports(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId, form: HeldImportAnswer
) -> dict[str, Any]:
    """Bring the events that wait for an answer, or leave them on the linked calendar alone (R36)."""
    owner, given = visitor.person.owner, AnswerGiven(by=visitor.user_id)
    settled = await services.held_imports.settle(owner, integration_id, form.answer, given)
    return {"count": settled.count, "run_id": settled.run_id}


@router.delete("/{integration_id}", status_code=HTTPStatus.ACCEPTED, response_class=Response)
async def delete_integration(
    services: Services,
    visitor: SignedInVisitor,
    integration_id: IntegrationPathId,
    copies: DeletionChoice = "keep",
) -> Response:
    """Delete for good; copies that were added to the linked calendar stay or are removed (G13, R21)."""
    shown = await views.get_integration(services.store, owner_seen_by(visitor), integration_id)
    if shown.integration.user_id == visitor.user_id:
        await services.deletion.delete(visitor.person.owner, integration_id, copies=copies)
    else:
        await services.tenant_acts.act(actor_of(visitor), "delete", integration_id, copies=copies)
    return Response(status_code=HTTPStatus.ACCEPTED)
