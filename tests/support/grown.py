"""Tables as years of traffic leave them: rows made by the database itself, with time-ordered ids."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from service.store.engine.store import Store
from tests.support.choices import ALL_TYPES, OFF

OLD = "old"
"""The source and item type of rows that only fill the tables."""
CHUNK = 50_000
TENANTS = 20
ROWS = 40_000
"""In each of the tables that grow with the traffic."""
SPREAD = 2654435761
"""What follows each other is far apart when multiplied by this: the refs of items are hashes."""
YEAR = 31_536_000
RARELY = "i % 400 = 0"
"""What is open, waiting, held or on its way: little of all that there is."""
ALL_CHANGES = dict.fromkeys(("create", "update", "delete"), True)
EVENT = {"summary": "An old task", "start": "2026-12-03", "end": "2026-12-04"}
ITEM = (
    '{"id": "1", "type": "task", "title": "An old task", "start": "2026-12-03T09:00:00Z",'
    ' "end": "2026-12-03T10:00:00Z", "time_zone": "Europe/London", "all_day": false, "assignees": ["u-0"]}'
)
UNCHECKED = text(
    "SELECT set_config('session_replication_role', 'replica', true)"
    " WHERE current_setting('is_superuser') = 'on'"
)
"""No row's keys are looked up in other tables until the transaction ends, which takes a third of the time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How many people there are, and how many items with a link each; all else is the same."""

    integrations: int = 1_000
    items: int = ROWS
    at_rest: bool = False
    """Nothing waits for anybody."""

    @property
    def rarely(self) -> str:
        """Of which rows something waits."""
        return "false" if self.at_rest else RARELY


USUAL = Size()


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What the two engines say differently."""

    numbers: str
    key: str
    moment: str
    body: str
    form: str


SQLITE = Words(
    numbers=(
        "(WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
        " SELECT i FROM n)"
    ),
    key="printf('%08x-%04x-7000-8000-%012x', ({0}) / 65536, ({0}) % 65536, {1})",
    moment="(strftime('%Y-%m-%d %H\\:%M\\:%f', {0}, 'unixepoch') || '000')",
    body="x'7b7d'",
    form="{0}",
)
POSTGRESQL = Words(
    numbers="(SELECT i FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS g(i))",
    key=(
        "(lpad(to_hex(({0}) / 65536), 8, '0') || '-' || lpad(to_hex(({0}) % 65536), 4, '0')"
        " || '-7000-8000-' || lpad(to_hex(CAST({1} AS bigint)), 12, '0'))"
    ),
    moment="to_timestamp({0})",
    body="CAST('\\x7b7d' AS bytea)",
    form="CAST({0} AS json)",
)


class Filling:
    """Fills one store, as if its rows had been written from a moment on, one a millisecond."""

    def __init__(self, store: Store, *, since: datetime, size: Size = USUAL) -> None:
        self._store, self.size = store, size
        self.words = SQLITE if store.sqlite else POSTGRESQL
        self.seconds = since.timestamp()

    def key(self, number: str = "i") -> str:
        """The id of the row with that number: ordered by time."""
        return self.words.key.format(f"{int(self.seconds * 1000)} + {number}", number)

    def ref(self, number: str = "i") -> str:
        """The ref of an item: in no order."""
        return self.words.key.format(f"(({number}) * {SPREAD}) % 281474976710656", number)

    def moment(self, seconds: str = "0") -> str:
        """So many seconds after the beginning."""
        return self.words.moment.format(f"{self.seconds} + {seconds}")

    def form(self, told: str) -> str:
        """A value that is kept as JSON."""
        return self.words.form.format(f"'{told}'".replace(": ", "\\: "))

    async def insert(
        self, table: str, count: int, columns: Mapping[str, str], *, where: str = "true"
    ) -> None:
        """So many rows; each column is an expression of the row's number ``i``."""
        names = ", ".join(f'"{name}"' for name in columns)
        made = f"SELECT {', '.join(columns.values())} FROM {self.words.numbers} AS numbers WHERE {where}"
        for first in range(0, count, CHUNK):
            async with self._store.begin() as connection:
                if not self._store.sqlite:
                    await connection.execute(UNCHECKED)
                await connection.execute(
                    text(f"INSERT INTO {table} ({names}) {made}"),
                    {"first": first + 1, "last": min(first + CHUNK, count)},
                )

    async def end(self) -> None:
        """PostgreSQL's planner hears of it; SQLite plans without knowing how full its tables are."""
        if self._store.sqlite:
            return
        async with self._store.begin() as connection:
            await connection.execute(text("ANALYZE"))


async def grow(store: Store, count: int, *, since: datetime) -> None:
    """So many inbox rows and log entries of the first integration, written then."""
    async with store.read() as connection:
        one = await connection.scalar(text("SELECT id FROM integrations ORDER BY id LIMIT 1"))
    filling = Filling(store, since=since)
    await _inbox(filling, count)
    await _log(filling, count, integration_id=f"'{one}'")
    await filling.end()


async def fill(
    store: Store, *, until: datetime = datetime(2026, 12, 1, tzinfo=UTC), size: Size = USUAL
) -> None:
    """Years of a thousand people, or so many, in twenty tenants, the last of it written the day before."""
    filling = Filling(store, since=until - timedelta(days=1), size=size)
    await _people(filling)
    await _items(filling)
    await _links(filling)
    await _watched(filling)
    await _inbox(filling, ROWS)
    by_run = "CASE WHEN i % 4 = 0 THEN {} ELSE {} END".format
    await _log(
        filling,
        2 * ROWS,
        integration_id=filling.key(f"1 + i % {filling.size.integrations}"),
        trigger=by_run("'run'", "'real_time'"),
        run_id=by_run(filling.key(f"1 + i % {ROWS // 10}"), "NULL"),
        item_ref=filling.ref(f"1 + i % {ROWS}"),
        outcome=f"CASE WHEN {RARELY} THEN 'failed' ELSE 'done' END",
    )
    await _runs(filling)
    await _letters(filling)
    await _outbox(filling)
    used = {"id": filling.key(), "expires_at": f"{filling.seconds} + i"}
    await filling.insert("used_tokens", ROWS, used)
    await _signed_in(filling)
    await filling.end()


def _tenant(number: str = "i") -> str:
    """Of the person with that number; one tenant is the one of the tests."""
    return f"(CASE WHEN ({number}) % {TENANTS} = 0 THEN 'acme' ELSE 't-' || (({number}) % {TENANTS}) END)"


async def _signed_in(filling: Filling) -> None:
    """Sessions, revocations and consents, each of a person of its own."""
    whose = {"tenant_id": _tenant(), "user_id": filling.key()}
    until = f"{filling.seconds} + i"
    words = dict.fromkeys(("role", "name", "time_zone", "device"), "'x'")
    moments = dict.fromkeys(("since", "seen_at", "until"), until)
    await filling.insert(
        "sessions", ROWS, {"id": filling.key(), "key_hash": filling.key(), **whose, **words, **moments}
    )
    await filling.insert("revocations", ROWS, {**whose, "revoked_at": until})
    begun = {"state_hash": filling.key(), "time_zone": "'UTC'", "verifier": "'v'", "stage": "'begun'"}
    await filling.insert(
        "consents", ROWS, {"id": filling.key(), **whose, **begun, "sub": filling.key(), "expires_at": until}
    )


async def _people(filling: Filling) -> None:
    at, few = filling.moment(), max(4, filling.size.integrations // 10)
    forms = {
        "event_types": ALL_CHANGES,
        "item_types": dict.fromkeys(ALL_TYPES, True),
        "retrieve": OFF,
        "send": OFF,
    }
    names = ("sub", "profile_id", "profile_name", "account_name", "calendar_id", "calendar_name")
    columns = {
        "id": filling.key(),
        "tenant_id": _tenant(),
        "user_id": "'u-' || i",
        **{name: f"'{name}-' || i" for name in names},
        **dict.fromkeys(("provider_name", "provider_service"), "'google'"),
        "channel_id": "'channel-' || i",
        "active": "i % 10 > 0",
        "status": f"CASE WHEN i % {few} = 3 THEN 'not_connected' ELSE 'connected' END",
        **{name: filling.form(json.dumps(told)) for name, told in forms.items()},
        **dict.fromkeys(("created_at", "finished_at", "baseline_at"), at),
    }
    await filling.insert("integrations", filling.size.integrations, columns)
    read_at = filling.moment("7200 + (i % 20) * 3900")  # over the day: nobody's are due in one minute
    state = {"integration_id": filling.key(), "full_read_at": read_at, "last_sync_at": at}
    await filling.insert("integration_state", filling.size.integrations, state)


async def _items(filling: Filling) -> None:
    """Of two years, each person's in no order."""
    start = f"(i * {SPREAD}) % {2 * YEAR} - {YEAR}"
    columns = {
        "ref": filling.ref(),
        "tenant_id": _tenant(),
        "item_type": "'task'",
        "item_id": "CAST(i AS text)",
        **dict.fromkeys(("version", "vorex_version", "revision"), "1"),
        "sync_version": "0",
        "deleted": "i % 50 = 7",
        "content": filling.form(ITEM),
        "starts_at": filling.moment(f"{start}"),
        "ends_at": filling.moment(f"{start} + 3600"),
        **dict.fromkeys(("changed_at", "stored_at"), filling.moment()),
    }
    await filling.insert("items", filling.size.items, columns)
    person = f"'u-' || (1 + (i - 1) % {filling.size.integrations})"
    await filling.insert(
        "item_assignees",
        filling.size.items,
        {"item_ref": filling.ref(), "tenant_id": _tenant(), "user_id": person},
    )


async def _links(filling: Filling) -> None:
    """Nearly all agreed, as it is when nothing happens."""
    states = (
        "CASE i % 1600 WHEN 0 THEN 'behind' WHEN 400 THEN 'retrying' WHEN 800 THEN 'held' ELSE 'failed' END"
    )
    columns = {
        "id": filling.key(),
        "integration_id": filling.key(f"1 + (i - 1) % {filling.size.integrations}"),
        "item_ref": filling.ref(),
        "calendar_id": f"'calendar_id-' || (1 + (i - 1) % {filling.size.integrations})",
        "origin": "'ours'",
        "event_id": "'vcs-' || i",
        "event_uid": "'evt-' || i",
        "state": f"CASE WHEN {filling.size.rarely} THEN {states} ELSE 'agreed' END",
        "code": f"CASE WHEN i % 1600 = 800 AND {filling.size.rarely} THEN 'held_deletion' END",
        "desired": filling.form(json.dumps(EVENT)),
        "exists_there": "true",
        "moving": f"i % 4000 = 9 AND {not filling.size.at_rest}",
        "verify_at": f"CASE WHEN i % 400 = 11 AND {not filling.size.at_rest} THEN {filling.seconds} END",
        "ended_at": f"CASE WHEN i % 40 = 5 THEN {filling.moment()} END",
        "touched_at": str(filling.seconds),
        "created_at": filling.moment(),
    }
    await filling.insert("links", filling.size.items, columns)


async def _watched(filling: Filling) -> None:
    """What people who only watch would have by now."""
    columns = {
        "integration_id": filling.key(f"1 + i % {filling.size.integrations}"),
        "key": filling.key(),
        "event_id": "'vcs-' || i",
        "event_uid": "'evt-' || i",
        "item_ref": filling.ref(),
        "stands": "true",
        "starts_at": filling.moment("i * 60"),
        "item": filling.form(ITEM),
    }
    await filling.insert("watched", ROWS, columns)


async def _inbox(filling: Filling, count: int) -> None:
    columns = {
        "consumer": "'calendar-sync.outbound'",
        "source": f"'{OLD}'",
        "message_id": filling.key(),
        "outcome": "'done'",
        "processed_at": str(filling.seconds),
    }
    await filling.insert("inbox", count, columns)


async def _log(filling: Filling, count: int, **changed: str) -> None:
    columns = {
        "id": filling.key(),
        "at": filling.moment(),
        "trigger": "'real_time'",
        "direction": "'to_linked_calendar'",
        "action": "'create'",
        "outcome": "'done'",
        "code": "'ok'",
        "item_id": "'old'",
        "item_type": f"'{OLD}'",
        "title": "'An old appointment'",
        "reason": "'Sent to the linked calendar.'",
        "message_id": filling.key(),
        "attempt": "1",
    }
    await filling.insert("log_entries", count, columns | changed)


async def _runs(filling: Filling) -> None:
    """Ended, but for a few."""
    columns = {
        "id": filling.key(),
        "integration_id": filling.key(f"1 + i % {filling.size.integrations}"),
        "started_by": "'u-1'",
        "kind": "'sync_now'",
        "state": f"CASE WHEN {filling.size.rarely} THEN 'running' ELSE 'done' END",
        "step": "'sending'",
        "requested_at": filling.moment(),
        "ended_at": f"CASE WHEN {filling.size.rarely} THEN NULL ELSE {filling.moment()} END",
        "due_at": f"CASE WHEN i % 4000 = 0 AND {not filling.size.at_rest} THEN {filling.seconds} END",
    }
    await filling.insert("runs", ROWS, columns)


async def _letters(filling: Filling) -> None:
    """Resolved, but for a few; each with its attempts, and with what was done."""
    at, nothing = filling.moment(), filling.form("{}")
    message = {"source": "'/vorex/' || i", "message_id": "'e-' || i"}
    columns = {
        "id": filling.key(),
        "queue": "'calendar-sync.outbound'",
        **message,
        "code": "CASE WHEN i % 3 = 0 THEN 'refused' ELSE 'exhausted' END",
        "reason": "'It was refused.'",
        "attempts": filling.form("[]"),
        **dict.fromkeys(("first_failed_at", "last_failed_at"), at),
        "tenant_id": _tenant(),
        "integration_id": filling.key(f"1 + i % {filling.size.integrations}"),
        "group": "'cause-' || (i % 30)",
        "state": "CASE WHEN i % 40 = 0 THEN 'open' WHEN i % 400 = 1 THEN 'replaying' ELSE 'resolved' END",
        "routing_key": "'task.created'",
        "headers": nothing,
        "body": filling.words.body,
    }
    await filling.insert("dead_letters", ROWS, columns)
    act = {"who": "'u-1'", "act": "'replay'", "at": at}
    await filling.insert("dead_letter_acts", ROWS, {"id": filling.key(), "letter_id": filling.key(), **act})
    tried = {
        "consumer": "'calendar-sync.outbound'",
        **message,
        "attempt": "1",
        "at": at,
        "error": "'refused'",
    }
    await filling.insert("attempts", ROWS, tried)


async def _outbox(filling: Filling) -> None:
    """Gone, but for a few."""
    columns = {
        "id": filling.key(),
        "exchange": "'calendar-sync.facts'",
        "routing_key": "'fact'",
        "body": filling.words.body,
        "message_id": filling.key(),
        "headers": filling.form("{}"),
        "mandatory": "false",
        "created_at": str(filling.seconds),
        "sent_at": f"CASE WHEN {filling.size.rarely} THEN NULL ELSE {filling.seconds} + i * 0.001 END",
        "due_at": f"CASE WHEN i % 800 = 0 AND {not filling.size.at_rest} THEN {filling.seconds} + i END",
    }
    await filling.insert("outbox", ROWS, columns)
