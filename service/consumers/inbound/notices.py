"""What each kind of notice makes us do."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from contracts.calendar import Integration, Reason, Status
from contracts.envelope import NoticeReceived
from contracts.messages import CHANGE_NOTICE, ERASURE_NOTICE, PROFILE_NOTICES, QUEUE_INBOUND, NoticeData
from contracts.ports import AccountCheck, Clock
from service.consumers.failures import ReceivedMessage
from service.consumers.inbound.erasure import Erasure
from service.consumers.inbound.notice_pace import NoticePace
from service.consumers.inbound.reader import CalendarReader
from service.crashpoints import crash_point
from service.integrations.catch_up import request_comparison
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, listing, reads
from service.store.integrations.listing import IntegrationView
from service.store.messages import inbox
from service.store.messages.inbox import MessageKey
from service.telemetry.logs import EventName

UNSAID_OVERLAP = timedelta(minutes=10)
"""Of a read that ended well and what changed while it went on."""
SECONDS_TOGETHER = 2.0
"""From the beginning of one read to that of the next, in which notices wait for company."""


class NoticeHandler:
    """Turns a notice into a read, a look at the account, or nothing; done when it returns.

    Its signature covers the body and not the address that it was posted to. So nothing is done for an
    integration that the body was not made for, and whoever posts a captured body again causes no more
    than the reads of its pace (R32). Notices in quick succession share one: the first is read for at once,
    those of the two seconds after that read's beginning by the next one.
    """

    def __init__(
        self,
        *,
        store: Store,
        reader: CalendarReader,
        looker: AccountCheck,
        erasure: Erasure,
        clock: Clock,
    ) -> None:
        self._store, self._reader, self._looker, self._erasure = store, reader, looker, erasure
        self._clock, self._pace = clock, NoticePace(clock)
        self._in_hand: Counter[str] = Counter()
        """Notices by integration that a read is awaited for."""
        self._log = structlog.get_logger()

    async def __call__(self, received: ReceivedMessage) -> None:
        message = received.message
        assert isinstance(message, NoticeReceived)
        crash_point("inbound.1")
        notice = message.data
        async with self._store.read() as connection:
            known = await listing.find(connection, notice.integration_id)
        if known is None:
            self._say("notice.unknown_integration", notice)
            await self._record([received.key], "unknown")
        elif not _is_for(known, notice):
            self._say("notice.misdirected", notice)
            await self._record([received.key], "misdirected")
        else:
            await self._act(known.integration, notice, received)

    async def _act(self, integration: Integration, notice: NoticeData, received: ReceivedMessage) -> None:
        told = notice.kind in PROFILE_NOTICES
        if integration.status is Status.NOT_CONNECTED and not told:
            integration = await self._seen_again(integration)
        if notice.kind == CHANGE_NOTICE:
            await self._change(integration, notice, received.key)
        elif told:
            await self._profile(integration, received.key)
        elif notice.kind == ERASURE_NOTICE and integration.reason is not Reason.ERASED:
            self._say("notice.erasure_requested", notice)
            await self._erasure.begin(integration.sub)
            await self._record([received.key], "done")
        else:
            await self._record([received.key], "noted")

    async def _seen_again(self, integration: Integration) -> Integration:
        """Whatever tells of an account tells that it may work again: nothing else says so (R35)."""
        async with self._store.begin() as connection:
            await reads.hear(connection, integration.id, now=await self._store.now(connection))
        await self._looker.look(integration.id)
        async with self._store.read() as connection:
            found = await integrations.load(connection, [integration.id])
        return found.get(integration.id, integration)

    async def _change(self, integration: Integration, notice: NoticeData, key: MessageKey) -> None:
        async with self._store.begin() as connection:
            await reads.hold_turns(connection, integration.id)
            since = notice.changes_since or await self._last_known(connection, integration, notice)
            now = await self._store.now(connection)
            waits = await reads.notice(connection, integration.id, since, now=now, heard=True)
            rests = await reads.last_began(connection, integration.id) + SECONDS_TOGETHER - now
        crash_point("inbound.2")
        shares = waits and self._in_hand[integration.id] > 0
        reads_now = integration.reads and not shares and self._pace.admits(integration.id)
        if reads_now:
            await self._read(integration.id, now, key, told_at=notice.received_at, after=rests)
        await self._record([key], "done" if reads_now else "noted")

    async def _read(
        self, integration_id: str, noticed_at: float, key: MessageKey, *, told_at: datetime, after: float
    ) -> None:
        """Until it is over, what is noticed before it begins needs no read of its own."""
        self._in_hand[integration_id] += 1
        try:
            if after > 0:
                await self._clock.sleep(after)
            await self._reader.read(integration_id, noticed_at=noticed_at, key=key, told_at=told_at)
        finally:
            self._in_hand[integration_id] -= 1
            if not self._in_hand[integration_id]:
                del self._in_hand[integration_id]

    @staticmethod
    async def _last_known(
        connection: AsyncConnection, integration: Integration, notice: NoticeData
    ) -> datetime:
        """Where the notice does not say since when: from the last read on, or from Finish."""
        checked = await reads.last_checked(connection, integration.id) or integration.baseline_at
        return min(checked or notice.received_at, notice.received_at) - UNSAID_OVERLAP

    async def _profile(self, integration: Integration, key: MessageKey) -> None:
        """The account's profile came or went: see which, and compare what may have been missed."""
        at_once = self._pace.admits(integration.id)
        fine = await self._looker.look(integration.id, at_once=at_once) == "fine"
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            if fine:
                await reads.hasten_run(connection, integration.id, now=now)
                known = integration.active and integration.finished_at is not None
                if known and integration.status is Status.CONNECTED:  # else the look has asked for it
                    await request_comparison(self._store, connection, integration)
            await inbox.record(connection, QUEUE_INBOUND, [(key, "done")], now=now)

    async def _record(self, keys: Sequence[MessageKey], outcome: str) -> None:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            await inbox.record(connection, QUEUE_INBOUND, [(key, outcome) for key in keys], now=now)

    def _say(self, name: EventName, notice: NoticeData) -> None:
        self._log.warning(name, integration_id=notice.integration_id, kind=notice.kind)


def _is_for(known: IntegrationView, notice: NoticeData) -> bool:
    """Whether the body was made for this integration, by the address of its channel or else its id.

    The address counts first: a channel is pushed through before its id is stored. A body that names
    neither is none of Cronofy's channels', so nobody can have captured it.
    """
    if notice.addressee is not None:
        return notice.addressee == known.integration.id
    return notice.channel_id in {None, known.channel_id}
