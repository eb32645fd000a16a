"""``calendar-sync``: parses, calls and prints; every verb lives elsewhere.

Not here: settings that only a command knows, and sentences that a page could need as well.
"""

import typer

from service.cli import dead_letters, doctor, integrations, processes, setup

app = typer.Typer(
    name="calendar-sync",
    help="Keeps each Vorex user's My Calendar and linked calendar alike.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(integrations.app, name="integrations")
for command in (
    processes.up,
    processes.consume,
    processes.relay,
    processes.web,
    processes.keeper,
    processes.simulator,
    setup.migrate,
    setup.topology,
    setup.publish,
    doctor.doctor,
):
    app.command()(command)


def main() -> None:
    """The installed command."""
    app()
