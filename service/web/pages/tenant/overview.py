"""The list of a tenant's integrations, with its filters (R47)."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from service.integrations import views
from service.store.integrations import tenants
from service.store.integrations.listing import Agreement, IntegrationView
from service.store.integrations.tenants import PROVIDER_SERVICES, TenantQuery
from service.store.links import agreement
from service.web import labels
from service.web.catalogue import Texts
from service.web.dependencies import Services
from service.web.pages.integrations import integration_card
from service.web.pages.tenant.visitors import Administrator
from service.web.paging import LONGEST_SEARCH, IdCursor, is_id
from service.web.paths import ADMINISTRATION_PATH
from service.web.rendering import render_page

LISTED_A_PAGE = 50
WORST_SHOWN = 5
"""Integrations with the most pairs that differ."""
STATUS_WORDS: labels.LabelTexts = Texts(
    {
        "connected": "Connected",
        "not_connected": "Not Connected",
        "paused": "Paused",
        "watching": "Watching",
        "held": "Needs an answer",
        "setup": "Set-up unfinished",
    }
)
PROVIDER_WORDS: labels.LabelTexts = {name: labels.PROVIDERS[name] for name in PROVIDER_SERVICES}
router = APIRouter(prefix=ADMINISTRATION_PATH)


@dataclass(frozen=True, kw_only=True, slots=True)
class ListAddress:
    """The filter as the address has it; a word of no closed set asks for nothing."""

    query: TenantQuery

    @property
    def given(self) -> dict[str, str]:
        names = ("person", "status", "provider", "q")
        return {name: value for name in names if (value := getattr(self.query, name))}

    def address(self, **more: str) -> str:
        """Of the list, narrowed further or otherwise."""
        asked = {name: value for name, value in {**self.given, **more}.items() if value}
        return f"{ADMINISTRATION_PATH}?{urlencode(asked)}" if asked else ADMINISTRATION_PATH


def asked_list(person: str = "", status: str = "", provider: str = "", q: str = "") -> ListAddress:
    """What the address asks for."""
    return ListAddress(
        query=TenantQuery(
            person=_searched(person),
            status=status if status in STATUS_WORDS else None,
            provider=provider if provider in PROVIDER_WORDS else None,
            q=_searched(q),
        )
    )


def _searched(text: str) -> str | None:
    return text.replace("\0", "").strip()[:LONGEST_SEARCH] or None


AskedList = Annotated[ListAddress, Depends(asked_list)]


@router.get("")
async def administration(
    request: Request,
    services: Services,
    visitor: Administrator,
    *,
    asked: AskedList,
    after: IdCursor,
    done: str = "",
    notice: str = "",
    complaint: str = "",
) -> Response:
    """Every integration of the tenant with whom it serves, how it stands, and what waits."""
    page = await views.list_tenants_integrations(
        services.store, visitor.tenant_id, asked.query, after=after, limit=LISTED_A_PAGE
    )
    async with services.store.read() as connection:
        counted = await tenants.tally(connection, visitor.tenant_id)
        matching = await tenants.count(connection, visitor.tenant_id, asked.query)
        acts = await tenants.latest_acts(connection, visitor.tenant_id)
        total = await agreement.summed(connection, tenant_id=visitor.tenant_id)
        worst = await tenants.among_ids(
            connection,
            visitor.tenant_id,
            await agreement.worst(connection, visitor.tenant_id, limit=WORST_SHOWN),
        )
    return render_page(
        request,
        "tenant.html",
        asked=asked,
        rows=[tenant_row(one) for one in page.rows],
        following=page.following,
        first=after is None,
        counted=counted,
        matching=matching,
        questions=await services.questions.count(visitor.tenant_id),
        statuses=STATUS_WORDS,
        providers=PROVIDER_WORDS,
        acts=acts,
        agreement=total if total.integrations else None,
        worst=sorted(map(tenant_row, worst), key=_lack, reverse=True),
        done=next((one for one in acts if is_id(done) and one["id"] == done), None),
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="administration",
    )


def _lack(row: dict[str, Any]) -> int:
    """How many pairs of it differ (R51)."""
    told: Agreement | None = row["agreement"]
    return told.of - told.agree if told else 0


def tenant_row(shown: IntegrationView) -> dict[str, Any]:
    """An integration as its administrator sees it: no text of an item is part of it."""
    return integration_card(shown) | {
        "user_id": shown.integration.user_id,
        "status_since": shown.status_since,
        "waiting": shown.waiting_changes,
        "questions": shown.held_deletions + shown.held_imports,
    }
