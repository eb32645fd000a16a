"""Asks Cronofy for people's accounts in their company's name, and exchanges what it answers."""

from collections.abc import Callable, Sequence

from contracts.cronofy_accounts import AccountAsked, TokenGrant
from contracts.errors import GrantRefused, Permanent, SyncError
from contracts.ports import GrantKeeper, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.integrations.companies.giving_back import GrantsReturned
from service.integrations.companies.standing import MOST_TRIES, PeoplesStanding, pause_after
from service.store.engine.store import Store
from service.store.people import company_mailboxes, company_people
from service.store.people.company_people import CompanyPerson
from service.store.people.keys import new_key, print_of
from service.store.tables.company_stages import ASKED_FOR, PersonStage

ANSWERED_WITHIN_SECONDS = 3600.0
"""For so long Cronofy's answer about a person is waited for."""
PROFILE_NAMES = ("profile_id", "profile_name", "provider_name", "provider_service")
_REFUSED_STATUSES = {402: "plan", 403: "refused", 422: "unknown_mailbox"}

Begun = tuple[CompanyPerson, str]
"""A person as asked for, and the state."""


class PeopleAsked:
    """From chosen to a grant that lies ready."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        keeper: GrantKeeper,
        standing: PeoplesStanding,
        returning: GrantsReturned,
        answer_address: Callable[[str], str],
    ) -> None:
        """``answer_address``: where Cronofy answers about a person, by their id."""
        self._store, self._gateway, self._keeper = store, gateway, keeper
        self._standing, self._returning = standing, returning
        self._answer_address = answer_address

    async def begin(self, person: CompanyPerson) -> Begun | None:
        """Note that they are asked for; None where they, or somebody else, have that account."""
        state = new_key()
        async with self._store.begin() as connection:
            now, since = await self._store.now(connection), await self._store.moment(connection)
            if await company_mailboxes.linked_already(
                connection, person.tenant_id, person.user_id, email=person.email, but=person.integration_id
            ):
                await company_people.advance_person(
                    connection, person, PersonStage.ALREADY, due_at=None, since=since
                )
                return None
            wanted = {person.email: person.user_id}
            others = company_mailboxes.mailboxes_of_others
            taken = bool(await others(connection, person.tenant_id, wanted, stages=ASKED_FOR))
            if taken or person.vouched is False:
                reason = "taken" if taken else "other_address"
                await company_people.advance_person(
                    connection, person, PersonStage.FAILED, reason=reason, due_at=None, since=since
                )
                return None
            advanced = await company_people.advance_person(
                connection,
                person,
                PersonStage.ASKED,
                state_hash=print_of(state),
                attempts=person.attempts + 1,
                due_at=now + ANSWERED_WITHIN_SECONDS,
                since=since,
            )
            asked = await company_people.find_person(connection, person.id)
        return (asked, state) if advanced and asked is not None else None

    async def ask_for(self, sub: str, tenant_id: str, begun: Sequence[Begun]) -> None:
        """By the domain's account, all at once; one by one where Cronofy refuses that."""
        asked = [
            AccountAsked(email=person.email, callback_url=self._answer_address(person.id), state=state)
            for person, state in begun
        ]
        turn = Turn(tenant_id=tenant_id, urgency=Urgency.RUN)
        try:
            await self._gateway.ask_for_accounts(sub, asked, turn=turn)
        except GrantRefused:
            for person, _ in begun:
                await self._standing.fail(person, "access_ended")
        except Permanent as error:
            if len(begun) > 1:  # one that cannot be accepted has the whole request refused
                for one in begun:
                    await self.ask_for(sub, tenant_id, [one])
            else:
                await self._standing.fail(begun[0][0], _REFUSED_STATUSES.get(error.status or 0, "other"))
        except SyncError:
            for person, _ in begun:
                pause = pause_after(person.attempts)
                await self._standing.ask_again(person, "silent", pause=pause, most=MOST_TRIES)

    async def exchange(self, person: CompanyPerson) -> None:
        """Keep the grant that Cronofy's code opens, encrypted, until it is linked or given back."""
        try:
            code = self._keeper.unseal_text(person.answer or "")
            grant = await self._gateway.exchange_answer(code, self._answer_address(person.id))
        except GrantRefused:
            await self._standing.ask_again(person, "refused")
            return
        except Permanent:
            await self._standing.fail(person, "other")
            return
        except SyncError:
            await self._standing.later(person)
            return
        if grant.sub is None or not _is_asked_for(grant, person):
            await self._standing.fail(person, "other")
            await self._returning.give_back(grant)
        elif not await self._kept(person, grant, sub=grant.sub):
            await self._returning.give_back(grant)

    async def _kept(self, person: CompanyPerson, grant: TokenGrant, *, sub: str) -> bool:
        """Whether it is waited for still."""
        async with self._store.begin() as connection:
            return await company_people.advance_person(
                connection,
                person,
                PersonStage.GRANTED,
                answer=self._keeper.seal(grant),
                sub=sub,
                profile={name: getattr(grant.profile, name) for name in PROFILE_NAMES},
                attempts=0,
                due_at=await self._store.now(connection),
            )


def _is_asked_for(grant: TokenGrant, person: CompanyPerson) -> bool:
    """Whether it opens the mailbox that was named, and none else."""
    return grant.profile is not None and grant.profile.profile_name.lower() == person.email.lower()
