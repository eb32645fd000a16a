"""What follows the deletion of an integration, in R21's order, one step a transaction."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from contracts.calendar import Integration, Status
from contracts.errors import GrantRefused, Permanent, Transient
from contracts.ports import Clock, Revoker
from service.consumers.runs.steps import (
    FORGET_STEP,
    LEAVE_STEP,
    OVER_STEP,
    REMOVE_STEP,
    DueStep,
    RunProgress,
    StepHandler,
)
from service.integrations.run_requests import QUIET_STEP
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import held_imports
from service.store.integrations.integrations import change
from service.store.links import agreement, run_changes, tombstones
from service.store.questions import absences
from service.store.runs.farewells import LEFT_TO_OTHERS, Authorisation
from service.store.runs.tally import RunTally
from service.telemetry.logs import EventName

DELETED_A_TRANSACTION = 200
DELETION_POLL_SECONDS = 0.1
DELETION_WAIT_SECONDS = 5.0
REMOVAL_POLL_SECONDS, FAREWELL_RETRY_SECONDS = 2.0, 30.0
REMOVAL_LIMIT = timedelta(hours=24)
FAREWELL_LIMIT = timedelta(hours=1)
"""Tokens are not kept for longer than this because Cronofy does not answer."""
AUTHORISATION_LEFT: EventName = "authorisation.left"
REMOVING_COPIES = "Removing what was added to the linked calendar."

log = structlog.get_logger(__name__)


class DeletionSteps:
    """The steps of a deletion."""

    def __init__(self, *, store: Store, cronofy: Revoker, progress: RunProgress, clock: Clock) -> None:
        self._store, self._cronofy, self._progress, self._clock = store, cronofy, progress, clock

    @property
    def steps(self) -> dict[str, StepHandler]:
        return {
            QUIET_STEP: self._quiet,
            REMOVE_STEP: self._remove,
            LEAVE_STEP: self._leave,
            FORGET_STEP: self._forget,
        }

    async def _quiet(self, due: DueStep) -> None:
        """Wait until nothing is in flight; then every pair but the copies to be removed is a tombstone.

        Who removes does not wait for what was accepted to arrive: that is removed once more at the end.
        """
        integration = due.integration
        read = integration.baseline_at is not None or integration.known_since is not None
        able = integration.status is Status.CONNECTED and read
        removing = able and due.run.cursor.get("copies") == "remove"
        if await self._waited(lambda connection: self._in_flight(connection, due, arriving=not removing)):
            await self._progress.wait(due, seconds=REMOVAL_POLL_SECONDS, now_doing=REMOVING_COPIES)
            return
        await self._bury(due, but_copies=removing)
        async with self._store.begin() as connection:
            await change(connection, integration.id, removing=removing)
            await self._go_on(connection, due, REMOVE_STEP if removing else LEAVE_STEP)

    async def _remove(self, due: DueStep) -> None:
        """Wish the copies away, a few hundred a step, and wait for the lanes to have removed them."""
        if await self._wish_away(due):
            return
        late = await self._age(due) > REMOVAL_LIMIT
        if not late and await self._waited(lambda connection: self._unremoved(connection, due)):
            await self._progress.wait(due, seconds=REMOVAL_POLL_SECONDS, now_doing=REMOVING_COPIES)
            return
        if due.run.cursor.get("late") and not late:
            await self._once_more(due)
            return
        await self._bury(due, but_copies=False)
        async with self._store.begin() as connection:
            await change(connection, due.integration.id, removing=False)
            await self._go_on(connection, due, LEAVE_STEP)

    async def _wish_away(self, due: DueStep) -> bool:
        """The next copies; False after the last ones."""
        cursor = due.run.cursor
        async with self._store.begin() as connection:
            chosen, arriving = await tombstones.want_removed(
                connection,
                due.integration.id,
                after=cursor.get("after", ""),
                limit=DELETED_A_TRANSACTION,
                now=await self._store.now(connection),
            )
            if chosen:
                late = [*cursor.get("late", ()), *arriving]
                tally = RunTally(found=len(chosen))
                await self._go_on(connection, due, REMOVE_STEP, after=chosen[-1], late=late, tally=tally)
        return bool(chosen)

    async def _once_more(self, due: DueStep) -> None:
        """What was written shortly before it was removed may have arrived after that."""
        async with self._store.begin() as connection:
            await tombstones.want_gone(connection, due.run.cursor["late"])
            await self._go_on(connection, due, REMOVE_STEP, after=due.run.cursor["after"])

    async def _bury(self, due: DueStep, *, but_copies: bool) -> None:
        """A few hundred pairs a transaction; again after a kill, it goes on where it was."""
        integration, buried = due.integration, DELETED_A_TRANSACTION
        while buried == DELETED_A_TRANSACTION:
            async with self._store.begin() as connection:
                now = await self._store.moment(connection)
                buried = await tombstones.bury_links(
                    connection, integration, but_copies=but_copies, now=now, limit=DELETED_A_TRANSACTION
                )
        forgotten = DELETED_A_TRANSACTION
        while forgotten == DELETED_A_TRANSACTION:
            async with self._store.begin() as connection:
                forgotten = await tombstones.forget_prior(
                    connection, integration.id, limit=DELETED_A_TRANSACTION
                )

    async def _leave(self, due: DueStep) -> None:
        """Say that this integration needs the account no longer, and whether it was the last that did."""
        mine = due.integration
        async with self._store.begin() as connection:
            account = await tombstones.lock_account(connection, mine.sub)
            others = [row for row in account if row.id != mine.id and row.profile_id == mine.profile_id]
            last = all(row.erased_at is not None for row in others)
            alone = all(row.erased_at is not None for row in account if row.id != mine.id)
            channel = next(row.channel_id for row in account if row.id == mine.id)
            now = await self._store.moment(connection)
            await change(connection, mine.id, erased_at=now, removing=False)
            await self._go_on(connection, due, FORGET_STEP, last=last, alone=alone, channel=channel)

    async def _forget(self, due: DueStep) -> None:
        """Close the channel, revoke profile and authorisation, erase the tokens: what nobody else needs."""
        mine = due.integration
        try:
            authorisation = await self._part(due, late=await self._age(due) >= FAREWELL_LIMIT)
        except Transient:
            await self._progress.wait(due, seconds=FAREWELL_RETRY_SECONDS, now_doing="")
            return
        if authorisation not in {"ended", LEFT_TO_OTHERS}:
            log.warning(AUTHORISATION_LEFT, integration_id=mine.id, outcome=authorisation)
        async with self._store.begin() as connection:
            account = await tombstones.lock_account(connection, mine.sub)
            busy = await tombstones.deleting(connection, mine.sub) - {mine.id}
            if not busy and all(row.deleted_at is not None for row in account):
                await tombstones.erase_tokens(connection, mine.sub)
            await change(connection, mine.id, channel_id=None)
            await run_changes.forget_of(connection, mine.id)  # nothing of it can be undone any more
            await agreement.forget(connection, mine.id)
            await held_imports.forget_of(connection, mine)
            await absences.forget_of(connection, mine)
            await self._go_on(connection, due, OVER_STEP, authorisation=authorisation)

    async def _part(self, due: DueStep, *, late: bool) -> Authorisation:
        """What became of the account's authorisation; raises Transient unless it is too late to ask again."""
        mine, cursor = due.integration, due.run.cursor
        if channel := cursor.get("channel"):
            await _said(self._cronofy.close_channel(mine.sub, channel, turn=due.turn), late=late)
        again = await self._linked_again(mine)
        if cursor.get("last") and mine.profile_id not in again:
            await _said(self._cronofy.revoke_profile(mine.sub, mine.profile_id, turn=due.turn), late=late)
        if cursor.get("alone") and not again:
            return await _said(self._cronofy.revoke_account(mine.sub, turn=due.turn), late=late)
        return LEFT_TO_OTHERS

    async def _linked_again(self, mine: Integration) -> set[str]:
        """The profiles of the account that living integrations use by now."""
        async with self._store.begin() as connection:
            account = await tombstones.lock_account(connection, mine.sub)
        return {row.profile_id for row in account if row.deleted_at is None}

    async def _in_flight(self, connection: AsyncConnection, due: DueStep, *, arriving: bool = True) -> bool:
        now = await self._store.now(connection)
        return await tombstones.in_flight(connection, due.integration.id, now=now, arriving=arriving)

    async def _unremoved(self, connection: AsyncConnection, due: DueStep) -> bool:
        waits = await tombstones.unremoved(connection, due.integration.id)
        return waits or await self._in_flight(connection, due)

    async def _waited(self, hindered: Callable[[AsyncConnection], Awaitable[bool]]) -> bool:
        """Whether it is still so after a little while."""
        waited = 0.0
        while waited < DELETION_WAIT_SECONDS:
            async with self._store.read() as connection:
                if not await hindered(connection):
                    return False
            await self._clock.sleep(DELETION_POLL_SECONDS)
            waited += DELETION_POLL_SECONDS
        return True

    async def _age(self, due: DueStep) -> timedelta:
        async with self._store.read() as connection:
            now = datetime.fromtimestamp(await self._store.now(connection), UTC)
        return now - due.run.requested_at

    async def _go_on(
        self,
        connection: AsyncConnection,
        due: DueStep,
        step: str,
        *,
        tally: RunTally | None = None,
        **cursor: object,
    ) -> None:
        await self._progress.go_on(
            connection, due, step=step, cursor=cursor, tally=tally or RunTally(), now_doing=REMOVING_COPIES
        )


async def _said(farewell: Awaitable[bool | None], *, late: bool) -> Authorisation:
    """What came of it; a grant that is refused has ended already."""
    try:
        asked = await farewell
    except GrantRefused:
        return "ended"
    except Permanent:
        return "refused"
    except Transient:
        if not late:
            raise
        return "unanswered"
    return "unknown" if asked is False else "ended"
