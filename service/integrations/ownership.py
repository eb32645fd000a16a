"""Whose calendar is meant."""

from dataclasses import dataclass

from contracts.calendar import Integration
from service.integrations.refusals import Unknown
from service.store.engine.store import AsyncConnection
from service.store.integrations import listing
from service.store.integrations.listing import IntegrationView, Owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """The Vorex user whose integrations are meant."""

    tenant_id: str
    user_id: str
    time_zone: str = "UTC"

    @property
    def owner(self) -> Owner:
        return Owner(tenant_id=self.tenant_id, user_id=self.user_id)


def owns(owner: Owner, integration: Integration) -> bool:
    """Whether the integration is theirs, or of the tenant that they speak for."""
    mine = owner.user_id in {None, integration.user_id}
    return mine and owner.tenant_id in {None, integration.tenant_id}


async def owned_integration(
    connection: AsyncConnection, owner: Owner, integration_id: str, *, lock: bool = False
) -> IntegrationView:
    """The owner's living integration; locked, nobody else decides about it until the commit.

    Raises Unknown.
    """
    if lock:
        await listing.lock(connection, integration_id)
    shown = await listing.find(connection, integration_id)
    if shown is None or not owns(owner, shown.integration):
        raise Unknown("There is no such integration.")
    return shown
