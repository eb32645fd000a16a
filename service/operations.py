"""Every verb of an operator, once; commands and pages only parse and print (DESIGN 11)."""

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import structlog

from contracts.envelope import ItemChanged, decode
from contracts.errors import Malformed
from contracts.fields import rfc3339
from contracts.ports import Outgoing, Publisher
from service.broker.topology import ITEMS_EXCHANGE, REPLAY_EXCHANGE
from service.store import Store, letters
from service.store.letters import Conflict, Matching, NotThere

__all__ = ["Conflict", "DeadLetters", "Matching", "NotThere", "Published", "publish_events"]

log = structlog.get_logger(__name__)

MASK = "[private]"
_PRIVATE_TEXTS = ("title", "description", "location", "account_name", "reference")
_IN_FLIGHT = 128
_AT_ONCE = 200
_SHOWN = (
    "id", "queue", "message_id", "source", "code", "field", "reason", "exception", "attempts",
    "first_failed_at", "last_failed_at", "tenant_id", "integration_id", "item_key", "group", "state",
)  # fmt: skip


class DeadLetters:
    """What operators see of dead letters and do with them; each act is recorded with its name (R30)."""

    def __init__(self, store: Store, *, who: str) -> None:
        self._store = store
        self._who = who

    async def page(self, matching: Matching, *, after: str | None = None, limit: int = 50) -> dict[str, Any]:
        """The newest matching letters first, in the API's form, with the cursor of the next page."""
        async with self._store.read() as connection:
            rows, further = await letters.page(connection, matching, after=after, limit=limit)
            acts = await letters.acts_of(connection, [row["id"] for row in rows])
        return {"items": [_form(row, acts.get(row["id"], ())) for row in rows], "next": further}

    async def show(self, letter_id: str) -> dict[str, Any]:
        """One letter in the API's form. Raises NotThere."""
        async with self._store.read() as connection:
            row = await letters.show(connection, letter_id)
            acts = await letters.acts_of(connection, [letter_id])
        return _form(row, acts.get(letter_id, ()))

    async def replay(self, ids: Sequence[str], *, note: str | None = None) -> int:
        """Send these messages again, all or none; how many. Raises NotThere and Conflict."""
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            sent = await letters.replay(
                connection, ids, exchange=REPLAY_EXCHANGE, who=self._who, now=now, note=note
            )
        for letter_id in sent:
            log.info("letter.replayed", letter_id=letter_id, who=self._who)
        return len(sent)

    async def replay_matching(self, matching: Matching, *, note: str | None = None) -> int:
        """Send all matching open letters again, oldest first, a few hundred a transaction; how many.

        Of several letters of one message only the oldest goes; the others wait for its end.
        """
        matching = replace(matching, state="open")
        count, after = 0, ""
        while ids := await self._open_after(matching, after):
            after = ids[-1]
            for letter_id in ids:
                count += await self._replayed_or_passed(letter_id, note)
        return count

    async def _open_after(self, matching: Matching, after: str) -> Sequence[str]:
        async with self._store.read() as connection:
            return await letters.ids_of(connection, matching, after=after, limit=_AT_ONCE)

    async def _replayed_or_passed(self, letter_id: str, note: str | None) -> int:
        try:
            return await self.replay([letter_id], note=note)
        except Conflict:
            return 0

    async def replayable(self, ids: Sequence[str]) -> int:
        """How many a replay of these would send. Raises NotThere and Conflict as it would."""
        for letter_id in ids:
            if (state := (await self.show(letter_id))["state"]) != "open":
                raise Conflict(f"Dead letter {letter_id} is {state}, not open.")
        return len(set(ids))

    async def count(self, matching: Matching) -> int:
        async with self._store.read() as connection:
            return await letters.count(connection, matching)

    async def discard(self, ids: Sequence[str], *, reason: str) -> int:
        """Give these messages up, all or none; how many. Raises NotThere and Conflict."""
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            await letters.discard(connection, ids, who=self._who, reason=reason, now=now)
        return len(set(ids))

    async def undo(self, ids: Sequence[str]) -> int:
        """Open discarded letters again, all or none; how many. Raises NotThere and Conflict."""
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            await letters.undo(connection, ids, who=self._who, now=now)
        return len(set(ids))


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What became of a file of events."""

    count: int
    refused: Sequence[str]
    """A line for each event that is not what it should be, naming its place, its field and the rule."""


async def publish_events(text: bytes, publisher: Publisher) -> Published:
    """Publish item-changed events as Vorex would: one JSON document, or one a line; valid ones only.

    Raises what hinders the publishing; events before it may have gone out, and may go out again.
    """
    refused: list[str] = []
    messages = _valid(text, refused)
    count = 0
    while window := list(islice(messages, _IN_FLIGHT)):
        answers = await asyncio.gather(*map(publisher.publish, window), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        count += len(window)
    return Published(count=count, refused=refused)


def _valid(text: bytes, refused: list[str]) -> Iterator[Outgoing]:
    for place, body in _events(text):
        try:
            message = decode(body, expected=ItemChanged)
        except Malformed as error:
            refused.append(f"{place}: {error}")
            continue
        yield Outgoing(
            exchange=ITEMS_EXCHANGE,
            routing_key=message.routing_key,
            body=body,
            message_id=message.id,
        )


def _events(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Each event with its place: a whole document, the entries of a list, or line by line."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        lines = enumerate(text.split(b"\n"), start=1)
        yield from ((f"line {number}", line.strip()) for number, line in lines if line.strip())
        return
    if not isinstance(whole, list):
        yield "line 1", text.strip()
        return
    for number, entry in enumerate(whole, start=1):
        yield f"event {number}", json.dumps(entry, ensure_ascii=False).encode(errors="replace")


def _form(row: Mapping[Any, Any], acts: Sequence[Mapping[Any, Any]]) -> dict[str, Any]:
    """The API's form of a dead letter (DESIGN 11)."""
    body, encoding = _body(row["body"])
    shown = {name: _plain(row[name]) for name in _SHOWN}
    shown["attempts"] = [
        {"at": rfc3339(datetime.fromisoformat(each["at"])), "error": each["error"]}
        for each in row["attempts"]
    ]
    told = [{name: _plain(act[name]) for name in ("at", "who", "act", "note")} for act in acts]
    return shown | {"body": body, "body_encoding": encoding, "acts": told}


def _plain(value: object) -> object:
    return rfc3339(value) if isinstance(value, datetime) else value


def _body(original: bytes) -> tuple[str, str]:
    """The bytes as text where they are text; a private item keeps its texts to itself (R27)."""
    try:
        text = original.decode()
    except UnicodeDecodeError:
        return base64.b64encode(original).decode(), "base64"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text, "utf-8"
    masked = _masked(document)
    return (text if masked == document else json.dumps(masked, ensure_ascii=False)), "utf-8"


def _masked(document: object) -> object:
    """Hides the texts of whatever says that it is private, however wrong the rest of it is."""
    if not isinstance(document, dict) or not isinstance(data := document.get("data"), dict):
        return document
    item = data.get("item")
    if not isinstance(item, dict) or item.get("private") in (False, None):
        return document
    hidden = {name: MASK for name in _PRIVATE_TEXTS if item.get(name)}
    return {**document, "data": {**data, "item": {**item, **hidden}}}
