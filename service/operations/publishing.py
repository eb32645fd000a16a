"""Publishing events as Vorex would: of items that changed, and of people."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from contracts.envelope import ItemChanged, PersonChanged, PersonLeft, SessionRevoked, decode, faults_of
from contracts.errors import Malformed
from contracts.messages import ITEMS_EXCHANGE, PEOPLE_EXCHANGE
from contracts.ports import Outgoing, Publisher

_IN_FLIGHT = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishReport:
    """What became of a file of events."""

    count: int
    refused: Sequence[str]
    """A line for each event that is not what it should be, naming its place, its field and the rule."""


async def publish_events(text: bytes, publisher: Publisher) -> PublishReport:
    """Publish events as Vorex would: one JSON document, or one a line; valid ones only.

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
    return PublishReport(count=count, refused=refused)


def check_events(text: bytes) -> PublishReport:
    """What publishing would say: every fault of every event, with its field and rule; nothing is sent."""
    refused: list[str] = []
    count = 0
    for place, body in _events(text):
        faults = faults_of(body, expected=_kind_of(body))
        refused.extend(f"{place}: {fault}" for fault in faults)
        count += not faults
    if not count and not refused:
        refused.append("there is no event")
    return PublishReport(count=count, refused=refused)


def _valid(text: bytes, refused: list[str]) -> Iterator[Outgoing]:
    for place, body in _events(text):
        try:
            message, exchange = _read(body)
        except Malformed as error:
            refused.append(f"{place}: {error}")
            continue
        yield Outgoing(
            exchange=exchange,
            routing_key=message.routing_key,
            body=body,
            message_id=message.id,
        )


def _read(body: bytes) -> tuple[ItemChanged | PersonChanged, str]:
    """The event, and where Vorex publishes such."""
    kind = _kind_of(body)
    return decode(body, expected=kind), PEOPLE_EXCHANGE if kind is PersonChanged else ITEMS_EXCHANGE


def _kind_of(body: bytes) -> type[ItemChanged] | type[PersonChanged]:
    """What is of neither kind is judged as an item."""
    people = {SessionRevoked.type_word(), PersonLeft.type_word()}
    return PersonChanged if _type_of(body) in people else ItemChanged


def _type_of(body: bytes) -> object:
    try:
        form = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return form.get("type") if isinstance(form, dict) else None


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
