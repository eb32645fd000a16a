"""The command, as real processes: what people type, what they get, and how it ends.

Each command starts once as ``python -m service`` does, cold; all others are forks without the imports.
"""

import asyncio
import json
import signal
import socket
import sqlite3
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from contracts.ports import Outgoing
from contracts.vorex import Action
from service.app.server import SystemClock
from service.broker.rabbitmq import RabbitBroker
from service.demo.acceptance import walk_all
from service.demo.demonstration import Demo
from service.demo.safeguard import secrets_of
from service.settings import Settings
from service.store.engine.store import Store
from tests.support.processes import SECRETS, Started, run, started
from tests.support.servers import free_port

SAMPLE = Path(__file__).parents[2] / "contracts" / "samples" / "appointment-created.json"


@pytest.fixture
def embedded(new_sqlite_url: str) -> dict[str, str]:
    """The settings of one process on a file."""
    return {**SECRETS, "DATABASE_URL": new_sqlite_url, "CRONOFY_API_URL": "http://127.0.0.1:9"}


@pytest.fixture
def installed(embedded: dict[str, str], broker_url: str) -> dict[str, str]:
    """The settings of many processes on a real RabbitMQ; declared and migrated."""
    return embedded | {"BROKER_URL": broker_url, "SHUTDOWN_GRACE": "5"}


def prepared(settings: Mapping[str, str], folder: Path) -> None:
    for command in ("migrate", "topology"):
        assert run(command, settings=settings, folder=folder, cold=True).returncode == 0


def an_event(number: int = 1, **data: Any) -> bytes:
    event = json.loads(SAMPLE.read_text())
    event["id"] = f"e-{number}"
    event["data"] |= {"action": Action.CREATED, **data}
    return json.dumps(event).encode()


def letters(settings: Mapping[str, str], folder: Path, *words: str) -> list[dict[str, Any]]:
    listed = run("dead-letters", "list", "--json", *words, settings=settings, folder=folder)
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, Any]] = json.loads(listed.stdout)["items"]
    return found


@pytest.mark.parametrize("words", [("fly",), ("consume",), ("consume", "everything"), ("up", "--no-such")])
def test_wrong_usage_ends_with_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    """0 done, 1 failed, 2 wrong usage."""
    ended = run(*words, settings={}, folder=tmp_path)

    assert ended.returncode == 2
    assert b"Traceback" not in ended.stderr


def test_all_missing_settings_are_named_at_once(tmp_path: Path) -> None:
    """One message, exit code 2."""
    ended = run("consume", "all", settings={}, folder=tmp_path)

    assert ended.returncode == 2
    for name in (
        "DATABASE_URL",
        "BROKER_URL",
        "CRONOFY_CLIENT_ID",
        "CRONOFY_CLIENT_SECRET",
        "ENCRYPTION_KEYS",
    ):
        assert f"CALENDAR_SYNC_{name}".encode() in ended.stderr
    assert ended.stdout == b""


@pytest.mark.parametrize("words", [("consume", "all"), ("relay",), ("topology",)])
def test_what_needs_rabbitmq_says_so(
    tmp_path: Path, embedded: dict[str, str], words: tuple[str, ...]
) -> None:
    """memory:// serves one process."""
    ended = run(*words, settings=embedded, folder=tmp_path)

    assert ended.returncode == 2
    assert b"needs RabbitMQ" in ended.stderr


def test_a_missing_database_is_named_with_its_remedy(tmp_path: Path, embedded: dict[str, str]) -> None:
    """Exit code 1, a sentence, no traceback."""
    ended = run("web", settings=embedded, folder=tmp_path)

    assert ended.returncode == 1
    assert b"there is no file" in ended.stderr
    assert b"calendar-sync migrate" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_database_that_cannot_be_reached_is_a_sentence(tmp_path: Path, embedded: dict[str, str]) -> None:
    """No traceback for people."""
    away = embedded | {"DATABASE_URL": "postgresql+asyncpg://nobody:hidden@127.0.0.1:9/none"}

    ended = run("migrate", settings=away, folder=tmp_path)

    assert ended.returncode == 1
    assert b"the database cannot be reached" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert b"hidden" not in ended.stderr


def test_what_is_published_waits_for_up(tmp_path: Path, embedded: dict[str, str]) -> None:
    """Handed over through the store, sent by the next up, and counted when it was settled."""
    assert run("migrate", settings=embedded, folder=tmp_path).returncode == 0
    lines = b"\n".join([an_event(1), b"", an_event(2, version=0)])
    published = run("publish", "-", settings=embedded, folder=tmp_path, given=lines, cold=True)
    assert published.returncode == 1
    assert published.stdout.decode().splitlines() == ["line 3: data.version: must be at least 1"]
    assert _unsent(tmp_path) == 1

    with started("up", settings=embedded, folder=tmp_path) as up:
        address = up.said("ready ").split()[1]
        assert _asked(address, "/healthz").status_code == 200
        assert _asked(address, "/readyz").json() == {"ready": True, "because": []}
        up.await_(lambda: _unsent(tmp_path) == 0, "the settling of what was published")
        assert up.stop() == 0
        up.logged("process.stopped")

    assert letters(embedded, tmp_path) == []


def _unsent(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "calendar-sync.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM outbox WHERE sent_at IS NULL").fetchone()
    return int(count)


def test_up_says_when_its_port_is_taken(tmp_path: Path, embedded: dict[str, str]) -> None:
    """A sentence, exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("up", settings=embedded | {"PORT": port}, folder=tmp_path)

    assert ended.returncode == 1
    assert f"port {port}".encode() in ended.stderr


def test_publish_names_a_file_that_is_not_there(tmp_path: Path, embedded: dict[str, str]) -> None:
    """Wrong usage."""
    ended = run("publish", "nowhere.json", settings=embedded, folder=tmp_path)

    assert ended.returncode == 2
    assert b"nowhere.json" in ended.stderr


def test_a_publisher_checks_a_file_without_sending_it(tmp_path: Path) -> None:
    """Every fault with its field and rule, exit code 2; no setting is needed, nothing is reached."""
    wrong = b"\n".join([an_event(1, version=0, action="moved"), an_event(2)])

    good = run("publish", "--check", "-", settings={}, folder=tmp_path, given=an_event())
    told = run("publish", "--check", "-", settings={}, folder=tmp_path, given=wrong)

    assert (good.returncode, good.stdout) == (0, b"")
    assert good.stderr.decode().strip() == "1 can be published; nothing was sent"
    assert told.returncode == 2
    assert told.stdout.decode().splitlines() == [
        "line 1: data.action: must be one of 'created', 'updated' or 'deleted'",
        "line 1: data.version: must be at least 1",
    ]


def test_a_letter_that_does_not_exist_is_a_sentence(tmp_path: Path, embedded: dict[str, str]) -> None:
    """Exit code 1."""
    assert run("migrate", settings=embedded, folder=tmp_path).returncode == 0

    for words in (("show", "nowhere"), ("replay", "nowhere"), ("discard", "nowhere", "--reason", "x")):
        ended = run("dead-letters", *words, settings=embedded, folder=tmp_path)
        assert ended.returncode == 1
        assert b"There is no dead letter nowhere." in ended.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("replay",),
        ("replay", "x", "--all-matching"),
        ("discard", "x"),
        ("list", "--since", "yesterday"),
        ("list", "--state", "gone"),
        ("groups", "--reason", "nonsense"),
        ("replay", "--all-matching", "--queue", "nonsense"),
        ("discard", "--all-matching", "--reason", "x", "--integration", "sam"),
    ],
)
def test_dead_letters_asked_wrongly_ends_with_2(
    tmp_path: Path, embedded: dict[str, str], words: tuple[str, ...]
) -> None:
    """Nothing is touched."""
    assert run("dead-letters", *words, settings=embedded, folder=tmp_path).returncode == 2


@pytest.mark.says("a sign-in token")
@pytest.mark.parametrize("broker", ["memory", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def test_the_guides_walk(tmp_path: Path, request: pytest.FixtureRequest, broker: str) -> None:
    """G17, G18: the demonstration ticks every step and stays up, on either broker."""
    settings: dict[str, str] = {}
    if broker == "rabbitmq":
        settings["BROKER_URL"] = request.getfixturevalue("broker_url")

    with started("up", "--demo", settings=settings, folder=tmp_path, cold=True) as up:
        address = up.said("ready http").split()[1]
        assert any(line.startswith("[ok] G17 ") for line in up.out)
        assert any(line.startswith("[ok] G18 ") for line in up.out)
        assert not any(line.startswith("[failed]") for line in up.out)
        assert _asked(address, "/readyz").status_code == 200
        assert b"calendar_sync_messages_settled" in _asked(address, "/metrics").content
        assert up.stop(signal.SIGINT) == 0


def test_a_walk_that_fails_ends_with_1(tmp_path: Path) -> None:
    """Every step is told as it happens, the failed one with what came instead."""
    database = f"sqlite+aiosqlite:///{tmp_path}/refusing.db"
    asyncio.run(_refusing_integrations(database))

    ended = run("up", "--demo", settings={"DATABASE_URL": database}, folder=tmp_path)

    assert ended.returncode == 1
    told = ended.stdout.decode().splitlines()
    assert told[0].startswith("[ok] ")
    assert told[-1].startswith("[failed] G5 ")
    assert b"Traceback" not in ended.stderr


async def _refusing_integrations(url: str) -> None:
    """A demonstration's database of which a disk, say, has become too full."""
    await secrets_of(url)
    store = Store(url)
    await store.upgrade()
    async with store.begin() as connection:
        refusing = "CREATE TRIGGER full BEFORE INSERT ON integrations BEGIN SELECT RAISE(ABORT, 'full'); END"
        await connection.exec_driver_sql(refusing)
    await store.close()


@pytest.mark.rabbitmq
def test_the_guides_walk_over_separate_processes(tmp_path: Path, installed: dict[str, str]) -> None:
    """G17, G18 as installed, each process alive, ready and measured before; exit code 0 on SIGTERM."""
    pages, notices, calendars = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
    settings = installed | {
        "PUBLIC_URL": pages,
        "PORT": pages.rpartition(":")[2],
        "NOTICES_URL": notices,
        "RELAY_PORT": notices.rpartition(":")[2],
        "CRONOFY_API_URL": calendars,
        "CRONOFY_APP_URL": calendars,
        "SIMULATOR_PORT": calendars.rpartition(":")[2],
    }
    prepared(settings, tmp_path)
    said: list[str] = []
    with ExitStack() as stack:
        processes = {
            words: stack.enter_context(started(*words, settings=settings, folder=tmp_path, cold=cold))
            for words, cold in APART.items()
        }
        for words, process in processes.items():
            _is_alive_ready_and_measured(words, process)
        vorex = Demo(settings=_signing(settings), simulator=calendars)
        token = vorex.sign_in_token(SystemClock())
        walking = walk_all(product=pages, calendar_provider=calendars, token=token, say=said.append)
        assert asyncio.run(walking), said
        assert {words: process.stop() for words, process in processes.items()} == dict.fromkeys(APART, 0)
        assert all(process.out == [] for process in processes.values())


APART = {
    ("simulator",): False,
    ("relay",): True,
    ("web",): True,
    ("consume", "all"): True,
    ("consume", "inbound"): False,
    ("consume", "outbound"): False,
    ("keeper",): True,
}
"""The processes of an installation, and which of them start cold: several consumers of the same queues."""


def _is_alive_ready_and_measured(words: tuple[str, ...], process: Started) -> None:
    address = process.logged("process.started")["address"]
    if words == ("simulator",):  # whoever waits for that line may ask at once
        assert _asked(address, "/_control/stats").status_code == 200
        return
    if words[0] in {"consume", "keeper"}:
        assert str(json.loads(process.err[0])["port"]) in address
    assert _asked(address, "/healthz").status_code == 200
    ready = _asked(address, "/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "because": []}), words
    assert _asked(address, "/metrics").status_code == 200


def _asked(address: str, path: str) -> httpx.Response:
    """What it answers; that it is not ready (503) may be said for a while where the machine is busy."""
    tries = 100
    while (answer := httpx.get(f"{address}{path}", timeout=60)).status_code == 503 and (tries := tries - 1):
        time.sleep(0.1)
    return answer


def _signing(settings: Mapping[str, str]) -> Settings:
    secret = SecretStr(settings["SIGN_IN_SECRET"])
    return Settings(_env_file=None).model_copy(update={"sign_in_secret": (secret,)})


@pytest.mark.rabbitmq
def test_a_missing_topology_is_named(tmp_path: Path, installed: dict[str, str]) -> None:
    """Exit code 1, naming what is missing; topology --check agrees."""
    assert run("migrate", settings=installed, folder=tmp_path).returncode == 0

    for words in (("consume", "all"), ("relay",), ("web",), ("keeper",), ("publish", str(SAMPLE))):
        ended = run(*words, settings=installed, folder=tmp_path)
        assert ended.returncode == 1, words
        assert b"queue calendar-sync.outbound" in ended.stderr
        assert b"calendar-sync topology" in ended.stderr

    checked = run("topology", "--check", settings=installed, folder=tmp_path)
    assert checked.returncode == 1
    assert b"missing: queue calendar-sync.outbound" in checked.stdout
    assert run("topology", settings=installed, folder=tmp_path).returncode == 0
    assert run("topology", "--check", settings=installed, folder=tmp_path).returncode == 0


@pytest.mark.rabbitmq
def test_a_malformed_message_becomes_a_letter_that_operators_can_handle(
    tmp_path: Path, installed: dict[str, str], broker_url: str
) -> None:
    """R30: list, show, discard, undo, replay; each recorded, the last one resolved or open again."""
    prepared(installed, tmp_path)
    _publish_raw(broker_url, b'{"specversion":"1.0","id":"bad","source":"/vorex/acme"}')
    with started("consume", "outbound", settings=installed, folder=tmp_path) as consumer:
        consumer.logged("process.started")
        letter = _first_letter(installed, tmp_path)
        assert (letter["code"], letter["state"]) == ("malformed", "open")
        letter_id = letter["id"]

        shown = run("dead-letters", "show", letter_id, "--json", settings=installed, folder=tmp_path)
        assert json.loads(shown.stdout) == letter
        discarded = run(
            "dead-letters", "discard", letter_id, "--reason", "a test", settings=installed, folder=tmp_path
        )
        assert discarded.returncode == 0
        assert letters(installed, tmp_path, "--state", "open") == []
        assert run("dead-letters", "replay", letter_id, settings=installed, folder=tmp_path).returncode == 1
        assert run("dead-letters", "undo", letter_id, settings=installed, folder=tmp_path).returncode == 0
        replayed = run("dead-letters", "replay", letter_id, "--json", settings=installed, folder=tmp_path)
        assert json.loads(replayed.stdout) == {"count": 1}
        again = _letter_with(installed, tmp_path, "reopened")
        assert consumer.stop() == 0

    assert again["id"] == letter_id
    assert [act["act"] for act in again["acts"]] == ["discard", "undo", "replay", "reopened"]
    assert len(again["attempts"]) == 2


def _first_letter(settings: Mapping[str, str], folder: Path) -> dict[str, Any]:
    for _ in range(100):
        if found := letters(settings, folder):
            return found[0]
    raise AssertionError("no dead letter came about")


def _letter_with(settings: Mapping[str, str], folder: Path, act: str) -> dict[str, Any]:
    for _ in range(100):
        letter = _first_letter(settings, folder)
        if any(each["act"] == act for each in letter["acts"]):
            return letter
    raise AssertionError(f"nobody did {act}")


def _publish_raw(broker_url: str, body: bytes) -> None:
    async def publish() -> None:
        broker = RabbitBroker(broker_url)
        await broker.open()
        await broker.publish(
            Outgoing(exchange="vorex.items", routing_key="task.created", body=body, message_id="bad")
        )
        await broker.close()

    asyncio.run(publish())
