"""The operator's verbs: dead letters in the API's form, and publishing as Vorex would (R30)."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import contracts
from contracts.errors import Unavailable
from contracts.messages import ITEMS_EXCHANGE, QUEUE_OUTBOUND
from contracts.ports import Outgoing
from service.operations import PRIVATE_MASK, DeadLetters, LetterConflict, LetterFilter, publish_events
from service.store.engine.store import Store
from service.store.messages.burying import NewDeadLetter, bury

SAMPLES = [
    path
    for path in sorted((Path(contracts.__file__).parent / "samples").glob("*.json"))
    if not path.stem.startswith(("fact-", "notice-", "run-"))
]
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "type": "com.vorex.calendar.item.changed.v1",
    "source": "/vorex/acme",
    "time": "2026-12-01T08:00:00Z",
    "data": {
        "tenant_id": "acme",
        "action": "created",
        "version": 1,
        "actor": {"kind": "user", "id": "u-17"},
        "item": {
            "id": "1",
            "type": "task",
            "title": "Call",
            "start": "2026-12-03T09:00:00Z",
            "assignees": ["u-17"],
        },
    },
}


class Wire:
    """A publisher that remembers."""

    def __init__(self, failing: bool = False) -> None:
        self.sent: list[Outgoing] = []
        self.failing = failing

    async def publish(self, message: Outgoing) -> None:
        if self.failing:
            raise Unavailable("RabbitMQ cannot be reached")
        self.sent.append(message)


def an_event(number: int = 1, **data: Any) -> bytes:
    return json.dumps(EVENT | {"id": f"e-{number}", "data": EVENT["data"] | data}).encode()


def a_letter(number: int = 1, **different: Any) -> NewDeadLetter:
    given: dict[str, Any] = {
        "queue": QUEUE_OUTBOUND,
        "source": "/vorex/acme",
        "message_id": f"e-{number}",
        "code": "refused",
        "reason": "no",
        "routing_key": "task.created",
        "headers": {},
        "body": an_event(number),
    }
    return NewDeadLetter(**(given | different))


async def buried(store: Store, *all_letters: NewDeadLetter) -> DeadLetters:
    async with store.begin() as connection:
        await bury(connection, all_letters, now=NOW)
    return DeadLetters(store, who="olga")


async def test_a_letter_has_the_form_of_the_api(store: Store) -> None:
    """Exactly these fields."""
    desk = await buried(store, a_letter())

    (letter,) = (await desk.page(LetterFilter()))["items"]

    assert letter == await desk.show(letter["id"])
    assert set(letter) == {
        "id", "queue", "message_id", "source", "code", "field", "reason", "exception", "attempts",
        "first_failed_at", "last_failed_at", "tenant_id", "integration_id", "item_key", "group", "state",
        "body", "body_encoding", "acts", "trace_id",
    }  # fmt: skip
    assert letter["attempts"] == [{"at": "2026-12-01T08:00:00Z", "error": "no"}]
    assert letter["first_failed_at"] == "2026-12-01T08:00:00Z"
    assert (letter["body"], letter["body_encoding"]) == (an_event().decode(), "utf-8")


async def test_of_bytes_that_are_no_text_their_number_is_shown(store: Store) -> None:
    """R46: nobody can tell whose they are; base64 says that they are no text."""
    desk = await buried(store, a_letter(body=b"\xff\x00"))

    (letter,) = (await desk.page(LetterFilter()))["items"]

    assert (base64.b64decode(letter["body"]), letter["body_encoding"]) == (b"[hidden: 2 bytes]", "base64")


async def test_texts_of_a_private_item_are_hidden_from_operators(store: Store) -> None:
    """R27: only its owner reads them; the bytes that a replay sends are untouched."""
    private = EVENT["data"]["item"] | {"private": True, "title": "Dentist", "location": "Dr. Who"}
    desk = await buried(store, a_letter(body=an_event(item=private)))

    (letter,) = (await desk.page(LetterFilter()))["items"]

    assert "Dentist" not in letter["body"]
    assert "Dr. Who" not in letter["body"]
    assert json.loads(letter["body"])["data"]["item"]["title"] == PRIVATE_MASK
    assert json.loads(letter["body"])["data"]["item"]["assignees"] == ["u-17"]


async def test_acts_are_shown_with_who_and_when(store: Store) -> None:
    """R30: discard with a reason, undo, replay."""
    desk = await buried(store, a_letter())
    (letter,) = (await desk.page(LetterFilter()))["items"]

    await desk.discard([letter["id"]], reason="a test")
    await desk.undo([letter["id"]])
    assert await desk.replay([letter["id"]]) == 1

    acts = (await desk.show(letter["id"]))["acts"]
    told = [(act["who"], act["act"], act["note"]) for act in acts]
    assert told == [("olga", "discard", "a test"), ("olga", "undo", None), ("olga", "replay", None)]
    assert all(act["at"].endswith("Z") for act in acts)
    with pytest.raises(LetterConflict):
        await desk.replay([letter["id"]])


async def test_all_matching_letters_can_be_replayed_at_once(store: Store) -> None:
    """Only the open ones; a second letter of the same message waits."""
    twice = a_letter(1, body=b"other bytes")
    desk = await buried(store, a_letter(1), twice, a_letter(2), a_letter(3, code="bug"))

    assert await desk.count(LetterFilter(code="refused", state="open")) == 3
    assert await desk.replay_matching(LetterFilter(code="refused")) == 2
    assert await desk.replay_matching(LetterFilter(code="refused")) == 0
    assert await desk.count(LetterFilter(state="replaying")) == 2


async def test_events_are_published_as_vorex_would() -> None:
    """Exchange, routing key, id and the very bytes."""
    wire = Wire()

    published = await publish_events(an_event(), wire)

    (message,) = wire.sent
    assert (message.exchange, message.routing_key) == (ITEMS_EXCHANGE, "task.created")
    assert (message.message_id, message.body) == ("e-1", an_event())
    assert (published.count, list(published.refused)) == (1, [])


async def test_of_json_lines_the_valid_are_published_and_the_others_named() -> None:
    """One line for each refused one, with its line, field and rule."""
    wire = Wire()
    lines = b"\n".join([an_event(1), b"", an_event(2, version=0), b"not json", an_event(4)])

    published = await publish_events(lines, wire)

    assert [message.message_id for message in wire.sent] == ["e-1", "e-4"]
    assert published.count == 2
    assert published.refused[0] == "line 3: data.version: must be at least 1"
    assert published.refused[1].startswith("line 4: body: is not JSON")


async def test_a_document_may_be_spread_over_lines_or_be_a_list() -> None:
    """However a person writes it."""
    wire = Wire()

    spread = await publish_events(json.dumps(EVENT, indent=2).encode(), wire)
    listed = await publish_events(b"[" + an_event(2) + b"," + an_event(3, version=0) + b"]", wire)

    assert [message.message_id for message in wire.sent] == ["e-1", "e-2"]
    assert (spread.count, listed.count) == (1, 1)
    assert listed.refused == ["event 2: data.version: must be at least 1"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
async def test_every_sample_can_be_published(sample: Path) -> None:
    """The samples of the contracts are what Vorex sends."""
    wire = Wire()

    assert (await publish_events(sample.read_bytes(), wire)).refused == []  # noqa: ASYNC240 -- a test
    assert len(wire.sent) == 1


async def test_a_broker_that_does_not_confirm_is_said() -> None:
    """Nothing is counted as published that was not."""
    with pytest.raises(Unavailable):
        await publish_events(an_event(), Wire(failing=True))
