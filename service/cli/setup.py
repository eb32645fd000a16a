"""The commands that prepare a database and a broker, and the one that plays Vorex."""

from contextlib import AsyncExitStack
from typing import Annotated

import typer

from contracts.ports import Broker
from service import app as root
from service.cli.output import (
    EXIT_FAILED,
    AsJson,
    print_json,
    print_line,
    print_progress,
    read_file,
    run_work,
    settings_for,
)
from service.operations import PublishReport, publish_events


def migrate() -> None:
    """Bring the database schema up to date."""
    settings = settings_for("migrate")

    async def work() -> None:
        async with AsyncExitStack() as stack:
            await root.open_store(settings, stack, migrate=True)

    run_work(work)
    print_line("The database schema is up to date.")


def topology(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Declare exchanges and queues, or say what is missing."""
    settings = settings_for("topology")

    async def work() -> list[str]:
        async with AsyncExitStack() as stack:
            broker = await root.open_rabbitmq(settings, stack)
            return await _checked(broker) if check else await _declared(broker)

    missing = run_work(work)
    if as_json:
        print_json({"missing": missing})
    else:
        for line in missing or ["The topology is complete."]:
            print_line(f"missing: {line}" if missing else line)
    if missing:
        raise typer.Exit(EXIT_FAILED)


async def _checked(broker: Broker) -> list[str]:
    return await broker.missing()


async def _declared(broker: Broker) -> list[str]:
    await broker.declare()
    return await broker.missing()


def publish(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON, or JSON lines; - is standard input.")],
) -> None:
    """Publish item-changed events as Vorex would; invalid ones are refused with the field named."""
    settings = settings_for("publish")
    text = read_file(file)

    async def work() -> PublishReport:
        async with root.open_publisher(settings) as publisher:
            return await publish_events(text, publisher)

    published = run_work(work)
    for line in published.refused:
        print_line(line)
    print_progress(f"published {published.count}, refused {len(published.refused)}")
    if published.refused:
        raise typer.Exit(EXIT_FAILED)
