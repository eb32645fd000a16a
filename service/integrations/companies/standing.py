"""How far each person has come, and what becomes of a grant that nothing is made of."""

from collections.abc import Mapping

from contracts.cronofy_accounts import Profile, TokenGrant
from contracts.errors import SyncError
from contracts.ports import GrantKeeper
from service.integrations.companies.giving_back import GrantsReturned
from service.store.engine.store import Store
from service.store.people import company_people
from service.store.people.company_people import CompanyPerson
from service.store.tables.company_stages import PersonStage
from service.telemetry.hindrances import say_abandoned

MOST_ATTEMPTS = 3
"""How often a person is asked for, or a step is tried, before it is said to have failed."""
MOST_TRIES = 10
"""How often a step is tried that Cronofy does not answer."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 600.0
_MOST_DOUBLINGS = 10


class PeoplesStanding:
    """Writes it down, where the person still stands as they did."""

    def __init__(self, *, store: Store, keeper: GrantKeeper, returning: GrantsReturned) -> None:
        self._store, self._keeper, self.returning = store, keeper, returning

    async def settle(self, person: CompanyPerson, stage: PersonStage, **values: str | None) -> bool:
        """Nothing more is done for them, but giving back what came; whether they still stood as they did."""
        async with self._store.begin() as connection:
            since = await self._store.moment(connection)
            gone: dict[str, str | float | None] = dict.fromkeys(("due_at", "state_hash", "answer"))
            if person.stage == PersonStage.GRANTED and stage is not PersonStage.CONNECTED:
                gone = {"due_at": await self._store.now(connection), "state_hash": None, "attempts": 0}
            return await company_people.advance_person(
                connection, person, stage, since=since, **{**gone, **values}
            )

    async def fail(self, person: CompanyPerson, reason: str) -> None:
        """It is not tried any more, for a reason of a closed set."""
        await self.settle(person, PersonStage.FAILED, reason=reason)

    async def ask_again(
        self, person: CompanyPerson, reason: str, *, pause: float = 0.0, most: int = MOST_ATTEMPTS
    ) -> None:
        """With a new state, so that an answer to the earlier one changes nothing."""
        if person.attempts >= most:
            await self.fail(person, reason)
            return
        async with self._store.begin() as connection:
            due = await self._store.now(connection) + pause
            gone = dict.fromkeys(("state_hash", "answer", "sub", "profile"))
            await company_people.advance_person(connection, person, PersonStage.CHOSEN, due_at=due, **gone)

    async def later(self, person: CompanyPerson) -> None:
        """Try the same step again, at growing distances."""
        if person.attempts >= MOST_TRIES:
            await self.fail(person, "silent")
        else:
            await self.put_off(person)

    async def put_off(self, person: CompanyPerson) -> None:
        """The same without an end: whatever hinders them hinders nobody else."""
        async with self._store.begin() as connection:
            until = await self._store.now(connection) + pause_after(person.attempts)
            await company_people.put_off(connection, person, until=until)

    def grant_of(self, person: CompanyPerson) -> TokenGrant:
        """What came for them and lies encrypted in their row. Raises WrongKeys, Malformed."""
        profile = Profile.parse(person.profile if isinstance(person.profile, Mapping) else {})
        return self._keeper.unseal(person.answer or "", sub=person.sub or "", profile=profile)

    async def give_back_in_time(self, person: CompanyPerson) -> None:
        """The same. Raises what hinders it, but at the last of many tries."""
        await self.give_back(person, patient=person.attempts < MOST_TRIES)

    async def give_back(self, person: CompanyPerson, *, patient: bool = False) -> None:
        """Of who is settled and not connected, no grant lives on.

        ``patient``: raises where it cannot be read, or Cronofy cannot be asked, now; else it is tried once.
        Raises Unavailable where the store does not answer.
        """
        grant = None if person.answer is None else self._legible(person, patient=patient)
        if grant is not None:
            await self.returning.give_back(grant, patient=patient)
        async with self._store.begin() as connection:
            stage = PersonStage(person.stage)
            await company_people.advance_person(connection, person, stage, answer=None, due_at=None)

    def _legible(self, person: CompanyPerson, *, patient: bool) -> TokenGrant | None:
        """None for what no key opens, or is no grant: nobody can give it back."""
        try:
            return self.grant_of(person)
        except SyncError as error:
            if patient:
                raise
            say_abandoned(error, person_id=person.id)
            return None


def pause_after(attempts: int) -> float:
    """Seconds until the next attempt."""
    doublings = min(_MOST_DOUBLINGS, max(0, attempts - 1))
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**doublings)
