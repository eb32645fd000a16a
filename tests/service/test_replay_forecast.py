"""What is foretold of a replay comes true, and foretelling changes nothing (R30)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PEOPLE, QUEUE_RUNS
from contracts.ports import Outgoing
from service.operations import DeadLetters, LetterReader
from service.store.engine.store import Store
from service.store.messages.burying import NewDeadLetter, bury
from service.store.tables import dead_letters, integrations, items, links, outbox
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Outbound]:
    clock = ManualClock()
    store = Store(database_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as opened:
        await opened.start()
        yield opened
    await store.close()


async def buried(world: Outbound, message: Outgoing, **different: Any) -> str:
    given: dict[str, Any] = {
        "queue": QUEUE_OUTBOUND,
        "source": "/vorex/acme",
        "message_id": message.message_id,
        "code": "exhausted",
        "reason": "Cronofy answered 503",
        "routing_key": message.routing_key,
        "headers": {"calendar-sync-attempt": 6},
        "body": message.body,
        "tenant_id": "acme",
    }
    async with world.store.begin() as connection:
        await bury(connection, [NewDeadLetter(**given | different)], now=world.clock.now())
    return str(next(row["id"] for row in await world.letters() if row["message_id"] == given["message_id"]))


async def foretold(
    world: Outbound, letter_id: str, reader: LetterReader | None = None
) -> list[tuple[str, str]]:
    context = await DeadLetters(world.store, who="olga", reader=reader).context(letter_id)
    return [(one["outcome"], one["said"]) for one in context["forecast"]]


async def state_of(store: Store) -> list[Any]:
    async with store.read() as connection:
        tables = (items, links, outbox, integrations)
        return [[*(await connection.execute(select(table))).mappings()] for table in tables]


async def test_of_a_message_about_a_person_it_says_whose_sessions_would_end(world: Outbound) -> None:
    """R45, R30."""
    data = {"tenant_id": "acme", "user_id": "u-17"}
    event = {
        "specversion": "1.0", "id": "p-1", "type": "com.vorex.session.revoked.v1", "source": "/vorex/acme",
        "time": "2026-12-01T08:00:00Z", "data": data,
    }  # fmt: skip
    body = json.dumps(event).encode()
    message = Outgoing(exchange="vorex.people", routing_key="session.revoked", body=body, message_id="p-1")
    letter_id = await buried(world, message, queue=QUEUE_PEOPLE)

    ((outcome, said),) = await foretold(world, letter_id)

    assert (outcome, said) == ("noted", "Sessions that were opened before 2026-12-01 08:00 UTC would end.")


async def test_a_letter_says_what_stands_around_it(world: Outbound) -> None:
    """Headers, the integration with its account and status, and what a replay would do now."""
    home = await world.integration(status="not_connected", reason="permission_withdrawn")
    letter_id = await buried(world, changed(), integration_id=home)

    context = await DeadLetters(world.store, who="olga").context(letter_id)

    assert context["headers"] == {"calendar-sync-attempt": 6}
    assert context["routing_key"] == "appointment.created"
    assert context["integration"] == {
        "id": home,
        "user_id": "u-17",
        "account_name": "u-17@example.com",
        "calendar_name": "Work 1",
        "active": True,
        "status": "not_connected",
        "reason": "permission_withdrawn",
    }
    (one,) = context["forecast"]
    assert (one["outcome"], one["integration_id"]) == ("held", home)
    assert one["said"].startswith("Work 1 of u-17@example.com is not connected.")


async def test_what_is_foretold_comes_true(world: Outbound) -> None:
    """Written where it is said so, nothing where it is stale; and looking changes nothing."""
    await world.integration()
    new, old = changed("new"), changed("old", version=2)
    await world.send(changed("old", version=7))
    letters = {"written": await buried(world, new), "stale": await buried(world, old)}
    before = await state_of(world.store)
    for outcome, letter_id in letters.items():
        assert [word for word, _ in await foretold(world, letter_id)] == [outcome]
    assert await state_of(world.store) == before

    for row in await world.letters():
        await world.replay(row)

    assert world.calendars.titles == ["new v1", "old v7"]
    assert {row["state"] for row in await world.letters()} == {"resolved"}
    assert [word for word, _ in await foretold(world, letters["written"])] == ["waiting"]


async def test_what_is_still_malformed_is_foretold_with_field_and_rule(world: Outbound) -> None:
    message = changed()
    broken = message.body.replace(b'"version":1', b'"version":0')
    letter_id = await buried(world, message, body=broken, code="malformed")

    assert await foretold(world, letter_id) == [
        ("malformed", "Still malformed: data.version: must be at least 1.")
    ]


@pytest.mark.parametrize("queue", [QUEUE_INBOUND, QUEUE_RUNS])
async def test_letters_of_every_queue_have_a_forecast(queue: str, world: Outbound) -> None:
    """A message on the wrong queue is malformed there."""
    letter_id = await buried(world, changed(), queue=queue)

    ((outcome, _),) = await foretold(world, letter_id)

    assert outcome == "malformed"


async def test_a_letter_whose_message_is_on_its_way_waits(world: Outbound) -> None:
    """One outstanding replay of a message."""
    message = changed()
    await buried(world, message)
    desk = DeadLetters(world.store, who="olga")
    (first,) = await world.letters()
    await buried(world, message, body=b"{}")
    await desk.replay([first["id"]])
    second = next(row["id"] for row in await world.letters() if row["id"] != first["id"])

    assert await foretold(world, second) == [
        ("waiting", "Another letter of the same message is on its way; this one waits for its end.")
    ]


async def test_another_tenants_calendars_are_not_told_of(world: Outbound) -> None:
    """R30: a letter of nobody is seen by all operators; what it would do by its tenant's alone."""
    home = await world.integration()
    letter_id = await buried(world, changed(), tenant_id=None, integration_id=home)
    stranger = LetterReader(tenant_id="other", user_id="omar")
    async with world.store.begin() as connection:
        await connection.execute(dead_letters.update().values(tenant_id=None))

    context = await DeadLetters(world.store, who="omar", reader=stranger).context(letter_id)

    assert context["integration"] is None
    assert "Work 1" not in str(context)
