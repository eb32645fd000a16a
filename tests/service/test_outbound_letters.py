"""Outbound messages that cannot be done become dead letters one by one, and come back from there (R30)."""

import json

import pytest
from sqlalchemy import insert, update

from contracts.messages import QUEUE_OUTBOUND, REPLAY_EXCHANGE
from contracts.ports import REPLAY_HEADER, Outgoing
from service.store.messages.suspects import name_of
from service.store.tables import dead_letters, inbox, suspects
from tests.support.calendars import Outbound, changed, raw


def broken(**changes: object) -> bytes:
    form = json.loads(changed("bad").body)
    form["data"]["item"].update(changes)
    return json.dumps(form).encode()


async def test_r30_a_malformed_message_becomes_a_dead_letter_that_names_the_field(world: Outbound) -> None:
    """And its neighbours are sent."""
    await world.integration()
    await world.start()
    form = json.loads(changed("bad").body)
    form["data"]["version"] = 0
    await world.send(changed("a"), raw(json.dumps(form | {"id": "m-bad"}).encode(), "m-bad"), changed("b"))

    (letter,) = await world.letters()
    assert (letter["code"], letter["field"], letter["message_id"]) == ("malformed", "data.version", "m-bad")
    assert (letter["queue"], letter["tenant_id"]) == (QUEUE_OUTBOUND, "acme")
    assert world.calendars.titles == ["a v1", "b v1"]
    assert (await world.finished())["m-bad"] == "dead"


@pytest.mark.parametrize("body", [b"no json", b"[]", b"\xff\xfe", b'{"specversion":"1.0"}', b"x" * 300_000])
async def test_r30_whatever_is_no_message_becomes_a_dead_letter(world: Outbound, body: bytes) -> None:
    """With its original bytes."""
    await world.integration()
    await world.start()
    await world.send(raw(body, "m-odd"))

    (letter,) = await world.letters()
    assert (letter["code"], letter["message_id"], letter["body"]) == ("malformed", "m-odd", body)


async def test_r30_a_text_with_u0000_among_five_hundred_leaves_499_done(world: Outbound) -> None:
    """One dead letter; the others are on the calendar."""
    users = [f"u-{number}" for number in range(3)]
    for user in users:
        await world.integration(user)
    good = [changed(f"i-{number}", assignees=[users[number % 3]]) for number in range(499)]
    await world.publish(*good[:250], raw(broken(title="nul\0"), "m-bad"), *good[250:])
    await world.start()
    await world.at_rest()

    assert len(world.calendars.events) == 499
    assert [letter["field"] for letter in await world.letters()] == ["data.item.title"]
    assert sorted((await world.finished()).values()) == ["dead"] + ["done"] * 499


async def test_r30_a_newer_version_revives_a_failed_link_and_a_repetition_does_not(world: Outbound) -> None:
    """A permanent outcome stays until a newer revision."""
    await world.integration()
    world.calendars.refused["5512 v1"] = 422
    await world.start()
    await world.send(changed(id="m-1"))
    requests = len(world.calendars.requests)
    await world.send(changed(id="m-again"))
    assert len(world.calendars.requests) == requests
    assert (await world.finished())["m-again"] == "dead"

    await world.send(changed(version=2))
    assert world.calendars.titles == ["5512 v2"]


async def test_r30_a_replay_tries_a_failed_link_again(world: Outbound) -> None:
    """The replay header revives it, and its success is noted in the inbox."""
    await world.integration()
    world.calendars.refused["5512 v1"] = 422
    await world.start()
    await world.send(changed(id="m-1"))
    (letter,) = await world.letters()
    world.calendars.refused.clear()
    await world.replay(letter)

    assert world.calendars.titles == ["5512 v1"]
    (letter,) = await world.letters()
    assert letter["state"] == "resolved"
    assert await world.finished() == {"m-1": "done"}


async def test_r30_a_replay_overtaken_by_the_message_itself_resolves_its_letter(world: Outbound) -> None:
    """It came again because its consumer died after the letter was stored, and was done before the replay."""
    await world.integration()
    world.calendars.refused["5512 v1"] = 422
    await world.start()
    await world.send(changed(id="m-1"))
    (letter,) = await world.letters()
    world.calendars.refused.clear()
    async with world.store.begin() as connection:
        await connection.execute(update(dead_letters).values(state="replaying"))
        await connection.execute(update(inbox).values(outcome="done"))
    await world.send(
        Outgoing(
            exchange=REPLAY_EXCHANGE,
            routing_key=QUEUE_OUTBOUND,
            body=letter["body"],
            message_id="m-1",
            headers={REPLAY_HEADER: letter["id"]},
        )
    )

    (letter,) = await world.letters()
    assert letter["state"] == "resolved"


async def test_r30_a_message_that_killed_its_consumer_three_times_is_a_crash_loop(world: Outbound) -> None:
    """It was noted before each time that it was taken in."""
    await world.integration()
    guilty = changed(id="m-1")
    row = {"consumer": QUEUE_OUTBOUND, "message_id": name_of(guilty.body), "crashes": 3}
    async with world.store.begin() as connection:
        await connection.execute(insert(suspects), [{**row, "at": world.clock.now()}])
    await world.publish(guilty, changed("other", id="m-2"))
    await world.return_all(2)
    await world.start()
    await world.at_rest()

    (letter,) = await world.letters()
    assert (letter["code"], letter["message_id"]) == ("crash_loop", "m-1")
    assert world.calendars.titles == ["other v1"]
    assert [row["message_id"] for row in await world.rows(suspects)] == [name_of(guilty.body)]


async def test_r30_crashes_are_counted_under_a_name_that_needs_no_parsing(world: Outbound) -> None:
    """Reading the body may be what kills: its bytes count, and a replay begins without what was counted."""
    await world.integration()
    body = changed(id="m-1").body
    row = {"consumer": QUEUE_OUTBOUND, "message_id": name_of(body), "crashes": 3}
    async with world.store.begin() as connection:
        await connection.execute(insert(suspects), [{**row, "at": world.clock.now()}])
    await world.publish(raw(body, "h-1"))
    await world.return_all(2)
    await world.start()
    await world.at_rest()

    (letter,) = await world.letters()
    assert (letter["code"], letter["message_id"]) == ("crash_loop", "m-1")
    await world.replay(letter)
    assert world.calendars.titles == ["5512 v1"]


async def test_r30_a_letter_of_vorexs_message_has_no_integration_that_only_its_body_names(
    world: Outbound,
) -> None:
    """Whoever publishes could show it to another tenant's operators by it."""
    others = await world.integration(tenant_id="other")
    await world.start()
    await world.send(raw(json.dumps({"data": {"integration_id": others}}).encode(), "m-odd"))

    (letter,) = await world.letters()
    assert (letter["code"], letter["tenant_id"], letter["integration_id"]) == ("malformed", None, None)


REFUSING = {
    True: (
        (
            "CREATE TRIGGER refusing BEFORE INSERT ON items WHEN NEW.item_id = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        ),
    ),
    False: (
        (
            "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN "
            "IF NEW.item_id = 'bad' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql"
        ),
        "CREATE TRIGGER refusing BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
}


async def test_r30_a_set_that_the_database_refuses_is_halved_until_the_bad_message_is_alone(
    world: Outbound,
) -> None:
    """One dead letter; everybody else in the set is done."""
    await world.integration()
    async with world.store.begin() as connection:
        for statement in REFUSING[world.store.sqlite]:
            await connection.exec_driver_sql(statement)
    good = [changed(f"i-{number}") for number in range(20)]
    await world.publish(*good[:13], changed("bad", id="m-bad"), *good[13:])
    await world.start()
    await world.at_rest()

    assert len(world.calendars.events) == 20
    assert [(letter["code"], letter["message_id"]) for letter in await world.letters()] == [
        ("refused", "m-bad"),
    ]
