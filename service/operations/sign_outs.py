"""Signing people out from outside: all of them after a theft, or one (R45)."""

import structlog

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome, Trigger
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import tenants
from service.store.logs import logs
from service.store.people import revocations, sessions
from service.telemetry.logs import EventName

SESSIONS_ENDED: EventName = "sessions.ended"
SignedIn = tuple[str, str]
"""A tenant and a user of it."""

log = structlog.get_logger(__name__)


class SignOuts:
    """Counts sessions, and ends them."""

    def __init__(self, store: Store, *, who: str) -> None:
        self._store, self._who = store, who

    async def count(self, person: SignedIn | None) -> int:
        """How many are alive, of this person or of everybody."""
        async with self._store.read() as connection:
            return await sessions.count(connection, person, now=await self._store.now(connection))

    async def end(self, person: SignedIn | None) -> int:
        """End them; how many. Of one person older tokens open nothing any more, either.

        The log of each of their integrations says who did it (R47). Everybody's tokens end with the secret
        that signed them.
        """
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            ended = await sessions.count(connection, person, now=now)
            if person is None:
                await sessions.end_everybodys(connection)
            else:
                await revocations.revoke(connection, *person, at=now)
                await sessions.end_all(connection, *person)
                await self._tell(connection, person)
        log.warning(SESSIONS_ENDED, sessions=ended, everybody=person is None, who=self._who)
        return ended

    async def _tell(self, connection: AsyncConnection, person: SignedIn) -> None:
        entries = [
            LogEntry(
                integration_id=IntegrationId(integration_id),
                trigger=Trigger.OPERATOR,
                direction=Direction.TO_LINKED_CALENDAR,
                action=LogAction.NONE,
                outcome=Outcome.DONE,
                code=Code.OK,
                reason=f"Signed out everywhere by {self._who}.",
            )
            for integration_id in await tenants.ids_of_person(connection, *person)
        ]
        await logs.log(connection, entries, now=await self._store.moment(connection))
