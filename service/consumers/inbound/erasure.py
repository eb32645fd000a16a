"""A person asked Cronofy to be forgotten: all stops at once, and what is kept of them goes (R41)."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from contracts.calendar import Integration, Reason, Status
from contracts.errors import Permanent, Transient
from contracts.messages import IntegrationChange
from contracts.ports import GrantKeeper, Revoker, Turn
from handlers.edits import erased_content
from handlers.inbound_page import PageChanges
from handlers.judgement import item_after_change
from service.consumers.inbound.pages import PageWriter
from service.integrations.companies.standing import PeoplesStanding
from service.integrations.facts import tell_change
from service.store.engine.store import Store
from service.store.integrations import grants
from service.store.integrations.integrations import change, integration_of, load, standing
from service.store.items import items
from service.store.links import erasing, tombstones
from service.store.people import company_people
from service.store.runs import runs
from service.store.tables.company_stages import PersonStage
from service.telemetry.hindrances import say_hindered

ERASING_CHORE = "erasing"
ERASED_A_TRANSACTION = 200
TRANSACTIONS_A_ROUND = 200
"""So that one account with very much keeps no other waiting, and a keeper that is to stop need not finish."""
FAREWELL_WITHIN = timedelta(minutes=30)
"""Tokens are not kept for longer than this because Cronofy does not answer."""
LAST_FAREWELL_WITHIN = timedelta(minutes=50)
"""The same for those that came for the person meanwhile: within an hour all is erased."""
ERASED_ACCOUNT = "Erased account"
ERASED_RUN = "The account's owner asked to be forgotten."


class Erasure:
    """Done twice it does no harm; after a kill it goes on where it was."""

    def __init__(
        self,
        *,
        store: Store,
        gateway: Revoker,
        tokens: GrantKeeper,
        pages: PageWriter,
        people: PeoplesStanding,
    ) -> None:
        self._store, self._gateway, self._tokens, self._pages = store, gateway, tokens, pages
        self._people = people

    async def begin(self, sub: str) -> None:
        """Nothing of that account is sent, read or run from now on; its integrations are shown as erased."""
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            account = [
                row for row in await tombstones.lock_account(connection, sub) if row.erasing_since is None
            ]
            stopped = {
                "active": False,
                "watching_since": None,
                **standing(Status.NOT_CONNECTED, now),
                "reason": Reason.ERASED.value,
                "erasing_since": now,
                "account_name": ERASED_ACCOUNT,
                "profile_name": "",
                "calendar_name": None,
                "migration_url": None,
            }
            for row in account:
                await change(connection, row.id, **stopped)
                if row.deleted_at is None:
                    await runs.end_all(connection, row.id, reason=ERASED_RUN, at=now)
                    known = integration_of(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
                    erased = IntegrationChange.ERASED
                    await tell_change(connection, known, erased, now=now, reason=Reason.ERASED)

    async def round(self) -> int:
        """Erase some of what is due; how many integrations are still being erased."""
        async with self._store.read() as connection:
            due = await erasing.due(connection)
        transactions = iter(range(TRANSACTIONS_A_ROUND))
        return len(due) - sum([await self._guarded(each, since, transactions) for each, since in due])

    async def _guarded(self, integration_id: str, since: datetime, transactions: Iterator[int]) -> bool:
        """Whether it is erased; what hinders one hinders no other (R44)."""
        try:
            async with self._store.read() as connection:
                (integration,) = (await load(connection, [integration_id])).values()
            return await self._erase(integration, since, transactions)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others are erased
            say_hindered(ERASING_CHORE, error, integration_id=integration_id)
            return False

    async def _erase(self, integration: Integration, since: datetime, transactions: Iterator[int]) -> bool:
        left = await self._left_account(integration, since)
        forgotten = await self._forget_person(integration, since)
        if not (left and forgotten):
            return False
        for _ in transactions:
            if await self._some(integration):
                return True
        return False

    async def _left_account(self, integration: Integration, since: datetime) -> bool:
        """The authorisation ends, with what Cronofy keeps of the person; then the tokens are erased."""
        async with self._store.read() as connection:
            now = await self._store.moment(connection)
            needed = await grants.uses_account(connection, integration.sub)
        if needed:
            return True  # the person has linked the account again since then
        try:
            with suppress(Permanent):  # what Cronofy refuses now is gone already
                turn = Turn(integration_id=integration.id, tenant_id=integration.tenant_id)
                await self._gateway.revoke_account(integration.sub, erase=True, turn=turn)
        except Transient as error:
            if now - since < FAREWELL_WITHIN:
                say_hindered(ERASING_CHORE, error, integration_id=integration.id)
                return False
        await self._tokens.forget(integration.sub)
        return True

    async def _forget_person(self, integration: Integration, since: datetime) -> bool:
        """Grants that came for them end first, also at Cronofy. Whether nothing of them is left.

        In a transaction of its own: whoever ends them as leaving has their row before their integrations.
        """
        async with self._store.read() as connection:
            now = await self._store.moment(connection)
            granted = await company_people.grants_kept_with(connection, integration)
        for person in granted:
            if person.stage == PersonStage.GRANTED:  # somebody may be making an integration of it
                await self._people.fail(person, "access_ended")
                return False
            until = min(max(since, person.since) + FAREWELL_WITHIN, since + LAST_FAREWELL_WITHIN)
            try:
                await self._people.give_back(person, patient=now < until)
            except Transient as error:
                say_hindered(ERASING_CHORE, error, integration_id=integration.id)
                return False
        async with self._store.begin() as connection:
            return await company_people.forget_person(connection, integration)

    async def _some(self, integration: Integration) -> bool:
        """A few hundred texts; whether nothing is left that names anybody."""
        async with self._store.begin() as connection:
            refs = await erasing.items_brought(connection, integration, limit=ERASED_A_TRANSACTION)
            known = await items.load(connection, refs, lock=True)
            await erasing.lock(connection, integration)
            now = await self._store.now(connection)
            moment = datetime.fromtimestamp(now, UTC)
            changes = PageChanges()
            for item in known.values():
                if item.content is not None:
                    content = erased_content(item.content)
                    changes.items.append(item_after_change(item, content, integration, moment))
            await self._pages.save(connection, integration, changes, now=now)
            await erasing.forget_origin(connection, integration, refs)
            rest = await erasing.forget_some(connection, integration, limit=ERASED_A_TRANSACTION)
            done = not refs and not rest
            if done:
                await erasing.finish(connection, integration)
            return done
