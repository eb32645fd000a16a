"""The commands that prepare a database and a broker, and the one that plays Vorex."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Annotated

import typer

from contracts.ports import Broker
from service import app as root
from service.cli.output import (
    EXIT_FAILED,
    EXIT_WRONG_USAGE,
    AsJson,
    exit_failed,
    exit_wrong_usage,
    prepare_logs,
    print_json,
    print_line,
    print_progress,
    read_file,
    run_work,
    settings_for,
)
from service.operations import PublishReport, check_events, publish_events
from service.settings import DATABASE_ADDRESSES, Settings
from service.store.engine.copying import copy_store as copy_rows
from service.store.engine.schema import SchemaState, revisions


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; 0 if this version can start, 1 if not.")
    ] = False,
    down_to: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Take back what came later, if nothing is lost.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database schema up to date; one that a later version made is left as it is.

    With --check the schema is looked at: 0 if this version can work on it, 1 if it must be migrated, is a
    later version's that this one cannot work on, or cannot be reached; standard output says which.
    """
    settings = settings_for("migrate")
    if down_to is not None:
        _take_back(settings, down_to)
        return

    async def work() -> SchemaState:
        async with AsyncExitStack() as stack:
            store = root.bare_store(settings, stack, creates=not check)
            return await (store.schema() if check else store.upgrade())

    _tell(run_work(work), as_json=as_json)


def _tell(state: SchemaState, *, as_json: bool) -> None:
    if as_json:
        print_json({"fits": state.fits, **asdict(state)})
    elif state.trouble:
        print_line(" – ".join(state.trouble))
    elif state.later:
        print_line(f"The database schema is at {state.present}, a later version's; this one can work on it.")
    else:
        print_line("The database schema is up to date.")
    if not state.fits:
        raise typer.Exit(EXIT_FAILED)


def _take_back(settings: Settings, revision: str) -> None:
    async def work() -> Sequence[str]:
        async with AsyncExitStack() as stack:
            return await root.bare_store(settings, stack).downgrade(revision)

    if revision not in revisions():
        exit_wrong_usage(f"--down-to: there is no revision {revision}; the newest is {revisions()[-1]}")
    if losing := run_work(work):
        exit_failed(
            f"nothing is done, for something would be lost with {', '.join(losing)}",
            "the version before can work on this schema as it is, or bring back the copy made before it",
        )
    print_line(f"The database schema is at {revision}.")


def copy_store(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-", help="Holds the address of an empty database, migrated; - is standard input."
        ),
    ],
) -> None:
    """Copy everything from the configured database into an empty one, while nothing else runs."""
    settings = settings_for("migrate")
    there = settings.model_copy(update={"database_url": _address_in(file)})
    prepare_logs(settings, there)

    async def work() -> Mapping[str, int]:
        async with AsyncExitStack() as stack:
            source = await root.open_store(settings, stack)
            return await copy_rows(source, await root.open_store(there, stack))

    copied = run_work(work)
    for name, count in copied.items():
        print_progress(f"{name}: {count:,}")
    print_line(f"{sum(copied.values()):,} rows copied; set CALENDAR_SYNC_DATABASE_URL to the new address")


def _address_in(file: str) -> str:
    """The address that a file holds; there may be a password in it, so no argument and no error says it."""
    if "://" in file:
        exit_wrong_usage("FILE: arguments are seen by everybody on this machine; put the address into a file")
    target = read_file(file).decode(errors="replace").strip()
    if not target.startswith(DATABASE_ADDRESSES) or len(target.split()) != 1:
        exit_wrong_usage(f"FILE: must hold one address that begins with {' or '.join(DATABASE_ADDRESSES)}")
    return target


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
    check: Annotated[bool, typer.Option("--check", help="Send nothing; say every fault.")] = False,
) -> None:
    """Publish events of items and people as Vorex would; invalid ones are refused with the field named."""
    if check:
        _check(file)
        return
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


def _check(file: str) -> None:
    """Needs no settings and reaches nothing."""
    checked = check_events(read_file(file))
    for line in checked.refused:
        print_line(line)
    print_progress(
        "nothing was sent" if checked.refused else f"{checked.count} can be published; nothing was sent"
    )
    if checked.refused:
        raise typer.Exit(EXIT_WRONG_USAGE)
