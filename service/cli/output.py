"""How commands speak: results on standard output, everything else on standard error, and the exit codes."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import structlog
import typer

from contracts.errors import SyncError
from service.consumers.failures import told
from service.settings import Command, Settings, SettingsProblem, load, unknown_names
from service.telemetry import logs

FAILED, WRONG_USAGE = 1, 2
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
_T = TypeVar("_T")


def settings_for(command: Command, *, demo: bool = False) -> Settings:
    """The settings, or the end of the command with all that is missing named at once."""
    logs.set_up()
    try:
        settings = load(command, demo=demo)
    except SettingsProblem as problem:
        for line in problem.lines:
            typer.echo(line, err=True)
        raise typer.Exit(WRONG_USAGE) from None
    for sentence in unknown_names():
        structlog.get_logger().warning("setting.unknown", said=sentence)
    return settings


def run(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Do the work; what goes wrong is told in a sentence, never as a traceback."""
    try:
        return asyncio.run(work())
    except SyncError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")
    except BaseExceptionGroup as group:
        fail("\n".join(told(error) for error in group.exceptions))
    except Exception as error:  # noqa: BLE001 -- people get a sentence and the place, whatever it was
        fail(f"this is a bug; please report it: {told(error)}")


def fail(sentence: str) -> NoReturn:
    """End the command with exit code 1."""
    typer.echo(f"calendar-sync: {sentence}", err=True)
    raise typer.Exit(FAILED)


def refuse(sentence: str) -> NoReturn:
    """End the command with exit code 2: it was asked wrongly."""
    typer.echo(f"calendar-sync: {sentence}", err=True)
    raise typer.Exit(WRONG_USAGE)


def say(line: str) -> None:
    """A line of the result, at once."""
    typer.echo(line)
    sys.stdout.flush()


def say_json(document: object) -> None:
    """The one JSON document that ``--json`` prints."""
    say(json.dumps(document, ensure_ascii=False, indent=2))


def note(line: str) -> None:
    """Progress, which is no result."""
    typer.echo(line, err=True)


def read_file(file: str) -> bytes:
    """What a file holds, or standard input where it is ``-``."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except FileNotFoundError:
        refuse(f"there is no file {file}")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
