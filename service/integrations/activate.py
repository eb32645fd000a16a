"""*Active*: the switch of an integration (G11, R20)."""

from contracts.calendar import Integration, Status
from contracts.messages import IntegrationChange
from service.integrations.catch_up import request_comparison
from service.integrations.facts import integration_changed
from service.integrations.ownership import owned_integration
from service.integrations.refusals import NOT_CONNECTED, SETUP_FIRST, Conflict
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.integrations import change
from service.store.integrations.listing import IntegrationView, Owner
from service.store.messages.outbox import enqueue
from service.store.runs import runs

DEACTIVATED = "The integration was deactivated."


class IntegrationSwitch:
    """What is not theirs is Unknown; what cannot be now, a Conflict."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def activate(self, owner: Owner, integration_id: str) -> IntegrationView:
        """Sync again, and catch up with what happened meanwhile."""
        return await self._switch(owner, integration_id, on=True)

    async def deactivate(self, owner: Owner, integration_id: str) -> IntegrationView:
        """No more sync either way, and no run goes on; pairs and connection stay."""
        return await self._switch(owner, integration_id, on=False)

    async def _switch(self, owner: Owner, integration_id: str, *, on: bool) -> IntegrationView:
        async with self._store.begin() as connection:
            known = (await owned_integration(connection, owner, integration_id, lock=True)).integration
            _check(known, on=on)
            if known.active is not on:
                await self._turn(connection, known, on=on)
            return await owned_integration(connection, owner, integration_id)

    async def _turn(self, connection: AsyncConnection, known: Integration, *, on: bool) -> None:
        now = await self._store.moment(connection)
        await change(connection, known.id, active=on)
        if on:
            await request_comparison(self._store, connection, known)
        else:
            await runs.end_all(connection, known.id, reason=DEACTIVATED, at=now)
        word = IntegrationChange.ACTIVATED if on else IntegrationChange.DEACTIVATED
        fact = integration_changed(known, word, now=now)
        await enqueue(connection, [fact], now=now.timestamp())


def _check(known: Integration, *, on: bool) -> None:
    if known.status is Status.SETUP:
        raise Conflict("setup_unfinished", SETUP_FIRST)
    if on and known.status is Status.NOT_CONNECTED:
        raise Conflict("not_connected", NOT_CONNECTED)
