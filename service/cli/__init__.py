"""``calendar-sync``: parses, calls and prints; every verb lives elsewhere.

Not here: settings that only a command knows, and sentences that a page could need as well.
"""

from typing import Annotated

import typer

from service.cli import (
    dead_letters,
    doctor,
    integrations,
    keys,
    processes,
    setup,
    sources,
    strays,
    trace,
)
from service.cli.output import print_line
from service.cli.people import questions, records, sessions
from service.version import VERSION


def _print_version(asked: bool) -> None:
    if asked:
        print_line(f"calendar-sync {VERSION}")
        raise typer.Exit


app = typer.Typer(
    name="calendar-sync",
    help="Keeps each Vorex user's My Calendar and linked calendar alike.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(integrations.app, name="integrations")
app.add_typer(records.app, name="record")
app.add_typer(questions.app, name="questions")
app.add_typer(sessions.app, name="sessions")
app.add_typer(sources.app, name="sources")
app.add_typer(strays.app, name="stray")
app.add_typer(keys.app, name="keys")
for command in (
    processes.up,
    processes.consume,
    processes.relay,
    processes.web,
    processes.keeper,
    processes.simulator,
    setup.migrate,
    setup.copy_store,
    setup.topology,
    setup.publish,
    trace.trace,
    doctor.doctor,
):
    app.command()(command)


@app.callback()
def _whole(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Keeps each Vorex user's My Calendar and linked calendar alike."""


def main() -> None:
    """The installed command."""
    app()
