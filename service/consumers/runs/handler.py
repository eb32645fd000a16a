"""Does the step of a run that is due, once, whoever is asked how often (R24, R25)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from contracts.calendar import Integration
from contracts.envelope import RunRequested
from contracts.errors import GrantRefused, Permanent, SyncError
from contracts.messages import RunData
from contracts.ports import Looker
from handlers.settlement import settle
from service.broker.topology import RETRY_DELAYS
from service.consumers.failures import Received, failure_of
from service.consumers.inbound.pages import NotSyncing
from service.consumers.inbound.reader import LOOK_CLOSER
from service.consumers.runs.steps import (
    BY_ITSELF,
    Due,
    Overtaken,
    Progress,
    Step,
)
from service.crashpoints import crash_point
from service.integrations.activate import SWITCHED_OFF
from service.integrations.run_requests import BASELINE
from service.store.engine.statistics import Statistics
from service.store.engine.store import Store
from service.store.integrations import integrations
from service.store.runs import runs
from service.store.runs.runs import DELETION, Run

WITHDRAWN = "The account's permission was withdrawn."
NOT_SYNCING = "The integration is not connected."
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
        steps: Mapping[str, Step],
        farewell: Mapping[str, Step],
        progress: Progress,
        looker: Looker,
        statistics: Statistics,
        delays: Sequence[int] = RETRY_DELAYS,
    ) -> None:
        self._store, self._looker, self._delays = store, looker, delays
        self._steps, self._farewell = steps, farewell
        self._progress, self._statistics = progress, statistics

    async def __call__(self, received: Received) -> None:
        message = received.message
        assert isinstance(message, RunRequested)
        run, integration = await self._load(message.data)
        if run is None or integration is None or run.ended or message.data.step < run.number:
            async with self._store.begin() as connection:
                await self._progress.note(connection, received.key)
            return
        await self._statistics.follow()
        crash_point("runs.1")
        due = Due(run=run, integration=integration, key=received.key)
        try:
            await (self._leave(due) if run.kind == DELETION else self._do(due, received.attempt))
            crash_point("runs.3")
        except Overtaken:
            async with self._store.begin() as connection:
                await self._progress.note(connection, received.key)

    async def _leave(self, due: Due) -> None:
        await self._farewell[due.run.step](due)

    async def _do(self, due: Due, attempt: int) -> None:
        try:
            await self._advance(due)
        except Overtaken:
            raise
        except Exception as error:
            if await self._is_over(due):
                raise Overtaken from error
            if not await self._explained(due, error):
                if self._is_last(error, attempt):
                    await self._fail(due, str(error) if isinstance(error, SyncError) else WENT_WRONG)
                raise

    async def _is_over(self, due: Due) -> bool:
        """Whether the run was ended meanwhile: nothing is to be tried again for it (R20)."""
        async with self._store.read() as connection:
            run = await runs.find(connection, due.run.id)
        return run is None or run.ended

    async def _explained(self, due: Due, error: Exception) -> bool:
        """Whether the account or its calendar is gone, which is no fault of the message (R23)."""
        if not isinstance(error, Permanent) or error.status not in LOOK_CLOSER:
            return False
        with suppress(Permanent):
            if await self._looker.look(due.integration.id) == "not_connected":
                await self._progress.end(due, state="failed", reason=NOT_SYNCING)
                return True
        return False

    def _is_last(self, error: Exception, attempt: int) -> bool:
        return settle([failure_of(error)], attempt=attempt, delays=self._delays).buried is not None

    async def _fail(self, due: Due, reason: str) -> None:
        async with self._store.begin() as connection:
            at = await self._store.moment(connection)
            await runs.end(connection, due.run.id, state="failed", reason=reason, at=at)

    async def _advance(self, due: Due) -> None:
        integration = due.integration
        unread = integration.baseline_at is None
        if not (integration.sends or (unread and integration.active)):
            await self._stop(due)
            return
        if due.run.kind in BY_ITSELF and await self._gives_way(integration):
            await self._progress.wait(due, seconds=GIVING_WAY_SECONDS, now_doing=GIVING_WAY)
            return
        try:
            await self._steps[BASELINE if unread else due.run.step](due)
        except NotSyncing:
            await self._stop(due)
        except GrantRefused:
            await self._looker.look(integration.id, at_once=True)
            await self._progress.end(due, state="failed", reason=WITHDRAWN)

    async def _stop(self, due: Due) -> None:
        """Deactivated, it is cancelled as what was under way then is; not connected, it has failed."""
        async with self._store.read() as connection:
            found = await integrations.load(connection, [due.integration.id])
        if all(integration.active for integration in found.values()):
            await self._progress.end(due, state="failed", reason=NOT_SYNCING)
        else:
            await self._progress.end(due, state="cancelled", reason=SWITCHED_OFF)

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
        return run, integration if deleted is (run.kind == DELETION) else None
