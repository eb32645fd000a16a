"""Finding out whether an account, its profile and its calendar still serve an integration (R22, R23)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from contracts.calendar import Integration, Reason, Status
from contracts.cronofy import Calendar, UserInfo
from contracts.errors import GrantRefused
from contracts.messages import IntegrationChange
from contracts.ports import Turn
from service.cronofy.gateway import CronofyGateway
from service.integrations.catch_up import request_comparison
from service.integrations.facts import integration_changed
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import listing
from service.store.integrations.integrations import change, change_state, renumber
from service.store.messages.outbox import enqueue

ConnectionFinding = Literal["not_connected", "fine"]
CHECK_EVERY_SECONDS = 60.0
"""Seconds for which it is believed that a refusal found nothing wrong."""


class ConnectionCheck:
    """Keeps each integration's status true, in both directions; refusals alone make it look once a minute."""

    def __init__(self, store: Store, gateway: CronofyGateway) -> None:
        self._store = store
        self._gateway = gateway
        self._alone: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def look(self, integration_id: str, *, at_once: bool = False) -> ConnectionFinding:
        """Say how the integration stands. Raises Transient where Cronofy does not answer: nothing changes.

        ``at_once`` looks even where someone looked a moment ago: the person has just reconnected, or
        Cronofy says that something changed, or refuses the grant. Where that finds nothing wrong, the next
        refusal is looked into at once, too: its cause may have come a moment later.
        """
        async with self._alone[integration_id]:
            async with self._store.read() as connection:
                shown = await listing.find(connection, integration_id)
                now = await self._store.now(connection)
            if shown is None or shown.integration.status is Status.SETUP:
                return "not_connected" if shown is None else "fine"
            fresh = shown.looked_at is not None and now - shown.looked_at < CHECK_EVERY_SECONDS
            if fresh and not at_once:
                return _finding(shown.integration.status)
            found = await self._see(shown.integration)
            return await self._keep(shown.integration, found, believed=not at_once)

    async def _see(self, integration: Integration) -> "_Seen":
        turn = Turn(integration_id=integration.id)
        try:
            person = await self._gateway.userinfo(integration.sub, turn=turn)
            calendars = await self._gateway.calendars(integration.sub, turn=turn)
        except GrantRefused:
            return _Seen(reason=Reason.PERMISSION_WITHDRAWN)
        elsewhere = new_calendar_id(integration, calendars)
        now = replace(integration, calendar_id=elsewhere) if elsewhere else integration
        linked = next((one for one in calendars if one.calendar_id == now.calendar_id), None)
        return _Seen(
            reason=broken_by(now, person, calendars),
            elsewhere=elsewhere,
            permission=linked.permission_level if linked else None,
        )

    async def _keep(self, seen: Integration, found: "_Seen", *, believed: bool) -> ConnectionFinding:
        """Store what was seen, unless the person reconnected or chose another calendar meanwhile."""
        async with self._store.begin() as connection:
            await listing.lock(connection, seen.id)
            shown = await listing.find(connection, seen.id)
            if shown is None:
                return "not_connected"
            now = await self._store.now(connection)
            known = shown.integration
            if _subject(known) != _subject(seen):
                return _finding(known.status)
            await change_state(connection, known.id, looked_at=now if believed or found.reason else None)
            if found.elsewhere is not None:
                await renumber(connection, known, found.elsewhere)
            if found.permission not in {None, known.permission_level}:
                await change(connection, known.id, permission_level=found.permission)
            await self._turn(connection, known, found.reason)
            if found.elsewhere is not None and found.reason is None and known.active:
                await request_comparison(self._store, connection, known)
        return "not_connected" if found.reason else "fine"

    async def _turn(self, connection: AsyncConnection, known: Integration, reason: Reason | None) -> None:
        status = Status.NOT_CONNECTED if reason else Status.CONNECTED
        if (known.status, known.reason) == (status, reason):
            return
        await change(connection, known.id, status=status.value, reason=reason.value if reason else None)
        if reason is None and known.active:
            await request_comparison(self._store, connection, known)
        word = IntegrationChange.NOT_CONNECTED if reason else IntegrationChange.CONNECTED
        fact = integration_changed(known, word, reason=reason, now=await self._store.moment(connection))
        await enqueue(connection, [fact], now=await self._store.now(connection))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What a look found."""

    reason: Reason | None
    """What is in the way."""
    elsewhere: str | None = None
    """The linked calendar's id where Cronofy has given it another one."""
    permission: str | None = None
    """Whether its owner's own events may be edited now (R10); that can be granted and withdrawn later."""


def broken_by(integration: Integration, person: UserInfo, calendars: Sequence[Calendar]) -> Reason | None:
    """What keeps the integration from being connected; None: nothing does. Only definite answers count."""
    profile = person.profile(integration.profile_id)
    if profile is None or not profile.connected:
        return Reason.PERMISSION_WITHDRAWN
    chosen = next((one for one in calendars if one.calendar_id == integration.calendar_id), None)
    if chosen is None or chosen.deleted:
        return Reason.CALENDAR_MISSING
    if chosen.read_only and integration.item_types:
        return Reason.CALENDAR_READ_ONLY
    return None


def new_calendar_id(integration: Integration, calendars: Sequence[Calendar]) -> str | None:
    """Another id under which the linked calendar is listed: linking an account again may give it one.

    A calendar is told by its name (R1); one that is listed under the known id is the one, even if deleted.
    """
    if any(one.calendar_id == integration.calendar_id for one in calendars):
        return None
    profiles = (integration.profile_id, "")
    same = [
        one.calendar_id
        for one in calendars
        if one.name == integration.calendar_name and one.profile_id in profiles and not one.deleted
    ]
    return same[0] if len(same) == 1 else None


def _subject(integration: Integration) -> tuple[object, ...]:
    return (integration.sub, integration.profile_id, integration.calendar_id, integration.item_types)


def _finding(status: Status) -> ConnectionFinding:
    return "not_connected" if status is Status.NOT_CONNECTED else "fine"
