"""Does the step of a run that is due, once, whoever is asked how often (R24, R25)."""

from typing import Protocol

from contracts.calendar import Integration
from contracts.envelope import RunRequested
from contracts.errors import GrantRefused
from contracts.messages import RunData
from contracts.ports import Clock
from service.inbound.reader import Calendars, Looker
from service.runs.baseline import Baseline
from service.runs.retrieval import Retrieval
from service.runs.sending import Sending
from service.runs.steps import BASELINE, MATCH, RETRIEVE, SEND, Due, Progress, Step
from service.store import Store, integrations, runs
from service.store.journal import MessageKey
from service.store.runs import Run

WITHDRAWN = "The account's permission was withdrawn."
NOT_SYNCING = "The integration is not active or not connected."


class Received(Protocol):
    """A message as the consumer hands it over."""

    @property
    def message(self) -> object: ...

    @property
    def key(self) -> MessageKey: ...


class RunHandler:
    """One message, one step; a step that was done already is acknowledged and not repeated."""

    def __init__(self, *, store: Store, calendars: Calendars, looker: Looker, clock: Clock) -> None:
        self._store, self._looker = store, looker
        self._progress = Progress(store)
        retrieval = Retrieval(store=store, calendars=calendars, progress=self._progress, clock=clock)
        self._steps: dict[str, Step] = {
            BASELINE: Baseline(store=store, calendars=calendars, progress=self._progress),
            RETRIEVE: retrieval,
            MATCH: retrieval,
            SEND: Sending(store=store, progress=self._progress, clock=clock),
        }

    async def __call__(self, received: Received) -> None:
        message = received.message
        assert isinstance(message, RunRequested)
        run, integration = await self._load(message.data)
        if run is None or integration is None or run.ended or message.data.step < run.number:
            async with self._store.begin() as connection:
                await self._progress.note(connection, received.key)
            return
        await self._do(Due(run=run, integration=integration, key=received.key))

    async def _do(self, due: Due) -> None:
        integration = due.integration
        unread = integration.baseline_at is None
        if not (integration.sends or (unread and integration.active)):
            await self._progress.end(due, state="failed", reason=NOT_SYNCING)
            return
        try:
            await self._steps[BASELINE if unread else due.run.step](due)
        except GrantRefused:
            await self._looker.look(integration.id)
            await self._progress.end(due, state="failed", reason=WITHDRAWN)

    async def _load(self, data: RunData) -> tuple[Run | None, Integration | None]:
        async with self._store.read() as connection:
            run = await runs.find(connection, data.run_id)
            found = await integrations.load(connection, [data.integration_id])
        integration = next(iter(found.values()), None)
        living = integration is not None and integration.deleted_at is None
        return run, integration if living else None
