"""Taking leave of a grant that a person has replaced by another one (R21, R22)."""

from collections.abc import Sequence
from contextlib import suppress

from contracts.errors import SyncError
from contracts.ports import Revoker, Turn
from service.store.engine.store import Store
from service.store.integrations import grants, listing
from service.store.integrations.grants import GrantInUse


class OldGrants:
    """Asks Cronofy to forget what nobody here uses any more; what it does not do now, expires there."""

    def __init__(self, store: Store, gateway: Revoker) -> None:
        self._store, self._gateway = store, gateway

    async def part(self, replaced: Sequence[GrantInUse], *, sub: str, profile_id: str) -> None:
        """Before the new grant takes over and the old one's tokens are erased."""
        for old in replaced:
            if (old.sub, old.profile_id) != (sub, profile_id):
                await self._close(old)
                await self._revoke(old, sub, but=[each.integration_id for each in replaced])

    async def close_old(self, replaced: Sequence[GrantInUse]) -> None:
        """After the new channels were opened: the old ones that they are not."""
        for old in replaced:
            async with self._store.read() as connection:
                now = await listing.find(connection, old.integration_id)
            if now is not None and now.integration.sub == old.sub and now.channel_id is not None:
                await self._close(old, unless=now.channel_id)

    async def _close(self, old: GrantInUse, *, unless: str | None = None) -> None:
        if old.channel_id is not None and old.channel_id != unless:
            with suppress(SyncError):
                turn = Turn(integration_id=old.integration_id)
                await self._gateway.close_channel(old.sub, old.channel_id, turn=turn)

    async def _revoke(self, old: GrantInUse, sub: str, *, but: Sequence[str]) -> None:
        """The profile where nobody needs it; the whole authorisation where nobody needs any of it (R41)."""
        async with self._store.read() as connection:
            needed = await grants.uses_profile(connection, old.sub, old.profile_id, but=but)
            account = old.sub == sub or await grants.uses_account(connection, old.sub, but=but)
        turn = Turn(integration_id=old.integration_id)
        if not needed:
            with suppress(SyncError):
                await self._gateway.revoke_profile(old.sub, old.profile_id, turn=turn)
        if not account:
            with suppress(SyncError):
                await self._gateway.revoke_account(old.sub, turn=turn)
