"""What an administrator decides: to connect the company's domain, whom, with which settings, and its end."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

from contracts.cronofy_accounts import AccountAnswer, CompanyAccount, TokenGrant
from contracts.errors import SyncError, Transient
from contracts.ports import GrantKeeper, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.integrations.companies.choosing import (
    AddedPeople,
    CompanyHolder,
    choose_people,
)
from service.integrations.companies.giving_back import GrantsReturned
from service.integrations.companies.people_given import PersonGiven
from service.integrations.delete import DeletionChoice
from service.integrations.refusals import Conflict, Refusal, StateRefused, Unknown
from service.integrations.settings_form import FIRST_EVENT_TYPES, FIRST_ITEM_TYPES, EventBoxes, ItemBoxes
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.listing import Owner
from service.store.people import companies, company_mailboxes, company_people
from service.store.people.companies import CompanyRow, ConnectedBy
from service.store.people.company_people import CompanyPerson
from service.store.people.keys import new_key, print_of
from service.store.tables.company_stages import CompanyStage, PersonStage

STATE_SECONDS = 3600.0
"""For so long an administrator may stay at Cronofy."""
KNOWN_SHOWN = 200
"""People of the tenant who are offered by name."""
LockedGroup = Literal["event_types", "item_types"]
LOCKED_GROUPS: Sequence[LockedGroup] = ("event_types", "item_types")
NO_COMPANY = "No company calendar is connected."
COMPANY_ENDING = "The company calendar is being disconnected. Wait until that is done."
NO_DOMAIN = "That was the permission of one person, not of a domain's administrator. Nothing was saved."


class NotSigned(Refusal):
    """What came does not bear Cronofy's signature."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyDefaults:
    """What people who are connected begin with, and the groups of it that they may not change."""

    event_types: EventBoxes
    item_types: ItemBoxes
    locked: Sequence[LockedGroup] = ()

    @property
    def values(self) -> dict[str, Any]:
        return {
            "event_types": self.event_types.model_dump(),
            "item_types": self.item_types.model_dump(),
            "locked": [name for name in LOCKED_GROUPS if name in self.locked],
        }


class CompanyCalendar:
    """One for each tenant, at its administrators' hands alone. What cannot be now is a Conflict."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        keeper: GrantKeeper,
        asking: Callable[[Owner], AbstractAsyncContextManager[None]],
        redirect_uri: str,
        returning: GrantsReturned,
    ) -> None:
        """``asking`` is held around what is asked of Cronofy for a person who waits (R44)."""
        self._store, self._gateway, self._keeper = store, gateway, keeper
        self._asking, self._redirect_uri = asking, redirect_uri
        self._returning = returning

    # -- the consent ----------------------------------------------------------------------------

    async def begin(self, holder: CompanyHolder) -> str:
        """Where the administrator allows access; the state is good once, for that session alone."""
        state, verifier = new_key(), secrets.token_urlsafe(48)
        async with self._store.begin() as connection:
            await companies.add_company(
                connection,
                tenant_id=holder.tenant_id,
                stage=CompanyStage.BEGUN,
                event_types=FIRST_EVENT_TYPES,
                item_types=FIRST_ITEM_TYPES,
                locked=[],
            )
            await _open(connection, holder.tenant_id)
            await companies.change_company(
                connection,
                holder.tenant_id,
                state_hash=print_of(state),
                state_by=holder.user_id,
                state_session=holder.session_id,
                state_until=await self._store.now(connection) + STATE_SECONDS,
                verifier=verifier,
            )
        return self._gateway.company_url(state=state, redirect_uri=self._redirect_uri, verifier=verifier)

    async def returned(self, state: str, holder: CompanyHolder) -> CompanyRow:
        """What this state began, once and here alone. Raises StateRefused."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            company = await companies.company_of_state(connection, print_of(state), now=now)
            if company is None:
                raise StateRefused("is unknown, has expired or was used before")
            began = (company.tenant_id, company.state_by, company.state_session)
            if began != (holder.tenant_id, holder.user_id, holder.session_id):
                raise StateRefused("was given to someone else")
            await companies.change_company(
                connection, company.tenant_id, state_hash=None, state_until=None, verifier=None
            )
        return company

    async def connect(self, company: CompanyRow, holder: CompanyHolder, code: str) -> None:
        """Keep the domain's grant. Raises GrantRefused where the code is no good, or Conflict."""
        async with self._asking(holder.owner):
            grant = await self._gateway.exchange_code(
                code, self._redirect_uri, verifier=company.verifier or ""
            )
            try:
                sub, account = await self._kept(grant, holder.tenant_id)
                before = await self._connect(holder, sub, account)
            except (Conflict, SyncError):
                await self._returning.give_back(grant)
                raise
        if before not in {None, sub}:
            await self._returning.end_domain(str(before), holder.tenant_id)

    async def _connect(self, holder: CompanyHolder, sub: str, account: CompanyAccount) -> str | None:
        """The account that the tenant's domain was connected by until now."""
        async with self._store.begin() as connection:
            before = await _open(connection, holder.tenant_id)
            await companies.change_company(
                connection,
                holder.tenant_id,
                stage=CompanyStage.CONNECTED,
                sub=sub,
                provider_name=account.provider_name,
                domain=account.domain,
                connected_by=holder.user_id,
                connected_at=await self._store.moment(connection),
            )
        return before.sub

    async def _kept(self, grant: TokenGrant, tenant_id: str) -> tuple[str, CompanyAccount]:
        """A person's own grant is none of a domain, and is not kept."""
        if grant.sub is None or grant.profile is not None:
            raise Conflict("not_editable", NO_DOMAIN)
        async with self._store.begin() as connection:
            await _open(connection, tenant_id)
        await self._keeper.adopt(grant.sub, grant)
        turn = Turn(tenant_id=tenant_id, urgency=Urgency.PERSON)
        try:
            account = await self._gateway.company_account(grant.sub, turn=turn)
        except Transient:
            account = CompanyAccount(provider_name="", domain="")
        return grant.sub, account

    # -- what is decided ------------------------------------------------------------------------

    async def shown(self, tenant_id: str) -> CompanyRow | None:
        """How the tenant's company calendar stands; None where there never was any."""
        async with self._store.read() as connection:
            return await companies.company_of(connection, tenant_id)

    async def decide(self, tenant_id: str, defaults: CompanyDefaults) -> int:
        """People begin with these from now on; what is locked holds at once for all who were connected so.

        How many of those keep what they have, for their calendar cannot take it.
        """
        values = defaults.values
        chosen = [*values["event_types"].values(), *values["item_types"].values()]
        if not any(chosen):
            raise Conflict(
                "nothing_selected", "Select at least one event type or one calendar item type to sync."
            )
        async with self._store.begin() as connection:
            await _connected(connection, tenant_id)
            await companies.change_company(connection, tenant_id, **values)
            held = {name: values[name] for name in values["locked"]}
            return await companies.bring_into_line(connection, tenant_id, held)

    async def people(self, tenant_id: str, *, after: str | None = None, limit: int) -> Page[CompanyPerson]:
        """Who is connected, who is not and why, in the order in which they were chosen."""
        async with self._store.read() as connection:
            rows = await company_people.people_page(connection, tenant_id, after=after, limit=limit + 1)
        return Page.of(rows, limit, cursor=lambda one: one.id)

    async def counted(self, tenant_id: str) -> Mapping[str, int]:
        """How many people stand at each stage."""
        async with self._store.read() as connection:
            return await company_people.count_people(connection, tenant_id)

    async def known(self, holder: CompanyHolder) -> Sequence[tuple[str, str | None]]:
        """Others of the tenant whom Vorex has named, with the account that they have linked, if any."""
        async with self._store.read() as connection:
            return await company_mailboxes.known_users(
                connection, holder.tenant_id, but=holder.user_id, limit=KNOWN_SHOWN
            )

    async def choose(
        self, holder: CompanyHolder, people: Sequence[PersonGiven], *, time_zone: str
    ) -> AddedPeople:
        """Connect these; who is connected, or on the way, is left alone.

        Raises Conflict, Unknown, or Invalid where a mailbox is another person's already, or is not the one
        that Vorex names for them; to the administrator none is given that Vorex does not name.
        """
        async with self._store.begin() as connection:
            await _connected(connection, holder.tenant_id)
            return await choose_people(self._store, connection, holder, people, time_zone=time_zone)

    async def retry(self, tenant_id: str) -> int:
        """Everybody who could not be connected is asked for once more; how many."""
        async with self._store.begin() as connection:
            await _connected(connection, tenant_id)
            now, since = await self._store.now(connection), await self._store.moment(connection)
            return await company_people.retry_failed(connection, tenant_id, now=now, since=since)

    async def disconnect(self, tenant_id: str, copies: DeletionChoice, *, who: str) -> None:
        """What it connected is deleted, then Cronofy forgets the domain; by itself, in steps."""
        async with self._store.begin() as connection:
            company = await companies.company_of(connection, tenant_id, lock=True)
            if company is None or company.stage == CompanyStage.BEGUN:
                raise Unknown(NO_COMPANY)
            if company.stage != CompanyStage.ENDING:
                await companies.change_company(
                    connection,
                    tenant_id,
                    stage=CompanyStage.ENDING,
                    copies=copies,
                    ended_by=who,
                    state_hash=None,
                )

    # -- what Cronofy answers -------------------------------------------------------------------

    async def answered(self, person_id: str, body: bytes, signatures: Sequence[str], read: Any) -> bool:
        """Cronofy's answer about a person: kept once, for whoever it was asked for; whether it was.

        The signature is judged before anything is read (``read`` makes JSON of the body). Raises NotSigned
        or Malformed. An answer that came before, or belongs to somebody else, changes nothing.
        """
        if not self._gateway.is_signed(body, signatures):
            raise NotSigned
        answer = AccountAnswer.parse(read(body))
        async with self._store.begin() as connection:
            person = await company_people.find_person(connection, person_id)
            if person is None or person.stage != PersonStage.ASKED:
                return False
            if not secrets.compare_digest(person.state_hash or "", print_of(answer.state)):
                return False
            since = await self._store.moment(connection)
            if answer.code is None:
                return await company_people.advance_person(
                    connection, person, PersonStage.FAILED, reason=answer.refusal, due_at=None, since=since
                )
            return await company_people.advance_person(
                connection,
                person,
                PersonStage.ANSWERED,
                answer=self._keeper.seal_text(answer.code),
                due_at=await self._store.now(connection),
                since=since,
            )

    # -- for the person -------------------------------------------------------------------------

    async def connected_by(self, integration_ids: Sequence[str]) -> Mapping[str, ConnectedBy]:
        """Which of these integrations the company connected, and what of them their owner may not change."""
        async with self._store.read() as connection:
            return await companies.connected_by(connection, integration_ids)

    async def note_told(self, owner: Owner) -> None:
        """The person has read who connected them."""
        async with self._store.begin() as connection:
            at = await self._store.moment(connection)
            await companies.note_told(connection, owner.tenant_id or "", owner.user_id or "", at=at)


async def _open(connection: AsyncConnection, tenant_id: str) -> CompanyRow:
    """The tenant's, locked, unless it is being ended. Raises Conflict."""
    company = await companies.company_of(connection, tenant_id, lock=True)
    if company is None or company.stage == CompanyStage.ENDING:
        raise Conflict("not_editable", COMPANY_ENDING)
    return company


async def _connected(connection: AsyncConnection, tenant_id: str) -> CompanyRow:
    """The tenant's, locked. Raises Unknown where none is connected, and Conflict while it ends."""
    company = await companies.company_of(connection, tenant_id, lock=True)
    if company is None or company.stage == CompanyStage.BEGUN:
        raise Unknown(NO_COMPANY)
    if not company.connected:
        raise Conflict("not_editable", COMPANY_ENDING)
    return company
