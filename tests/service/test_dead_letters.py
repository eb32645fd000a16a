"""Dead letters on both databases: kept whole, told once, replayed once (R30)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, REPLAY_EXCHANGE
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.messages import dead_letters, discards
from service.store.messages.burying import NewDeadLetter, bury, letter_fingerprint, note_attempts, resolve
from service.store.messages.dead_letters import LetterConflict, LetterFilter, NoLetter
from service.store.messages.inbox import known, record
from service.store.tables import outbox

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
KEY = ("/vorex/acme", "m-1")


def a_letter(**different: Any) -> NewDeadLetter:
    given: dict[str, Any] = {
        "queue": QUEUE_OUTBOUND,
        "source": KEY[0],
        "message_id": KEY[1],
        "code": "malformed",
        "field": "data.version",
        "reason": "data.version: must be at least 1",
        "routing_key": "task.created",
        "headers": {},
        "body": b'{"specversion":"1.0"}',
    }
    return NewDeadLetter(**(given | different))


async def buried(store: Store, *all_letters: NewDeadLetter, now: datetime = NOW) -> list[str]:
    async with store.begin() as connection:
        await bury(connection, all_letters, now=now)
    async with store.read() as connection:
        return list(await dead_letters.ids_of(connection, LetterFilter(), limit=100))


async def shown(store: Store, letter_id: str) -> dict[str, Any]:
    async with store.read() as connection:
        row = dict(await dead_letters.show(connection, letter_id))
        acts = await dead_letters.acts_of(connection, [letter_id])
    return row | {"acts": [(act["who"], act["act"], act["note"]) for act in acts.get(letter_id, [])]}


async def replayed(store: Store, *ids: str, now: datetime = NOW) -> list[str]:
    async with store.begin() as connection:
        return await dead_letters.replay(connection, ids, exchange=REPLAY_EXCHANGE, who="olga", now=now)


async def test_a_letter_keeps_the_original_bytes_and_every_attempt(store: Store) -> None:
    """R30: bytes, reason, attempts and times are all there, the last failure among them."""
    async with store.begin() as connection:
        await note_attempts(connection, QUEUE_OUTBOUND, [(KEY, 1, "Cronofy answered 503")], now=NOW)
    later = NOW + timedelta(minutes=5)

    (letter_id,) = await buried(
        store, a_letter(code="exhausted", reason="gave up", headers={ATTEMPT_HEADER: 2}), now=later
    )

    row = await shown(store, letter_id)
    assert row["body"] == b'{"specversion":"1.0"}'
    assert [each["error"] for each in row["attempts"]] == ["Cronofy answered 503", "gave up"]
    assert (row["first_failed_at"], row["last_failed_at"]) == (NOW, later)
    assert row["state"] == "open"


async def test_the_last_attempt_is_told_once_when_it_was_noted_before(store: Store) -> None:
    """A caller may note the last attempt itself."""
    async with store.begin() as connection:
        await note_attempts(connection, QUEUE_OUTBOUND, [(KEY, 1, "noted")], now=NOW)

    (letter_id,) = await buried(store, a_letter())

    assert [each["error"] for each in (await shown(store, letter_id))["attempts"]] == ["noted"]


async def test_a_buried_message_is_known_to_the_inbox(store: Store) -> None:
    """Redelivered after a crash it is recognised."""
    await buried(store, a_letter())

    async with store.read() as connection:
        assert await known(connection, QUEUE_OUTBOUND, [KEY]) == {KEY: "dead"}


async def test_a_message_buried_twice_is_one_letter(store: Store) -> None:
    """Crash after the letter, before the acknowledgement."""
    await buried(store, a_letter())

    assert len(await buried(store, a_letter())) == 1


async def test_one_id_with_two_bodies_is_two_letters(store: Store) -> None:
    """R30: no bytes are lost, even where a publisher uses an id twice."""
    assert len(await buried(store, a_letter(body=b"one"), a_letter(body=b"two"))) == 2


async def test_texts_that_a_database_refuses_do_not_stop_a_burial(store: Store) -> None:
    """U+0000, lone surrogates and endless ids come in malformed messages first of all."""
    odd = a_letter(message_id="\0" + "x" * 100_000, source="\ud800", reason="bad \0 text", body=b"\0\xff")

    (letter_id,) = await buried(store, odd)

    assert (await shown(store, letter_id))["body"] == b"\0\xff"


async def test_a_replay_goes_out_as_it_came_and_unknown_to_the_inbox(store: Store) -> None:
    """R30: same id, same bytes, attempts from 1, all in one transaction."""
    (letter_id,) = await buried(store, a_letter(headers={ATTEMPT_HEADER: 6}))

    assert await replayed(store, letter_id) == [letter_id]

    async with store.read() as connection:
        (row,) = (await connection.execute(select(outbox))).mappings().all()
        assert await known(connection, QUEUE_OUTBOUND, [KEY]) == {}
    assert (row["exchange"], row["routing_key"]) == (REPLAY_EXCHANGE, QUEUE_OUTBOUND)
    assert (row["message_id"], row["body"]) == ("m-1", b'{"specversion":"1.0"}')
    assert row["headers"] == {REPLAY_HEADER: letter_id}
    letter = await shown(store, letter_id)
    assert letter["state"] == "replaying"
    assert letter["acts"] == [("olga", "replay", None)]


async def test_a_letter_that_is_replaying_cannot_be_replayed_again(store: Store) -> None:
    """One outstanding replay a letter; nothing of the second is done."""
    (letter_id,) = await buried(store, a_letter())
    await replayed(store, letter_id)

    with pytest.raises(LetterConflict, match="is replaying"):
        await replayed(store, letter_id)

    async with store.read() as connection:
        assert len((await connection.execute(select(outbox))).all()) == 1


async def test_two_letters_of_one_message_cannot_both_be_outstanding(store: Store) -> None:
    """The unique index is the last guard."""
    ids = await buried(store, a_letter(body=b"one"), a_letter(body=b"two"))

    with pytest.raises(LetterConflict, match="outstanding"):
        await replayed(store, *ids)

    assert {(await shown(store, each))["state"] for each in ids} == {"open"}


async def test_a_replay_that_fails_reopens_the_same_letter_and_counts_on(store: Store) -> None:
    """The story of one message is one row."""
    (letter_id,) = await buried(store, a_letter())
    await replayed(store, letter_id)

    again = a_letter(code="bug", reason="TypeError", headers={REPLAY_HEADER: letter_id})
    assert await buried(store, again, now=NOW + timedelta(hours=1)) == [letter_id]

    row = await shown(store, letter_id)
    assert (row["state"], row["code"]) == ("open", "bug")
    assert len(row["attempts"]) == 2
    assert [act for _, act, _ in row["acts"]] == ["replay", "reopened"]
    assert await replayed(store, letter_id) == [letter_id]


async def test_a_letter_keeps_the_key_that_its_message_came_with(store: Store) -> None:
    """A replay travels by the name of its queue, and says so in a header; neither is the message's own."""
    (letter_id,) = await buried(store, a_letter())
    await replayed(store, letter_id)

    again = a_letter(routing_key=QUEUE_OUTBOUND, headers={REPLAY_HEADER: letter_id, ATTEMPT_HEADER: 2})
    await buried(store, again)

    row = await shown(store, letter_id)
    assert (row["routing_key"], row["headers"]) == ("task.created", {ATTEMPT_HEADER: 2})


async def test_a_replay_that_succeeds_resolves_its_letter(store: Store) -> None:
    """Nobody needs to look at it again."""
    (letter_id,) = await buried(store, a_letter())
    await replayed(store, letter_id)

    async with store.begin() as connection:
        await resolve(connection, [letter_id], now=NOW)

    row = await shown(store, letter_id)
    assert row["state"] == "resolved"
    assert row["acts"][-1] == ("calendar-sync", "resolved", None)


async def test_an_open_letter_is_not_resolved_by_a_late_success(store: Store) -> None:
    """Only a letter that is being replayed can be resolved."""
    (letter_id,) = await buried(store, a_letter())

    async with store.begin() as connection:
        await resolve(connection, [letter_id], now=NOW)

    row = await shown(store, letter_id)
    assert (row["state"], row["acts"]) == ("open", [])


async def test_discarding_keeps_the_reason_and_can_be_undone(store: Store) -> None:
    """R30: each act is recorded with who and why."""
    (letter_id,) = await buried(store, a_letter())

    async with store.begin() as connection:
        await discards.discard(
            connection, [letter_id], who="olga", reason="a test message", batch=new_id(), now=NOW
        )
    assert (await shown(store, letter_id))["state"] == "discarded"
    async with store.begin() as connection:
        await dead_letters.undo(connection, [letter_id], who="omar", now=NOW)

    row = await shown(store, letter_id)
    assert row["state"] == "open"
    assert row["acts"] == [("olga", "discard", "a test message"), ("omar", "undo", None)]


async def test_a_letter_that_does_not_exist_is_said_so(store: Store) -> None:
    """Nothing else of the request is done."""
    (letter_id,) = await buried(store, a_letter())

    with pytest.raises(NoLetter, match="no dead letter nowhere"):
        await replayed(store, letter_id, "nowhere")

    assert (await shown(store, letter_id))["state"] == "open"


async def test_letters_are_found_by_every_filter(store: Store) -> None:
    """R30: queue, code, time, integration, group and state."""
    await buried(store, a_letter(message_id="old", body=b"1", integration_id="i-1"))
    noon = NOW + timedelta(hours=4)
    await buried(store, a_letter(message_id="new", body=b"2", queue=QUEUE_INBOUND, code="bug"), now=noon)

    async def ids(**asked: Any) -> list[str]:
        async with store.read() as connection:
            page = await dead_letters.page(connection, LetterFilter(**asked))
        return [row["message_id"] for row in page.rows]

    assert await ids() == ["new", "old"]
    assert await ids(queue=QUEUE_INBOUND) == ["new"]
    assert await ids(code="malformed") == ["old"]
    assert await ids(since=NOW + timedelta(seconds=1)) == ["new"]
    assert await ids(integration="i-1") == ["old"]
    assert await ids(state="discarded") == []
    group = letter_fingerprint("malformed", "data.version: must be at least 1", None)
    assert await ids(group=group) == ["old"]


async def test_pages_follow_one_another_without_gap_or_repeat(store: Store) -> None:
    """Newest first, by id."""
    await buried(store, *(a_letter(message_id=f"m-{n}", body=b"%d" % n) for n in range(5)))

    seen: list[str] = []
    after: str | None = None
    async with store.read() as connection:
        while True:
            page = await dead_letters.page(connection, LetterFilter(), after=after, limit=2)
            seen += [row["message_id"] for row in page.rows]
            if (after := page.following) is None:
                break
        assert await dead_letters.count(connection, LetterFilter()) == 5
    assert seen == [f"m-{n}" for n in reversed(range(5))]


async def test_a_purged_inbox_does_not_hinder_a_replay(store: Store) -> None:
    """A message that was done under another consumer stays done there."""
    (letter_id,) = await buried(store, a_letter())
    async with store.begin() as connection:
        await record(connection, QUEUE_INBOUND, [(KEY, "done")], now=0.0)

    await replayed(store, letter_id)

    async with store.read() as connection:
        assert await known(connection, QUEUE_INBOUND, [KEY]) == {KEY: "done"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KeyError: 'title' at 12", "KeyError: 'start' at 977"),
        (
            "Refused: item 0192e4c1-7c1e-7000-8000-0123456789ab",
            "Refused: item 0192e4c1-0000-7000-8000-ba0123456789",
        ),
        ('ValueError: "a" is odd\nat x.py', 'ValueError: "b" is odd\nat y.py'),
    ],
)
def test_letters_with_one_cause_share_a_group(one: str, other: str) -> None:
    """Digits, ids and quoted text tell messages apart, not causes."""
    assert letter_fingerprint("bug", "r", one) == letter_fingerprint("bug", "r", other)


def test_letters_with_different_causes_do_not_share_a_group() -> None:
    """The kind of error and its words count."""
    assert letter_fingerprint("bug", "r", "KeyError: x") != letter_fingerprint("bug", "r", "TypeError: x")
    assert letter_fingerprint("malformed", "a is required", None) != letter_fingerprint(
        "malformed", "b is required", None
    )
