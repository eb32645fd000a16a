"""From *Click to Connect* to *Link it*: nothing of a permission is kept before it is confirmed (R45)."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import asdict, dataclass

import structlog

from contracts.calendar import Integration
from contracts.cronofy_accounts import Profile, TokenGrant
from contracts.errors import GrantRefused, SyncError, Transient
from contracts.ports import GrantKeeper
from service.cronofy.gateway import CronofyGateway
from service.integrations.ownership import Person, owned_integration
from service.integrations.refusals import Conflict, StateRefused, StateUsed, Unknown
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import grants, integrations
from service.store.integrations.listing import Owner
from service.store.people import consents
from service.store.people.consents import ConsentRow, ConsentStage
from service.store.people.keys import new_key, print_of
from service.telemetry.hindrances import reason_of, say_abandoned
from service.telemetry.logs import EventName

CONSENT_SECONDS = 3600.0
"""For so long a person may stay at Cronofy."""
QUESTION_SECONDS = 600.0
"""For so long *Link it* may be pressed."""
LINKING_SECONDS = 300.0
"""What a person has just answered may be on its way for so long, and is taken from nobody."""
GIVING_BACK_SECONDS = 3600.0
"""For so long from its first try the keeper asks Cronofy to forget what was not linked; then tokens go."""
CONSENTS_A_ROUND = 50
CONSENT_LEFT: EventName = "consent.left"
_PROFILE_NAMES = ("profile_id", "profile_name", "provider_name", "provider_service")
LinkGrant = Callable[[Person, TokenGrant], Awaitable[str]]
"""Makes the integration that a grant belongs to; its id."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentHolder:
    """Who stands there: a session; or who came by Vorex's token; or the browser that such a one left with."""

    session_id: str | None = None
    vouched: Person | None = None
    browser_key: str | None = None

    def holds(self, row: ConsentRow) -> bool:
        """Whether it was here that this consent began: the same person elsewhere is somebody else."""
        if row.session_id is not None or self.session_id is not None:
            return row.session_id == self.session_id
        if self.vouched is not None:
            return (row.tenant_id, row.user_id) == (self.vouched.tenant_id, self.vouched.user_id)
        return self.browser_key is not None and print_of(self.browser_key) == row.browser_hash


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentQuestion:
    """Whose calendar is about to be linked to whom."""

    id: str
    tenant_id: str
    user_id: str
    account_name: str
    provider_service: str
    reconnects: Sequence[str]
    """The calendars of integrations that come back with it (R22)."""
    expected: str | None = None
    """Whose account the person came to reconnect, where it is not this one."""


class Consents:
    """What is not the holder's is Unknown, and so is what was answered before or has expired."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        keeper: GrantKeeper,
        link: LinkGrant,
        asking: Callable[[Owner], AbstractAsyncContextManager[None]],
        redirect_uri: str,
    ) -> None:
        """``asking`` is held around what is asked of Cronofy for a person who waits (R44)."""
        self._store, self._gateway, self._keeper, self._link = store, gateway, keeper, link
        self._asking = asking
        self._redirect_uri = redirect_uri

    async def begin(
        self,
        person: Person,
        *,
        session_id: str | None,
        browser_key: str | None,
        reconnects: str | None = None,
    ) -> str:
        """Where the person allows access (G5); the state that comes back says nothing of anybody.

        ``reconnects``: the integration that is to come back, by whose service alone it can. Raises Unknown
        where that is not theirs.
        """
        state, verifier = new_key(), secrets.token_urlsafe(48)
        async with self._store.begin() as connection:
            expected = await _expected(connection, person, reconnects)
            row = ConsentRow(
                id=new_id(),
                tenant_id=person.tenant_id,
                user_id=person.user_id,
                time_zone=person.time_zone,
                session_id=session_id,
                browser_hash=None if browser_key is None else print_of(browser_key),
                verifier=verifier,
                reconnects=reconnects,
                stage=ConsentStage.BEGUN,
                expires_at=await self._store.now(connection) + CONSENT_SECONDS,
            )
            await consents.begin(connection, row, state_hash=print_of(state))
        return self._gateway.authorize_url(
            state=state,
            redirect_uri=self._redirect_uri,
            verifier=verifier,
            provider_name=expected.provider_name if expected else "",
        )

    async def returned(self, state: str, holder: ConsentHolder) -> ConsentRow:
        """What this state began, once and here alone. Raises StateRefused."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            row = await consents.of_state(connection, print_of(state), now=now)
            if row is None:
                raise StateRefused("is unknown or has expired")
            if not holder.holds(row):
                raise StateRefused("was given to someone else")
            until = max(row.expires_at, now + LINKING_SECONDS)  # the keeper takes nothing that is asked for
            begun, returned = ConsentStage.BEGUN, ConsentStage.RETURNED
            if not await consents.advance(connection, row.id, begun, returned, expires_at=until):
                raise StateUsed("was used before")
        return row

    async def refused(self, row: ConsentRow) -> None:
        """The person did not allow access."""
        async with self._store.begin() as connection:
            await consents.forget(connection, row.id)

    async def ask(self, row: ConsentRow, code: str) -> ConsentQuestion:
        """Whose calendar the code opens; its tokens are kept encrypted until the answer, and no longer.

        Raises GrantRefused where the code is no good.
        """
        redirect_uri, verifier = self._redirect_uri, row.verifier
        try:
            async with self._asking(_person(row).owner):
                grant = await self._gateway.exchange_code(code, redirect_uri, verifier=verifier)
        except GrantRefused:
            await self.refused(row)
            raise
        if grant.sub is None or grant.profile is None:
            raise Transient("Cronofy's grant does not name the calendar account")
        async with self._store.begin() as connection:
            await consents.advance(
                connection,
                row.id,
                ConsentStage.RETURNED,
                ConsentStage.GRANTED,
                sub=grant.sub,
                profile=_profile_form(grant.profile),
                granted=self._keeper.seal(grant),
                expires_at=await self._store.now(connection) + QUESTION_SECONDS,
            )
        return await self._question(row, grant.profile)

    async def _question(self, row: ConsentRow, profile: Profile) -> ConsentQuestion:
        person = _person(row)
        async with self._store.read() as connection:
            waiting = await grants.to_reconnect(
                connection,
                person.owner,
                provider_name=profile.provider_name,
                profile_name=profile.profile_name,
            )
            known = await integrations.load(connection, waiting)
            expected = (await integrations.load(connection, [row.reconnects or ""])).values()
        other = next((one.profile_name for one in expected if not _is_of(one, profile)), None)
        return ConsentQuestion(
            id=row.id,
            tenant_id=row.tenant_id,
            user_id=row.user_id,
            account_name=profile.profile_name,
            provider_service=profile.provider_service,
            reconnects=[one.calendar_name for one in known.values() if one.calendar_name],
            expected=other,
        )

    async def link(self, consent_id: str, holder: ConsentHolder) -> str:
        """*Link it*: the integration's id. What hinders it has the permission given back."""
        row = await self._answered(consent_id, holder, ConsentStage.LINKING)
        try:
            integration_id = await self._link(_person(row), self._grant(row))
        except Conflict:
            await self._give_back(row)
            raise
        async with self._store.begin() as connection:
            await consents.forget(connection, row.id)
        return integration_id

    async def decline(self, consent_id: str, holder: ConsentHolder) -> None:
        """*Don't link*: Cronofy forgets the permission, at the latest when the keeper asks."""
        await self._give_back(await self._answered(consent_id, holder, ConsentStage.DECLINED))

    async def _give_back(self, row: ConsentRow) -> None:
        try:
            await self._part(row)
        except SyncError as error:
            log.warning(CONSENT_LEFT, consent=row.id, reason=str(error))

    async def tidy(self) -> None:
        """For the keeper: take leave of what nobody answered in time, or could not be taken leave of."""
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            late = await consents.expired(connection, now=now, limit=CONSENTS_A_ROUND)
        for row in late:
            try:
                if await self._is_leaving(row, now):
                    await self._part(row)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it keeps no other
                log.warning(CONSENT_LEFT, consent=row.id, reason=reason_of(error))
                if row.stage == ConsentStage.LEAVING and row.expires_at < now - GIVING_BACK_SECONDS:
                    say_abandoned(error, consent=row.id)
                    with suppress(SyncError):  # then in the next round
                        await self.refused(row)

    async def _is_leaving(self, row: ConsentRow, now: float) -> bool:
        """From its first try on, however late the keeper came; False where another took it meanwhile."""
        if row.stage == ConsentStage.LEAVING:
            return True
        async with self._store.begin() as connection:
            before = ConsentStage(row.stage)
            return await consents.advance(connection, row.id, before, ConsentStage.LEAVING, expires_at=now)

    async def _answered(self, consent_id: str, holder: ConsentHolder, answer: ConsentStage) -> ConsentRow:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            row = await consents.find(connection, consent_id, now=now)
            held = row is not None and holder.holds(row)
            if row is None or not held:
                raise Unknown("There is no such question, or it was answered before.")
            until = now if answer is ConsentStage.DECLINED else now + LINKING_SECONDS
            if not await consents.advance(connection, row.id, ConsentStage.GRANTED, answer, expires_at=until):
                raise Unknown("There is no such question, or it was answered before.")
        return row

    async def _part(self, row: ConsentRow) -> None:
        """Have Cronofy forget the grant, unless somebody lives on the same account."""
        if row.sub is not None and row.profile is not None:
            async with self._store.read() as connection:
                now = await self._store.now(connection)
                asked = await consents.waits_for(connection, row.sub, but=row.id, now=now)
                used = await grants.uses_account(connection, row.sub)
                erased = await grants.is_erasing(connection, row.sub)
                profile_id = row.profile["profile_id"]
                profile_used = await grants.uses_profile(connection, row.sub, profile_id, but=())
            if not asked and not used:
                await self._gateway.revoke_grant(self._grant(row).refresh_token or "", erase=erased)
            elif not asked and not profile_used:
                await self._gateway.revoke_profile(row.sub, profile_id)
        await self.refused(row)

    def _grant(self, row: ConsentRow) -> TokenGrant:
        if row.sub is None or row.profile is None or row.granted is None:
            raise Unknown("There is no such question, or it was answered before.")
        return self._keeper.unseal(row.granted, sub=row.sub, profile=Profile.parse(row.profile))


async def _expected(
    connection: AsyncConnection, person: Person, reconnects: str | None
) -> Integration | None:
    if reconnects is None:
        return None
    return (await owned_integration(connection, person.owner, reconnects)).integration


def _is_of(integration: Integration, profile: Profile) -> bool:
    """Whether the integration belongs to that account (R1)."""
    account = (integration.provider_name, integration.profile_name)
    return account == (profile.provider_name, profile.profile_name)


def _person(row: ConsentRow) -> Person:
    return Person(tenant_id=row.tenant_id, user_id=row.user_id, time_zone=row.time_zone)


def _profile_form(profile: Profile) -> dict[str, str]:
    return {name: value for name, value in asdict(profile).items() if name in _PROFILE_NAMES}
