"""Messages that could not be processed: kept with their bytes, attempts and reason (R30)."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.limits import LONGEST_NAME
from contracts.messages import QUEUE_RUNS
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER
from service.store.engine.ids import new_id
from service.store.engine.sets import among, put_new
from service.store.messages import suspects
from service.store.messages.inbox import MessageKey, record
from service.store.messages.ownership import owner_in_turns
from service.store.runs import ended_runs
from service.store.tables import attempts, dead_letter_acts, dead_letters, inbox, integrations

LONGEST_REASON = 2000
LETTERS_OF_AN_ID = 20
"""So many letters of messages under one id are compared with what comes: a redelivery is among the newest."""
ACT_BY_SERVICE = "calendar-sync"
"""Who acted where no person did."""
ACTS_OF_SERVICE = frozenset({"resolved", "reopened"})
"""What no person does, whatever their name is."""
_QUOTED = re.compile(r"'[^']*+'|\"[^\"]*+\"|`[^`]*+`|“[^“”]*+”")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_HEX = re.compile(r"\b(?=\w*\d)[0-9a-f]{8,}\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_PLACE = re.compile(r"^  at (?P<file>\S+) line \d+ in (?P<function>.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDeadLetter:
    """A message given up, and all that is known of why."""

    queue: str
    source: str
    message_id: str
    code: str
    """malformed, refused, not_allowed, exhausted, crash_loop, delivery_limit or bug."""
    reason: str
    routing_key: str
    headers: Mapping[str, str | int]
    body: bytes
    field: str | None = None
    exception: str | None = None
    tenant_id: str | None = None
    integration_id: str | None = None
    item_ref: str | None = None
    item_key: str | None = None

    @property
    def attempt(self) -> int:
        """Which attempt failed for good."""
        attempt = self.headers.get(ATTEMPT_HEADER, 1)
        return attempt if isinstance(attempt, int) and attempt > 0 else 1


async def bury(
    connection: AsyncConnection, letters: Sequence[NewDeadLetter], *, now: datetime
) -> Sequence[str]:
    """Keep these messages as dead letters and note them in the inbox, in the caller's transaction.

    The integrations of which a run ended with that: whoever calls tells it (R48).

    A message whose letter is being replayed, or that was kept just before a crash, reopens that
    letter; so the story of one message is one row.
    """
    kept = [_storable(letter) for letter in letters]
    if not kept:
        return ()
    kept = await _with_tenants(connection, kept)
    known = await unsettled(connection, kept)
    tried = await attempts_at(connection, kept)
    for letter in kept:
        told = _with_last(tried.get(_key(letter), []), letter, now)
        again = next((row for row in known if _is_again(row, letter)), None)
        if again is None:
            known.append(await _add(connection, letter, told, now))
        else:
            await _reopen(connection, again, letter, told, now)
    for queue in sorted({letter.queue for letter in kept}):
        dead = {((letter.source, letter.message_id), "dead") for letter in kept if letter.queue == queue}
        await record(connection, queue, sorted(dead), now=now.timestamp())
    steps = [(letter.body, letter.reason) for letter in kept if letter.queue == QUEUE_RUNS]
    return await ended_runs.end_given_up(connection, steps, at=now)


async def resolve(connection: AsyncConnection, letter_ids: Iterable[str], *, now: datetime) -> None:
    """The replays of these letters were settled well; they need nobody's attention any more."""
    replaying = among(connection, dead_letters.c.id, letter_ids), dead_letters.c.state == "replaying"
    rows = await connection.execute(
        select(dead_letters.c.id, dead_letters.c.tenant_id)
        .where(*replaying)
        .order_by(dead_letters.c.id)
        .with_for_update()
    )
    resolved = {row.id: row.tenant_id for row in rows}
    await connection.execute(update(dead_letters).where(*replaying).values(state="resolved"))
    await note_acts(connection, resolved, who=ACT_BY_SERVICE, act="resolved", note=None, now=now)


async def note_acts(
    connection: AsyncConnection,
    letters: Mapping[str, str | None],
    *,
    who: str,
    act: str,
    note: str | None,
    now: datetime,
    batch: str | None = None,
    tenant: str | None = None,
) -> None:
    """Remember who did what with these letters, and when (R30).

    By letter its tenant; ``batch`` names what was done together; ``tenant`` is that of the operator,
    where it is a tenant's.
    """
    told = {"at": now, "who": who, "act": act, "note": note, "batch": batch}
    rows = [
        {"id": new_id(), "letter_id": letter_id, "tenant_id": tenant or owner, **told}
        for letter_id, owner in letters.items()
    ]
    if rows:
        await connection.execute(insert(dead_letter_acts), rows)


async def note_attempts(
    connection: AsyncConnection,
    queue: str,
    tried: Sequence[tuple[MessageKey, int, str]],
    *,
    now: datetime,
) -> None:
    """Remember that these attempts failed, and why; told twice, the first telling stays."""
    rows = [
        {
            "consumer": queue,
            "source": _text(source, LONGEST_NAME),
            "message_id": _text(message_id, LONGEST_NAME),
            "attempt": attempt,
            "at": now,
            "error": _text(error, LONGEST_REASON),
        }
        for (source, message_id), attempt, error in sorted(tried)
    ]
    await put_new(connection, attempts, rows)


async def start_over(
    connection: AsyncConnection, queue: str, source: str, bodies: Mapping[str, bytes]
) -> None:
    """Forget that these messages, by their ids, were ever finished or tried, so that they may come again."""
    ids = list(bodies)
    for table in (inbox, attempts):
        await connection.execute(
            delete(table).where(
                table.c.consumer == queue,
                table.c.source == source,
                among(connection, table.c.message_id, ids),
            )
        )
    await suspects.clear(connection, queue, map(suspects.name_of, bodies.values()))


def letter_fingerprint(code: str, reason: str, exception: str | None) -> str:
    """The same for letters with the same cause: what differs from message to message is left out.

    Of an exception the cause is its first line and the first place of ours in it, by file and
    function: line numbers change with every release, and so would the groups.
    """
    text = exception or f"{code}: {reason}"
    first, *_ = text.strip().splitlines() or [""]
    cause = first
    for pattern in (_QUOTED, _UUID, _HEX, _DIGITS):
        cause = pattern.sub("*", cause)
    if place := _PLACE.search(text):
        cause = f"{cause} at {place['file']} in {place['function']}"
    return hashlib.sha256(cause.encode()).hexdigest()[:16]


def _text(value: str, longest: int) -> str:
    """As PostgreSQL and an index over it can hold it: without U+0000, unpaired surrogates and excess."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()[:longest]


def _storable(letter: NewDeadLetter) -> NewDeadLetter:
    return replace(
        letter,
        source=_text(letter.source, LONGEST_NAME),
        message_id=_text(letter.message_id, LONGEST_NAME),
        reason=_text(letter.reason, LONGEST_REASON),
        routing_key=_text(letter.routing_key, LONGEST_NAME),
        field=None if letter.field is None else _text(letter.field, LONGEST_NAME),
        exception=None if letter.exception is None else _text(letter.exception, 4 * LONGEST_REASON),
    )


async def _with_tenants(connection: AsyncConnection, letters: Sequence[NewDeadLetter]) -> list[NewDeadLetter]:
    """Of a letter that names only an integration the tenant is that integration's."""
    asked = {one.integration_id for one in letters if one.integration_id and one.tenant_id is None}
    known = await tenants_of(connection, asked)
    return [replace(one, tenant_id=one.tenant_id or known.get(one.integration_id or "")) for one in letters]


async def tenants_of(connection: AsyncConnection, integration_ids: Collection[str]) -> Mapping[str, str]:
    """The tenants of these integrations; unknown ones are left out."""
    if not integration_ids:
        return {}
    owners = select(integrations.c.id, integrations.c.tenant_id)
    rows = await connection.execute(owners.where(among(connection, integrations.c.id, integration_ids)))
    return {row.id: row.tenant_id for row in rows}


async def owner_columns(connection: AsyncConnection, body: bytes) -> dict[str, str | None]:
    """Whose a message is, as a letter's row says it."""
    owner = await owner_in_turns(body)
    named = owner.integration_id
    tenants = await tenants_of(connection, {named} if named and owner.tenant_id is None else ())
    return {"tenant_id": owner.tenant_id or tenants.get(named or ""), "integration_id": named}


def _key(letter: NewDeadLetter) -> tuple[str, str, str]:
    return letter.queue, letter.source, letter.message_id


async def unsettled(connection: AsyncConnection, letters: Sequence[NewDeadLetter]) -> list[RowMapping]:
    """The letters of these messages, or near them, that are open or on their way, locked.

    Of one id the newest alone, and those that are being replayed: nobody's next letter costs more for
    all those before it, whose bodies would be read each time (R44).
    """
    same = [dead_letters.c[name] for name in ("queue", "source", "message_id")]
    newest = func.row_number().over(partition_by=same, order_by=dead_letters.c.id.desc())
    near = (
        select(dead_letters.c.id, newest.label("place"))
        .where(among(connection, dead_letters.c.queue, {letter.queue for letter in letters}))
        .where(among(connection, dead_letters.c.source, {letter.source for letter in letters}))
        .where(among(connection, dead_letters.c.message_id, {letter.message_id for letter in letters}))
        .subquery()
    )
    replayed = {str(letter.headers[REPLAY_HEADER]) for letter in letters if REPLAY_HEADER in letter.headers}
    wanted = select(near.c.id).where(
        (near.c.place <= LETTERS_OF_AN_ID) | among(connection, near.c.id, replayed)
    )
    rows = await connection.execute(
        select(dead_letters)
        .where(dead_letters.c.id.in_(wanted))
        .order_by(dead_letters.c.id)
        .with_for_update()
    )
    # asked for in the query, the state would lead through every open letter there is
    return [row for row in rows.mappings() if row["state"] in {"open", "replaying"}]


def _is_again(row: Mapping[Any, Any], letter: NewDeadLetter) -> bool:
    """Whether the letter is this row's message; an id used twice with other content is another one."""
    if (row["queue"], row["source"], row["message_id"]) != _key(letter):
        return False
    return bool(row["id"] == letter.headers.get(REPLAY_HEADER) or row["body"] == letter.body)


async def attempts_at(
    connection: AsyncConnection, letters: Sequence[NewDeadLetter]
) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """What was tried with these messages, or near them, by their keys."""
    rows = await connection.execute(
        select(attempts)
        .where(among(connection, attempts.c.consumer, {letter.queue for letter in letters}))
        .where(among(connection, attempts.c.source, {letter.source for letter in letters}))
        .where(among(connection, attempts.c.message_id, {letter.message_id for letter in letters}))
        .order_by(attempts.c.attempt)
    )
    told: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        of_message = told.setdefault((row.consumer, row.source, row.message_id), [])
        of_message.append({"attempt": row.attempt, "at": row.at, "error": row.error})
    return told


def _with_last(
    tried: Sequence[Mapping[str, Any]], letter: NewDeadLetter, now: datetime
) -> list[dict[str, str]]:
    """All attempts, the one that failed for good among them whether or not it was noted before."""
    last = {"attempt": letter.attempt, "at": now, "error": letter.reason}
    noted = any(each["attempt"] == letter.attempt for each in tried)
    return [
        {"at": each["at"].isoformat(), "error": each["error"]}
        for each in (tried if noted else [*tried, last])
    ]


async def _add(
    connection: AsyncConnection, letter: NewDeadLetter, told: list[dict[str, str]], now: datetime
) -> RowMapping:
    row = {
        "id": new_id(),
        "queue": letter.queue,
        "source": letter.source,
        "message_id": letter.message_id,
        **_cause(letter),
        "attempts": told,
        "first_failed_at": datetime.fromisoformat(told[0]["at"]),
        "last_failed_at": now,
        "state": "open",
        "body": letter.body,
    }
    await connection.execute(insert(dead_letters), [row])
    return cast("RowMapping", row)  # read like the rows that were there before


async def _reopen(
    connection: AsyncConnection,
    row: Mapping[Any, Any],
    letter: NewDeadLetter,
    told: list[dict[str, str]],
    now: datetime,
) -> None:
    replayed = row["state"] == "replaying"
    before = row["attempts"] if replayed else []
    headers = {name: value for name, value in letter.headers.items() if name != REPLAY_HEADER}
    came_by = {"routing_key": row["routing_key"], "headers": headers}  # a replay has another key
    if replayed:
        acted = {"who": ACT_BY_SERVICE, "act": "reopened", "note": letter.reason}
        await note_acts(connection, {row["id"]: letter.tenant_id}, now=now, **acted)
    await connection.execute(
        update(dead_letters)
        .where(dead_letters.c.id == row["id"])
        .values(state="open", attempts=[*before, *told], last_failed_at=now, **_cause(letter) | came_by)
    )


def _cause(letter: NewDeadLetter) -> dict[str, Any]:
    """What a later failure of the same message may say differently."""
    return {
        "code": letter.code,
        "field": letter.field,
        "reason": letter.reason,
        "exception": letter.exception,
        "tenant_id": letter.tenant_id,
        "integration_id": letter.integration_id,
        "item_ref": letter.item_ref,
        "item_key": letter.item_key,
        "group": letter_fingerprint(letter.code, letter.reason, letter.exception),
        "routing_key": letter.routing_key,
        "headers": dict(letter.headers),
    }
