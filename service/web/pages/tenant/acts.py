"""Pausing, resuming and deleting, one integration or many: asked about first, and taken back (R47, R50)."""

from collections.abc import Sequence
from typing import Annotated, cast, get_args

from fastapi import APIRouter, Query, Request, Response

from service.integrations.refusals import Conflict, Invalid, Unknown
from service.integrations.tenants.acts import MOST_AT_ONCE, TenantVerb, is_due
from service.store.integrations import tenants
from service.store.integrations.listing import IntegrationView
from service.web.dependencies import Services, WebServices, actor_of
from service.web.pages.redirect import redirect_to
from service.web.pages.tenant.overview import AskedList, ListAddress, tenant_row
from service.web.pages.tenant.visitors import Administrator, AdministratorForm
from service.web.paging import is_id
from service.web.paths import ADMINISTRATION_PATH
from service.web.rendering import render_page

router = APIRouter(prefix=ADMINISTRATION_PATH)


@router.get("/confirm")
async def confirm(
    request: Request,
    services: Services,
    visitor: Administrator,
    *,
    asked: AskedList,
    verb: str = "",
    chosen: Annotated[Sequence[str], Query()] = (),
    every: str = "",
) -> Response:
    """What would be changed, counted and by name, before it is."""
    if verb not in get_args(TenantVerb):
        return redirect_to(asked.address(), complaint="nothing_to_change")
    wanted = _verb(verb)
    found = await _chosen(services, visitor.tenant_id, asked, wanted, None if every else chosen)
    due = [one for one in found if is_due(one.integration, wanted)]
    if not due:
        return redirect_to(asked.address(), complaint="nothing_to_change")
    async with services.store.read() as connection:
        matching = await tenants.count(connection, visitor.tenant_id, asked.query)
    return render_page(
        request,
        "tenant_confirm.html",
        asked=asked,
        verb=wanted,
        rows=[tenant_row(one) for one in due],
        left=len(found) - len(due),
        more=bool(every) and len(due) == MOST_AT_ONCE and matching > MOST_AT_ONCE,
        here="administration",
    )


async def _chosen(
    services: WebServices,
    tenant_id: str,
    asked: ListAddress,
    verb: TenantVerb,
    chosen: Sequence[str] | None,
) -> Sequence[IntegrationView]:
    """Those that were chosen by name, or else the first that match and would be changed."""
    async with services.store.read() as connection:
        ids = [one for one in chosen or () if is_id(one)][:MOST_AT_ONCE]
        if chosen is None:
            ids = await tenants.ids_due(connection, tenant_id, asked.query, verb, limit=MOST_AT_ONCE)
        return await tenants.among_ids(connection, tenant_id, ids)


@router.post("/act")
async def act(services: Services, form: AdministratorForm) -> Response:
    """Do to these what was confirmed; where others would be meant by now, nothing is done."""
    verb = _verb(form.text("verb"))
    ids = [one for one in form.text("ids").split(",") if is_id(one)]
    try:
        result = await services.tenant_acts.act_on_all(
            actor_of(form.visitor), verb, ids, expect=form.number("expect") or 0
        )
    except Conflict:
        return redirect_to(ADMINISTRATION_PATH, complaint="others_by_now")
    except Invalid:
        return redirect_to(ADMINISTRATION_PATH, complaint="nothing_to_change")
    if result.id is None:
        return redirect_to(ADMINISTRATION_PATH, complaint="nothing_to_change")
    return redirect_to(ADMINISTRATION_PATH, done=result.id)


@router.post("/acts/{act_id}/undo")
async def undo(services: Services, form: AdministratorForm, act_id: str) -> Response:
    """Take back what was done with many; what somebody has changed since stays."""
    if not is_id(act_id):
        raise Unknown("There is no such act.")
    try:
        result = await services.tenant_acts.undo(actor_of(form.visitor), act_id)
    except Conflict:
        return redirect_to(ADMINISTRATION_PATH, complaint="nothing_to_change")
    if result.id is None:
        return redirect_to(ADMINISTRATION_PATH, complaint="nothing_to_change")
    return redirect_to(ADMINISTRATION_PATH, done=result.id)


def _verb(word: str) -> TenantVerb:
    if word not in get_args(TenantVerb):
        raise Unknown("There is no such page.")
    return cast(TenantVerb, word)
