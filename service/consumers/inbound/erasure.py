"""A person asked Cronofy to be forgotten: all stops at once, and what is kept of them goes (R41)."""

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
from service.store.integrations.integrations import change, integration_of, standing
from service.store.items import items
from service.store.links import erasing, tombstones
from service.store.people import company_people
from service.store.runs import runs

ERASED_A_TRANSACTION = 200
TRANSACTIONS_A_ROUND = 200
"""So that one account with very much keeps no other waiting, and a keeper that is to stop need not finish."""
FAREWELL_WITHIN = timedelta(minutes=30)
"""Tokens are not kept for longer than this because Cronofy does not answer."""
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
        standing: PeoplesStanding,
    ) -> None:
        self._store, self._gateway, self._tokens, self._pages = store, gateway, tokens, pages
        self._standing = standing

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
        left, rounds = len(due), TRANSACTIONS_A_ROUND
        for integration, since in due:
            if await self._left_account(integration, since) and await self._forget_person(integration, since):
                while rounds > 0:
                    rounds -= 1
                    if await self._some(integration):
                        left -= 1
                        break
        return left

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
        except Transient:
            if now - since < FAREWELL_WITHIN:
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
        try:
            for person in granted:
                await self._standing.give_back(person, patient=now - since < FAREWELL_WITHIN)
        except Transient:
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
