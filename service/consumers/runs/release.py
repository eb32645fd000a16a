"""Before anything is read or sent, what stands on a calendar that is linked no longer is let go of (R16)."""

from contracts.calendar import Integration
from contracts.errors import Transient
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations
from service.store.links import moves

RELEASED_A_TRANSACTION = 500


class CopyRelease:
    """A few hundred links a transaction; after a kill it begins again, and changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, integration: Integration) -> None:
        async with self._store.read() as connection:
            wished = await moves.wish_for_copies(connection, integration.id)
            calendars = await moves.calendars(connection, integration) if wished else []
        if wished is None:
            return
        for calendar_id in calendars:
            await self._let_go(integration, wished, calendar_id)
        await self._unmark(integration, wished)
        async with self._store.begin() as connection:
            if await _still(connection, integration, wished):
                await moves.note_wish(connection, integration.id, None)

    async def _let_go(self, integration: Integration, wished: moves.WishForCopies, calendar_id: str) -> None:
        after: str | None = ""
        while after is not None:
            async with self._store.begin() as connection:
                if not await _still(connection, integration, wished):
                    return
                after = await moves.let_go(
                    connection,
                    integration,
                    wished,
                    calendar_id=calendar_id,
                    after=after,
                    limit=RELEASED_A_TRANSACTION,
                )

    async def _unmark(self, integration: Integration, wished: moves.WishForCopies) -> None:
        after: str | None = ""
        while after is not None:
            async with self._store.begin() as connection:
                if not await _still(connection, integration, wished):
                    return
                after = await moves.unmark(
                    connection, integration, wished, after=after, limit=RELEASED_A_TRANSACTION
                )


async def _still(connection: AsyncConnection, integration: Integration, wished: moves.WishForCopies) -> bool:
    """Whether it is still to be done, until the commit; raises where somebody has chosen otherwise."""
    found = await integrations.load(connection, [integration.id], lock=True)
    current = found.get(integration.id)
    now = await moves.wish_for_copies(connection, integration.id)
    if current is None or current.calendar_id != integration.calendar_id or now not in {wished, None}:
        raise Transient("another choice was made for the copies that were added before")
    return now is not None
