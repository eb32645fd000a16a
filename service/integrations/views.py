"""What is shown of integrations and their logs, each in one way for pages, API and operators (G4, G14)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.integrations.ownership import owned_integration
from service.store.engine.paging import Page
from service.store.engine.store import Store
from service.store.integrations import listing, tenants
from service.store.integrations.listing import IntegrationView, Owner
from service.store.integrations.tenants import TenantQuery
from service.store.logs import logs
from service.store.logs.logs import WHOLE_LOG, LogFilter, LogQuery
from service.store.logs.series import ENTRIES_LOOKED_AT, together


async def list_integrations(
    store: Store, owner: Owner, *, after: str | None = None, limit: int
) -> Page[IntegrationView]:
    """The owner's integrations, oldest first, behind the integration ``after``."""
    async with store.read() as connection:
        found = await listing.listed(connection, owner, after=after, limit=limit + 1)
    return Page.of(found, limit, cursor=lambda one: one.integration.id)


async def list_tenants_integrations(
    store: Store, tenant_id: str | None, query: TenantQuery, *, after: str | None = None, limit: int
) -> Page[IntegrationView]:
    """Those that match of a tenant, or of all, oldest first, behind the integration ``after`` (R47)."""
    async with store.read() as connection:
        found = await tenants.listed(connection, tenant_id, query, after=after, limit=limit + 1)
    return Page.of(found, limit, cursor=lambda one: one.integration.id)


async def get_integration(store: Store, owner: Owner, integration_id: str) -> IntegrationView:
    """Raises Unknown where it is not theirs."""
    async with store.read() as connection:
        return await owned_integration(connection, owner, integration_id)


async def list_log(
    store: Store,
    shown: IntegrationView,
    *,
    reader: str | None,
    trigger: LogFilter,
    after: str | None,
    limit: int,
    wanted: LogQuery = WHOLE_LOG,
) -> Page[Mapping[Any, Any]]:
    """The log of an integration that was shown to this reader, newest first, older than the entry ``after``.

    To whoever is not its owner, private texts are masked (R27).
    """
    of_another = shown.integration.user_id != reader
    async with store.read() as connection:
        return await logs.page(
            connection,
            shown.integration.id,
            triggers=trigger.triggers,
            before=after,
            limit=limit,
            wanted=replace(wanted, masked=of_another),
        )


async def list_log_rows(
    store: Store,
    shown: IntegrationView,
    *,
    reader: str,
    trigger: LogFilter,
    after: str | None,
    limit: int,
    wanted: LogQuery = WHOLE_LOG,
) -> Page[Mapping[Any, Any]]:
    """The same for a page: what was done alike with a series is one row (R39)."""
    found = await list_log(
        store, shown, reader=reader, trigger=trigger, after=after, limit=ENTRIES_LOOKED_AT, wanted=wanted
    )
    async with store.read() as connection:
        return await together(connection, shown.integration.id, found, limit=limit)
