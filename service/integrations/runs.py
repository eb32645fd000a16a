"""*Sync now*, and what a person sees of runs and does with them (R24, R25)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from contracts.calendar import Integration, LogEntry, Status
from service.integrations.catch_up import request_comparison
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
from service.store.logs import logs
from service.store.logs.logs import WHOLE_LOG, LogQuery
from service.store.logs.series import ENTRIES_LOOKED_AT, together
from service.store.runs import runs
from service.store.runs.comparisons import compared_since
from service.store.runs.runs import PERSONS_RUNS, RunRow

COMPARE_AGAIN_AFTER = timedelta(minutes=1)
LOOKED_JUST_NOW = "Both sides were compared within the last minute."
NOT_ACTIVE = "The integration is not active; activate it first."
RUN_IN_PROGRESS = "A sync is running; wait until it has ended."
NO_DIRECTION_CHOSEN = "Choose at least one direction to sync."
CANCELLED_BY_USER = "Cancelled by the user."
NOT_CANCELLABLE = "A comparison that the service makes by itself cannot be cancelled."


RUN_COUNTS: Mapping[str, str] = {
    "found": "Looked at",
    "agreed": "Agree already",
    "created": "Created",
    "updated": "Changed",
    "deleted": "Deleted",
    "passed": "Passed over",
    "failed": "Failed",
}
"""The numbers of a run as people call them: the first is the sum of the others once it has ended (R27)."""
WHY_PASSED_OVER: Mapping[str, str] = {
    "type_off": "items of this type are no longer sent",
    "create_off": "Create is not checked",
    "update_off": "Update is not checked",
    "delete_off": "Delete is not checked",
    "differs": "left as it is on one side, so both sides differ",
    "not_possible": "Vorex may not change it there",
    "series": "part of a series",
    "private": "private there",
    "conflict_lost": "changed on both sides; the newer change won",
    "shared_mailbox": "another person's copy on a shared calendar",
    "loop_stopped": "the calendar and this sync kept changing each other",
    "refused_by_calendar": "the calendar refused it",
    "held_deletion": "waits for your answer about deletions",
    "held_import": "waits for your answer about events that appeared",
    "meeting": "the provider would tell the guests or lose the meeting",
    "already_there": "the same is there already",
    "questioned": "a dispatcher is asked about it",
    "claim_lost": "it was just being written to the linked calendar",
}
"""Why something was passed over, by its code."""


def run_counts(run: RunRow) -> dict[str, int]:
    """What a run has come to so far, by the names of ``RUN_COUNTS``."""
    told = {name: run[name] for name in RUN_COUNTS if name != "passed"}
    return told | {"passed": run["skipped"] - run["agreed"]}


def why_passed_over(run: RunRow, words: Mapping[str, str] = WHY_PASSED_OVER) -> list[tuple[str, int]]:
    """Why things were passed over, in those words with their numbers, the most frequent first."""
    counted = sorted((run["passed_over"] or {}).items(), key=lambda one: -one[1])
    return [(words.get(code, code.replace("_", " ")), number) for code, number in counted]


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

    async def compare(self, owner: Owner, integration_id: str) -> str:
        """Have both sides compared now, as after a pause; the id of the run that does it.

        Once a minute at most: what a comparison found a moment ago it would find again.
        """
        async with self._store.begin() as connection:
            shown = await owned_integration(connection, owner, integration_id, lock=True)
            await _check(connection, shown.integration)
            since = await self._store.moment(connection) - COMPARE_AGAIN_AFTER
            if await compared_since(connection, integration_id, since=since):
                raise Conflict("looked_just_now", LOOKED_JUST_NOW)
            return await request_comparison(self._store, connection, shown.integration)

    async def listed(
        self,
        owner: Owner,
        integration_id: str,
        *,
        after: str | None,
        limit: int,
        wanted: LogQuery = WHOLE_LOG,
    ) -> Page[RunRow]:
        """The integration's runs, newest first; of the kind and time that are wanted (R27)."""
        async with self._store.read() as connection:
            await owned_integration(connection, owner, integration_id)
            found = await runs.page(
                connection, integration_id, before=after, limit=limit + 1,
                kind=wanted.kind, since=wanted.since, until=wanted.until,
            )  # fmt: skip
        return Page.of(found, limit, cursor=_id_of)

    async def shown(self, owner: Owner, run_id: str) -> RunRow:
        """How far that run has come (R25)."""
        async with self._store.read() as connection:
            return await owned_run(connection, owner, run_id)

    async def cancel(
        self, owner: Owner, run_id: str, *, noted: Callable[[str], LogEntry] | None = None
    ) -> RunRow:
        """End a run before its time; what it has done stays. One that has ended stays as it is.

        ``noted`` is what the log of the run's integration says, where it was not the owner who did it (R47).
        """
        async with self._store.begin() as connection:
            row = await owned_run(connection, owner, run_id, lock=True)
            if row["kind"] not in PERSONS_RUNS:
                raise Conflict("not_editable", NOT_CANCELLABLE)
            if row["state"] not in runs.ENDED_STATES:
                at = await self._store.moment(connection)
                entry = noted(row["integration_id"]) if noted is not None else None
                reason = entry.reason if entry is not None else CANCELLED_BY_USER
                await runs.end(connection, run_id, state="cancelled", reason=reason, at=at)
                await logs.log(connection, [entry] if entry is not None else [], now=at)
                await self._read_all_the_same(connection, row)
            return await owned_run(connection, owner, run_id)

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


async def owned_run(connection: AsyncConnection, owner: Owner, run_id: str, *, lock: bool = False) -> RunRow:
    """The owner's run; of others' the same words and work as of one that is not there. Raises Unknown."""
    row = await runs.shown(connection, run_id)
    try:
        await owned_integration(connection, owner, row["integration_id"] if row else run_id, lock=lock)
    except Unknown:
        raise Unknown("There is no such run.") from None
    again = await runs.shown(connection, run_id, lock=lock)
    if again is None:  # it was the id of an integration, or the run has gone meanwhile
        raise Unknown("There is no such run.")
    return again


async def runs_under_way(store: Store, owner: Owner) -> Mapping[str, RunRow]:
    """The run that each of the owner's integrations is at; those at rest are left out."""
    async with store.read() as connection:
        return await runs.newest_under_way(connection, owner)


async def list_rows_of_run(
    store: Store, run: RunRow, *, after: str | None, limit: int
) -> Page[Mapping[Any, Any]]:
    """What a run that was shown to this person did, oldest first; a series is one row (R39)."""
    async with store.read() as connection:
        found: Sequence[RunRow] = await runs.entries_of_run(
            connection, run, after=after, limit=ENTRIES_LOOKED_AT + 1
        )
        page = Page.of(found, ENTRIES_LOOKED_AT, cursor=_id_of)
        return await together(connection, run["integration_id"], page, limit=limit)


def _id_of(row: RunRow) -> str:
    return str(row["id"])
