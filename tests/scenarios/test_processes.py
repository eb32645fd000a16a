"""Every process by itself on RabbitMQ and PostgreSQL, as the compose file starts them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from contracts.fields import rfc3339
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND
from contracts.ports import Outgoing
from service.broker.rabbitmq import RabbitBroker
from service.demo.acceptance import AcceptanceWalk
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.tables import inbox
from service.version import VERSION
from tests.support.calendars import Outbound, changed, outbound, raw
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.processes import LATEST, ROOT, SECRETS, Started, run, started
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import free_port
from tests.support.waiting import until

Json = dict[str, Any]

EVERY = (
    ("simulator",),
    ("relay",),
    ("web",),
    ("consume", "outbound"),
    ("consume", "outbound"),
    ("consume", "inbound"),
    ("consume", "runs"),
    ("keeper",),
)
PREPARING = (("migrate",), ("topology",))
PLAYERS = (("simulator",), ("consume", "outbound"), ("consume", "outbound"))
GOOD, MIDDLE = 499, 250
PEOPLE = ("u-17", "u-18", "u-19", "u-20")

Start = Callable[..., list[Started]]

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql]


@pytest.fixture
def settings(rabbitmq: RabbitMQ, postgresql_url: str) -> dict[str, str]:
    """What all processes share; each address is one of them."""
    ports = {name: str(free_port()) for name in ("PORT", "RELAY_PORT", "SIMULATOR_PORT")}
    pages, notices, calendars = (f"http://127.0.0.1:{port}" for port in ports.values())
    return {
        **SECRETS,
        **ports,
        "DATABASE_URL": postgresql_url,
        "BROKER_URL": rabbitmq.url,
        "PUBLIC_URL": pages,
        "NOTICES_URL": notices,
        "CRONOFY_API_URL": calendars,
        "CRONOFY_APP_URL": calendars,
        "SHUTDOWN_GRACE": "10",
    }


@pytest.fixture
def start(settings: Mapping[str, str], tmp_path: Path) -> Iterator[Start]:
    """Prepare database and broker, start these processes, and stop them whatever happens."""
    with ExitStack() as stack:

        def begin(*commands: Sequence[str]) -> list[Started]:
            for command in PREPARING:
                assert run(*command, settings=settings, folder=tmp_path).returncode == 0
            processes = [
                stack.enter_context(started(*words, settings=settings, folder=tmp_path)) for words in commands
            ]
            for process in processes:
                process.logged("process.started")
            return processes

        yield begin


def stopped(processes: Sequence[Started]) -> list[int]:
    """Ask all of them at once; their exit codes."""
    for process in processes:
        process.process.terminate()
    return [process.process.wait(LATEST) for process in processes]


@asynccontextmanager
async def somebody(settings: Mapping[str, str]) -> AsyncIterator[AcceptanceWalk]:
    """A person with a browser, who is not signed in yet."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as browser:
        yield AcceptanceWalk(
            browser=browser,
            product=settings["PUBLIC_URL"],
            calendar_provider=settings["CRONOFY_API_URL"],
            now=datetime.now(UTC),
        )


def token(settings: Mapping[str, str]) -> str:
    """As Vorex signs one."""
    claims = {
        "sub": "u-17",
        "tenant": "acme",
        "tz": "Europe/London",
        "exp": datetime.now(UTC) + timedelta(minutes=9),
        "jti": new_id(),
    }
    return jwt.encode(claims, settings["SIGN_IN_SECRET"], algorithm="HS256")


@pytest.fixture
async def world(settings: Mapping[str, str]) -> AsyncIterator[Outbound]:
    """The store and the broker of the processes, for looking in and for publishing as Vorex does."""
    store = Store(settings["DATABASE_URL"])
    async with outbound(store, ManualClock(), RabbitBroker(settings["BROKER_URL"])) as opened:
        yield opened
    await store.close()


async def one_tells(processes: Sequence[Started]) -> None:
    """Every process shows its version, in its first line too; one alone shows what all of them share."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:

        async def shows() -> list[str]:
            started = [one.logged("process.started")["address"] for one in processes]
            return [(await client.get(f"{address}/metrics")).text for address in started]

        async def told() -> bool:
            return any("calendar_sync_budget_level 1.0" in one for one in await shows())

        await until(told, what="the shared figures")
        said = await shows()
    build = f'calendar_sync_build_info{{version="{VERSION}"}} 1.0'
    assert [build in one for one in said] == [True] * len(processes)
    assert [json.loads(one.err[0]).get("version") for one in processes] == [VERSION] * len(processes)
    for name in ("budget_level", "queue_messages", "outbox_messages", "integrations", "replays_waiting"):
        assert sum(f"\ncalendar_sync_{name}" in one for one in said) == 1, name


async def test_g17_g18_connected_finished_crossed_and_deactivated(
    settings: dict[str, str], start: Start, world: Outbound
) -> None:
    """G5, G10, G17, G18, then G11: deactivated, nothing crosses any more and the log says why."""
    processes = await asyncio.to_thread(start, *EVERY)
    await one_tells(processes[1:])
    async with somebody(settings) as person:
        await person.sign_in(token(settings))
        await person.connect()
        await person.finish()
        await person.send_an_item()
        await person.bring_an_event()

        switched = await person._api("POST", f"/integrations/{person.integration_id}/deactivate")
        assert switched["active"] is False
        told = len(await _notices(person))
        await _add_on_both_sides(person)
        await until(lambda: _logged(person, "Held back", "held", "inactive"), seconds=90, what="the log")
        await until(lambda: _heard(person, world, told + 1), seconds=90, what="the notice")
        assert "Held back" not in await _linked_titles(person)
        assert "Out of sight" not in await _own_titles(person)
    assert await asyncio.to_thread(stopped, processes) == [0] * len(EVERY)


async def _add_on_both_sides(person: AcceptanceWalk) -> None:
    start, end = (rfc3339(person._day(hour)) for hour in (14, 15))
    await person._api("POST", "/my-calendar/items", json={"title": "Held back", "start": start, "end": end})
    event = {"summary": "Out of sight", "start": start, "end": end, "tzid": "Europe/London"}
    await person._json("POST", f"{person._control}/calendars/{person.calendar_id}/events", json=event)


async def _logged(person: AcceptanceWalk, title: str, outcome: str, code: str) -> bool:
    log = await person._api("GET", f"/integrations/{person.integration_id}/logs?trigger=real_time")
    return (title, outcome, code) in {(each["title"], each["outcome"], each["code"]) for each in log["items"]}


async def _notices(person: AcceptanceWalk) -> list[Json]:
    """What Cronofy's stand-in has told of changes, and was thanked for."""
    told = await person._json("GET", f"{person._control}/notices")
    return [one for one in told["notices"] if one["status"] == HTTPStatus.ACCEPTED]


async def _heard(person: AcceptanceWalk, world: Outbound, least: int) -> bool:
    """Whether so many notices were told, and the consumer has settled every one."""
    told = await _notices(person)
    settled = await world.rows(inbox, inbox.c.consumer == QUEUE_INBOUND)
    return least <= len(told) == len(settled)


async def _linked_titles(person: AcceptanceWalk) -> set[str]:
    shown = await person._json("GET", f"{person._control}/events", params={"calendar_id": person.calendar_id})
    return {event["summary"] for event in shown["events"]}


async def _own_titles(person: AcceptanceWalk) -> set[str]:
    days = {"from": rfc3339(person._day(0)), "to": rfc3339(person._day(23))}
    shown = await person._api("GET", "/my-calendar/items", params=days)
    return {item["title"] for item in shown["items"]}


def broken(number: int, /, drop: str = "", **changes: Any) -> Outgoing:
    """An event with another type, data or item, or without one of the data's fields."""
    good = changed(f"b-{number}", id=f"b-{number}")
    form = json.loads(good.body)
    form["type"] = changes.pop("event_type", form["type"])
    form["data"]["version"] = changes.pop("version", 1)
    form["data"]["item"] |= changes
    form["data"].pop(drop, None)
    return replace(good, body=json.dumps(form).encode())


def bad_messages() -> dict[str, tuple[Outgoing, str, str]]:
    """By message id: what was published, and the field and the words that its dead letter must name."""
    listed = [
        (raw(b"{", "b-0"), "body", "is not JSON"),
        (raw(b'{"hello": 1}', "b-1"), "specversion", "is required"),
        (broken(2, event_type="com.vorex.other.v1"), "type", "must be"),
        (broken(3, drop="tenant_id"), "data.tenant_id", "is required"),
        (broken(4, title=5), "data.item.title", "must be a text"),
        (broken(5, version=0), "data.version", "must be at least 1"),
        (broken(6, start="2026-12-03T09:00:00Z", end="2026-12-03T08:00:00Z"), "data.item.end", "start"),
        (broken(7, time_zone="Europe/Londinium"), "data.item.time_zone", "IANA time zone"),
        (broken(8, description="x" * 2**20), "body", "must be at most 262144 bytes"),
        (broken(9, title="one \0 bad"), "data.item.title", "U+0000"),
    ]
    return {message.message_id: (message, field, words) for message, field, words in listed}


async def test_r30_bad_messages_become_dead_letters_and_their_neighbours_are_done(
    settings: dict[str, str], start: Start, world: Outbound, rabbitmq: RabbitMQ
) -> None:
    """Each letter names the field and the rule; a text with U+0000 among 500: one letter, 499 done."""
    processes = await asyncio.to_thread(start, *PLAYERS)
    calendar_ids = [await _linked(settings, world, user) for user in PEOPLE]
    bad = bad_messages()
    good = [
        changed(f"g-{number}", id=f"g-{number}", assignees=[PEOPLE[number % len(PEOPLE)]])
        for number in range(GOOD)
    ]
    messages = [*good[:MIDDLE], *(message for message, _, _ in bad.values()), *good[MIDDLE:]]
    await asyncio.gather(*(world.publish(message) for message in messages))
    await until(lambda: _empty(rabbitmq), seconds=90, what="an empty queue")

    finished = await world.finished()
    assert finished == dict.fromkeys((each.message_id for each in good), "done") | dict.fromkeys(bad, "dead")
    shown = [title for each in calendar_ids for title in await _shown(settings, each)]
    assert sorted(shown) == sorted(f"g-{number} v1" for number in range(GOOD))
    letters = await asyncio.to_thread(listed_letters, settings)
    assert {letter["message_id"] for letter in letters} == set(bad)
    for letter in letters:
        _, field, words = bad[letter["message_id"]]
        assert (letter["code"], letter["field"]) == ("malformed", field)
        assert words in letter["reason"]
    assert await asyncio.to_thread(stopped, processes) == [0] * len(processes)


async def test_r30_operators_replay_what_can_succeed_now_and_discard_the_rest(
    settings: dict[str, str], start: Start, world: Outbound, rabbitmq: RabbitMQ
) -> None:
    """``dead-letters list --json``, ``replay`` and ``discard``: the event arrives, the letter is resolved."""
    processes = await asyncio.to_thread(start, *PLAYERS)
    calendar_id = await _linked(settings, world, "u-17", next_errors=1, error_status=422)
    await world.publish(changed("once refused", id="refused"), raw(b"{", "nonsense"))
    await until(lambda: _letters_of(world, "open", 2), seconds=90, what="both dead letters")
    letters = {each["message_id"]: each for each in await asyncio.to_thread(listed_letters, settings)}
    assert {key: letter["code"] for key, letter in letters.items()} == {
        "refused": "refused",
        "nonsense": "malformed",
    }

    assert await _dead_letters(settings, "replay", letters["refused"]["id"]) == {"count": 1}
    told = ("discard", letters["nonsense"]["id"], "--reason", "nobody can read it")
    assert (await _dead_letters(settings, *told))["count"] == 1
    await until(lambda: _letters_of(world, "resolved", 1), seconds=90, what="the replay's end")
    await until(lambda: _empty(rabbitmq), what="an empty queue")

    states = {letter["message_id"]: letter["state"] for letter in await world.letters()}
    assert states == {"refused": "resolved", "nonsense": "discarded"}
    assert await _shown(settings, calendar_id) == ["once refused v1"]
    assert (await world.finished())["refused"] == "done"
    assert await asyncio.to_thread(listed_letters, settings, "--state", "open") == []
    assert await asyncio.to_thread(stopped, processes) == [0] * len(processes)


async def _linked(settings: Mapping[str, str], world: Outbound, user: str, **faults: Any) -> str:
    """A person's linked calendar, with these switches set from now on; its id."""
    async with httpx.AsyncClient(base_url=_control(settings), trust_env=False, timeout=60) as control:
        email = f"{user}@contoso.example"
        await control.post("/accounts", json={"provider": "google", "email": email, "calendars": ["Work"]})
        told = await control.post(f"/accounts/{email}/link", json={})
        account = Account.told(told.json())
        await control.post("/faults", json={"apply_delay": 0.0, **faults})
    await link(world, user, account)
    return account.calendar_id


async def _shown(settings: Mapping[str, str], calendar_id: str) -> list[str]:
    async with httpx.AsyncClient(base_url=_control(settings), trust_env=False, timeout=60) as control:
        told = await control.get("/events", params={"calendar_id": calendar_id})
    return [event["summary"] for event in told.json()["events"]]


def _control(settings: Mapping[str, str]) -> str:
    return f"{settings['CRONOFY_API_URL']}/_control"


async def _empty(rabbitmq: RabbitMQ) -> bool:
    """Whether nothing waits and nobody has a message in hand."""
    return (await asyncio.to_thread(rabbitmq.queues))[QUEUE_OUTBOUND] == 0


async def _letters_of(world: Outbound, state: str, count: int) -> bool:
    return len([each for each in await world.letters() if each["state"] == state]) == count


def listed_letters(settings: Mapping[str, str], *words: str) -> list[Json]:
    found: list[Json] = dead_letters(settings, "list", *words)["items"]
    return found


def dead_letters(settings: Mapping[str, str], *words: str) -> Json:
    """What the command prints with ``--json``."""
    ended = run("dead-letters", *words, "--json", settings=settings, folder=ROOT)
    assert ended.returncode == 0, ended.stderr.decode()
    told: Json = json.loads(ended.stdout)
    return told


async def _dead_letters(settings: Mapping[str, str], *words: str) -> Json:
    return await asyncio.to_thread(dead_letters, settings, *words)
