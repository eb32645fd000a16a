"""From chosen to connected, a step after the other for each person, by itself and as often as it takes."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome, Trigger
from contracts.cronofy import Calendar
from contracts.cronofy_accounts import AccountAsked, Profile, TokenGrant
from contracts.errors import GrantRefused, Permanent, SyncError
from contracts.ports import GrantKeeper, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.integrations import Integrations
from service.integrations.companies.giving_back import GrantsReturned
from service.integrations.delete import DeletionChoice, delete_known
from service.integrations.ownership import Person
from service.integrations.refusals import Conflict, Invalid
from service.integrations.settings_form import Choices, EventBoxes, ItemBoxes
from service.store.engine.store import Store
from service.store.integrations import integrations, listing
from service.store.logs import logs
from service.store.people import companies, company_mailboxes
from service.store.people.companies import ASKED_FOR, CompanyPerson, CompanyRow, PersonStage
from service.store.people.keys import new_key, print_of

ANSWERED_WITHIN_SECONDS = 3600.0
"""For so long Cronofy's answer about a person is waited for."""
MOST_ATTEMPTS = 3
"""How often a person is asked for, or a step is tried, before it is said to have failed."""
MOST_TRIES = 10
"""How often a step is tried that Cronofy does not answer."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 600.0
PROFILE_NAMES = ("profile_id", "profile_name", "provider_name", "provider_service")
CONNECTED_SAID = "Connected in the company's name by administrator {}."
ENDED_SAID = "Deleted with the company calendar by {}."
_REFUSED_STATUSES = {402: "plan", 403: "refused", 422: "unknown_mailbox"}


class CompanySteps:
    """For the keeper: a round takes the next step of some people of every tenant."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        keeper: GrantKeeper,
        people: Integrations,
        answer_address: Callable[[str], str],
        redirect_uri: str,
        returning: GrantsReturned,
    ) -> None:
        """``answer_address``: where Cronofy answers about a person, by their id."""
        self._store, self._gateway, self._keeper = store, gateway, keeper
        self._people, self._answer_address = people, answer_address
        self._redirect_uri = redirect_uri
        self._ended_last = ""
        self._returning = returning

    async def round(self) -> None:
        """What hinders one person, or one tenant, hinders no other."""
        await self._end_some()
        for person in await self._due(PersonStage.ASKED):
            await self._ask_again(person, "no_answer")
        by_tenant: dict[str, list[CompanyPerson]] = defaultdict(list)
        for person in await self._due(PersonStage.CHOSEN):
            by_tenant[person.tenant_id].append(person)
        for tenant_id, chosen in by_tenant.items():
            await self._ask(tenant_id, chosen)
        for person in await self._due(PersonStage.ANSWERED):
            await self._exchange(person)
        for person in await self._due(PersonStage.GRANTED):
            await self._connect(person)

    async def _due(self, stage: PersonStage) -> Sequence[CompanyPerson]:
        async with self._store.read() as connection:
            return await companies.due_people(connection, stage, now=await self._store.now(connection))

    async def _company(self, tenant_id: str) -> CompanyRow | None:
        async with self._store.read() as connection:
            found = await companies.company_of(connection, tenant_id)
        return found if found is not None and found.connected else None

    # -- asking ---------------------------------------------------------------------------------

    async def _ask(self, tenant_id: str, chosen: Sequence[CompanyPerson]) -> None:
        company = await self._company(tenant_id)
        if company is None or company.sub is None:
            return
        begun = [each for person in chosen if (each := await self._begin(person)) is not None]
        if begun:
            await self._ask_for(company.sub, tenant_id, begun)

    async def _begin(self, person: CompanyPerson) -> tuple[CompanyPerson, str] | None:
        """The person as asked for, and the state; None where they, or somebody else, have that account."""
        state = new_key()
        async with self._store.begin() as connection:
            now, since = await self._store.now(connection), await self._store.moment(connection)
            if await company_mailboxes.linked_already(
                connection, person.tenant_id, person.user_id, email=person.email
            ):
                await companies.advance_person(
                    connection, person, PersonStage.ALREADY, due_at=None, since=since
                )
                return None
            wanted = {person.email: person.user_id}
            others = company_mailboxes.mailboxes_of_others
            if await others(connection, person.tenant_id, wanted, stages=ASKED_FOR):
                await companies.advance_person(
                    connection, person, PersonStage.FAILED, reason="taken", due_at=None, since=since
                )
                return None
            taken = await companies.advance_person(
                connection,
                person,
                PersonStage.ASKED,
                state_hash=print_of(state),
                attempts=person.attempts + 1,
                due_at=now + ANSWERED_WITHIN_SECONDS,
                since=since,
            )
            asked = await companies.find_person(connection, person.id)
        return (asked, state) if taken and asked is not None else None

    async def _ask_for(self, sub: str, tenant_id: str, begun: Sequence[tuple[CompanyPerson, str]]) -> None:
        asked = [
            AccountAsked(email=person.email, callback_url=self._answer_address(person.id), state=state)
            for person, state in begun
        ]
        turn = Turn(tenant_id=tenant_id, urgency=Urgency.RUN)
        try:
            await self._gateway.ask_for_accounts(sub, asked, turn=turn)
        except GrantRefused:
            for person, _ in begun:
                await self._fail(person, "access_ended")
        except Permanent as error:
            if len(begun) > 1:  # one that cannot be accepted has the whole request refused
                for one in begun:
                    await self._ask_for(sub, tenant_id, [one])
            else:
                await self._fail(begun[0][0], _REFUSED_STATUSES.get(error.status or 0, "other"))
        except SyncError:
            for person, _ in begun:
                await self._ask_again(person, "silent", pause=_pause(person.attempts), most=MOST_TRIES)

    async def _ask_again(
        self, person: CompanyPerson, reason: str, *, pause: float = 0.0, most: int = MOST_ATTEMPTS
    ) -> None:
        """With a new state, so that an answer to the earlier one changes nothing."""
        if person.attempts >= most:
            await self._fail(person, reason)
            return
        async with self._store.begin() as connection:
            due = await self._store.now(connection) + pause
            gone = dict.fromkeys(("state_hash", "answer", "sub", "profile"))
            await companies.advance_person(connection, person, PersonStage.CHOSEN, due_at=due, **gone)

    async def _fail(self, person: CompanyPerson, reason: str) -> None:
        await self._settle(person, PersonStage.FAILED, reason=reason)

    async def _settle(self, person: CompanyPerson, stage: PersonStage, **values: str | None) -> bool:
        """Nothing more is due; whether the person still stood as they did."""
        async with self._store.begin() as connection:
            since = await self._store.moment(connection)
            gone = dict.fromkeys(("due_at", "state_hash", "answer"))
            return await companies.advance_person(
                connection, person, stage, since=since, **{**gone, **values}
            )

    # -- what came back -------------------------------------------------------------------------

    async def _exchange(self, person: CompanyPerson) -> None:
        try:
            code = self._keeper.unseal_text(person.answer or "")
            grant = await self._gateway.exchange_answer(code, self._answer_address(person.id))
        except GrantRefused:
            await self._ask_again(person, "refused")
            return
        except Permanent:
            await self._fail(person, "other")
            return
        except SyncError:
            await self._later(person)
            return
        if grant.sub is None or not _is_asked_for(grant, person):
            await self._fail(person, "other")
            await self._returning.give_back(grant)
            return
        async with self._store.begin() as connection:
            await companies.advance_person(
                connection,
                person,
                PersonStage.GRANTED,
                answer=self._keeper.seal(grant),
                sub=grant.sub,
                profile={name: getattr(grant.profile, name) for name in PROFILE_NAMES},
                attempts=0,
                due_at=await self._store.now(connection),
            )

    async def _later(self, person: CompanyPerson) -> None:
        """Try the same step again, at growing distances."""
        if person.attempts >= MOST_TRIES:
            await self._fail(person, "silent")
            return
        async with self._store.begin() as connection:
            due = await self._store.now(connection) + _pause(person.attempts)
            await companies.advance_person(
                connection, person, PersonStage(person.stage), due_at=due, attempts=person.attempts + 1
            )

    async def _connect(self, person: CompanyPerson) -> None:
        company = await self._company(person.tenant_id)
        if company is None:
            return
        try:
            await self._connected(company, person, self._grant(person))
        except Conflict as refused:
            await self._refused(person, refused)
        except Invalid:
            await self._fail(person, "no_calendar")
        except GrantRefused:
            await self._fail(person, "access_ended")
        except Permanent:
            await self._fail(person, "other")
        except SyncError:
            await self._later(person)
        await self._return_unused(person)

    async def _return_unused(self, person: CompanyPerson) -> None:
        """Of who is settled and not connected, no grant lives on."""
        async with self._store.read() as connection:
            stage = await companies.stage_of(connection, person.id)
        if stage in {PersonStage.ALREADY, PersonStage.FAILED}:
            with suppress(SyncError):
                await self._returning.give_back(self._grant(person))

    async def _refused(self, person: CompanyPerson, refused: Conflict) -> None:
        if refused.code == "already_linked":
            await self._settle(person, PersonStage.ALREADY)
        else:
            await self._fail(person, "limit" if refused.code == "limit_reached" else "refused")

    def _grant(self, person: CompanyPerson) -> TokenGrant:
        profile = Profile.parse(person.profile or {})
        return self._keeper.unseal(person.answer or "", sub=person.sub or "", profile=profile)

    async def _connected(self, company: CompanyRow, person: CompanyPerson, grant: TokenGrant) -> None:
        """Link, choose the main calendar, finish with the tenant's settings, and say so in the log."""
        async with self._store.read() as connection:
            name = grant.profile.profile_name if grant.profile else person.email
            already = await company_mailboxes.linked_already(
                connection, person.tenant_id, person.user_id, email=name, but=person.integration_id
            )
            zone = await companies.time_zone_of(connection, person) or person.time_zone
            taken = await company_mailboxes.mailboxes_of_others(
                connection, person.tenant_id, {person.email: person.user_id}, stages=()
            )
        if already:
            await self._settle(person, PersonStage.ALREADY)
            return
        if taken:
            await self._fail(person, "taken")
            return
        who = Person(tenant_id=person.tenant_id, user_id=person.user_id, time_zone=zone)
        integration_id = person.integration_id
        if integration_id is None:
            integration_id = await self._people.link(who, grant)
            if await self._is_finished(integration_id):  # their own came back, and stays their own
                await self._settle(person, PersonStage.ALREADY)
                return
            await self._note(person, integration_id)
        if not await self._is_finished(integration_id):
            calendar = await self._main_calendar(person, integration_id, grant)
            if calendar is None:
                await self._delete(integration_id, "keep", said=None)
                await self._fail(person, "no_calendar")
                return
            await self._allow_changes(company, person, calendar)
            await self._people.finish(who, integration_id, _choices(company, calendar))
            await self._people.ensure_channel(integration_id)
        if not await self._settle(person, PersonStage.CONNECTED, integration_id=integration_id, reason=None):
            await self._delete(integration_id, "keep", said=None)  # the company was disconnected meanwhile
            return
        await self._say(integration_id, CONNECTED_SAID.format(company.connected_by))

    async def _note(self, person: CompanyPerson, integration_id: str) -> None:
        """At once: whatever ends this half-way, it is the same integration next time."""
        async with self._store.begin() as connection:
            await companies.advance_person(
                connection, person, PersonStage.GRANTED, integration_id=integration_id
            )

    async def _is_finished(self, integration_id: str) -> bool:
        """Whether settings were saved for it."""
        async with self._store.read() as connection:
            shown = await listing.find(connection, integration_id)
        return shown is not None and shown.integration.finished_at is not None

    async def _main_calendar(
        self, person: CompanyPerson, integration_id: str, grant: TokenGrant
    ) -> Calendar | None:
        """The account's own calendar, or else its first that can be written to."""
        turn = Turn(integration_id=integration_id, tenant_id=person.tenant_id, urgency=Urgency.RUN)
        profile_id = grant.profile.profile_id if grant.profile else ""
        listed = await self._gateway.calendars(grant.sub or "", turn=turn)
        offered = [
            one for one in listed if one.profile_id == profile_id and not one.deleted and not one.read_only
        ]
        return next((one for one in offered if one.primary), next(iter(offered), None))

    async def _allow_changes(self, company: CompanyRow, person: CompanyPerson, calendar: Calendar) -> None:
        """Granted without a page (R34); where a page is needed after all, the person is asked as ever."""
        if company.item_types["appointment"]:
            turn = Turn(tenant_id=person.tenant_id, urgency=Urgency.RUN)
            await self._gateway.request_permission(
                person.sub or "", calendar.calendar_id, self._redirect_uri, turn=turn
            )

    # -- the end --------------------------------------------------------------------------------

    async def _end_some(self) -> None:
        async with self._store.read() as connection:
            due = await companies.ending(connection, after=self._ended_last)
        # whom nothing ends stands in nobody's way: the next round begins behind them
        self._ended_last = due[-1].tenant_id if len(due) == companies.STEPS_A_ROUND else ""
        for company in due:
            with suppress(SyncError):  # the next round tries again
                await self._end(company)

    async def _end(self, company: CompanyRow) -> None:
        """Integrations first, for removing copies takes their tokens; the domain's grant last."""
        async with self._store.read() as connection:
            waiting = await companies.under_way(connection, company.tenant_id)
        for person in waiting:
            await self._fail(person, "access_ended")
            await self._return_unused(person)
        if waiting:
            return
        async with self._store.begin() as connection:
            living = await companies.stop_people(connection, company.tenant_id)
        copies: DeletionChoice = "remove" if company.copies == "remove" else "keep"
        for integration_id in living[: companies.STEPS_A_ROUND]:
            await self._delete(integration_id, copies, said=ENDED_SAID.format(company.ended_by))
        async with self._store.read() as connection:
            waits = await companies.still_leaving(connection, company.tenant_id)
            used = company.sub is not None and await companies.uses_sub(
                connection, company.sub, but=company.tenant_id
            )
        if living or waits:
            return
        if company.sub is not None and not used:
            turn = Turn(tenant_id=company.tenant_id, urgency=Urgency.RUN)
            with suppress(Permanent):  # it has ended already
                await self._gateway.revoke_account(company.sub, turn=turn)
            await self._keeper.forget(company.sub)
        async with self._store.begin() as connection:
            await companies.forget_company(connection, company.tenant_id)

    async def _delete(self, integration_id: str, copies: DeletionChoice, *, said: str | None) -> None:
        async with self._store.begin() as connection:
            loaded = await integrations.load(connection, [integration_id], lock=True)
            known = loaded.get(IntegrationId(integration_id))
            if known is None or known.deleted_at is not None:
                return
            now = await self._store.moment(connection)
            await delete_known(
                self._store, connection, known, copies=copies, started_by=known.user_id, now=now
            )
        if said is not None:
            await self._say(integration_id, said)

    async def _say(self, integration_id: str, sentence: str) -> None:
        entry = LogEntry(
            integration_id=IntegrationId(integration_id),
            trigger=Trigger.OPERATOR,
            direction=Direction.TO_LINKED_CALENDAR,
            action=LogAction.NONE,
            outcome=Outcome.DONE,
            code=Code.OK,
            reason=sentence,
        )
        async with self._store.begin() as connection:
            await logs.log(connection, [entry], now=await self._store.moment(connection))


def _is_asked_for(grant: TokenGrant, person: CompanyPerson) -> bool:
    """Whether it opens the mailbox that was named, and none else."""
    return grant.profile is not None and grant.profile.profile_name.lower() == person.email.lower()


def _choices(company: CompanyRow, calendar: Calendar) -> Choices:
    return Choices(
        calendar_id=calendar.calendar_id,
        event_types=EventBoxes(**company.event_types),
        item_types=ItemBoxes(**company.item_types),
    )


def _pause(attempts: int) -> float:
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** max(0, attempts - 1))
