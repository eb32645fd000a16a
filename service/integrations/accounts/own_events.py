"""The permission to change events that the person made themselves: asked for once Finish is done (R34)."""

import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal

from contracts.calendar import Integration, Status
from contracts.errors import GrantRefused
from contracts.vorex import ItemType
from service.cronofy.gateway import CronofyGateway
from service.cronofy.questions import persons_turn
from service.integrations.connection_check import ConnectionCheck
from service.integrations.ownership import owned_integration, owns
from service.integrations.refusals import NOT_CONNECTED, SETUP_FIRST, Conflict, Unknown
from service.store.engine.store import Store
from service.store.integrations import listing, permissions
from service.store.integrations.integrations import change
from service.store.integrations.listing import IntegrationView, Owner
from service.store.integrations.permissions import AskedPermission

ANSWER_WITHIN_SECONDS = 3600.0
"""Seconds within which a person comes back from Cronofy's page."""
REFUSED = "refused"

EditsOwnEvents = Literal["allowed", "not_asked", "refused", "not_needed"]


def edits_own_events(shown: IntegrationView) -> EditsOwnEvents:
    """Whether Vorex may change the events that the person made in this calendar.

    It need not where nothing of an appointment is ever sent there.
    """
    integration = shown.integration
    if integration.unrestricted:
        return "allowed"
    if integration.finished_at is not None and ItemType.APPOINTMENT not in integration.item_types:
        return "not_needed"
    return "refused" if shown.permission_answer == REFUSED else "not_asked"


class OwnEvents:
    """Asks for it and sees what came of it. What is not theirs is Unknown; what cannot be now, a Conflict."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        check: ConnectionCheck,
        asking: Callable[[Owner], AbstractAsyncContextManager[None]],
        return_address: Callable[[str], str],
    ) -> None:
        """``asking`` is held around what is asked of Cronofy for a person who waits (R44).

        ``return_address``: where Cronofy sends the person back to, by the state of the request.
        """
        self._store, self._gateway, self._check = store, gateway, check
        self._asking, self._return_address = asking, return_address

    async def ask(self, owner: Owner, integration_id: str) -> str:
        """Where the person answers; straight back to us where Cronofy needs no answer of theirs.

        Raises AskedTooOften where the person asked for too much (R44).
        """
        async with self._store.read() as connection:
            integration = (await owned_integration(connection, owner, integration_id)).integration
        calendar_id = _calendar(integration)
        async with self._asking(owner):
            back = self._return_address(await self._begun(integration))
            turn = persons_turn(integration.id, integration.tenant_id)
            try:
                page = await self._gateway.request_permission(integration.sub, calendar_id, back, turn=turn)
            except GrantRefused as error:
                await self._check.look(integration.id, at_once=True)
                raise Conflict("not_connected", NOT_CONNECTED) from error
        return page or back

    async def _begun(self, integration: Integration) -> str:
        state = secrets.token_urlsafe(32)
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            request = AskedPermission(
                integration_id=integration.id,
                tenant_id=integration.tenant_id,
                user_id=integration.user_id,
                expires_at=now + ANSWER_WITHIN_SECONDS,
            )
            await permissions.begin(connection, request, state_hash=_print(state), now=now)
        return state

    async def settle(self, state: str, visitor: Owner | None) -> None:
        """The person is back: see what was granted. Once that could be seen, the state is spent.

        ``visitor``: who brings the state, if anybody is signed in. Raises Unknown where the state is no good,
        or another's, and what asking Cronofy raises.
        """
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            request = await permissions.find(connection, _print(state), now=now)
            if request is None:
                raise Unknown("state: is unknown or was used before")
            shown = await owned_integration(
                connection, Owner(tenant_id=request.tenant_id, user_id=None), request.integration_id
            )
        if visitor is not None and not owns(visitor, shown.integration):
            async with self._store.begin() as connection:
                await permissions.spend(connection, _print(state))
            raise Unknown("state: was given to someone else")
        await self._check.look(shown.integration.id, at_once=True)
        async with self._store.begin() as connection:
            await permissions.spend(connection, _print(state))
            await listing.lock(connection, request.integration_id)
            now_shown = await listing.find(connection, request.integration_id)
            granted = now_shown is not None and now_shown.integration.unrestricted
            await change(connection, request.integration_id, permission_answer=None if granted else REFUSED)


def _calendar(integration: Integration) -> str:
    """The calendar that is linked and can be asked about."""
    if integration.status is Status.SETUP or integration.calendar_id is None:
        raise Conflict("setup_unfinished", SETUP_FIRST)
    if integration.status is Status.NOT_CONNECTED:
        raise Conflict("not_connected", NOT_CONNECTED)
    return integration.calendar_id


def _print(state: str) -> str:
    """What the store keeps of a state: enough to find it, and nothing to come back with."""
    return hashlib.sha256(state.encode()).hexdigest()
