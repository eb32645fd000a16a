"""Finding out whether an account, its profile and its calendar still serve an integration (R22, R23)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from contracts.calendar import UNRESTRICTED, Integration, Reason, Status
from contracts.cronofy import Calendar
from contracts.cronofy_accounts import Profile, UserInfo
from contracts.errors import GrantRefused
from contracts.messages import IntegrationChange
from contracts.ports import Turn
from service.cronofy.gateway import CronofyGateway
from service.integrations.catch_up import request_comparison
from service.integrations.facts import tell_change
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import calendar_names, listing
from service.store.integrations.integrations import change, change_state, learn_anew, renumber, standing
from service.store.integrations.listing import IntegrationView
from service.store.links import links

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
            if shown is None or shown.integration.reason is Reason.ERASED:
                return "not_connected"
            if shown.integration.status is Status.SETUP:
                return "fine"
            fresh = shown.looked_at is not None and now - shown.looked_at < CHECK_EVERY_SECONDS
            if fresh and not at_once:
                return _finding(shown.integration.status)
            found = await self._see(shown)
            name = found.profile.profile_name if found.profile else ""
            await self.rename(shown.integration, found.calendars, profile_name=name)
            await self.note_protocol(shown, found.profile)
            return await self._keep(shown.integration, found, believed=not at_once)

    async def _see(self, shown: IntegrationView) -> "_Seen":
        integration = shown.integration
        turn = Turn(integration_id=integration.id, tenant_id=integration.tenant_id)
        try:
            person = await self._gateway.userinfo(integration.sub, turn=turn)
            calendars = await self._gateway.calendars(integration.sub, turn=turn)
        except GrantRefused:
            return _Seen(reason=Reason.PERMISSION_WITHDRAWN, grant_refused=True)
        elsewhere = new_calendar_id(integration, calendars, before=shown.listed_calendars)
        now = replace(integration, calendar_id=elsewhere) if elsewhere else integration
        linked = next((one for one in calendars if one.calendar_id == now.calendar_id), None)
        return _Seen(
            reason=broken_by(now, person, calendars),
            elsewhere=elsewhere,
            permission=linked.permission_level if linked else None,
            profile=person.profile(integration.profile_id),
            calendars=[one for one in calendars if one.profile_id in {integration.profile_id, ""}],
        )

    async def rename(
        self, integration: Integration, calendars: Sequence[Calendar], *, profile_name: str = ""
    ) -> None:
        """Show this account and its calendars under the names that they have by now (R1)."""
        names = {one.calendar_id: one.name for one in calendars if one.name and not one.deleted}
        async with self._store.read() as connection:
            due = await calendar_names.differ(connection, integration, profile_name, names)
        if due:
            async with self._store.begin() as connection:
                await calendar_names.keep(connection, integration, profile_name, names)

    async def note_protocol(self, shown: IntegrationView, profile: Profile | None) -> None:
        """Remember where the person leaves a protocol that the provider has given up, if it is told."""
        if profile is not None and profile.migration_url != shown.migration_url:
            async with self._store.begin() as connection:
                await change(connection, shown.integration.id, migration_url=profile.migration_url)

    async def _keep(self, seen: Integration, found: "_Seen", *, believed: bool) -> ConnectionFinding:
        """Store what was seen, unless the person reconnected or chose another calendar meanwhile."""
        async with self._store.begin() as connection:
            await listing.lock(connection, seen.id)
            shown = await listing.find(connection, seen.id)
            if shown is None:
                return "not_connected"
            now = await self._store.now(connection)
            known = shown.integration
            if _subject(known) != _subject(seen) or known.reason is Reason.ERASED:
                return _finding(known.status)
            await change_state(connection, known.id, looked_at=now if believed or found.reason else None)
            await self._follow_ids(connection, shown, found)
            await self._turn(connection, known, found)
        return "not_connected" if found.reason else "fine"

    async def _follow_ids(self, connection: AsyncConnection, shown: IntegrationView, found: "_Seen") -> None:
        """The calendar's own id, and those beside it by which another one is told from it."""
        known = shown.integration
        if found.elsewhere is not None:
            await learn_anew(connection, known)
            await renumber(connection, known, found.elsewhere)
        listed = sorted(one.calendar_id for one in found.calendars if not one.deleted)
        if found.reason is None and listed != shown.listed_calendars:
            await change(connection, known.id, listed_calendars=listed)

    async def _turn(self, connection: AsyncConnection, known: Integration, found: "_Seen") -> None:
        reason, status = found.reason, Status.NOT_CONNECTED if found.reason else Status.CONNECTED
        granted = await self._permit(connection, known, found.permission)
        turned = (known.status, known.reason) != (status, reason)
        if turned or found.grant_refused:
            word = reason.value if reason else None
            now = standing(status, await self._store.moment(connection))
            await change(connection, known.id, **now, reason=word, grant_refused=found.grant_refused)
        if turned and reason is None:
            await learn_anew(connection, known)
        if (turned or granted) and reason is None and known.at_work:
            await request_comparison(self._store, connection, known)
        if turned:
            told = IntegrationChange.NOT_CONNECTED if reason else IntegrationChange.CONNECTED
            at = await self._store.moment(connection)
            await tell_change(connection, known, told, reason=reason, now=at)

    @staticmethod
    async def _permit(connection: AsyncConnection, known: Integration, level: str | None) -> bool:
        """Whether events that the person made may be changed from now on; what waited for it is due (R34)."""
        if level in {None, known.permission_level}:
            return False
        granted = level == UNRESTRICTED
        await change(connection, known.id, permission_level=level, permission_answer=None)
        if granted:
            await links.reconsider(connection, known)
        return granted


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What a look found."""

    reason: Reason | None
    """What is in the way."""
    elsewhere: str | None = None
    """The linked calendar's id where Cronofy has given it another one."""
    permission: str | None = None
    """Whether its owner's own events may be edited now (R10); that can be granted and withdrawn later."""
    grant_refused: bool = False
    """Whether Cronofy knows the grant no longer, which nothing but a new one mends (R35)."""
    profile: Profile | None = None
    calendars: Sequence[Calendar] = ()
    """All of the profile's, deleted ones included."""


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


def new_calendar_id(
    integration: Integration, calendars: Sequence[Calendar], *, before: Sequence[str] | None
) -> str | None:
    """Another id under which the linked calendar is listed: linking an account again may give it one.

    Then it gives one to every calendar of the profile, and a calendar is told by its name (R1). ``before``:
    the ids that were listed when the account last worked. As long as one of them is, or the account was
    never gone, nothing was made anew, and another calendar of the name is another calendar. One that is
    listed under the known id is the one, even if deleted.
    """
    profiles = (integration.profile_id, "")
    living = [one for one in calendars if one.profile_id in profiles and not one.deleted]
    listed = {one.calendar_id for one in living}
    gone = integration.reason is Reason.PERMISSION_WITHDRAWN
    if not gone or listed.intersection(before or ()):
        return None
    if any(one.calendar_id == integration.calendar_id for one in calendars):
        return None
    same = [one.calendar_id for one in living if one.name == integration.calendar_name]
    return same[0] if len(same) == 1 else None


def _subject(integration: Integration) -> tuple[object, ...]:
    return (integration.sub, integration.profile_id, integration.calendar_id, integration.item_types)


def _finding(status: Status) -> ConnectionFinding:
    return "not_connected" if status is Status.NOT_CONNECTED else "fine"
