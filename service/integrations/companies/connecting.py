"""From a grant that lies ready to an integration that works, for each person."""

from contracts.calendar import Integration, Status
from contracts.cronofy import Calendar
from contracts.cronofy_accounts import TokenGrant
from contracts.errors import GrantRefused, Permanent, SyncError
from contracts.ports import GrantKeeper, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.integrations import Integrations
from service.integrations.companies.ending import CompanyEnding, log_act
from service.integrations.companies.giving_back import GrantsReturned
from service.integrations.companies.standing import PeoplesStanding
from service.integrations.ownership import Person
from service.integrations.refusals import Conflict, Invalid
from service.integrations.settings_form import Choices, EventBoxes, ItemBoxes
from service.store.engine.store import Store
from service.store.integrations import listing
from service.store.people import companies, company_mailboxes, company_people
from service.store.people.companies import CompanyRow
from service.store.people.company_people import CompanyPerson
from service.store.tables.company_stages import PersonStage

CHOSEN_SAID = (
    "Connected in the company's name by administrator {}, who alone says that the mailbox is theirs."
)
VOUCHED_SAID = (
    "Connected in the company's name by administrator {}. Vorex, too, says that the mailbox is theirs."
)
_CONFLICTS = {"limit_reached": "limit", "not_connected": "access_ended"}


class PeopleConnected:
    """Links, chooses the main calendar, finishes with the tenant's settings, and says so in the log."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: CronofyGateway,
        keeper: GrantKeeper,
        people: Integrations,
        standing: PeoplesStanding,
        ending: CompanyEnding,
        returning: GrantsReturned,
        redirect_uri: str,
    ) -> None:
        self._store, self._gateway, self._keeper, self._people = store, gateway, keeper, people
        self._standing, self._ending, self._returning = standing, ending, returning
        self._redirect_uri = redirect_uri

    async def connect(self, company: CompanyRow, person: CompanyPerson) -> None:
        """Take the last step, or say why it cannot be taken."""
        try:
            await self._connect(company, person)
        except Conflict as refused:
            if refused.code == "already_linked":
                await self._standing.settle(person, PersonStage.ALREADY)
            else:
                await self._standing.fail(person, _CONFLICTS.get(refused.code, "refused"))
        except Invalid:
            await self._standing.fail(person, "no_calendar")
        except GrantRefused:
            await self._standing.fail(person, "access_ended")
        except Permanent:
            await self._standing.fail(person, "other")
        except SyncError:
            await self._standing.later(person)

    async def _connect(self, company: CompanyRow, person: CompanyPerson) -> None:
        if await self._is_hindered(person):
            return
        who = await self._person(person)
        integration_id = await self._linked(who, person) if person.answer else person.integration_id
        if integration_id is None:
            return
        known = await self._known(integration_id)
        if known is not None and known.finished_at is None:
            calendar = await self._main_calendar(person, integration_id)
            if calendar is None:
                await self._ending.delete(integration_id, "keep")
                await self._standing.fail(person, "no_calendar")
                return
            await self._allow_changes(company, person, calendar)
            await self._people.finish(who, integration_id, _choices(company, calendar))
        if not await self._settled(company, person, integration_id):
            await self._standing.fail(person, "other_address")  # where they still stand as they did
            await self._ending.delete(integration_id, "keep")

    async def _settled(self, company: CompanyRow, person: CompanyPerson, integration_id: str) -> bool:
        """Note it, and say in the log on whose word.

        False where it was ended meanwhile, or Vorex has named another address.
        """
        async with self._store.begin() as connection:
            decided = await companies.company_of(connection, person.tenant_id, lock=True)
            now = await company_people.find_person(connection, person.id)
            if now is None or now.vouched is False:
                return False
            values = dict.fromkeys(("due_at", "reason", "state_hash", "answer"))
            since = await self._store.moment(connection)
            if not await company_people.advance_person(
                connection,
                person,
                PersonStage.CONNECTED,
                integration_id=integration_id,
                since=since,
                **values,
            ):
                return False
            if decided is not None:  # what was locked while they were on the way holds for them, too
                held = {name: getattr(decided, name) for name in decided.locked}
                await companies.bring_into_line(connection, person.tenant_id, held, only=integration_id)
            said = VOUCHED_SAID if now.vouched else CHOSEN_SAID
            chosen_by = now.chosen_by or company.connected_by
            await log_act(self._store, connection, integration_id, said.format(chosen_by))
        return True

    async def _is_hindered(self, person: CompanyPerson) -> bool:
        """Whether the mailbox is linked already, or is not theirs; then that is noted."""
        name = (person.profile or {}).get("profile_name", person.email)
        async with self._store.read() as connection:
            already = await company_mailboxes.linked_already(
                connection, person.tenant_id, person.user_id, email=name, but=person.integration_id
            )
            wanted = {person.email: person.user_id}
            others = company_mailboxes.mailboxes_of_others
            taken = await others(connection, person.tenant_id, wanted, stages=())
            elsewhere = await company_people.is_elsewhere(connection, person)
        if not (already or taken or elsewhere):
            return False
        if already:
            await self._standing.settle(person, PersonStage.ALREADY)
        else:
            await self._standing.fail(person, "taken" if taken else "other_address")
        await self._end_half_made(person)
        return True

    async def _end_half_made(self, person: CompanyPerson) -> None:
        """Its owner could finish what was made for them before anybody knew that it may not be theirs."""
        half_made = await self._known(person.integration_id)
        if half_made is not None and half_made.finished_at is None:
            await self._ending.delete(half_made.id, "keep")

    async def _person(self, person: CompanyPerson) -> Person:
        async with self._store.read() as connection:
            zone = await company_people.time_zone_of(connection, person) or person.time_zone
        return Person(tenant_id=person.tenant_id, user_id=person.user_id, time_zone=zone)

    # -- linking --------------------------------------------------------------------------------

    async def _linked(self, who: Person, person: CompanyPerson) -> str | None:
        """The integration that lives on the new grant, the one noted before where that still is there.

        None where the person stands no longer as they did, or their own integration came back.
        """
        grant, before = self._standing.grant_of(person), await self._known(person.integration_id)
        if not await self._stands(person):
            await self._returning.give_back(grant)
            return None
        if before is not None and _works_on(before, grant):
            await self._keeper.adopt(before.sub, grant)
            integration_id: str = before.id
        else:
            integration_id = await self._people.link(who, grant)
        known = await self._known(integration_id)
        own = known is not None and known.finished_at is not None
        if own and integration_id != person.integration_id:  # their own came back, and stays their own
            await self._standing.settle(person, PersonStage.ALREADY)
            return None
        if not await self._note(person, integration_id):
            await self._ending.delete(integration_id, "keep")
            return None
        if before is not None and before.id != integration_id:  # of another mailbox, chosen before
            await self._ending.delete(before.id, "keep")
        return integration_id

    async def _stands(self, person: CompanyPerson) -> bool:
        """Whether they are to be connected now: nobody left, and nothing was ended, meanwhile."""
        async with self._store.begin() as connection:
            now = await company_people.find_person(connection, person.id)
        return now is not None and (now.stage, now.state_hash) == (person.stage, person.state_hash)

    async def _note(self, person: CompanyPerson, integration_id: str) -> bool:
        """At once, with the grant handed over: whatever ends this half-way, next time it goes on here."""
        async with self._store.begin() as connection:
            return await company_people.advance_person(
                connection, person, PersonStage.GRANTED, integration_id=integration_id, answer=None
            )

    async def _known(self, integration_id: str | None) -> Integration | None:
        """That integration, where it lives."""
        async with self._store.read() as connection:
            shown = await listing.find(connection, integration_id) if integration_id else None
        return shown.integration if shown and shown.integration.deleted_at is None else None

    # -- finishing ------------------------------------------------------------------------------

    async def _main_calendar(self, person: CompanyPerson, integration_id: str) -> Calendar | None:
        """The account's own calendar, or else its first that can be written to."""
        turn = Turn(integration_id=integration_id, tenant_id=person.tenant_id, urgency=Urgency.RUN)
        profile_id = (person.profile or {}).get("profile_id", "")
        listed = await self._gateway.calendars(person.sub or "", turn=turn)
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


def _works_on(integration: Integration, grant: TokenGrant) -> bool:
    """Whether it is set up and lives on that account: nothing but the tokens is new."""
    connected = integration.finished_at is not None and integration.status is Status.CONNECTED
    return connected and integration.sub == grant.sub


def _choices(company: CompanyRow, calendar: Calendar) -> Choices:
    return Choices(
        calendar_id=calendar.calendar_id,
        event_types=EventBoxes(**company.event_types),
        item_types=ItemBoxes(**company.item_types),
    )
