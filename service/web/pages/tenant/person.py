"""One person of the tenant: their integrations, their devices, and what was logged of each (R47)."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from service.integrations import views
from service.integrations.refusals import Unknown
from service.integrations.sign_outs import SignOuts
from service.store.integrations.listing import Owner
from service.store.integrations.tenants import TenantQuery
from service.store.logs.logs import LogFilter
from service.web import labels
from service.web.dependencies import Services, actor_of, is_beyond
from service.web.pages.redirect import redirect_to
from service.web.pages.tenant.overview import tenant_row
from service.web.pages.tenant.visitors import Administrator, AdministratorForm
from service.web.paging import LONGEST_SEARCH, IdCursor, IntegrationPathId
from service.web.paths import ADMINISTRATION_PATH
from service.web.rendering import render_page
from service.web.sessions import device_words

INTEGRATIONS_SHOWN = 200
ENTRIES_A_PAGE = 50
router = APIRouter(prefix=ADMINISTRATION_PATH)


@router.get("/person")
async def person_page(
    request: Request,
    services: Services,
    visitor: Administrator,
    *,
    who: str = "",
    notice: str = "",
    complaint: str = "",
) -> Response:
    """What is there of them; of somebody who has nothing here that is said too."""
    asked = who.replace("\0", "")[:LONGEST_SEARCH]
    page = await views.list_tenants_integrations(
        services.store, visitor.tenant_id, TenantQuery(person=asked), limit=INTEGRATIONS_SHOWN
    )
    sessions = await services.sessions.of_person(visitor.tenant_id, asked)
    return render_page(
        request,
        "tenant_person.html",
        who=asked,
        rows=[tenant_row(one) for one in page.rows],
        sessions=[
            {
                "device": device_words(one.device),
                "since": datetime.fromtimestamp(one.since, UTC),
                "seen_at": datetime.fromtimestamp(one.seen_at, UTC),
            }
            for one in sessions
        ],
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="administration",
    )


@router.post("/person/sign-out")
async def sign_out(services: Services, form: AdministratorForm) -> Response:
    """End all of that person's sessions, tokens and links (R45); an operator's are an operator's to end."""
    who, visitor = form.text("who"), form.visitor
    if not who or "\0" in who or len(who) > LONGEST_SEARCH:
        raise Unknown("There is no such person.")
    here = f"{ADMINISTRATION_PATH}/person"
    if await is_beyond(services, visitor, who):
        return redirect_to(here, who=who, complaint="is_operator")
    await SignOuts(services.store, who=actor_of(visitor).named).end((visitor.tenant_id, who))
    return redirect_to(here, who=who, notice="signed_out_everywhere")


@router.get("/integrations/{integration_id}")
async def integration_log(
    request: Request,
    services: Services,
    visitor: Administrator,
    *,
    integration_id: IntegrationPathId,
    after: IdCursor,
) -> Response:
    """The log of one integration, newest first, without the texts of what is private."""
    owner = Owner(tenant_id=visitor.tenant_id, user_id=None)
    shown = await views.get_integration(services.store, owner, integration_id)
    page = await views.list_log(
        services.store, shown, reader=None, trigger=LogFilter.ALL, after=after, limit=ENTRIES_A_PAGE
    )
    return render_page(
        request,
        "tenant_log.html",
        one=tenant_row(shown),
        rows=page.rows,
        following=page.following,
        first=after is None,
        here="administration",
    )
