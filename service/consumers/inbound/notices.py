"""What each kind of notice makes us do."""

from collections.abc import Sequence

import structlog

from contracts.calendar import Integration
from contracts.envelope import NoticeReceived
from contracts.messages import CHANGE_NOTICE, ERASURE_NOTICE, PROFILE_NOTICES, QUEUE_INBOUND, NoticeData
from contracts.ports import AccountCheck
from service.consumers.failures import ReceivedMessage
from service.consumers.inbound.reader import CalendarReader
from service.crashpoints import crash_point
from service.integrations.catch_up import request_comparison
from service.store.engine.store import Store
from service.store.integrations import integrations, reads
from service.store.messages import inbox
from service.store.messages.inbox import MessageKey
from service.telemetry.logs import EventName


class NoticeHandler:
    """Turns a notice into a read, a look at the account, or nothing; done when it returns."""

    def __init__(self, *, store: Store, reader: CalendarReader, looker: AccountCheck) -> None:
        self._store, self._reader, self._looker = store, reader, looker
        self._log = structlog.get_logger()

    async def __call__(self, received: ReceivedMessage) -> None:
        message = received.message
        assert isinstance(message, NoticeReceived)
        crash_point("inbound.1")
        notice = message.data
        integration = await self._integration(notice)
        if integration is None:
            self._say("notice.unknown_integration", notice)
            await self._record([received.key], "unknown")
        elif notice.kind == CHANGE_NOTICE:
            await self._change(integration, notice, received.key)
        elif notice.kind in PROFILE_NOTICES:
            await self._profile(integration, received.key)
        else:
            if notice.kind == ERASURE_NOTICE:
                self._say("notice.erasure_requested", notice)
            await self._record([received.key], "noted")

    async def _change(self, integration: Integration, notice: NoticeData, key: MessageKey) -> None:
        since = notice.changes_since or notice.received_at
        async with self._store.begin() as connection:
            await reads.hold_turns(connection, integration.id)
            now = await self._store.now(connection)
            await reads.notice(connection, integration.id, since, now=now)
        crash_point("inbound.2")
        if integration.sends:
            await self._reader.read(integration.id, noticed_at=now, key=key)
        await self._record([key], "done" if integration.sends else "noted")

    async def _profile(self, integration: Integration, key: MessageKey) -> None:
        """The account's profile came or went: see which, and compare what may have been missed."""
        fine = await self._looker.look(integration.id, at_once=True) == "fine"
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            if fine:
                await reads.hasten_run(connection, integration.id, now=now)
                if integration.active and integration.finished_at is not None:
                    await request_comparison(self._store, connection, integration)
            await inbox.record(connection, QUEUE_INBOUND, [(key, "done")], now=now)

    async def _integration(self, notice: NoticeData) -> Integration | None:
        async with self._store.read() as connection:
            found = await integrations.load(connection, [notice.integration_id])
        known = next(iter(found.values()), None)
        return known if known is not None and known.deleted_at is None else None

    async def _record(self, keys: Sequence[MessageKey], outcome: str) -> None:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            await inbox.record(connection, QUEUE_INBOUND, [(key, outcome) for key in keys], now=now)

    def _say(self, name: EventName, notice: NoticeData) -> None:
        self._log.warning(name, integration_id=notice.integration_id, kind=notice.kind)
