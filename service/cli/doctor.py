"""``doctor``: one line for each thing that a process stands on, with the remedy."""

import typer

from service import app as root
from service.app.server import SystemClock
from service.cli.output import EXIT_FAILED, AsJson, prepare_logs, print_json, print_line, run_work
from service.settings import Settings, SettingsProblem, load
from service.telemetry import logs


def doctor(as_json: AsJson = False) -> None:
    """Look at settings, database, broker, Cronofy, channels and queues; 1 if anything is wrong."""
    logs.set_up()
    settings = _settings(as_json=as_json)
    prepare_logs(settings)

    async def work() -> list[root.CheckResult]:
        found = []
        async for finding in root.check_everything(settings, SystemClock()):
            found.append(finding)
            if not as_json:
                print_line(finding.line)
        return found

    findings = run_work(work)
    if as_json:
        print_json({"items": [finding.form() for finding in findings], "next": None})
    if any(finding.well is False for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _settings(*, as_json: bool) -> Settings:
    try:
        return load("doctor")
    except SettingsProblem as problem:
        wrong = root.CheckResult(name="settings", well=False, said="; ".join(problem.lines))
        if as_json:
            print_json({"items": [wrong.form()], "next": None})
        else:
            print_line(wrong.line)
        raise typer.Exit(EXIT_FAILED) from None
