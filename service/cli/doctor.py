"""``doctor``: one line for each thing that a process stands on, with the remedy (DESIGN 3)."""

import typer

from service import app as root
from service.app.server import SystemClock
from service.cli.output import FAILED, AsJson, run, say, say_json
from service.settings import Settings, SettingsProblem, load
from service.telemetry import logs


def doctor(as_json: AsJson = False) -> None:
    """Look at settings, database, broker, Cronofy, channels and queues; 1 if anything is wrong."""
    logs.set_up()
    settings = _settings(as_json=as_json)

    async def work() -> list[root.Finding]:
        found = []
        async for finding in root.examine(settings, SystemClock()):
            found.append(finding)
            if not as_json:
                say(finding.line)
        return found

    findings = run(work)
    if as_json:
        say_json({"items": [finding.form() for finding in findings], "next": None})
    if any(finding.well is False for finding in findings):
        raise typer.Exit(FAILED)


def _settings(*, as_json: bool) -> Settings:
    try:
        return load("doctor")
    except SettingsProblem as problem:
        wrong = root.Finding(name="settings", well=False, said="; ".join(problem.lines))
        if as_json:
            say_json({"items": [wrong.form()], "next": None})
        else:
            say(wrong.line)
        raise typer.Exit(FAILED) from None
