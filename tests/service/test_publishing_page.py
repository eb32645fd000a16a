"""*Publish your first event*: every snippet that it shows is run as it stands, on a real RabbitMQ."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import CLOUD_EVENT_TYPE, AssignmentQuestioned, ItemChanged, decode, encode, faults_of
from contracts.messages import FACTS_EXCHANGE, QUEUE_OUTBOUND
from contracts.ports import Delivery, Outgoing
from service.app.server import SystemClock
from service.broker.rabbitmq import RabbitBroker
from service.web.tokens import TokenMaker
from tests.support.node import MODULES, node
from tests.support.processes import environment
from tests.support.rabbitmq import RabbitMQ, await_port
from tests.support.repository import ROOT
from tests.support.secrecy import SIGN_IN_SECRET
from tests.support.servers import absent, free_port
from tests.support.waiting import until

pytestmark = pytest.mark.rabbitmq

DOTNET = ("Program.cs", "Facts.cs")
PAGE = (ROOT / "service" / "web" / "handbook" / "publishing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = [(language, text) for language, text in BLOCK.findall(PAGE)]
SNIPPETS = {
    re.split(r"[:\s]", text[2:].strip(), maxsplit=1)[0]: text for _, text in BLOCKS if text[0] in "#/"
}
EVENT = next(json.loads(text) for language, text in BLOCKS if language == "json")
PROGRAMS: Mapping[str, Callable[[], str | None]] = {
    ".py": lambda: sys.executable,
    ".js": node,
    ".sh": lambda: shutil.which("sh"),
}
LONGEST_SECONDS = 60


class Kept:
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    def deliver(self, delivery: Delivery) -> None:
        self.deliveries.put_nowait(delivery)

    def lost(self, generation: int) -> None:
        """Nobody waits for more."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every snippet in a file of its own, beside the event."""
    for name, text in SNIPPETS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "event.json").write_text(json.dumps(EVENT), encoding="utf-8")
    return tmp_path


def command(name: str) -> list[str]:
    program = PROGRAMS[Path(name).suffix]()
    assert program
    return [program, name]


def run_snippet(name: str, folder: Path, **given: str) -> str:
    ended = subprocess.run(
        command(name),
        cwd=folder,
        env={**environment({}), "NODE_PATH": str(MODULES), **given},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@contextmanager
def running_snippet(name: str, folder: Path, **given: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command(name),
        cwd=folder,
        env={**environment({}), "NODE_PATH": str(MODULES), **given},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def taken(broker: RabbitBroker) -> Delivery:
    kept = Kept()
    subscription = await broker.subscribe(QUEUE_OUTBOUND, prefetch=10, sink=kept)
    async with asyncio.timeout(LONGEST_SECONDS):
        delivery = await kept.deliveries.get()
    await subscription.ack([delivery])
    await subscription.close()
    return delivery


@pytest.fixture
def management(rabbitmq: RabbitMQ) -> Mapping[str, str]:
    """The management API of the node, by the names that the page uses."""
    port = free_port()
    listener = f'[{{port, {port}}}, {{ip, "127.0.0.1"}}]'
    enable = (
        f"application:set_env(rabbitmq_management, tcp_config, {listener}),"
        " {ok, File} = application:get_env(rabbit, enabled_plugins_file),"
        ' ok = file:write_file(File, "[rabbitmq_management]."), rabbit_plugins:ensure(File).'
    )
    if "management" not in rabbitmq.node.ctl("eval", enable):
        absent("RabbitMQ's management plugin", "install rabbitmq-server with its plugins")
    await_port(port, while_alive=lambda: True, seconds=30)
    return {
        "RABBITMQ_API": f"http://127.0.0.1:{port}/api",
        "RABBITMQ_USER": "guest:guest",
        "VHOST": rabbitmq.vhost,
    }


@pytest.mark.parametrize("name", ["publish.py", "publish.js", "publish.sh"])
async def test_a_first_event_arrives_as_the_page_says(
    name: str, folder: Path, rabbitmq: RabbitMQ, request: pytest.FixtureRequest
) -> None:
    """In the queue of this service, whole, and what the contract takes."""
    broker = RabbitBroker(rabbitmq.url)
    await broker.open()
    await broker.declare()
    given = request.getfixturevalue("management") if name.endswith(".sh") else {}

    told = await asyncio.to_thread(run_snippet, name, folder, AMQP_URL=rabbitmq.url, **given)
    delivery = await taken(broker)
    await broker.close()

    assert told.strip() in {"published", '{"routed":true}'}
    assert decode(delivery.body, expected=ItemChanged) == decode(
        json.dumps(EVENT).encode(), expected=ItemChanged
    )
    assert delivery.routing_key == "service_call.created"
    assert delivery.message_id == EVENT["id"]


@pytest.mark.parametrize("name", ["publish.py", "publish.js"])
def test_what_no_queue_takes_is_an_error(name: str, folder: Path, rabbitmq: RabbitMQ) -> None:
    """The exchange is there and nothing is bound to it."""
    name_of = f'{{resource, <<"{rabbitmq.vhost}">>, exchange, <<"vorex.items">>}}'
    declare = f'rabbit_exchange:declare({name_of}, topic, true, false, false, [], <<"tests">>).'
    rabbitmq.node.ctl("eval", declare)

    with pytest.raises(AssertionError):
        run_snippet(name, folder, AMQP_URL=rabbitmq.url)


def fact(version: int) -> Outgoing:
    data = {
        **EVENT["data"],
        "version": version,
        "action": "updated",
        "actor": {"kind": "calendar_sync", "id": "i-1"},
    }
    told: ItemChanged = decode(json.dumps(EVENT | {"data": data}).encode(), expected=ItemChanged)
    return Outgoing(
        exchange=FACTS_EXCHANGE, routing_key=told.routing_key, body=encode(told), message_id=f"f-{version}"
    )


def bound_to_facts(rabbitmq: RabbitMQ) -> bool:
    return "vorex.facts" in rabbitmq.node.ctl("list_bindings", "-p", rabbitmq.vhost)


@pytest.mark.parametrize("name", ["facts.py", "facts.js"])
async def test_facts_are_taken_once_and_forwards(name: str, folder: Path, rabbitmq: RabbitMQ) -> None:
    """Repeated and overtaken ones are acknowledged and change nothing."""
    broker = RabbitBroker(rabbitmq.url)
    await broker.open()
    await broker.declare()
    with running_snippet(name, folder, AMQP_URL=rabbitmq.url) as reader:
        await until(lambda: bound_to_facts(rabbitmq), what="a bound queue")
        for version in (2, 2, 1, 3):
            await broker.publish(fact(version))
        assert reader.stdout
        lines = [await asyncio.to_thread(reader.stdout.readline) for _ in range(2)]
        await until(lambda: rabbitmq.queues()["vorex.facts"] == 0, what="an empty queue")
    await broker.close()

    key = "demo/service_call/5512"
    assert [line.strip() for line in lines] == [f"{key} 2 updated", f"{key} 3 updated"]


@pytest.mark.parametrize("name", ["sign_in.py", "sign_in.js"])
def test_a_token_that_is_made_so_signs_in(name: str, folder: Path) -> None:
    """As the service itself reads it."""
    token = run_snippet(name, folder, SIGN_IN_SECRET=SIGN_IN_SECRET).strip()

    visitor = TokenMaker([SIGN_IN_SECRET], clock=SystemClock()).sign_in(token).visitor

    assert (visitor.tenant_id, visitor.user_id, visitor.time_zone) == ("demo", "dana", "Europe/London")


def test_every_piece_of_json_is_what_the_contract_takes() -> None:
    """The event by itself, the others as parts of its data or item."""
    *pieces, questioned = (json.loads(text) for language, text in BLOCKS if language == "json")
    fact = json.loads(
        (ROOT / "contracts/samples/fact-assignment-questioned.json").read_text(encoding="utf-8")
    )
    fact["data"] = {"integration_id": fact["data"]["integration_id"], **questioned}
    assert faults_of(json.dumps(fact).encode(), expected=AssignmentQuestioned) == ()
    assert len(pieces) == 4
    for piece in pieces:
        event = json.loads(json.dumps(EVENT))
        place: dict[str, Any] = event if "specversion" in piece else event["data"]
        if piece.keys() & {"start", "start_date"} and "specversion" not in piece:
            place = event["data"]["item"]
            del place["start"], place["end"]
        place.update(piece)
        assert faults_of(json.dumps(event).encode(), expected=ItemChanged) == (), piece


def test_the_page_says_what_is_sent() -> None:
    """The content type by its name, and no snippet that is run by nobody but .NET's."""
    assert PAGE.count(CLOUD_EVENT_TYPE) >= 4
    assert {language for language, _ in BLOCKS} == {"json", "python", "js", "csharp", "sh"}
    assert {name for name in SNIPPETS if name not in DOTNET} == {
        "publish.py", "publish.js", "publish.sh", "facts.py", "facts.js", "sign_in.py", "sign_in.js",
    }  # fmt: skip
    assert datetime.fromisoformat(EVENT["time"]).tzinfo == UTC


@pytest.mark.skipif(shutil.which("dotnet") is None, reason="no .NET SDK: its snippets are not compiled here")
@pytest.mark.parametrize("name", DOTNET)
def test_the_snippets_of_dotnet_compile(tmp_path: Path, name: str) -> None:
    """Where an SDK and its packages are at hand."""
    dotnet = shutil.which("dotnet")
    assert dotnet
    for words in (["new", "console", "--output", "."], ["add", "package", "RabbitMQ.Client"]):
        subprocess.run([dotnet, *words], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "Program.cs").write_text(SNIPPETS[name], encoding="utf-8")
    built = subprocess.run([dotnet, "build"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout
