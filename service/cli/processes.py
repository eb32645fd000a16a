"""The commands that stay: each opens its process, says so, and ends when it is told to (DESIGN 3)."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from functools import partial
from typing import Annotated

import structlog
import typer

from service import app as root
from service.cli.speech import FAILED, run, say, settings_for
from service.clock import SystemClock
from service.demo import CLIENT_ID, CLIENT_SECRET, Demo, at_its_port, demonstration
from service.demo.stage import STAGE, Stage
from service.serving import address, listening, spare_the_collector, until
from service.settings import Command, Settings
from service.simulator.server import serve_async
from service.walk import walk

log = structlog.get_logger(__name__)

Process = Callable[[Settings], AbstractAsyncContextManager[root.Running]]


class Kind(StrEnum):
    """What a consumer consumes."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    RUNS = "runs"
    ALL = "all"


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="With a simulated Cronofy, and the guide's walk.")
    ] = False,
) -> None:
    """Everything in one process."""
    settings = settings_for("up", demo=demo)
    if run(partial(_demonstrate if demo else _everything, settings)):
        raise typer.Exit(FAILED)


def consume(kind: Annotated[Kind, typer.Argument(help="What to consume.")]) -> None:
    """One kind of consumer; start as many as needed."""
    kinds = root.KINDS if kind is Kind.ALL else (kind.value,)
    _stay("consume", partial(root.consuming, kinds=kinds), kind=kind.value)


def relay() -> None:
    """Takes the notices that Cronofy pushes."""
    _stay("relay", root.relaying)


def web() -> None:
    """Pages and API."""
    _stay("web", root.web)


def keeper() -> None:
    """Looks after what was left lying; several share the work."""
    _stay("keeper", root.keeping)


def simulator() -> None:
    """A stand-in for Cronofy, for demonstrations and tests."""
    settings = settings_for("simulator")
    secrets = [secret.get_secret_value() for secret in settings.cronofy_client_secret]

    async def work() -> None:
        listening(settings.host, settings.simulator_port).close()
        log.info(
            "process.started", command="simulator", address=address(settings.host, settings.simulator_port)
        )
        await serve_async(
            host=settings.host,
            port=settings.simulator_port,
            client_id=settings.cronofy_client_id or CLIENT_ID,
            client_secret=",".join(secrets) or CLIENT_SECRET,
        )
        log.info("process.stopped", command="simulator")

    run(work)


def _stay(command: Command, process: Process, **details: str) -> None:
    settings = settings_for(command)

    async def work() -> None:
        async with process(settings) as running:
            spare_the_collector()
            log.info(
                "process.started",
                command=command,
                **details,
                address=running.address,
                settings=settings.summary(),
            )
            await running.minder.until_stopped()
            log.info("process.stopping", command=command)
        log.info("process.stopped", command=command)

    run(work)


async def _everything(settings: Settings) -> bool:
    settings = at_its_port(settings)
    async with root.everything(settings) as running:
        log.info("process.started", command="up", address=running.address, settings=settings.summary())
        say(f"ready {settings.public_url}")
        await running.minder.until_stopped()
        log.info("process.stopping", command="up")
    log.info("process.stopped", command="up")
    return False


async def _demonstrate(settings: Settings) -> bool:
    """Whether the walk failed."""
    async with (
        demonstration(at_its_port(settings)) as demo,
        root.everything(demo.settings, beside=Stage(demo.simulator).routes(), framed=True) as running,
    ):
        log.info("process.started", command="up", address=running.address, settings=demo.settings.summary())
        walking = asyncio.ensure_future(_walk(demo, running))
        await until(walking, running.minder.stopping)
        if walking.done() and not walking.cancelled():
            if not walking.result():
                return True
            say(f"Sign in as the demo user: {_link(demo, running)}")
            say(f"Or both calendars side by side: {_link(demo, running, STAGE)}")
            say(f"The linked calendar, as Cronofy's stand-in shows it: {demo.simulator}")
            say(f"ready {running.address}")
        await running.minder.until_stopped()
        log.info("process.stopping", command="up")
    log.info("process.stopped", command="up")
    return False


async def _walk(demo: Demo, running: root.Running) -> bool:
    token = demo.sign_in_token(SystemClock())
    return await walk(product=running.address, calendar_provider=demo.simulator, token=token, say=say)


def _link(demo: Demo, running: root.Running, page: str = "") -> str:
    following = f"&next={page}" if page else ""
    return f"{running.address}/sign-in?token={demo.sign_in_token(SystemClock())}{following}"
