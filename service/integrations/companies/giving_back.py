"""Grants that nothing lives on: Cronofy ends them, and no token of them stays here."""

from contextlib import suppress

from contracts.cronofy_accounts import TokenGrant
from contracts.errors import Permanent, SyncError
from contracts.ports import GrantKeeper, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.store.engine.store import Store
from service.store.integrations import grants
from service.store.people import companies


class GrantsReturned:
    """What was not saved lives on nowhere; whatever somebody uses, of any tenant, is left alone."""

    def __init__(self, *, store: Store, gateway: CronofyGateway, keeper: GrantKeeper) -> None:
        self._store, self._gateway, self._keeper = store, gateway, keeper

    async def give_back(self, grant: TokenGrant, *, patient: bool = False) -> None:
        """End a grant that was refused, unless anything lives on its account.

        ``patient``: raises Transient where Cronofy cannot be asked now; else it is asked once, for nobody is
        there to ask again.
        """
        if grant.sub is None or await self._is_used(grant.sub):
            return
        if grant.refresh_token is not None:
            with suppress(Permanent if patient else SyncError):
                erase = await self._is_erasing(grant.sub)
                await self._gateway.revoke_grant(grant.refresh_token, erase=erase)
        if not await self._is_erasing(grant.sub):  # who erases the account still asks with its tokens
            await self._keeper.forget(grant.sub)

    async def end_domain(self, sub: str, tenant_id: str) -> None:
        """End the grant of a domain that the tenant has replaced by another."""
        if await self._is_used(sub):
            return
        with suppress(SyncError):
            await self._gateway.revoke_account(sub, turn=Turn(tenant_id=tenant_id, urgency=Urgency.RUN))
        await self._keeper.forget(sub)

    async def _is_erasing(self, sub: str) -> bool:
        async with self._store.read() as connection:
            return await grants.is_erasing(connection, sub)

    async def _is_used(self, sub: str) -> bool:
        async with self._store.read() as connection:
            return await grants.uses_account(connection, sub) or await companies.uses_sub(connection, sub)
