"""What follows the deletion of an integration, in R21's order, one step a transaction."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from contracts.calendar import Integration, Status
from contracts.errors import Permanent, Transient
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
from service.store.integrations.integrations import change
from service.store.links import tombstones
from service.store.runs.runs import RunTally

DELETED_A_TRANSACTION = 200
DELETION_POLL_SECONDS = 0.1
DELETION_WAIT_SECONDS = 5.0
REMOVAL_POLL_SECONDS, FAREWELL_RETRY_SECONDS = 2.0, 30.0
REMOVAL_LIMIT = timedelta(hours=24)
FAREWELL_LIMIT = timedelta(hours=1)
"""Tokens are not kept for longer than this because Cronofy does not answer."""
REMOVING_COPIES = "Removing what was added to the linked calendar."


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
        """Wait until nothing is in flight; then every pair but the copies to be removed is a tombstone."""
        if await self._waited(lambda connection: self._in_flight(connection, due)):
            await self._progress.wait(due, seconds=REMOVAL_POLL_SECONDS, now_doing=REMOVING_COPIES)
            return
        integration = due.integration
        able = integration.status is Status.CONNECTED and integration.baseline_at is not None
        removing = able and due.run.cursor.get("copies") == "remove"
        await self._bury(due, but_copies=removing)
        async with self._store.begin() as connection:
            await change(connection, integration.id, removing=removing)
            await self._go_on(connection, due, REMOVE_STEP if removing else LEAVE_STEP)

    async def _remove(self, due: DueStep) -> None:
        """Wish the copies away, a few hundred a step, and wait for the lanes to have removed them."""
        async with self._store.begin() as connection:
            after = due.run.cursor.get("after", "")
            chosen = await tombstones.want_removed(
                connection, due.integration.id, after=after, limit=DELETED_A_TRANSACTION
            )
            if chosen:
                tally = RunTally(found=len(chosen))
                await self._go_on(connection, due, REMOVE_STEP, after=chosen[-1], tally=tally)
                return
        late = await self._age(due) > REMOVAL_LIMIT
        if not late and await self._waited(lambda connection: self._unremoved(connection, due)):
            await self._progress.wait(due, seconds=REMOVAL_POLL_SECONDS, now_doing=REMOVING_COPIES)
            return
        await self._bury(due, but_copies=False)
        async with self._store.begin() as connection:
            await change(connection, due.integration.id, removing=False)
            await self._go_on(connection, due, LEAVE_STEP)

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
            channel = next(row.channel_id for row in account if row.id == mine.id)
            now = await self._store.moment(connection)
            await change(connection, mine.id, erased_at=now, removing=False)
            await self._go_on(connection, due, FORGET_STEP, last=last, channel=channel)

    async def _forget(self, due: DueStep) -> None:
        """Close the channel, revoke the profile, erase the tokens; the two last where nobody needs them."""
        try:
            await self._part(due)
        except Transient:
            if await self._age(due) < FAREWELL_LIMIT:
                await self._progress.wait(due, seconds=FAREWELL_RETRY_SECONDS, now_doing="")
                return
        mine = due.integration
        async with self._store.begin() as connection:
            account = await tombstones.lock_account(connection, mine.sub)
            busy = await tombstones.deleting(connection, mine.sub) - {mine.id}
            if not busy and all(row.deleted_at is not None for row in account):
                await tombstones.erase_tokens(connection, mine.sub)
            await change(connection, mine.id, channel_id=None)
            await self._go_on(connection, due, OVER_STEP)

    async def _part(self, due: DueStep) -> None:
        mine, cursor = due.integration, due.run.cursor
        if channel := cursor.get("channel"):
            await _heedless(self._cronofy.close_channel(mine.sub, channel, turn=due.turn))
        if cursor.get("last") and not await self._linked_again(mine):
            await _heedless(self._cronofy.revoke_profile(mine.sub, mine.profile_id, turn=due.turn))

    async def _linked_again(self, mine: Integration) -> bool:
        async with self._store.begin() as connection:
            account = await tombstones.lock_account(connection, mine.sub)
        return any(row.profile_id == mine.profile_id and row.deleted_at is None for row in account)

    async def _in_flight(self, connection: AsyncConnection, due: DueStep) -> bool:
        now = await self._store.now(connection)
        return await tombstones.in_flight(connection, due.integration.id, now=now)

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


async def _heedless(farewell: Awaitable[None]) -> None:
    """What Cronofy refuses now is gone already."""
    with suppress(Permanent):
        await farewell
