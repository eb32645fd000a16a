"""The commands that stay: each opens its process, says so, and ends when it is told to."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import structlog
import typer

from service import app as root
from service.app.server import collect_garbage_seldom, with_bound_port
from service.cli.output import EXIT_FAILED, print_line, run_work, settings_for
from service.settings import CommandName, Settings

log = structlog.get_logger(__name__)

ProcessOpener = Callable[[Settings], AbstractAsyncContextManager[root.RunningProcess]]


class ConsumerKind(StrEnum):
    """What a consumer consumes."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    RUNS = "runs"
    PEOPLE = "people"
    ALL = "all"


def up(
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="With a simulated Cronofy and the guide's walk, for this machine alone. Takes DATABASE_URL, "
            "BROKER_URL and the ports from the environment, and nothing else.",
        ),
    ] = False,
) -> None:
    """Everything in one process."""
    settings = settings_for("up", demo=demo)
    if run_work(partial(_demonstration() if demo else _everything, settings)):
        raise typer.Exit(EXIT_FAILED)


def consume(
    kind: Annotated[ConsumerKind, typer.Argument(metavar="|".join(ConsumerKind), help="What to consume.")],
) -> None:
    """One kind of consumer; start as many as needed."""
    kinds = root.CONSUMER_KINDS if kind is ConsumerKind.ALL else (kind.value,)
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
    from service.cli.demo import simulate  # noqa: PLC0415 -- see _demonstration

    run_work(partial(simulate, settings_for("simulator")))


def _stay(command: CommandName, process: ProcessOpener, **details: str) -> None:
    settings = settings_for(command)

    async def work() -> None:
        async with process(settings) as running:
            collect_garbage_seldom()
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

    run_work(work)


async def _everything(settings: Settings) -> bool:
    settings = with_bound_port(settings)
    async with root.everything(settings) as running:
        collect_garbage_seldom()
        log.info("process.started", command="up", address=running.address, settings=settings.summary())
        print_line(f"ready {settings.public_url}")
        await running.minder.until_stopped()
        log.info("process.stopping", command="up")
    log.info("process.stopped", command="up")
    return False


def _demonstration() -> Callable[[Settings], Coroutine[Any, Any, bool]]:
    # Imported late: nobody else needs the simulator, which costs every start a tenth of a second.
    from service.cli.demo import demonstrate  # noqa: PLC0415

    return demonstrate
