"""Whose the messages are that wait in a consumer (R44)."""

from collections.abc import Sequence
from contextlib import suppress

from contracts.errors import Transient
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Delivery
from service.store.engine.store import Store
from service.store.integrations import integrations
from service.store.messages.burying import tenants_of
from service.store.messages.ownership import owner_in_turns

NOBODY = ""
"""The one tenant that all messages count as of which nobody can tell whose they are."""
KNOWN_INTEGRATIONS = 10_000


class MessageOwners:
    """Tells tenants by reading messages, each once: Vorex names the tenant, all others an integration.

    An integration's tenant is the store's word, whatever the message says beside it. Tenants without an
    integration are nobody: whoever may publish can name as many as there are words, and would have the
    turns of all of them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[int, tuple[Delivery, str]] = {}
        self._tenants: dict[str, str] = {}
        self._here: frozenset[str] = frozenset()

    async def of(self, deliveries: Sequence[Delivery]) -> list[str]:
        """The tenant of each, in order; only these are remembered. Never raises: unknown is nobody's."""
        read = {id(each): self._read.get(id(each), (each, None)) for each in deliveries}
        fresh = [each for each in deliveries if read[id(each)][1] is None]
        named = {id(each): await _named(each) for each in fresh}
        await self._look_up({integration for _, integration in named.values() if integration})
        await self._meet({tenant for tenant, integration in named.values() if tenant and not integration})
        told = {
            key: (each, self._tenant(*named[key]) if tenant is None else tenant)
            for key, (each, tenant) in read.items()
        }
        self._read = told
        return [told[id(each)][1] for each in deliveries]

    async def one(self, delivery: Delivery) -> str:
        """The tenant of a message that is in hand."""
        tenant, integration = await _named(delivery)
        await self._look_up({integration} if integration else set())
        await self._meet({tenant} if tenant and not integration else set())
        return self._tenant(tenant, integration)

    def _tenant(self, tenant: str | None, integration: str | None) -> str:
        if integration:
            return self._tenants.get(integration, NOBODY)
        return tenant if tenant in self._here else NOBODY

    async def _meet(self, named: set[str]) -> None:
        """Learn which of these are tenants here."""
        if named <= self._here:
            return
        with suppress(Transient):
            async with self._store.read() as connection:
                self._here |= await integrations.tenants(connection, of=named - self._here)

    async def _look_up(self, integrations: set[str]) -> None:
        unknown = integrations - self._tenants.keys()
        if not unknown:
            return
        try:
            async with self._store.read() as connection:
                found = await tenants_of(connection, unknown)
        except Transient:
            return
        if len(self._tenants) + len(found) > KNOWN_INTEGRATIONS:
            self._tenants.clear()
        self._tenants.update(found)


async def tenants_here(store: Store) -> frozenset[str]:
    """The tenants that have integrations. Raises Transient."""
    async with store.read() as connection:
        return await integrations.tenants(connection)


async def _named(delivery: Delivery) -> tuple[str | None, str | None]:
    """Tenant or integration, whichever tells whose a message of its queue is."""
    owner = await owner_in_turns(delivery.body)
    if delivery.queue == QUEUE_OUTBOUND:
        return owner.tenant_id, None
    return owner.tenant_id, owner.integration_id
