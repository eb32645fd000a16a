"""Deleting an integration: gone at once for its owner, and then in steps that survive a kill (G13, R21)."""

from typing import Literal

from contracts.messages import IntegrationChange
from service.integrations.facts import integration_changed, run_requested
from service.integrations.ownership import owned
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations.integrations import change
from service.store.integrations.listing import Owner
from service.store.links import tombstones
from service.store.messages.outbox import enqueue
from service.store.runs import runs

Copies = Literal["keep", "remove"]
FIRST_STEP = "quiet"
GONE = "The integration was deleted."


class Leaving:
    """What is not theirs is Unknown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def copies(self, owner: Owner, integration_id: str) -> int:
        """How many copies on the linked calendar *remove* would remove."""
        async with self._store.read() as connection:
            shown = await owned(connection, owner, integration_id)
            return await tombstones.count_copies(connection, shown.integration)

    async def delete(self, owner: Owner, integration_id: str, *, copies: Copies) -> None:
        """Nothing of it is shown, sent or read from now on; the rest follows by itself."""
        async with self._store.begin() as connection:
            known = (await owned(connection, owner, integration_id, lock=True)).integration
            now = await self._store.moment(connection)
            await change(connection, known.id, active=False, deleted_at=now)
            await runs.end_all(connection, known.id, reason=GONE, at=now)
            run_id = new_id()
            await runs.add_run(
                connection,
                id=run_id,
                integration_id=known.id,
                started_by=owner.user_id or "",
                kind="delete",
                state="waiting",
                step=FIRST_STEP,
                cursor={"copies": copies},
                requested_at=now,
                listed=False,
            )
            messages = [
                integration_changed(known, IntegrationChange.DELETED, now=now),
                run_requested(run_id, known.id, step=0, now=now),
            ]
            await enqueue(connection, messages, now=await self._store.now(connection))
