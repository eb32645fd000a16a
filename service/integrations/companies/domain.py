"""What an administrator decides: to connect the company's domain, whom, with which settings, and its end."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

from contracts.cronofy_accounts import AccountAnswer, CompanyAccount, TokenGrant
from contracts.errors import Transient
from contracts.ports import GrantKeeper, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.integrations.companies.giving_back import GrantsReturned
from service.integrations.companies.people_given import OWN_USER_ID, SAME_MAILBOX, PersonGiven, broken_lines
from service.integrations.delete import DeletionChoice
from service.integrations.refusals import Conflict, Invalid, Refusal, StateRefused, Unknown
from service.integrations.settings_form import FIRST_EVENT_TYPES, FIRST_ITEM_TYPES, EventBoxes, ItemBoxes
from service.store.engine.ids import new_id
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.listing import Owner
from service.store.people import companies, company_mailboxes
from service.store.people.companies import (
    WORKED_ON,
    CompanyPerson,
    CompanyRow,
    CompanyStage,
    ConnectedBy,
    PersonStage,
)
from service.store.people.keys import new_key, print_of

STATE_SECONDS = 3600.0
"""For so long an administrator may stay at Cronofy."""
MOST_PEOPLE = 2_000
"""People whom a tenant connects in this way."""
KNOWN_SHOWN = 200
"""People of the tenant who are offered by name."""
LockedGroup = Literal["event_types", "item_types"]
LOCKED_GROUPS: Sequence[LockedGroup] = ("event_types", "item_types")
NO_COMPANY = "No company calendar is connected."
COMPANY_ENDING = "The company calendar is being disconnected. Wait until that is done."
NO_DOMAIN = "That was the permission of one person, not of a domain's administrator. Nothing was saved."
TOO_MANY_PEOPLE = f"At most {MOST_PEOPLE} people can be connected in this way."
LOCKED_RULE = "must stay as your administrator decided"


class NotSigned(Refusal):
    """What came does not bear Cronofy's signature."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyHolder:
    """Which administrator stands there, and by which session."""

    tenant_id: str
    user_id: str
    session_id: str | None
    email: str = ""
    """The address that Vorex says is theirs, as far as it says so here."""

    @property
    def owner(self) -> Owner:
        return Owner(tenant_id=self.tenant_id, user_id=self.user_id)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedPeople:
    """What came of choosing people."""

    added: int
    left_alone: int
    """Who is connected, or is being connected, already."""


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
            company = await companies.company_of(connection, holder.tenant_id, lock=True)
            if company is not None and company.stage == CompanyStage.ENDING:
                raise Conflict("not_editable", COMPANY_ENDING)
            if company is None:
                await companies.add_company(
                    connection,
                    tenant_id=holder.tenant_id,
                    stage=CompanyStage.BEGUN,
                    event_types=FIRST_EVENT_TYPES,
                    item_types=FIRST_ITEM_TYPES,
                    locked=[],
                )
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
            except Conflict:
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

    async def decide(self, tenant_id: str, defaults: CompanyDefaults) -> None:
        """People begin with these from now on; what is locked holds at once for all who were connected so."""
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
            await companies.bring_into_line(connection, tenant_id, held)

    async def people(self, tenant_id: str, *, after: str | None = None, limit: int) -> Page[CompanyPerson]:
        """Who is connected, who is not and why, in the order in which they were chosen."""
        async with self._store.read() as connection:
            rows = await companies.people_page(connection, tenant_id, after=after, limit=limit + 1)
        return Page.of(rows, limit, cursor=lambda one: one.id)

    async def counted(self, tenant_id: str) -> Mapping[str, int]:
        """How many people stand at each stage."""
        async with self._store.read() as connection:
            return await companies.count_people(connection, tenant_id)

    async def known(self, holder: CompanyHolder) -> Sequence[tuple[str, str | None]]:
        """Others of the tenant whom Vorex has named, with the account that they have linked, if any."""
        async with self._store.read() as connection:
            return await companies.known_users(
                connection, holder.tenant_id, but=holder.user_id, limit=KNOWN_SHOWN
            )

    async def choose(
        self, holder: CompanyHolder, people: Sequence[PersonGiven], *, time_zone: str
    ) -> AddedPeople:
        """Connect these; who is connected, or on the way, is left alone.

        Raises Conflict, Unknown, or Invalid where a mailbox is another person's already, or is given to
        the administrator without Vorex saying that it is theirs.
        """
        tenant_id, wanted = holder.tenant_id, {one.user_id: one for one in people}
        async with self._store.begin() as connection:
            await _connected(connection, tenant_id)
            await _check_mailboxes(connection, holder, people)
            known = await companies.people_among(connection, tenant_id, list(wanted))
            counted = sum((await companies.count_people(connection, tenant_id)).values())
            fresh = [one for one in wanted.values() if one.user_id not in known]
            if counted + len(fresh) > MOST_PEOPLE:
                raise Conflict("limit_reached", TOO_MANY_PEOPLE)
            start = await self._start(connection)
            await companies.add_people(
                connection,
                [
                    {"id": new_id(), "tenant_id": tenant_id, "user_id": one.user_id, "email": one.email}
                    | {"time_zone": time_zone, **start}
                    for one in fresh
                ],
            )
            again = [one for one in known.values() if await _may_again(connection, one)]
            for one in again:
                await companies.advance_person(
                    connection, one, PersonStage.CHOSEN, email=wanted[one.user_id].email, **_anew(start)
                )
        added = len(fresh) + len(again)
        return AddedPeople(added=added, left_alone=len(wanted) - added)

    async def _start(self, connection: AsyncConnection) -> dict[str, Any]:
        now, since = await self._store.now(connection), await self._store.moment(connection)
        return {"stage": PersonStage.CHOSEN, "since": since, "due_at": now, "attempts": 0}

    async def retry(self, tenant_id: str) -> int:
        """Everybody who could not be connected is asked for once more; how many."""
        async with self._store.begin() as connection:
            await _connected(connection, tenant_id)
            now, since = await self._store.now(connection), await self._store.moment(connection)
            return await companies.retry_failed(connection, tenant_id, now=now, since=since)

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
            person = await companies.find_person(connection, person_id)
            if person is None or person.stage != PersonStage.ASKED:
                return False
            if not secrets.compare_digest(person.state_hash or "", print_of(answer.state)):
                return False
            since = await self._store.moment(connection)
            if answer.code is None:
                return await companies.advance_person(
                    connection, person, PersonStage.FAILED, reason=answer.refusal, due_at=None, since=since
                )
            return await companies.advance_person(
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


async def _check_mailboxes(
    connection: AsyncConnection, holder: CompanyHolder, people: Sequence[PersonGiven]
) -> None:
    """Raises Invalid naming the lines."""
    wanted = {one.email: one.user_id for one in people}
    taken = await company_mailboxes.mailboxes_of_others(
        connection, holder.tenant_id, wanted, stages=WORKED_ON
    )
    broken = [(one.line, SAME_MAILBOX) for one in people if one.email in taken]
    own = [one for one in people if one.user_id == holder.user_id]
    broken += [(one.line, OWN_USER_ID) for one in own if one.email != holder.email.lower()]
    if broken:
        raise broken_lines(broken)


async def _may_again(connection: AsyncConnection, person: CompanyPerson) -> bool:
    """Whether they are neither connected nor on the way."""
    if person.stage in WORKED_ON:
        return False
    if person.stage != PersonStage.CONNECTED:
        return True
    return not await companies.lives(connection, person.integration_id or "")


def _anew(start: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing of an earlier attempt is left."""
    gone = dict.fromkeys(("reason", "state_hash", "answer", "sub", "profile", "integration_id", "told_at"))
    return {**gone, **{name: value for name, value in start.items() if name != "stage"}}


async def check_locked(connection: AsyncConnection, integration_id: str, chosen: Mapping[str, Any]) -> None:
    """Raises Invalid where the owner changes what the administrator holds. ``chosen``: by group."""
    company = (await companies.connected_by(connection, [integration_id])).get(integration_id)
    if company is None:
        return
    held = {"event_types": company.event_types, "item_types": company.item_types}
    for group in company.locked:
        if dict(chosen[group]) != dict(held[group]):
            raise Invalid.one(group, LOCKED_RULE)
