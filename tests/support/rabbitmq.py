"""A real RabbitMQ for tests: in Docker, or a private node of an installed rabbitmq-server."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import aio_pika

from service.broker.topology import RETRY_DELAYS, Permission, topology
from tests.support.servers import Watcher, docker_answers, end, free_port

IMAGE = os.environ.get("TEST_BROKER_IMAGE", "rabbitmq:4-alpine")
USUAL_FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/sbin")
WATERMARK = "0.6"
POOL = 12
_COUNT = (
    "[{element(4, amqqueue:get_name(Q)), case catch ra:leader_query(amqqueue:get_pid(Q),"
    " fun rabbit_fifo:query_messages_total/1) of {ok, {_, N}, _} -> N; _ -> -1 end}"
)
_ELECT = (
    "[case catch ra:leader_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_total/1, 2000) of"
    " {ok, {_, N}, _} when is_integer(N) -> N; _ -> ra:trigger_election(amqqueue:get_pid(Q)) end"
)
_COUNTED = re.compile(r'{<<"([^"]+)">>,(-?\d+)}')


class Node(Protocol):
    """A running RabbitMQ that a test may stop, kill and command."""

    port: int

    def start(self) -> None:
        """Return once it accepts connections."""

    def kill(self) -> None:
        """End it as ``kill -9`` does; what it wrote to disk stays."""

    def ctl(self, *words: str, given: str | None = None) -> str:
        """Run ``rabbitmqctl`` and return what it printed."""

    def remove(self) -> None: ...


class PrivateNode:
    """A node of its own name, ports, cookie and folders beside any other that runs on this machine.

    ``names``: of all nodes of its cluster, itself the one at ``number``; they share cookie and epmd port.
    ``listeners``: further lines of its configuration.
    """

    def __init__(
        self,
        scripts: Path,
        *,
        names: Sequence[str] = (),
        number: int = 0,
        cookie: str = "",
        epmd: int = 0,
        listeners: str = "",
    ) -> None:
        self._scripts, self._listeners = scripts, listeners
        self._folder = Path(tempfile.mkdtemp(prefix="calendar-sync-rabbitmq-"))
        self._names = names or [f"calendar-sync-{os.getpid()}@localhost"]
        self.name = self._names[number]
        self._epmd_port, self.port, distribution = epmd or free_port(), free_port(), free_port()
        self._environment = self._prepare(distribution, cookie or os.urandom(16).hex())
        self._epmd: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None
        self._watcher: Watcher | None = None

    def _prepare(self, distribution: int, cookie: str) -> dict[str, str]:
        kept_cookie = self._folder / ".erlang.cookie"
        kept_cookie.write_text(cookie)
        kept_cookie.chmod(0o400)
        others = [f"cluster_formation.classic_config.nodes.{n} = {o}\n" for n, o in enumerate(self._names, 1)]
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users = none\n"
            f"vm_memory_high_watermark.relative = {WATERMARK}\ndisk_free_limit.absolute = 1MB\n"
            + "".join(others if len(others) > 1 else ())
            + self._listeners,
        )
        (self._folder / "enabled_plugins").write_text("[].")
        folder = str(self._folder)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}
        return kept | {
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "RUNNING_UNDER_SYSTEMD": "1",  # the script then becomes the node, so its pid is the node's
        }

    def start(self) -> None:
        if self._epmd is None:
            self._epmd = self._launch("epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1")
        self._node = self._launch(str(self._scripts / "rabbitmq-server"))
        self._watcher = Watcher(self._folder, [self._node.pid, self._epmd.pid])
        try:
            self._wait()
        except BaseException:
            self.remove()
            raise

    def _launch(self, *command: str) -> "subprocess.Popen[bytes]":
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _wait(self) -> None:
        await_port(self.port, while_alive=lambda: self._node is not None and self._node.poll() is None)
        self.ctl("await_startup")

    def kill(self) -> None:
        end(self._node)
        if self._watcher:
            self._watcher.dismiss()
        self._node = self._watcher = None

    def ctl(self, *words: str, given: str | None = None) -> str:
        command = [str(self._scripts / "rabbitmqctl"), "-q", "-n", self.name, *words]
        environment = self._environment | {"RUNNING_UNDER_SYSTEMD": ""}
        return output_of(command, given, environment)

    def remove(self) -> None:
        self.kill()
        end(self._epmd)
        self._epmd = None
        shutil.rmtree(self._folder, ignore_errors=True)


class ContainerNode:
    """A node in Docker with a port that stays the same over restarts."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        self.port = free_port()
        self._container = DockerContainer(IMAGE, hostname="calendar-sync").with_bind_ports(5672, self.port)
        self._begun = False

    def start(self) -> None:
        if self._begun:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
        self._begun = True
        await_port(self.port, while_alive=lambda: True)
        deadline = time.monotonic() + 120
        while not self._awake():
            if time.monotonic() > deadline:
                raise TimeoutError("RabbitMQ in Docker did not start")
            time.sleep(0.5)

    def _awake(self) -> bool:
        try:
            self.ctl("await_startup")
        except RuntimeError:
            return False
        return True

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def ctl(self, *words: str, given: str | None = None) -> str:
        identity = self._container.get_wrapped_container().id
        return output_of(["docker", "exec", "-i", str(identity), "rabbitmqctl", "-q", *words], given, None)

    def remove(self) -> None:
        self._container.stop()


class RabbitMQ:
    """One virtual host on a node; the node's fate is in the test's hand.

    ``port``: of what stands before the node, where clients go through it.
    """

    def __init__(self, node: Node, vhost: str, *, port: int | None = None) -> None:
        self.node = node
        self.vhost = vhost
        self.url = f"amqp://guest:guest@127.0.0.1:{port or node.port}/{vhost}"

    def restart(self) -> None:
        """Kill the node and start it again."""
        self.node.kill()
        self.node.start()
        self._elect()

    def restart_cleanly(self) -> None:
        """As an operator does."""
        self.node.ctl("stop_app")
        self.node.ctl("start_app")
        self._elect()

    def _elect(self) -> None:
        """RabbitMQ 3.10 may leave a quorum queue of a single node without a leader after a restart."""
        self.node.ctl("eval", f'{_ELECT} || Q <- rabbit_amqqueue:list(<<"{self.vhost}">>)].')

    def url_of(self, user: str) -> str:
        """The address for a user made by ``add_users``."""
        return f"amqp://{user}:secret@127.0.0.1:{self.node.port}/{self.vhost}"

    def add_users(self, allowed: Mapping[str, Permission]) -> None:
        """Make them, or give them these rights in this virtual host too, in one call of rabbitmqctl."""
        form = {
            "users": [{"name": name, "password": "secret", "tags": ""} for name in allowed],
            "permissions": [
                {"user": name, "vhost": self.vhost, **asdict(rights)} for name, rights in allowed.items()
            ],
        }
        self.node.ctl("import_definitions", given=json.dumps(form))

    def queues(self) -> dict[str, int]:
        """Every queue of the virtual host and the messages in it, ready or not, counted by their leaders.

        ``list_queues`` would tell what a quorum queue held at its last tick, up to five seconds ago. A
        queue whose leader does not answer has -1.
        """
        told = self.node.ctl("eval", f'{_COUNT} || Q <- rabbit_amqqueue:list(<<"{self.vhost}">>)].')
        return {name: int(messages) for name, messages in _COUNTED.findall(told)}

    def close_connections(self) -> None:
        """Cut every connection to the virtual host, as an operator would."""
        self.node.ctl("close_all_connections", "--vhost", self.vhost, "the test says so")

    @contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Publishers are held back meanwhile."""
        self.node.ctl("set_vm_memory_high_watermark", "0.0000001")
        try:
            yield
        finally:
            self.node.ctl("set_vm_memory_high_watermark", WATERMARK)


class VirtualHosts:
    """Clean virtual hosts, a dozen at a time, for each call of rabbitmqctl takes half a second."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clean: list[str] = []
        self._used: list[str] = []
        self._made = 0

    def fresh(self) -> str:
        if not self._clean:
            self._refill()
        self._used.append(self._clean.pop())
        return self._used[-1]

    def _refill(self) -> None:
        if self._used:
            gone = ", ".join(f'<<"{name}">>' for name in self._used)
            self._node.ctl("eval", f'[rabbit_vhost:delete(V, <<"tests">>) || V <- [{gone}]].')
        self._used.clear()
        self._clean = [f"t{self._made + number}" for number in range(POOL)]
        self._made += POOL
        self._node.ctl("import_definitions", given=json.dumps(self._definitions()))

    def _definitions(self) -> dict[str, Any]:
        every = {"configure": ".*", "write": ".*", "read": ".*"}
        return {
            "vhosts": [{"name": name} for name in self._clean],
            "permissions": [{"user": "guest", "vhost": name, **every} for name in self._clean],
        }


def clear(url: str) -> None:
    """Remove all of ours from a broker that is not ours, where virtual hosts cannot be made."""
    with ThreadPoolExecutor(1) as elsewhere:  # the test's own loop may be running here
        elsewhere.submit(asyncio.run, _clear(url)).result()


async def _clear(url: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        known = topology((*RETRY_DELAYS, *range(1, 10)))
        for queue in known.queues:
            await channel.queue_delete(queue.name)
        for exchange in known.exchanges:
            await channel.exchange_delete(exchange.name)


def obtain_node() -> Node | None:
    """The best node this machine offers, started; None where it offers none."""
    node: Node | None = None
    if docker_answers():
        node = ContainerNode()
    elif scripts := installed_scripts():
        node = PrivateNode(scripts)
    if node:
        node.start()
    return node


def installed_scripts() -> Path | None:
    """Where rabbitmq-server and rabbitmqctl are, if Erlang's epmd is there too."""
    if not shutil.which("epmd"):
        return None
    for folder in USUAL_FOLDERS:
        if (Path(folder) / "rabbitmq-server").exists() and (Path(folder) / "rabbitmqctl").exists():
            return Path(folder)
    found = shutil.which("rabbitmq-server")
    return Path(found).resolve().parent if found else None


def await_port(port: int, *, while_alive: Any, seconds: float = 180) -> None:
    """Return once something accepts connections there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and while_alive():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing accepts connections on port {port}")


def output_of(command: list[str], given: str | None, environment: dict[str, str] | None) -> str:
    done = subprocess.run(
        command,
        input=given or "",
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])}: {done.stdout}{done.stderr}")
    return done.stdout
