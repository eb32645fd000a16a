"""What a step of a run needs, and the message that asks for the next one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.calendar import Integration
from contracts.ports import Turn
from service.crashpoints import crash_point
from service.integrations.run_requests import request_step_after
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import listing
from service.store.messages import inbox
from service.store.messages.inbox import MessageKey
from service.store.runs import runs
from service.store.runs.runs import COMPARISONS, Run, Tally

RUNS_QUEUE = "calendar-sync.runs"
FINISH = "finish"
BY_ITSELF = frozenset(COMPARISONS)
RETRIEVE, MATCH, SEND, OVER = "retrieve", "match", "send", "over"
MOVE = "move"
NOTICES, WHOLE, COMPARE = "notices", "whole", "compare"
REMOVE, LEAVE, FORGET = "remove", "leave", "forget"


class Overtaken(Exception):
    """The step was done by another process, or the run was ended, while this one was at it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A step that is to be done now."""

    run: Run
    integration: Integration
    key: MessageKey

    @property
    def turn(self) -> Turn:
        """Runs give way to live changes (R32)."""
        return Turn(integration_id=self.integration.id, run=True)


Step = Callable[[Due], Awaitable[None]]


class Progress:
    """Writes how far a run has come, with the request for its next step, in the step's own transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def go_on(
        self,
        connection: AsyncConnection,
        due: Due,
        *,
        step: str,
        cursor: Mapping[str, Any],
        tally: Tally,
        now_doing: str = "",
        total: int | None = None,
    ) -> None:
        """Note this step and ask for the next; after the last one the run is done. Raises Overtaken."""
        finished = step == OVER and due.run.kind == FINISH
        if finished:
            await listing.lock(connection, due.integration.id)  # before the run, as whoever cancels it does
        if not await runs.stands(connection, due.run):
            raise Overtaken
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
        if step == OVER:
            if finished:
                await runs.disable_options(connection, due.integration.id)
            await runs.end(connection, due.run.id, state="done", reason=None, at=moment)
        else:
            await request_step_after(connection, due.run, seconds=now)
        crash_point("runs.2")

    async def end(self, due: Due, *, state: str, reason: str) -> None:
        """The run is over before its last step; the sentence says why."""
        async with self._store.begin() as connection:
            at = await self._store.moment(connection)
            await runs.end(connection, due.run.id, state=state, reason=reason, at=at)
            await self.note(connection, due.key)

    async def wait(self, due: Due, *, seconds: float, now_doing: str) -> None:
        """Try the same step again in a while."""
        async with self._store.begin() as connection:
            due_at = await self._store.now(connection) + seconds
            await runs.wait(connection, due.run.id, due_at=due_at, now_doing=now_doing)
            await self.note(connection, due.key)

    async def note(self, connection: AsyncConnection, key: MessageKey) -> None:
        now = await self._store.now(connection)
        await inbox.record(connection, RUNS_QUEUE, [(key, "done")], now=now)
