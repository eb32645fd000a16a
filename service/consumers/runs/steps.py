"""What a step of a run needs, and the message that asks for the next one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from contracts.calendar import Integration
from contracts.messages import QUEUE_RUNS, IntegrationChange
from contracts.ports import Turn, Urgency
from service.crashpoints import crash_point
from service.integrations.facts import tell_change
from service.integrations.run_requests import request_step_after
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import listing
from service.store.messages import inbox
from service.store.messages.inbox import MessageKey
from service.store.runs import runs
from service.store.runs.runs import COMPARISON_RUNS, DELETION_RUN, Run
from service.store.runs.tally import RunTally

FINISH_RUN = "finish"
RUNS_BY_ITSELF = frozenset(COMPARISON_RUNS)
RETRIEVE_STEP, MATCH_STEP, SEND_STEP, OVER_STEP = "retrieve", "match", "send", "over"
MOVE_STEP = "move"
NOTICES_STEP, WHOLE_STEP, COMPARE_STEP = "notices", "whole", "compare"
UNDO_STEP = "undo"
REMOVE_STEP, LEAVE_STEP, FORGET_STEP = "remove", "leave", "forget"


class StepOvertaken(Exception):
    """The step was done by another process, or the run was ended, while this one was at it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DueStep:
    """A step that is to be done now."""

    run: Run
    integration: Integration
    key: MessageKey

    @property
    def turn(self) -> Turn:
        """Runs give way to live changes (R32)."""
        return Turn(
            integration_id=self.integration.id,
            tenant_id=self.integration.tenant_id,
            urgency=Urgency.RUN,
        )


EarlyEnd = Literal["failed", "cancelled"]
StepHandler = Callable[[DueStep], Awaitable[None]]


class RunProgress:
    """Writes how far a run has come, with the request for its next step, in the step's own transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def go_on(
        self,
        connection: AsyncConnection,
        due: DueStep,
        *,
        step: str,
        cursor: Mapping[str, Any],
        tally: RunTally,
        now_doing: str = "",
        total: int | None = None,
    ) -> None:
        """Note this step and ask for the next; after the last one the run is done. Raises StepOvertaken."""
        finished = step == OVER_STEP and due.run.kind == FINISH_RUN
        if finished:
            await listing.lock(connection, due.integration.id)  # before the run, as whoever cancels it does
        if not await runs.stands(connection, due.run):
            raise StepOvertaken
        now = await self._store.now(connection)
        moment = datetime.fromtimestamp(now, UTC)
        await runs.advance(
            connection,
            due.run,
            step=step,
            cursor=cursor,
            tally=tally,
            now_doing=now_doing,
            at=moment,
            total=total,
        )
        await self.note(connection, due.key)
        if step == OVER_STEP:
            if finished:
                await runs.disable_options(connection, due.integration.id)
            await runs.end(connection, due.run.id, state="done", reason=None, at=moment)
        else:
            await request_step_after(connection, due.run, seconds=now)
        crash_point("runs.2")

    async def end(self, due: DueStep, *, state: EarlyEnd, reason: str) -> None:
        """The run is over before its last step; the sentence says why."""
        async with self._store.begin() as connection:
            at = await self._store.moment(connection)
            await end_early(connection, due, state=state, reason=reason, at=at)
            await self.note(connection, due.key)

    async def wait(self, due: DueStep, *, seconds: float, now_doing: str) -> None:
        """Try the same step again in a while."""
        async with self._store.begin() as connection:
            due_at = await self._store.now(connection) + seconds
            await runs.wait(connection, due.run.id, due_at=due_at, now_doing=now_doing)
            await self.note(connection, due.key)

    async def note(self, connection: AsyncConnection, key: MessageKey) -> None:
        now = await self._store.now(connection)
        await inbox.record(connection, QUEUE_RUNS, [(key, "done")], now=now)


async def end_early(
    connection: AsyncConnection, due: DueStep, *, state: EarlyEnd, reason: str, at: datetime
) -> None:
    """The run is over; whoever started it hears where it failed, also outside of these pages (R48)."""
    ended = await runs.end(connection, due.run.id, state=state, reason=reason, at=at)
    if ended and state == "failed" and due.run.kind != DELETION_RUN:
        await tell_change(connection, due.integration, IntegrationChange.RUN_FAILED, now=at)
