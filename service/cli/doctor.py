"""``doctor``: one line for each thing that a process stands on, with the remedy."""

from typing import Annotated

import typer

from service import app as root
from service.app.server import SystemClock
from service.cli.output import EXIT_FAILED, AsJson, prepare_logs, print_json, print_line, run_work
from service.settings import Settings, SettingsProblem, load, unknown_names
from service.telemetry import logs

Live = Annotated[
    bool, typer.Option("--live", help="Also try what is assumed of Cronofy, on an application calendar.")
]


def doctor(live: Live = False, as_json: AsJson = False) -> None:
    """Look at settings, database, broker, Cronofy, channels and queues; 1 if anything is wrong.

    With --live what is assumed of Cronofy is tried on a calendar that belongs to nobody; 1 where it differs.
    """
    logs.set_up()
    settings = _settings(as_json=as_json)
    prepare_logs(settings)

    async def work() -> list[root.CheckResult | root.LiveFinding]:
        found = []
        async for finding in root.check_everything(
            settings, SystemClock(), unknown=unknown_names(), live=live
        ):
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
        said = "; ".join([*problem.lines, *unknown_names()])
        wrong = root.CheckResult(name="settings", well=False, said=said, remedy=root.SETTINGS_REMEDY)
        if as_json:
            print_json({"items": [wrong.form()], "next": None})
        else:
            print_line(wrong.line)
        raise typer.Exit(EXIT_FAILED) from None
