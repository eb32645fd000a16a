"""The verbs of an integration's life, each once, for the pages, the API and the operators (G4–G16).

What a link or an event becomes is decided in ``handlers``; what takes longer than a request is a run, asked
for here and done in ``consumers.runs``.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress

import structlog

from contracts.calendar import Integration, Reason, Status
from contracts.cronofy import Calendar
from contracts.cronofy_accounts import Profile, TokenGrant
from contracts.errors import GrantRefused, SyncError, Transient
from contracts.ports import GrantKeeper
from handlers.texts.advice import advice_language
from service.cronofy.gateway import CronofyGateway
from service.cronofy.questions import PeoplesQuestions, persons_turn
from service.integrations.channels import CHANNEL_MISSING
from service.integrations.companies.locks import check_locked
from service.integrations.connection_check import ConnectionCheck, ConnectionFinding
from service.integrations.finish import (
    Aim,
    ChosenSetup,
    FinishedSetup,
    check_calendar,
    check_choices,
    check_details,
    finish,
    known_calendar,
)
from service.integrations.linking.old_grants import OldGrants
from service.integrations.ownership import Person
from service.integrations.refusals import NOT_CONNECTED, TOO_NARROW, Conflict
from service.integrations.settings_form import (
    FIRST_EVENT_TYPES,
    FIRST_ITEM_TYPES,
    FIRST_RETRIEVE,
    FIRST_SEND,
    Choices,
)
from service.integrations.views import get_integration
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, IntegrityError, Store
from service.store.integrations import changes_made, grants, listing, reads
from service.store.integrations import channels as channel_rows
from service.store.integrations.listing import IntegrationView, Owner
from service.store.people import sessions

__all__ = ["Integrations", "Person"]

TOO_MANY_INTEGRATIONS = (
    f"You have {changes_made.INTEGRATIONS_A_PERSON} integrations, as many as one person may have. "
    "Delete one of them first."
)
log = structlog.get_logger(__name__)


class Integrations:
    """What Cronofy is asked for. What is not yours is Unknown; what cannot be now, a Conflict."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        grants: GrantKeeper,
        questions: PeoplesQuestions,
        check: ConnectionCheck,
        parting: OldGrants,
        callback_address: Callable[[str], str],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._grants = grants
        self._callback_address = callback_address
        self._questions = questions
        self._check = check
        self._parting = parting

    # -- connecting -----------------------------------------------------------------------------

    async def link(self, person: Person, grant: TokenGrant) -> str:
        """The integration that a confirmed permission belongs to: a new one, or one that waited for it.

        Raises Conflict where there is no room for one more (R43), or where a better grant is kept.
        """
        if grant.sub is None or grant.profile is None:
            raise Transient("Cronofy's grant does not name the calendar account")
        async with self._store.begin() as connection:
            waiting = await _waiting(connection, person, grant.profile)
            if not waiting:
                await _check_room(connection, person)
            replaced = await grants.granted(connection, waiting)
        await self._adopt(grant.sub, grant)
        await self._parting.part(replaced, sub=grant.sub, profile_id=grant.profile.profile_id)
        try:
            integration_id = await self._given(person, grant.sub, grant.profile)
        except Conflict:
            async with self._store.begin() as connection:
                await grants.erase_unused(connection, grant.sub)
            raise
        await self._look_again(integration_id)
        await self._parting.close_old(replaced)
        return integration_id

    async def _adopt(self, sub: str, grant: TokenGrant) -> None:
        """A grant that allows less replaces none that works; Cronofy is asked which do (R1)."""
        if await self._grants.adopt(sub, grant):
            return
        async with self._store.read() as connection:
            others = await grants.living_on(connection, sub)
        for one in others:
            await self._check.look(one, at_once=True)
        if not await self._grants.adopt(sub, grant):
            raise Conflict("access_too_narrow", TOO_NARROW)

    async def _given(self, person: Person, sub: str, profile: Profile) -> str:
        async with self._store.begin() as connection:
            waiting = await _waiting(connection, person, profile)
            if waiting:
                await grants.hand_over(connection, waiting, sub=sub, profile_id=profile.profile_id)
                return waiting[0]
            await _check_room(connection, person)
            integration_id, now = new_id(), await self._store.moment(connection)
            locale = await sessions.newest_locale(connection, person.tenant_id, person.user_id)
            await listing.add(
                connection,
                id=integration_id,
                tenant_id=person.tenant_id,
                user_id=person.user_id,
                sub=sub,
                profile_id=profile.profile_id,
                profile_name=profile.profile_name,
                provider_name=profile.provider_name,
                provider_service=profile.provider_service,
                account_name=profile.profile_name,
                time_zone=person.time_zone,
                language=advice_language(locale),
                event_types=FIRST_EVENT_TYPES,
                item_types=FIRST_ITEM_TYPES,
                retrieve=FIRST_RETRIEVE,
                send=FIRST_SEND,
                created_at=now,
                status_since=now,
            )
        return integration_id

    async def relink_address(self, owner: Owner, integration_id: str) -> str | None:
        """Where the person mends just this account; None where only a new permission brings it back (R22).

        Nobody comes back from there by themselves: the keeper looks in a minute, and whenever a notice
        comes (R35). Raises Unknown where it is not theirs.
        """
        shown = await get_integration(self._store, owner, integration_id)
        integration = shown.integration
        if integration.reason is not Reason.PERMISSION_WITHDRAWN:
            return None
        try:
            async with self.asking(owner):
                turn = persons_turn(integration.id, integration.tenant_id)
                person = await self._gateway.userinfo(integration.sub, turn=turn)
        except SyncError:
            return None
        profile = person.profile(integration.profile_id)
        if profile is None or profile.mending_url is None:
            return None
        async with self._store.begin() as connection:
            await reads.hear(connection, integration.id, now=await self._store.now(connection))
        return profile.mending_url

    async def migration_address(self, owner: Owner, integration_id: str) -> str | None:
        """Where the person leaves a protocol that the provider has given up, asked now; None where none is.

        Raises Unknown where it is not theirs, and what asking raises.
        """
        shown = await get_integration(self._store, owner, integration_id)
        integration = shown.integration
        async with self.asking(owner):
            turn = persons_turn(integration.id, integration.tenant_id)
            person = await self._gateway.userinfo(integration.sub, turn=turn)
        profile = person.profile(integration.profile_id)
        await self._check.note_protocol(shown, profile)
        return profile.migration_url if profile else None

    async def _look_again(self, integration_id: str) -> None:
        """One permission serves all integrations of an account (R22); what cannot be seen now waits."""
        async with self._store.read() as connection:
            affected = await grants.of_profile(connection, integration_id)
        for one in affected:
            self._questions.forget(one)
        with suppress(SyncError):
            for one in affected:
                await self._check.look(one, at_once=True)
                await self.ensure_channel(one)

    # -- seeing ---------------------------------------------------------------------------------

    async def calendars(self, owner: Owner, integration_id: str) -> Sequence[Calendar]:
        """The account's calendars as Cronofy listed them within a minute, without the deleted ones (G7).

        Raises AskedTooOften where the person asked for too many (R44).
        """
        shown = await get_integration(self._store, owner, integration_id)
        broken = shown.integration.status is Status.NOT_CONNECTED
        return await self._calendars(owner, shown.integration, fresh=broken)

    def asking(self, owner: Owner) -> AbstractAsyncContextManager[None]:
        """Around whatever else is asked of Cronofy for a person who waits. Raises AskedTooOften."""
        return self._questions.asking(_asker(owner))

    def count_request(self, owner: Owner) -> None:
        """One request within ``asking``, which takes several. Raises AskedTooOften."""
        self._questions.count_request(_asker(owner))

    async def _calendars(
        self, owner: Owner, integration: Integration, *, fresh: bool = False
    ) -> Sequence[Calendar]:
        try:
            listed = await self._questions.calendars(
                _asker(owner), integration.id, integration.sub, tenant_id=integration.tenant_id, fresh=fresh
            )
        except GrantRefused as error:
            with suppress(SyncError):
                await self._check.look(integration.id, at_once=True)
            raise Conflict("not_connected", NOT_CONNECTED) from error
        profiles = (integration.profile_id, "")
        return [one for one in listed if not one.deleted and one.profile_id in profiles]

    async def look(self, integration_id: str) -> ConnectionFinding:
        """Whether Cronofy still lets us at the calendar, keeping the status true."""
        return await self._check.look(integration_id)

    # -- settings -------------------------------------------------------------------------------

    async def finish(
        self, person: Person, integration_id: str, choices: Choices, *, aim: Aim = "activate"
    ) -> FinishedSetup:
        """Save all settings; the integration is connected from then on (G10), and as ``aim`` says.

        The same choices again change nothing. Raises Invalid naming the field, or Conflict.
        """
        shown = await get_integration(self._store, person.owner, integration_id)
        check_choices(choices)
        async with self._store.read() as connection:
            await check_locked(connection, shown.integration.id, choices.model_dump())
        check_details(choices, shown.integration.provider_name)
        calendar, listed = await self._chosen(person.owner, shown, choices)
        try:
            async with self._store.begin() as connection:
                finished = await finish(
                    self._store,
                    connection,
                    person.user_id,
                    shown.integration.id,
                    ChosenSetup(choices, calendar, listed, aim=aim),
                )
        except IntegrityError as error:
            raise Conflict("already_linked", "You have linked this calendar already.") from error
        await self._renew_channel(shown)
        return finished

    async def _chosen(
        self, owner: Owner, shown: IntegrationView, choices: Choices
    ) -> tuple[Calendar, Sequence[str]]:
        """The calendar, and the ids of all; while Cronofy is silent as they were known, where that serves."""
        try:
            offered = await self._calendars(owner, shown.integration, fresh=True)
            await self._check_profile(shown)
        except Transient:
            known = known_calendar(shown, choices)
            if known is None:
                raise
            return known, shown.listed_calendars or [known.calendar_id]
        calendar = check_calendar(choices, offered)
        await self._check.rename(shown.integration, offered)
        return calendar, sorted(one.calendar_id for one in offered)

    async def linked_names(self, owner: Owner, integration_id: str) -> frozenset[str]:
        """The account's calendars that the person's other integrations link already (R1)."""
        shown = await get_integration(self._store, owner, integration_id)
        async with self._store.read() as connection:
            return await listing.names_linked(connection, shown.integration)

    async def _check_profile(self, shown: IntegrationView) -> None:
        integration = shown.integration
        turn = persons_turn(integration.id, integration.tenant_id)
        profile = (await self._gateway.userinfo(integration.sub, turn=turn)).profile(integration.profile_id)
        if profile is None or not profile.connected:
            raise Conflict("not_connected", NOT_CONNECTED)
        await self._check.note_protocol(shown, profile)

    # -- channels -------------------------------------------------------------------------------

    async def ensure_channel(self, integration_id: str) -> None:
        """Have Cronofy push the notices of the linked calendar here; nothing where it does so already."""
        async with self._store.read() as connection:
            shown = await listing.find(connection, integration_id)
        if shown is None or shown.channel_id is not None or not _wants_channel(shown.integration):
            return
        integration = shown.integration
        channel = await self._gateway.create_channel(
            integration.sub,
            self._callback_address(integration.id),
            calendar_ids=[integration.calendar_id or ""],
            turn=persons_turn(integration.id, integration.tenant_id),
        )
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            kept = await channel_rows.keep_channel(connection, integration, channel.channel_id, now=now)
        if not kept:
            await self._close_useless(integration, channel.channel_id)

    async def _close_useless(self, integration: Integration, channel_id: str) -> None:
        """Another calendar was chosen meanwhile, or the integration deleted: nobody would ever close it."""
        async with self._store.read() as connection:
            now = await listing.find(connection, integration.id)
        if now is None or now.channel_id != channel_id:
            with suppress(SyncError):
                await self._gateway.close_channel(integration.sub, channel_id)

    async def ensure_channels(self) -> int:
        """For the keeper: make every channel that could not be made before; how many are still missing."""
        async with self._store.read() as connection:
            lacking = await channel_rows.without_channel(connection)
        return len([one for one in lacking if not await self._made(one)])

    async def _made(self, integration_id: str) -> bool:
        try:
            await self.ensure_channel(integration_id)
        except SyncError as error:
            log.warning(CHANNEL_MISSING, integration_id=integration_id, reason=str(error))
            return False
        return True

    async def _renew_channel(self, before: IntegrationView) -> None:
        """After the settings are safe. A channel that cannot be made now is made by the keeper."""
        integration = before.integration
        made = await self._made(integration.id)
        async with self._store.read() as connection:
            now = await listing.find(connection, integration.id)
        if made and before.channel_id and now and now.channel_id != before.channel_id:
            with suppress(SyncError):
                await self._gateway.close_channel(integration.sub, before.channel_id)


async def _waiting(connection: AsyncConnection, person: Person, profile: Profile) -> Sequence[str]:
    """The person's integrations that this permission belongs to."""
    return await grants.to_reconnect(
        connection,
        person.owner,
        provider_name=profile.provider_name,
        profile_name=profile.profile_name,
    )


async def _check_room(connection: AsyncConnection, person: Person) -> None:
    await changes_made.lock_person(connection, person.tenant_id, person.user_id)
    found = await changes_made.count_integrations(connection, person.tenant_id, person.user_id)
    if found >= changes_made.INTEGRATIONS_A_PERSON:
        raise Conflict("limit_reached", TOO_MANY_INTEGRATIONS)


def _asker(owner: Owner) -> str:
    return f"{owner.tenant_id}\x1f{owner.user_id}"


def _wants_channel(integration: Integration) -> bool:
    connected = integration.status is Status.CONNECTED and integration.finished_at is not None
    return connected and integration.calendar_id is not None
