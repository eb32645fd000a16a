"""Sources whose versions contradict what is known: seen, and trusted again (R42)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.envelope import ItemChanged, decode, encode
from contracts.errors import SyncError
from contracts.fields import rfc3339
from contracts.messages import ITEMS_EXCHANGE
from contracts.ports import Outgoing
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.messages import outbox, sources
from service.store.messages.sources import DoubtfulSource, VersionDoubt

SOURCE_DAY_SECONDS = 24 * 3600.0
SOURCE_HOUR_SECONDS = 3600.0
MANY_ITEMS = 10
"""Items within an hour from which on a source has started again, and not only erred."""


def has_started_again(source: DoubtfulSource) -> bool:
    """Whether what it said within an hour looks like a source that was restored from a backup."""
    return source.trusted_since is None and source.items >= MANY_ITEMS and source.backwards > 0


class MoreSaid(SyncError):
    """The source has said more than the operator has seen."""


class NothingPassedOver(SyncError):
    """Nothing that the source said since then waits to be taken as true: its name may be misspelt."""

    def __init__(self, source: str, since: datetime) -> None:
        super().__init__(
            f"Nothing that {source} has said since {rfc3339(since)} was passed over. "
            "Those of which something was: calendar-sync sources list"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustReport:
    """What trusting a source does, or would do."""

    source: str
    since: datetime
    items: int
    """Items whose newest message was passed over, and is taken in now."""


class Sources:
    """The verbs about sources of messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def doubtful(
        self, *, within: float = SOURCE_DAY_SECONDS, tenant: str | None = None
    ) -> Sequence[DoubtfulSource]:
        """Those that contradicted what was known lately, of one tenant's items or of all; the worst first."""
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            return await sources.doubtful(connection, since=now - within, tenant=tenant)

    async def forecast(self, source: str, *, since: datetime) -> TrustReport:
        """What ``trust`` would do now. Raises NothingPassedOver."""
        async with self._store.read() as connection:
            found = await _passed_over(connection, source, since)
        return TrustReport(source=source, since=since, items=len(found))

    async def trust(self, source: str, *, since: datetime, expect: int, who: str) -> TrustReport:
        """From then on its newest message of each item counts; those that were passed over come again.

        Raises MoreSaid where more items are concerned than were counted, NothingPassedOver where none is.
        """
        async with self._store.begin() as connection:
            found = await _passed_over(connection, source, since)
            if len(found) > expect:
                raise MoreSaid(f"There are {len(found)} by now, not {expect}. Look at them once more.")
            now = await self._store.now(connection)
            moment = await self._store.moment(connection)
            await sources.trust(connection, source, since=since, at=moment, who=who)
            await outbox.enqueue(connection, [_said_again(each) for each in found], now=now)
        return TrustReport(source=source, since=since, items=len(found))


async def _passed_over(connection: AsyncConnection, source: str, since: datetime) -> Sequence[VersionDoubt]:
    found = await sources.passed_over(connection, source, since=since)
    if not found:
        raise NothingPassedOver(source, since)
    return found


def _said_again(doubt: VersionDoubt) -> Outgoing:
    """The same message under an id of its own: the first one's is done with."""
    message = decode(doubt.body, expected=ItemChanged)
    message_id = new_id()
    body = encode(message.model_copy(update={"id": message_id}))
    return Outgoing(
        exchange=ITEMS_EXCHANGE, routing_key=message.routing_key, body=body, message_id=message_id
    )
