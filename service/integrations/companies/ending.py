"""The end of what a company connected: integrations first, the domain's own permission last."""

from collections.abc import Sequence
from contextlib import suppress

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome, Trigger
from contracts.errors import Permanent
from contracts.ports import GrantKeeper, Turn, Urgency
from service.cronofy.gateway import CronofyGateway
from service.integrations.companies.standing import PeoplesStanding
from service.integrations.delete import DeletionChoice, delete_known
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations
from service.store.logs import logs
from service.store.people import companies, company_people
from service.store.people.companies import CompanyRow
from service.store.tables.company_stages import STEPS_A_ROUND, PersonStage

ENDED_SAID = "Deleted with the company calendar by {}."


class CompanyEnding:
    """Ends whole companies in steps, and single integrations that were made in a company's name."""

    def __init__(
        self, *, store: Store, gateway: CronofyGateway, keeper: GrantKeeper, standing: PeoplesStanding
    ) -> None:
        self._store, self._gateway, self._keeper = store, gateway, keeper
        self._standing = standing
        self._ended_last = ""

    async def due(self) -> Sequence[CompanyRow]:
        """Some that are being ended: whom nothing ends stands in nobody's way, for the next are others."""
        async with self._store.read() as connection:
            due = await companies.ending(connection, after=self._ended_last)
        self._ended_last = due[-1].tenant_id if len(due) == STEPS_A_ROUND else ""
        return due

    async def end(self, company: CompanyRow) -> None:
        """Integrations first, for removing copies takes their tokens; the domain's grant last."""
        async with self._store.read() as connection:
            waiting = await company_people.under_way(connection, company.tenant_id)
        for person in waiting:
            if person.stage == PersonStage.GRANTED:
                await self._standing.fail(person, "access_ended")
            else:
                await self._standing.give_back(person)
        if waiting:
            return
        async with self._store.begin() as connection:
            living = await company_people.stop_people(connection, company.tenant_id)
        copies: DeletionChoice = "remove" if company.copies == "remove" else "keep"
        for integration_id in living[:STEPS_A_ROUND]:
            await self.delete(integration_id, copies, said=ENDED_SAID.format(company.ended_by))
        async with self._store.read() as connection:
            waits = await companies.still_leaving(connection, company.tenant_id)
            used = company.sub is not None and await companies.uses_sub(
                connection, company.sub, but=company.tenant_id
            )
        if living or waits:
            return
        if company.sub is not None and not used:
            await self._end_domain(company.sub, company.tenant_id)
        async with self._store.begin() as connection:
            await companies.forget_company(connection, company.tenant_id)

    async def _end_domain(self, sub: str, tenant_id: str) -> None:
        with suppress(Permanent):  # it has ended already
            await self._gateway.revoke_account(sub, turn=Turn(tenant_id=tenant_id, urgency=Urgency.RUN))
        await self._keeper.forget(sub)

    async def delete(self, integration_id: str, copies: DeletionChoice, *, said: str | None = None) -> None:
        """Delete it, where it is there; ``said``: what its log says of that."""
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
                await log_act(self._store, connection, integration_id, said)


async def log_act(store: Store, connection: AsyncConnection, integration_id: str, sentence: str) -> None:
    """Say in the log of an integration what was done with it in its company's name."""
    entry = LogEntry(
        integration_id=IntegrationId(integration_id),
        trigger=Trigger.OPERATOR,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.DONE,
        code=Code.OK,
        reason=sentence,
    )
    await logs.log(connection, [entry], now=await store.moment(connection))
