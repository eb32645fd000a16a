"""How commands speak: results on standard output, everything else on standard error, and the exit codes."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import structlog
import typer

from contracts.errors import SyncError, Unavailable
from service.consumers.failures import describe_error
from service.settings import CommandName, Settings, SettingsProblem, load, unknown_names
from service.telemetry import logs
from service.telemetry.terminal import printable, printable_json
from service.tracing_settings import tracing_secrets

EXIT_FAILED, EXIT_WRONG_USAGE = 1, 2
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
AfterOption = Annotated[str | None, typer.Option(help="The cursor of the next page.")]
LimitOption = Annotated[int, typer.Option(min=1, max=200, help="So many at most.")]
_T = TypeVar("_T")


def settings_for(command: CommandName, *, demo: bool = False) -> Settings:
    """The settings, or the end of the command with all that is missing named at once."""
    logs.set_up()
    try:
        settings = load(command, demo=demo)
    except SettingsProblem as problem:
        for line in problem.lines:
            print_progress(line)
        raise typer.Exit(EXIT_WRONG_USAGE) from None
    prepare_logs(settings)
    for sentence in () if demo else unknown_names():
        structlog.get_logger().warning("setting.unknown", said=sentence)
    return settings


def prepare_logs(settings: Settings, *others: Settings) -> None:
    """As loud as wished, and without any secret of these settings or others that are used beside them."""
    hidden = tracing_secrets().union(*(one.secrets() for one in (settings, *others)))
    logs.set_up(level=settings.log_level, secrets=hidden)


def run_work(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Do the work; what goes wrong is told in a sentence, never as a traceback."""
    try:
        return asyncio.run(work())
    except SyncError as error:
        exit_failed(_with_remedy(error))
    except typer.Abort:
        exit_failed("not confirmed; nothing was done")
    except KeyboardInterrupt:
        exit_failed("interrupted")
    except BrokenPipeError:
        raise  # whoever read the lines has had enough; click ends quietly
    except BaseExceptionGroup as group:
        exit_failed(*(line for error in group.exceptions for line in describe_error(error).splitlines()))
    except Exception as error:  # noqa: BLE001 -- people get a sentence and the place, whatever it was
        first, *places = describe_error(error).splitlines()
        exit_failed(f"this is a bug; please report it: {first}", *places)


def _with_remedy(error: SyncError) -> str:
    remedy = error.remedy if isinstance(error, Unavailable) else None
    return f"{error} – {remedy}" if remedy else str(error)


def exit_failed(sentence: str, *more: str) -> NoReturn:
    """End the command with exit code 1, and a line for each."""
    for line in (f"calendar-sync: {sentence}", *more):
        print_progress(line)
    raise typer.Exit(EXIT_FAILED)


def exit_wrong_usage(sentence: str) -> NoReturn:
    """End the command with exit code 2: it was asked wrongly."""
    print_progress(f"calendar-sync: {sentence}")
    raise typer.Exit(EXIT_WRONG_USAGE)


def print_line(line: str) -> None:
    """A line of the result, at once, whatever others wrote into it."""
    _print(printable(line))


def print_json(document: object) -> None:
    """The one JSON document that ``--json`` prints."""
    _print(printable_json(json.dumps(document, ensure_ascii=False, indent=2)))


def _print(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()


def print_progress(line: str) -> None:
    """Progress, which is no result."""
    typer.echo(printable(line), err=True)


def read_file(file: str) -> bytes:
    """What a file holds, or standard input where it is ``-``."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except FileNotFoundError:
        exit_wrong_usage(f"there is no file {file}")
    except OSError as error:
        exit_failed(f"{file} cannot be read: {error.strerror}")
