"""The look whether Cronofy still tells us of changes, where it has been silent for a day."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

import structlog

from contracts.calendar import Integration
from contracts.cronofy import Channel
from contracts.errors import GrantRefused
from contracts.ports import AccountCheck, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.store.engine.counting import HourlyCount
from service.store.engine.store import Store
from service.store.integrations import channels
from service.store.integrations.listing import IntegrationView
from service.telemetry.hindrances import reason_of
from service.telemetry.logs import EventName

CHANNEL_MISSING: EventName = "channel.missing"
UNHEARD_SECONDS, AUDITED_EVERY_SECONDS = 86_400.0, 172_800.0
FEWEST_AUDITS, AUDIT_ROUNDS = 5, 2880
"""Accounts asked a minute, and the minutes within which all are: no day sees more than half of very many."""
BEHIND_LIVE = Turn(urgency=Urgency.RUN)
log = structlog.get_logger(__name__)


class ChannelAudit:
    """Compares the channels that Cronofy has with those that we believe in."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        looker: AccountCheck,
        callback_address: Callable[[str], str],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._looker = looker
        self._callback_address = callback_address
        self._counted = HourlyCount(channels.count_with_channel)

    async def __call__(self) -> int:
        """Forget the channels that are gone, so that they are made anew; how many.

        A channel through which a notice came proves itself: only accounts from which none has come for a day
        are asked, once in two days, some a minute, and after their daily read.

        An account that cannot be asked now is asked again in two days, and keeps no other from its turn; one
        whose grant is gone is looked at, which makes it Not Connected (R22).
        """
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            some = max(FEWEST_AUDITS, await self._counted(connection, now=now) // AUDIT_ROUNDS)
            believed = await channels.take_silent(
                connection,
                heard_before=now - UNHEARD_SECONDS,
                audited_before=now - AUDITED_EVERY_SECONDS,
                now=now,
                limit=some,
            )
        by_account = sorted(believed, key=lambda one: (one.integration.sub, one.integration.id))
        gone = 0
        for sub, mine in groupby(by_account, key=lambda one: one.integration.sub):
            gone += await self._guarded(sub, list(mine))
        return gone

    async def _guarded(self, sub: str, mine: Sequence[IntegrationView]) -> int:
        try:
            return await self._account(sub, mine)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others are asked
            log.warning(CHANNEL_MISSING, integration_id=mine[0].integration.id, reason=reason_of(error))
            return 0

    async def _account(self, sub: str, mine: Sequence[IntegrationView]) -> int:
        try:
            present = await self._gateway.channels(
                sub, turn=replace(BEHIND_LIVE, tenant_id=mine[0].integration.tenant_id)
            )
            lost = [one for one in mine if not self._serves(present, one)]
        except GrantRefused:
            await self._look(one.integration for one in mine)
            return 0
        for one in lost:
            log.warning(CHANNEL_MISSING, integration_id=one.integration.id, reason="Cronofy has it no longer")
            async with self._store.begin() as connection:
                await channels.forget_channel(connection, one.integration.id, one.channel_id)
        return len(lost)

    def _serves(self, present: Iterable[Channel], one: IntegrationView) -> bool:
        """Whether the channel is there, leads to us and covers the linked calendar."""
        address = self._callback_address(one.integration.id)
        return any(
            channel.channel_id == one.channel_id
            and channel.callback_url == address
            and (not channel.calendar_ids or one.integration.calendar_id in channel.calendar_ids)
            for channel in present
        )

    async def _look(self, integrations: Iterable[Integration]) -> None:
        for one in integrations:
            try:
                await self._looker.look(one.id, at_once=True)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the others are looked at
                log.warning(CHANNEL_MISSING, integration_id=one.id, reason=reason_of(error))
