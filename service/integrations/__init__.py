"""The verbs of an integration's life, each once, for the pages, the API and the operators (G4–G16).

What a link or an event becomes is decided in ``handlers``; what takes longer than a request is a run, asked
for here and done in ``consumers.runs``.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from contracts.calendar import Integration, Status
from contracts.cronofy import Calendar, Profile
from contracts.errors import GrantRefused, SyncError, Transient
from contracts.ports import GrantKeeper, Turn
from service.cronofy.gateway import CronofyGateway
from service.integrations.channels import CHANNEL_MISSING
from service.integrations.connection_check import ConnectionCheck, ConnectionFinding
from service.integrations.finish import ChosenSetup, FinishedSetup, check_calendar, check_choices, finish
from service.integrations.old_grants import OldGrants
from service.integrations.ownership import Person
from service.integrations.refusals import NOT_CONNECTED, Conflict
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
from service.store.integrations import channels as channel_rows
from service.store.integrations import grants, listing
from service.store.integrations.listing import IntegrationView, Owner

__all__ = ["Integrations", "Person"]

log = structlog.get_logger(__name__)


class Integrations:
    """What Cronofy is asked for. What is not yours is Unknown; what cannot be now, a Conflict."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        grants: GrantKeeper,
        check: ConnectionCheck,
        parting: OldGrants,
        callback_address: Callable[[str], str],
        redirect_uri: str,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._grants = grants
        self._callback_address = callback_address
        self._redirect_uri = redirect_uri
        self._check = check
        self._parting = parting

    # -- connecting -----------------------------------------------------------------------------

    def authorize_url(self, state: str) -> str:
        """Where the person allows access (G5)."""
        return self._gateway.authorize_url(state=state, redirect_uri=self._redirect_uri)

    async def connect(self, person: Person, code: str) -> str:
        """The integration that the person's permission belongs to: a new one, or one that waited for it.

        Raises GrantRefused where the code is no good.
        """
        grant = await self._gateway.exchange_code(code, self._redirect_uri)
        if grant.sub is None or grant.profile is None:
            raise Transient("Cronofy's grant does not name the calendar account")
        await self._grants.adopt(grant.sub, grant)
        async with self._store.read() as connection:
            replaced = await grants.granted(connection, await _waiting(connection, person, grant.profile))
        await self._parting.part(replaced, sub=grant.sub, profile_id=grant.profile.profile_id)
        integration_id = await self._given(person, grant.sub, grant.profile)
        await self._look_again(integration_id)
        await self._parting.close_old(replaced)
        return integration_id

    async def _given(self, person: Person, sub: str, profile: Profile) -> str:
        async with self._store.begin() as connection:
            waiting = await _waiting(connection, person, profile)
            if waiting:
                await grants.hand_over(connection, waiting, sub=sub, profile_id=profile.profile_id)
                return waiting[0]
            integration_id = new_id()
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
                event_types=FIRST_EVENT_TYPES,
                item_types=FIRST_ITEM_TYPES,
                retrieve=FIRST_RETRIEVE,
                send=FIRST_SEND,
                created_at=await self._store.moment(connection),
            )
        return integration_id

    async def _look_again(self, integration_id: str) -> None:
        """One permission serves all integrations of an account (R22); what cannot be seen now waits."""
        async with self._store.read() as connection:
            affected = await grants.of_profile(connection, integration_id)
        with suppress(SyncError):
            for one in affected:
                await self._check.look(one, at_once=True)
                await self.ensure_channel(one)

    # -- seeing ---------------------------------------------------------------------------------

    async def calendars(self, owner: Owner, integration_id: str) -> Sequence[Calendar]:
        """The account's calendars from Cronofy, without the deleted ones (G7)."""
        shown = await get_integration(self._store, owner, integration_id)
        return await self._calendars(shown.integration)

    async def _calendars(self, integration: Integration) -> Sequence[Calendar]:
        try:
            listed = await self._gateway.calendars(integration.sub, turn=Turn(integration_id=integration.id))
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

    async def finish(self, person: Person, integration_id: str, choices: Choices) -> FinishedSetup:
        """Save all settings; the integration is active and connected from then on (G10).

        The same choices again change nothing. Raises Invalid naming the field, or Conflict.
        """
        shown = await get_integration(self._store, person.owner, integration_id)
        check_choices(choices)
        offered = await self._calendars(shown.integration)
        await self._check_profile(shown.integration)
        calendar = check_calendar(choices, offered)
        try:
            async with self._store.begin() as connection:
                finished = await finish(
                    self._store,
                    connection,
                    person.user_id,
                    shown.integration.id,
                    ChosenSetup(choices, calendar),
                )
        except IntegrityError as error:
            raise Conflict("already_linked", "You have linked this calendar already.") from error
        await self._renew_channel(shown)
        return finished

    async def _check_profile(self, integration: Integration) -> None:
        turn = Turn(integration_id=integration.id)
        profile = (await self._gateway.userinfo(integration.sub, turn=turn)).profile(integration.profile_id)
        if profile is None or not profile.connected:
            raise Conflict("not_connected", NOT_CONNECTED)

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
            turn=Turn(integration_id=integration.id),
        )
        async with self._store.begin() as connection:
            kept = await channel_rows.keep_channel(connection, integration, channel.channel_id)
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


def _wants_channel(integration: Integration) -> bool:
    connected = integration.status is Status.CONNECTED and integration.finished_at is not None
    return connected and integration.calendar_id is not None
