"""Watching: all is decided and logged as it would be, and nothing written on either side, until *Begin*."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contracts.calendar import Integration, Outcome
from contracts.messages import IntegrationChange
from service.integrations.catch_up import request_comparison
from service.integrations.facts import tell_change
from service.integrations.run_requests import RunRange, request_run
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import reads
from service.store.integrations.integrations import change
from service.store.integrations.listing import IntegrationView
from service.store.links import watched
from service.store.logs import logs
from service.store.logs.logs import LogFilter, LogQuery, WatchedCount
from service.store.runs import runs

WATCHING_BEGAN = "The integration only watches from now on."
BEGAN_TO_WATCH_OVERLAP = timedelta(minutes=5)
SAMPLES_SHOWN = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedSample:
    """One thing that would have happened; a private title is masked (R27)."""

    at: datetime
    direction: str
    action: str
    item_type: str | None
    outcome: str
    title: str | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedReport:
    """What would have happened since it watches, most first; what would not have been done stands apart."""

    since: datetime | None
    done: Sequence[WatchedCount]
    left: Sequence[WatchedCount]
    samples: Sequence[WatchedSample]
    """The newest."""
    full: bool = False
    """Whether as much is remembered as may be: what is new is passed over until *Begin* (R43)."""


async def start_watching(connection: AsyncConnection, known: Integration, *, now: datetime) -> None:
    """In the caller's transaction, which has locked it; what was under way ends."""
    await change(connection, known.id, active=False, watching_since=now)
    await watched.forget(connection, known.id)
    await runs.end_all(connection, known.id, reason=WATCHING_BEGAN, at=now)
    if known.active:
        await tell_change(connection, known, IntegrationChange.DEACTIVATED, now=now)


async def end_watching(connection: AsyncConnection, known: Integration) -> None:
    """It says no longer what it would do, in the caller's transaction."""
    await change(connection, known.id, watching_since=None)
    await watched.forget(connection, known.id)


async def begin(
    store: Store, connection: AsyncConnection, shown: IntegrationView, *, delay: float
) -> str | None:
    """Both sides are read once more and paired, then what changed since it watches follows (R29, R33).

    In the caller's transaction, which has made it active. What Retrieve and Send ask for is done first: the
    id of that run.
    """
    known = shown.integration
    now = await store.moment(connection)
    await change(connection, known.id, baseline_at=None, known_since=None)
    if known.watching_since is not None:
        since = known.watching_since - BEGAN_TO_WATCH_OVERLAP
        await reads.notice(connection, known.id, since, now=now.timestamp())
    await end_watching(connection, known)
    retrieve, send = _range(shown.retrieve), _range(shown.send)
    run_id = None
    if retrieve or send:
        run_id = await request_run(
            store,
            connection,
            known.id,
            kind="finish",
            started_by=known.user_id,
            delay=delay,
            retrieve=retrieve,
            send=send,
        )
    await request_comparison(store, connection, known, delay=delay)
    return run_id


def _range(option: Mapping[str, Any]) -> RunRange:
    return {"past": option["past"], "future": option["future"]} if option["enabled"] else None


async def report(store: Store, shown: IntegrationView, *, masked: bool) -> WatchedReport:
    """Empty where it does not watch; ``masked``: for another reader than its owner."""
    known = shown.integration
    if not known.watching or known.watching_since is None:
        return WatchedReport(since=None, done=(), left=(), samples=())
    wanted = LogQuery(since=known.watching_since, masked=masked)
    async with store.read() as connection:
        counts = await logs.watched_counts(connection, known.id, since=known.watching_since)
        newest = await logs.page(
            connection,
            known.id,
            triggers=LogFilter.WATCHING.triggers,
            limit=SAMPLES_SHOWN,
            wanted=wanted,
        )
        full = await watched.is_full(connection, known)
    names = WatchedSample.__dataclass_fields__
    return WatchedReport(
        since=known.watching_since,
        done=[each for each in counts if each.outcome == Outcome.DONE],
        left=[each for each in counts if each.outcome != Outcome.DONE],
        samples=[WatchedSample(**{name: row[name] for name in names}) for row in newest.rows],
        full=full,
    )
