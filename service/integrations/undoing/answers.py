"""The answer to held questions is a run that has ended at once: listed, and undone as any other (R50)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.calendar import IntegrationId, LogEntry
from handlers.undoing.recorded import RunChange
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection
from service.store.links import run_changes
from service.store.logs import logs
from service.store.runs import ended_runs, runs
from service.store.runs.runs import ANSWER_RUN
from service.store.runs.tally import RunTally


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerGiven:
    """Who answers, and what the log says of it where that is not the owner (R47)."""

    by: str
    noted: LogEntry | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledAnswer:
    """How many questions were answered, and the run by which that is undone: none where nothing is."""

    count: int = 0
    run_id: str | None = None


async def begin_answer(
    connection: AsyncConnection, integration_id: IntegrationId, given: AnswerGiven, *, at: datetime
) -> str:
    """Add the run in the transaction of its first change; the run's id."""
    run_id = new_id()
    moments = dict.fromkeys(("requested_at", "started_at", "ended_at"), at)
    await runs.add_run(
        connection,
        id=run_id,
        integration_id=integration_id,
        started_by=given.by,
        kind=ANSWER_RUN,
        state="done",
        step="",
        **moments,
    )
    await logs.log(connection, [given.noted] if given.noted is not None else [], now=at)
    return run_id


async def note_answered(
    connection: AsyncConnection,
    run_id: str,
    integration_id: IntegrationId,
    changes: Sequence[RunChange],
    *,
    tally: RunTally,
    at: datetime,
) -> None:
    """Remember what some more answers changed, in the transaction of the changes themselves."""
    await run_changes.record(connection, run_id, integration_id, changes, at=at)
    await ended_runs.count_more(connection, run_id, tally)
