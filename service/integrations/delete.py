"""Deleting an integration: gone at once for its owner, and then in steps that survive a kill (G13, R21)."""

from datetime import datetime
from typing import Literal

from contracts.calendar import Integration, LogEntry
from contracts.messages import IntegrationChange
from service.integrations.facts import tell_change
from service.integrations.ownership import owned_integration
from service.integrations.run_requests import request_run
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.integrations import change
from service.store.integrations.listing import Owner, was_deleted
from service.store.links import tombstones, watched
from service.store.logs import logs
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

    async def is_done(self, owner: Owner, integration_id: str) -> bool:
        """Whether its owner has deleted it already, as by a form that is sent twice."""
        async with self._store.read() as connection:
            return await was_deleted(connection, owner, integration_id)

    async def delete(
        self, owner: Owner, integration_id: str, *, copies: DeletionChoice, noted: LogEntry | None = None
    ) -> None:
        """Nothing of it is shown, sent or read from now on; the rest follows by itself.

        ``noted``: what the log says of it, where it was not the owner who did it (R47).
        """
        async with self._store.begin() as connection:
            known = (await owned_integration(connection, owner, integration_id, lock=True)).integration
            now = await self._store.moment(connection)
            by = owner.user_id or ""
            await delete_known(self._store, connection, known, copies=copies, started_by=by, now=now)
            await logs.log(connection, [noted] if noted else [], now=now)


async def delete_known(
    store: Store,
    connection: AsyncConnection,
    known: Integration,
    *,
    copies: DeletionChoice,
    started_by: str,
    now: datetime,
) -> str:
    """The same in the caller's transaction, which has locked it; the id of the run that does the rest."""
    await change(connection, known.id, active=False, deleted_at=now, watching_since=None)
    await watched.forget(connection, known.id)
    await runs.end_all(connection, known.id, reason=INTEGRATION_DELETED, at=now)
    await tell_change(connection, known, IntegrationChange.DELETED, now=now)
    return await request_run(
        store,
        connection,
        known.id,
        kind=DELETION_RUN,
        started_by=started_by,
        listed=False,
        cursor={"copies": copies},
    )
