"""Signing people out everywhere, whoever asks for it: their logs tell of it (R45, R47)."""

from dataclasses import dataclass

import structlog

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome, Trigger
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import tenants
from service.store.logs import logs
from service.store.people import revocations, sessions
from service.telemetry.logs import EventName

SESSIONS_ENDED: EventName = "sessions.ended"
SIGNED_OUT_THEMSELVES = "Signed out everywhere, as this person asked."
SignedIn = tuple[str, str]
"""A tenant and a user of it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignOutOrder:
    """Who signs somebody out, and by which message, where one said so."""

    who: str | None
    """None: the person."""
    trigger: Trigger = Trigger.OPERATOR
    message_id: str | None = None
    trace_id: str | None = None
    attempt: int | None = None


async def sign_out(
    store: Store, connection: AsyncConnection, person: SignedIn, order: SignOutOrder, *, at: float
) -> None:
    """Nothing that was made by then opens anything, and each log of theirs says who did it (R45, R47).

    A message may be late, and ends no session that was opened after it was said; people end all there are.
    """
    await revocations.revoke(connection, *person, at=at)
    await sessions.end_all(connection, *person, until=at if order.message_id is not None else None)
    ids = await tenants.ids_of_person(connection, *person)
    await logs.log(connection, [_entry(one, order) for one in ids], now=await store.moment(connection))


def _entry(integration_id: str, order: SignOutOrder) -> LogEntry:
    return LogEntry(
        integration_id=IntegrationId(integration_id),
        trigger=order.trigger,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.DONE,
        code=Code.OK,
        reason=signed_out_words(order.who),
        message_id=order.message_id,
        trace_id=order.trace_id,
        attempt=order.attempt,
    )


def signed_out_words(who: str | None) -> str:
    """What the log says; None: the person."""
    return SIGNED_OUT_THEMSELVES if who is None else f"Signed out everywhere by {who}."


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

        Everybody's tokens end with the secret that signed them.
        """
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            ended = await sessions.count(connection, person, now=now)
            if person is None:
                await sessions.end_everybodys(connection)
            else:
                await sign_out(self._store, connection, person, SignOutOrder(who=self._who), at=now)
        log.warning(SESSIONS_ENDED, sessions=ended, everybody=person is None, who=self._who)
        return ended
