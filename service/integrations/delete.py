"""Deleting an integration: gone at once for its owner, and then in steps that survive a kill (G13, R21)."""

from typing import Literal

from contracts.messages import IntegrationChange
from service.integrations.facts import integration_changed
from service.integrations.ownership import owned_integration
from service.integrations.run_requests import request_run
from service.store.engine.store import Store
from service.store.integrations.integrations import change
from service.store.integrations.listing import Owner
from service.store.links import tombstones
from service.store.messages.outbox import enqueue
from service.store.runs import runs
from service.store.runs.runs import DELETION_RUN

DeletionChoice = Literal["keep", "remove"]
INTEGRATION_DELETED = "The integration was deleted."


class IntegrationDeletion:
    """What is not theirs is Unknown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def copies(self, owner: Owner, integration_id: str) -> int:
        """How many copies on the linked calendar *remove* would remove."""
        async with self._store.read() as connection:
            shown = await owned_integration(connection, owner, integration_id)
            return await tombstones.count_copies(connection, shown.integration)

    async def delete(self, owner: Owner, integration_id: str, *, copies: DeletionChoice) -> None:
        """Nothing of it is shown, sent or read from now on; the rest follows by itself."""
        async with self._store.begin() as connection:
            known = (await owned_integration(connection, owner, integration_id, lock=True)).integration
            now = await self._store.moment(connection)
            await change(connection, known.id, active=False, deleted_at=now)
            await runs.end_all(connection, known.id, reason=INTEGRATION_DELETED, at=now)
            fact = integration_changed(known, IntegrationChange.DELETED, now=now)
            await enqueue(connection, [fact], now=now.timestamp())
            await request_run(
                self._store,
                connection,
                known.id,
                kind=DELETION_RUN,
                started_by=owner.user_id or "",
                listed=False,
                cursor={"copies": copies},
            )
