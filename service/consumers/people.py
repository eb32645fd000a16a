"""What Vorex tells of people: whom it signs out, and who has left (R45, R54)."""

from datetime import UTC, datetime

from contracts.calendar import Trigger
from contracts.envelope import PersonChanged, PersonLeft
from contracts.messages import QUEUE_PEOPLE
from service.consumers.failures import ReceivedMessage
from service.integrations.leavers.leaving import BY_MESSAGE, Leaver, end_integrations, tenants_choice
from service.integrations.sign_outs import SignOutOrder, sign_out
from service.store.engine.store import AsyncConnection, Store
from service.store.messages import inbox


class PeopleHandler:
    """One transaction a message; again, or late, it ends nothing that began after it was said."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, received: ReceivedMessage) -> None:
        message = received.message
        assert isinstance(message, PersonChanged)
        person = (message.data.tenant_id, message.data.user_id)
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            said_at = min(message.time.timestamp(), now)
            if message.type == PersonLeft.type_word():
                await self._leave(connection, message, said_at=said_at, attempt=received.attempt)
            await sign_out(self._store, connection, person, _order(received), at=said_at)
            await inbox.record(connection, QUEUE_PEOPLE, [(received.key, "done")], now=now)

    async def _leave(
        self, connection: AsyncConnection, message: PersonChanged, *, said_at: float, attempt: int
    ) -> None:
        """What the person had by then ends as the tenant decided, and a record of it begins (R54)."""
        leaver = Leaver(
            tenant_id=message.data.tenant_id,
            user_id=message.data.user_id,
            left_at=datetime.fromtimestamp(said_at, UTC),
            said_by=BY_MESSAGE,
            message_id=message.id,
            trace_id=message.trace_id,
            attempt=attempt,
        )
        choice = await tenants_choice(connection, leaver.tenant_id)
        await end_integrations(self._store, connection, leaver, choice)


def _order(received: ReceivedMessage) -> SignOutOrder:
    message = received.message
    return SignOutOrder(
        who=BY_MESSAGE,
        trigger=Trigger.REAL_TIME,
        message_id=message.id,
        trace_id=message.trace_id,
        attempt=received.attempt,
    )
