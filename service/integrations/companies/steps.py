"""From chosen to connected, a step after the other for each person, by itself and as often as it takes."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from service.integrations.companies.asking import Begun, PeopleAsked
from service.integrations.companies.connecting import PeopleConnected
from service.integrations.companies.ending import CompanyEnding
from service.integrations.companies.standing import PeoplesStanding
from service.store.engine.store import Store
from service.store.people import companies, company_people
from service.store.people.companies import CompanyRow
from service.store.people.company_people import CompanyPerson
from service.store.tables.company_stages import SETTLED, PersonStage
from service.telemetry.hindrances import say_hindered

CHORE = "company calendars"
_Whose = TypeVar("_Whose")


class CompanySteps:
    """For the keeper: a round takes the next step of some people of every tenant, which take turns (R44)."""

    def __init__(
        self,
        *,
        store: Store,
        asking: PeopleAsked,
        connecting: PeopleConnected,
        ending: CompanyEnding,
        standing: PeoplesStanding,
    ) -> None:
        self._store, self._asking, self._connecting = store, asking, connecting
        self._ending, self._standing = ending, standing

    async def round(self) -> None:
        """What hinders one person, or one tenant, hinders no other, whatever it is."""
        for company in await self._ending.due():
            await self._try(self._ending.end, company, tenant_id=company.tenant_id)
        await self._each(PersonStage.ASKED, self._unanswered)
        by_tenant: dict[str, list[CompanyPerson]] = defaultdict(list)
        for person in await self._due(PersonStage.CHOSEN):
            by_tenant[person.tenant_id].append(person)
        for tenant_id, chosen in by_tenant.items():
            await self._ask(tenant_id, chosen)
        await self._each(PersonStage.ANSWERED, self._asking.exchange)
        await self._each(PersonStage.GRANTED, self._connect)
        for stage in SETTLED:
            await self._each(stage, self._standing.give_back_in_time)

    async def _due(self, stage: PersonStage) -> Sequence[CompanyPerson]:
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            return await company_people.due_people(connection, stage, now=now)

    async def _each(self, stage: PersonStage, step: Callable[[CompanyPerson], Awaitable[object]]) -> None:
        for person in await self._due(stage):
            await self._guarded(step, person)

    async def _guarded(
        self, step: Callable[[CompanyPerson], Awaitable[object]], person: CompanyPerson
    ) -> None:
        if not await self._try(step, person, person_id=person.id):
            await self._standing.put_off(person)

    async def _try(self, step: Callable[[_Whose], Awaitable[object]], whose: _Whose, **named: str) -> bool:
        """Whether it came to its end."""
        try:
            await step(whose)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others go on
            say_hindered(CHORE, error, **named)
            return False
        return True

    async def _company(self, tenant_id: str) -> CompanyRow | None:
        async with self._store.read() as connection:
            found = await companies.company_of(connection, tenant_id)
        return found if found is not None and found.connected else None

    async def _unanswered(self, person: CompanyPerson) -> None:
        await self._standing.ask_again(person, "no_answer")

    async def _ask(self, tenant_id: str, chosen: Sequence[CompanyPerson]) -> None:
        company = await self._company(tenant_id)
        if company is None or company.sub is None:
            return
        begun: list[Begun] = []
        sub = company.sub

        async def begin(person: CompanyPerson) -> None:
            if (one := await self._asking.begin(person)) is not None:
                begun.append(one)

        async def ask(those: Sequence[Begun]) -> None:
            await self._asking.ask_for(sub, tenant_id, those)

        for person in chosen:
            await self._guarded(begin, person)
        if begun:
            await self._try(ask, begun, tenant_id=tenant_id)

    async def _connect(self, person: CompanyPerson) -> None:
        company = await self._company(person.tenant_id)
        if company is not None:
            await self._connecting.connect(company, person)
