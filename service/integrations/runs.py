"""*Sync now*, and what a person sees of runs and does with them (R24, R25)."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.calendar import Integration, Status
from service.integrations.ownership import owned_integration
from service.integrations.refusals import NOT_CONNECTED, SETUP_FIRST, Conflict, Unknown
from service.integrations.run_requests import request_run
from service.integrations.settings_form import SyncRequest
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import listing
from service.store.integrations.integrations import change
from service.store.integrations.listing import IntegrationView, Owner
from service.store.links import moves
from service.store.runs import runs
from service.store.runs.runs import PERSONS_RUNS, RunRow

NOT_ACTIVE = "The integration is not active; activate it first."
RUN_IN_PROGRESS = "A sync is running; wait until it has ended."
NO_DIRECTION_CHOSEN = "Choose at least one direction to sync."
CANCELLED_BY_USER = "Cancelled by the user."
NOT_CANCELLABLE = "A comparison that the service makes by itself cannot be cancelled."


class IntegrationRuns:
    """The runs of a person's integrations. What is not theirs is Unknown; what cannot be now, a Conflict."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def start(
        self, owner: Owner, integration_id: str, request: SyncRequest | None, *, started_by: str
    ) -> str:
        """Start a run in the ranges asked for, or in the last ones of both directions; its id."""
        async with self._store.begin() as connection:
            shown = await owned_integration(connection, owner, integration_id, lock=True)
            await _check(connection, shown.integration)
            ranges = _last(shown) if request is None else request.model_dump()
            if not (ranges["retrieve"] or ranges["send"]):
                raise Conflict("nothing_selected", NO_DIRECTION_CHOSEN)
            await _remember(connection, shown, ranges)
            return await request_run(
                self._store, connection, integration_id, kind="sync_now", started_by=started_by, **ranges
            )

    async def listed(
        self, owner: Owner, integration_id: str, *, after: str | None, limit: int
    ) -> Page[RunRow]:
        """The integration's runs, newest first (R27)."""
        async with self._store.read() as connection:
            await owned_integration(connection, owner, integration_id)
            found = await runs.page(connection, integration_id, before=after, limit=limit + 1)
        return Page.of(found, limit, cursor=_id_of)

    async def shown(self, owner: Owner, run_id: str) -> RunRow:
        """How far that run has come (R25)."""
        async with self._store.read() as connection:
            return await _found(connection, owner, run_id)

    async def cancel(self, owner: Owner, run_id: str) -> RunRow:
        """End a run before its time; what it has done stays. One that has ended stays as it is."""
        async with self._store.begin() as connection:
            row = await _found(connection, owner, run_id, lock=True)
            if row["kind"] not in PERSONS_RUNS:
                raise Conflict("not_editable", NOT_CANCELLABLE)
            if row["state"] not in runs.ENDED_STATES:
                at = await self._store.moment(connection)
                await runs.end(connection, run_id, state="cancelled", reason=CANCELLED_BY_USER, at=at)
                await self._read_all_the_same(connection, row)
            return await _found(connection, owner, run_id)

    async def _read_all_the_same(self, connection: AsyncConnection, row: RunRow) -> None:
        """Nothing is sent before the reading at Finish, so that one is made whatever was cancelled (R33).

        Copies that are half-way to another calendar arrive; the others stay where they are (R16).
        """
        shown = await listing.find(connection, row["integration_id"])
        half_way = await moves.halve(connection, row["integration_id"])
        if shown is not None and (half_way or shown.integration.baseline_at is None):
            await request_run(
                self._store,
                connection,
                shown.integration.id,
                kind="finish",
                started_by=row["started_by"],
                listed=False,
            )


async def _check(connection: AsyncConnection, known: Integration) -> None:
    if known.status is Status.SETUP:
        raise Conflict("setup_unfinished", SETUP_FIRST)
    if not known.active:
        raise Conflict("inactive", NOT_ACTIVE)
    if known.status is Status.NOT_CONNECTED:
        raise Conflict("not_connected", NOT_CONNECTED)
    if await runs.run_in_progress(connection, known.id):
        raise Conflict("run_in_progress", RUN_IN_PROGRESS)


def _last(shown: IntegrationView) -> dict[str, Any]:
    options = {"retrieve": shown.retrieve, "send": shown.send}
    return {name: {"past": one["past"], "future": one["future"]} for name, one in options.items()}


async def _remember(connection: AsyncConnection, shown: IntegrationView, ranges: dict[str, Any]) -> None:
    """The last range of each direction is remembered (R25)."""
    before = {"retrieve": shown.retrieve, "send": shown.send}
    after = {name: {**before[name], **(ranges[name] or {})} for name in before}
    if after != before:
        await change(connection, shown.integration.id, **after)


async def _found(connection: AsyncConnection, owner: Owner, run_id: str, *, lock: bool = False) -> RunRow:
    row = await runs.shown(connection, run_id)
    if row is None:
        raise Unknown("There is no such run.")
    await owned_integration(connection, owner, row["integration_id"], lock=lock)
    again = await runs.shown(connection, run_id, lock=lock)
    assert again is not None
    return again


async def runs_under_way(store: Store, owner: Owner) -> Mapping[str, RunRow]:
    """The run that each of the owner's integrations is at; those at rest are left out."""
    async with store.read() as connection:
        return await runs.newest_under_way(connection, owner)


async def list_entries_of_run(store: Store, run: RunRow, *, after: str | None, limit: int) -> Page[RunRow]:
    """What a run that was shown to this person did, item by item, oldest first."""
    async with store.read() as connection:
        found: Sequence[RunRow] = await runs.entries_of_run(connection, run, after=after, limit=limit + 1)
    return Page.of(found, limit, cursor=_id_of)


def _id_of(row: RunRow) -> str:
    return str(row["id"])
