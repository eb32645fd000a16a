"""What Vorex says of people on ``vorex.people``: sessions end, and who has left syncs no more (R45)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from contracts.envelope import PersonChanged, PersonLeft, SessionRevoked, encode
from contracts.messages import PEOPLE_EXCHANGE, QUEUE_PEOPLE, PersonData
from contracts.ports import Outgoing
from service.broker.memory import MemoryBroker
from service.broker.topology import RETRY_DELAYS
from service.consumers.failures import ReceivedMessage
from service.consumers.loop import MessageLoop
from service.integrations.leavers.leaving import LEFT
from service.operations import DeadLetters, publish_events
from service.store.messages.inbox import known
from service.store.tables import dead_letters, inbox, integrations, log_entries, revocations, sessions
from tests.support.office import Office
from tests.support.waiting import until

LIST = "/api/v1/integrations"
Kind = type[SessionRevoked] | type[PersonLeft]
KINDS = pytest.mark.parametrize("kind", [SessionRevoked, PersonLeft])


def message(
    office: Office, kind: Kind = SessionRevoked, *, ago: float = 0, user: str = "u-17", key: str = "m-1"
) -> PersonChanged:
    data = PersonData(tenant_id="acme", user_id=user)
    said_at = office.clock.now() - timedelta(seconds=ago)
    return kind.of(data, id=key, time=said_at, source="/vorex/acme")


async def handle(office: Office, told: PersonChanged) -> None:
    await office.parts.people(ReceivedMessage(message=told))


async def is_in(office: Office) -> bool:
    return (await office.client.get(LIST)).status_code == 200


class Wire:
    """A broker with the people's queue and its consumer."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.broker = MemoryBroker(clock=office.clock)
        self.loop = MessageLoop(
            queue=QUEUE_PEOPLE,
            expected=PersonChanged,
            handler=office.parts.people,
            broker=self.broker,
            store=office.store,
            clock=office.clock,
            delays=RETRY_DELAYS,
            concurrency=4,
        )

    async def publish(self, body: bytes) -> None:
        await self.broker.publish(
            Outgoing(exchange=PEOPLE_EXCHANGE, routing_key="session.revoked", body=body, message_id="m-1")
        )

    async def letter(self) -> dict[str, Any]:
        async def there() -> bool:
            return bool(await self.office.rows(dead_letters))

        await until(there, what="a dead letter")
        (row,) = await self.office.rows(dead_letters)
        return row


@asynccontextmanager
async def wired(office: Office) -> AsyncIterator[Wire]:
    wire = Wire(office)
    await wire.broker.open()
    await wire.broker.declare()
    await wire.loop.start()
    try:
        yield wire
    finally:
        await wire.loop.stop(grace=5)
        await wire.broker.close()


@KINDS
async def test_r45_every_session_of_that_person_ends_and_nobody_elses(kind: Kind, office: Office) -> None:
    for user, tenant in (("u-17", "acme"), ("u-17", "acme"), ("u-22", "acme"), ("u-17", "other")):
        office.client.cookies.clear()
        await office.sign_in(user, tenant)
    await handle(office, message(office, kind))
    left = sorted((row["user_id"], row["tenant_id"]) for row in await office.rows(sessions))
    assert left == [("u-17", "other"), ("u-22", "acme")]


@KINDS
async def test_r45_an_older_message_ends_no_session_that_was_opened_after_it(
    kind: Kind, office: Office
) -> None:
    await office.sign_in()
    await handle(office, message(office, kind, ago=1))
    assert await is_in(office)
    await handle(office, message(office, kind, key="m-2"))
    assert not await is_in(office)


async def test_r45_a_session_is_as_old_as_the_token_that_opened_it(office: Office) -> None:
    """A link made before the revocation, followed before its message came."""
    now = office.clock.now().timestamp()
    await office.sign_in(iat=now - 60)
    await handle(office, message(office, ago=30))
    assert not await is_in(office)


async def test_a_time_ahead_of_our_clock_is_now(office: Office) -> None:
    """A wrong clock shows nobody out for ever."""
    await handle(office, message(office, ago=-86_400 * 365))
    await office.clock.pass_time(1)
    now = office.clock.now().timestamp()
    assert (await office.get(LIST, iat=now)).status_code == 200
    await office.sign_in(iat=now)
    assert await is_in(office)


async def test_r45_tokens_made_before_open_nothing_and_later_ones_do(office: Office) -> None:
    now = office.clock.now().timestamp()
    await handle(office, message(office))
    for iat, status in ((now - 1, 401), (now, 401), (now + 0.5, 200), ("x", 401), (None, 401), (1e12, 401)):
        assert (await office.get(LIST, iat=iat)).status_code == status
        link = await office.client.get("/sign-in", params={"token": office.token(iat=iat)})
        assert link.status_code == (401 if status == 401 else 303)
        assert (await office.get(LIST, user="u-22", iat=iat)).status_code == 200
        assert (await office.get(LIST, tenant="other", iat=iat)).status_code == 200


async def test_r45_a_token_that_does_not_tell_its_age_is_good_once_none_from_before_can_live(
    office: Office,
) -> None:
    """A link after ten minutes, a Bearer token after a day; moments that have not come tell nothing."""
    await handle(office, message(office))
    for iat in (None, "x", office.clock.now().timestamp() + 1e9):
        for life, longest in ((600, "/sign-in"), (86_400, LIST)):
            assert await opens(office, longest, iat=iat, life=life) is False
    await office.clock.pass_time(601)
    for iat in (None, "x", office.clock.now().timestamp() + 1e9):
        assert await opens(office, "/sign-in", iat=iat, life=600)
        assert await opens(office, LIST, iat=iat, life=86_400 - 601) is False
    await office.clock.pass_time(86_400)
    assert await opens(office, LIST, iat=None, life=86_400)


async def opens(office: Office, way: str, *, iat: object, life: float) -> bool:
    exp = office.clock.now().timestamp() + life
    office.client.cookies.clear()
    if way == LIST:
        return (await office.get(LIST, iat=iat, exp=exp)).status_code == 200
    link = await office.client.get(way, params={"token": office.token(iat=iat, exp=exp)})
    return link.status_code == 303


async def test_a_late_message_takes_no_later_revocation_back(office: Office) -> None:
    await handle(office, message(office))
    await handle(office, message(office, ago=3600, key="m-2"))
    (row,) = await office.rows(revocations)
    assert row["revoked_at"] == office.clock.now().timestamp()


async def test_r45_who_has_left_syncs_no_more(office: Office) -> None:
    """Deactivated as a person would: a fact, ended runs, and pairs, copies and connection stay."""
    mine, unfinished = await office.finished(), await office.connect()
    theirs = await office.finished("u-22")
    before = len(await office.facts())
    await office.clock.pass_time(1)
    await handle(office, message(office, PersonLeft))
    rows = {row["id"]: row for row in await office.rows(integrations)}
    assert [rows[one]["active"] for one in (mine, theirs)] == [False, True]
    assert (rows[mine]["status"], rows[mine]["deleted_at"]) == ("connected", None)
    assert rows[unfinished]["status"] == "setup"
    assert (await office.facts())[before:] == [("deactivated", None)]
    (entry,) = [one for one in await office.rows(log_entries) if one["reason"] == LEFT]
    assert (entry["integration_id"], entry["message_id"]) == (mine, "m-1")
    assert (entry["trigger"], entry["action"], entry["outcome"]) == ("real_time", "none", "done")


async def test_who_is_only_signed_out_goes_on_syncing(office: Office) -> None:
    await office.finished()
    await office.clock.pass_time(1)
    await handle(office, message(office, SessionRevoked))
    (row,) = await office.rows(integrations)
    assert row["active"]


async def test_what_was_linked_after_somebody_left_is_not_stopped(office: Office) -> None:
    """They came back before the message did."""
    await office.finished()
    await handle(office, message(office, PersonLeft, ago=3600))
    (row,) = await office.rows(integrations)
    assert row["active"]


async def test_r30_a_message_comes_twice_and_is_done_once(office: Office) -> None:
    await office.finished()
    async with wired(office) as wire:
        for _ in range(2):
            await wire.publish(encode(message(office, PersonLeft, ago=-1)))

        async def done() -> bool:
            return bool(await office.rows(inbox)) and await wire.broker.depth(QUEUE_PEOPLE) == 0

        await until(done, what="the message's end")
        await wire.broker.drain()
    async with office.store.read() as connection:
        assert await known(connection, QUEUE_PEOPLE, [("/vorex/acme", "m-1")])
    assert [one["reason"] for one in await office.rows(log_entries)].count(LEFT) == 1
    assert await office.rows(dead_letters) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data": {"tenant_id": "acme"}}, "data.user_id"),
        ({"data": {"tenant_id": "", "user_id": "u"}}, "data.tenant_id"),
        ({"data": {"tenant_id": "acme", "user_id": 7}}, "data.user_id"),
        ({"data": {"tenant_id": "acme", "user_id": "u\x1b"}}, "data.user_id"),
        ({"data": []}, "data"),
        ({"type": "com.vorex.person.moved.v1"}, "type"),
        ({"time": "noon"}, "time"),
    ],
)
async def test_r30_a_malformed_message_is_a_dead_letter_that_names_its_field(
    changes: dict[str, Any], field: str, office: Office
) -> None:
    await office.sign_in()
    form = {**json.loads(encode(message(office))), **changes}
    async with wired(office) as wire:
        await wire.publish(json.dumps(form).encode())
        letter = await wire.letter()
    assert (letter["queue"], letter["code"], letter["field"]) == (QUEUE_PEOPLE, "malformed", field)
    assert await is_in(office)


@KINDS
async def test_r30_a_malformed_message_is_mended_as_what_it_was(kind: Kind, office: Office) -> None:
    form = json.loads(encode(message(office, kind)))
    form["data"] = {"tenant_id": "acme"}
    async with wired(office) as wire:
        await wire.publish(json.dumps(form).encode())
        letter = await wire.letter()
    desk = DeadLetters(office.store, who="olga")
    told = await desk.context(letter["id"])
    assert told["forecast"][0]["said"] == "Still malformed: data.user_id: is required."
    new = await desk.edit(letter["id"], {"tenant_id": "acme", "user_id": "u-17"})
    (mended,) = [row for row in await office.rows(dead_letters) if row["id"] == new]
    body = json.loads(mended["body"])
    assert (body["type"], body["data"]["user_id"]) == (form["type"], "u-17")


async def test_vorex_messages_are_published_from_a_file(office: Office) -> None:
    """Each kind where it belongs; what is wrong is refused with its field named."""
    sent: list[Outgoing] = []

    class Taker:
        async def publish(self, message: Outgoing) -> None:
            sent.append(message)

    bad = json.loads(encode(message(office, PersonLeft)))
    del bad["data"]["user_id"]
    lines = [encode(message(office)), encode(message(office, PersonLeft)), json.dumps(bad).encode(), b"7"]
    report = await publish_events(b"\n".join(lines), Taker())
    assert [(one.exchange, one.routing_key) for one in sent] == [
        (PEOPLE_EXCHANGE, "session.revoked"),
        (PEOPLE_EXCHANGE, "person.left"),
    ]
    assert list(report.refused) == ["line 3: data.user_id: is required", "line 4: body: must be an object"]


def test_a_message_about_a_person_has_its_kinds_routing_key_and_subject(office: Office) -> None:
    told = message(office, PersonLeft)
    assert (told.routing_key, told.subject) == ("person.left", "person/u-17")
    assert message(office).routing_key == "session.revoked"
