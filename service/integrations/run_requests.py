"""How a run is asked for, and each of its further steps: always together with the message for it (R24)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.envelope import RunRequested
from contracts.messages import RunData
from contracts.ports import Outgoing
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.messages.outbox import enqueue, outgoing
from service.store.runs import runs
from service.store.runs.runs import DELETION_RUN, Run
from service.telemetry.current import going_on

BASELINE_STEP, QUIET_STEP = "baseline", "quiet"
"""With what a run begins: the reading of what was on the calendar before (R33), or its farewell (R21)."""

RunRange = Mapping[str, str] | None
"""``past`` and ``future``; None where nothing is brought in that direction."""


async def request_run(
    store: Store,
    connection: AsyncConnection,
    integration_id: str,
    *,
    kind: str,
    started_by: str,
    listed: bool = True,
    retrieve: RunRange = None,
    send: RunRange = None,
    cursor: Mapping[str, Any] | None = None,
    undoes: str | None = None,
    delay: float = 0.0,
) -> str:
    """Add a run and ask for its first step in the caller's transaction; the run's id.

    ``listed`` runs are shown in the integration's log (R27). One that undoes another names it (R50). After
    a ``delay`` of so many seconds the keeper asks for the step.
    """
    run_id, seconds = new_id(), await store.now(connection)
    await runs.add_run(
        connection,
        id=run_id,
        integration_id=integration_id,
        started_by=started_by,
        kind=kind,
        state="waiting",
        step=QUIET_STEP if kind == DELETION_RUN else BASELINE_STEP,
        requested_at=datetime.fromtimestamp(seconds, UTC),
        listed=listed,
        retrieve=retrieve,
        send=send,
        cursor=dict(cursor or {}),
        undoes=undoes,
        due_at=seconds + delay if delay else None,
    )
    if not delay:
        await _ask(connection, [(run_id, integration_id, 0)], seconds)
    return run_id


async def request_step_after(connection: AsyncConnection, run: Run, *, seconds: float) -> None:
    """Ask for the step that follows the one which the run is at; ``seconds`` is now by the store."""
    await _ask(connection, [(run.id, run.integration_id, run.number + 1)], seconds)


async def request_steps_again(connection: AsyncConnection, due: Iterable[Run], *, seconds: float) -> None:
    """Ask for the very step that each of these runs is at; ``seconds`` is now by the store."""
    await _ask(connection, [(run.id, run.integration_id, run.number) for run in due], seconds)


async def _ask(connection: AsyncConnection, steps: Iterable[tuple[str, str, int]], seconds: float) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    requests = [run_requested(run_id, whose, step=step, now=at) for run_id, whose, step in steps]
    await enqueue(connection, requests, now=seconds)


def run_requested(run_id: str, integration_id: str, *, step: int, now: datetime) -> Outgoing:
    """The message that this step of the run is due, ready for the outbox."""
    data = RunData(run_id=run_id, integration_id=integration_id, step=step)
    message_id = new_id()
    goes_on = going_on(message_id, kind="run step")
    return outgoing(RunRequested.of(data, id=message_id, time=now, traceparent=goes_on))
