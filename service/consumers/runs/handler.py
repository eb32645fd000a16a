"""Does the step of a run that is due, once, whoever is asked how often (R24, R25)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from contracts.calendar import Integration, Status
from contracts.envelope import RunRequested
from contracts.errors import GrantRefused, Permanent, SyncError
from contracts.messages import RunData
from contracts.ports import AccountCheck
from handlers.settlement import settle
from service.broker.topology import RETRY_DELAYS
from service.consumers.failures import ReceivedMessage, failure_of
from service.consumers.inbound.calendar_read import NotSyncing
from service.consumers.inbound.reader import STATUSES_TO_CHECK
from service.consumers.runs.steps import (
    RUNS_BY_ITSELF,
    DueStep,
    RunProgress,
    StepHandler,
    StepOvertaken,
    end_early,
)
from service.crashpoints import crash_point
from service.integrations.activate import DEACTIVATED
from service.integrations.run_requests import BASELINE_STEP
from service.store.engine.statistics import PlannerStatistics
from service.store.engine.store import Store
from service.store.integrations import integrations
from service.store.runs import runs
from service.store.runs.runs import DELETION_RUN, Run
from service.telemetry.spans import note

PERMISSION_WITHDRAWN = "The account's permission was withdrawn."
INTEGRATION_NOT_CONNECTED = "The integration is not connected."
GIVING_WAY = "Waiting for the sync that was started by hand."
GIVING_WAY_SECONDS = 5.0
WENT_WRONG = "Something went wrong here."


class RunHandler:
    """One message, one step; a step that was done already is acknowledged and not repeated.

    ``farewell``: the steps of a deletion. After all of the ``delays`` the run fails with its message, for a
    run that can never go on would keep the next one out, and every comparison waiting (R25).
    """

    def __init__(
        self,
        *,
        store: Store,
        steps: Mapping[str, StepHandler],
        farewell: Mapping[str, StepHandler],
        progress: RunProgress,
        looker: AccountCheck,
        statistics: PlannerStatistics,
        delays: Sequence[int] = RETRY_DELAYS,
    ) -> None:
        self._store, self._looker, self._delays = store, looker, delays
        self._steps, self._farewell = steps, farewell
        self._progress, self._statistics = progress, statistics

    async def __call__(self, received: ReceivedMessage) -> None:
        message = received.message
        assert isinstance(message, RunRequested)
        run, integration = await self._load(message.data)
        if run is None or integration is None or run.ended or message.data.step < run.number:
            async with self._store.begin() as connection:
                await self._progress.note(connection, received.key)
            return
        note(run_id=run.id, run_kind=run.kind, step=run.step, integration_id=integration.id)
        await self._statistics.follow()
        crash_point("runs.1")
        due = DueStep(run=run, integration=integration, key=received.key)
        try:
            await (self._leave(due) if run.kind == DELETION_RUN else self._do(due, received.attempt))
            crash_point("runs.3")
        except StepOvertaken:
            async with self._store.begin() as connection:
                await self._progress.note(connection, received.key)

    async def _leave(self, due: DueStep) -> None:
        await self._farewell[due.run.step](due)

    async def _do(self, due: DueStep, attempt: int) -> None:
        try:
            await self._advance(due)
        except StepOvertaken:
            raise
        except Exception as error:
            if await self._is_over(due):
                raise StepOvertaken from error
            if not await self._explained(due, error):
                if self._is_last(error, attempt):
                    await self._fail(due, str(error) if isinstance(error, SyncError) else WENT_WRONG)
                raise

    async def _is_over(self, due: DueStep) -> bool:
        """Whether the run was ended meanwhile: nothing is to be tried again for it (R20)."""
        async with self._store.read() as connection:
            run = await runs.find(connection, due.run.id)
        return run is None or run.ended

    async def _explained(self, due: DueStep, error: Exception) -> bool:
        """Whether the account or its calendar is gone, which is no fault of the message (R23)."""
        if not isinstance(error, Permanent) or error.status not in STATUSES_TO_CHECK:
            return False
        with suppress(Permanent):
            if await self._looker.look(due.integration.id) == "not_connected":
                await self._progress.end(due, state="failed", reason=INTEGRATION_NOT_CONNECTED)
                return True
        return False

    def _is_last(self, error: Exception, attempt: int) -> bool:
        return settle([failure_of(error)], attempt=attempt, delays=self._delays).buried is not None

    async def _fail(self, due: DueStep, reason: str) -> None:
        async with self._store.begin() as connection:
            at = await self._store.moment(connection)
            await end_early(connection, due, state="failed", reason=reason, at=at)

    async def _advance(self, due: DueStep) -> None:
        integration = due.integration
        unread = integration.baseline_at is None
        connected = integration.status is Status.CONNECTED
        # an integration that watches is read once as well, to know what was there before
        if not connected or not (integration.active or (integration.watching and unread)):
            await self._stop(due)
            return
        if due.run.kind in RUNS_BY_ITSELF and await self._gives_way(integration):
            await self._progress.wait(due, seconds=GIVING_WAY_SECONDS, now_doing=GIVING_WAY)
            return
        try:
            await self._steps[BASELINE_STEP if unread else due.run.step](due)
        except NotSyncing:
            await self._stop(due)
        except GrantRefused:
            await self._looker.look(integration.id, at_once=True)
            await self._progress.end(due, state="failed", reason=PERMISSION_WITHDRAWN)

    async def _stop(self, due: DueStep) -> None:
        """Deactivated, it is cancelled as what was under way then is; not connected, it has failed."""
        async with self._store.read() as connection:
            found = await integrations.load(connection, [due.integration.id])
        if all(integration.active for integration in found.values()):
            await self._progress.end(due, state="failed", reason=INTEGRATION_NOT_CONNECTED)
        else:
            await self._progress.end(due, state="cancelled", reason=DEACTIVATED)

    async def _gives_way(self, integration: Integration) -> bool:
        """Whether a run that a person started is under way (R25)."""
        async with self._store.read() as connection:
            return await runs.run_in_progress(connection, integration.id)

    async def _load(self, data: RunData) -> tuple[Run | None, Integration | None]:
        async with self._store.read() as connection:
            run = await runs.find(connection, data.run_id)
            found = await integrations.load(connection, [data.integration_id])
        integration = next(iter(found.values()), None)
        if run is None or integration is None or run.integration_id != integration.id:
            return None, None
        deleted = integration.deleted_at is not None
        return run, integration if deleted is (run.kind == DELETION_RUN) else None
