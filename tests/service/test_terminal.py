"""Nothing that others wrote steers a terminal: controls, escapes, links, directions, line breaks."""

import io
import json
import logging
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Permanent
from service.cli.output import (
    exit_failed,
    exit_wrong_usage,
    print_json,
    print_line,
    print_progress,
    run_work,
)
from service.cli.tables import print_table, progress_bar, run_progress
from service.telemetry import logs
from service.telemetry.terminal import printable, printable_json
from tests.support.repository import ROOT

STEERING = (
    "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]8;;https://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0=\x07",
    "\x9b31m", "\x90q\x9c", "\r", "\n", "\b\b", "\x00", "\x7f", "\x85", "\u2028", "\u2029", "\u202e",
    "\u2066",
    "\u2069", "\u200f", "\u061c", "\ufeff", "\ud800", "\U000e0041", "\v", "\f",
)  # fmt: skip
HOSTILE = st.lists(
    st.sampled_from(STEERING) | st.text(max_size=5) | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])
).map("".join)
SHOWN_NOWHERE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def steers(text: str) -> list[str]:
    return [one for one in text if unicodedata.category(one) in SHOWN_NOWHERE]


@given(HOSTILE)
def test_no_text_steers_a_terminal(text: str) -> None:
    shown = printable(text)
    assert steers(shown) == []
    assert printable(shown) == shown
    assert len(shown) == len(text)
    assert all(after in {before, " "} for before, after in zip(text, shown, strict=True))


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "M"])))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(st.dictionaries(HOSTILE, HOSTILE | st.lists(HOSTILE)))
def test_json_says_the_same_without_steering(document: dict[str, Any]) -> None:
    for indent in (None, 2):
        shown = printable_json(json.dumps(document, ensure_ascii=False, indent=indent))
        assert steers(shown.replace("\n", "")) == []
        assert json.loads(shown) == json.loads(json.dumps(document))


def _raising(error: BaseException) -> Callable[[str], object]:
    async def work() -> None:
        raise error

    return lambda _: run_work(work)


def _advanced(text: str) -> None:
    with run_progress() as tell:
        tell(1, 2, text)
        tell(1, None, text)
    with progress_bar(text, 2) as advance:
        advance(1)


WAYS: dict[str, Callable[[str], object]] = {
    "line": print_line,
    "progress": print_progress,
    "json": lambda text: print_json({text: [text]}),
    "table": lambda text: print_table(("id", "title"), [("1", text), (text, "2")]),
    "failure": exit_failed,
    "failure of many lines": lambda text: exit_failed("x", text),
    "wrong usage": exit_wrong_usage,
    "error of ours": lambda text: _raising(Permanent(text))(text),
    "error of others": lambda text: _raising(ValueError(text))(text),
    "errors": lambda text: _raising(ExceptionGroup("many", [ValueError(text), Permanent(text)]))(text),
    "bars": _advanced,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@given(text=HOSTILE)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_command_prints_what_steers(
    way: Callable[[str], object], capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Results, tables, progress and errors; a line of ours is a line."""
    with suppress(typer.Exit):
        way(f"a{text}b")
    told = capsys.readouterr()
    assert told.out + told.err != ""
    assert steers((told.out + told.err).replace("\n", "")) == []


@pytest.mark.parametrize("way", ["line", "progress", "failure", "wrong usage", "error of ours"])
def test_a_text_makes_no_line_of_its_own(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(typer.Exit):
        WAYS[way]("one\ntwo\r\nthree\u2028four")
    told = capsys.readouterr()
    assert len((told.out + told.err).splitlines()) == 1


def test_commands_speak_through_one_place() -> None:
    """Whoever prints past it would have to think of this again."""
    allowed = {"output.py": {"typer.echo"}, "tables.py": {"Console("}}
    found = {
        (path.name, way)
        for path in Path(ROOT / "service" / "cli").glob("*.py")
        for way in (
            "typer.echo",
            "click.echo",
            "secho",
            " print(",
            "Console(",
            "sys.stdout.write",
            "sys.stderr.write",
        )
        if way in path.read_text(encoding="utf-8") and way not in allowed.get(path.name, ())
    }
    assert found == set()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(text=HOSTILE)
@settings(max_examples=60)
def test_no_log_line_steers_a_terminal(text: str) -> None:
    """Values, names, lists, what libraries say, and exceptions."""
    before, handlers, terminal = structlog.get_config(), logging.root.handlers[:], Terminal()
    try:
        logs.set_up(stream=terminal)
        logger = structlog.get_logger()
        logger.info("message.settled", reason=text, ids=[text], **{f"x{text}": text})
        logging.getLogger("library").warning("said %s", text)
        logger.error("web.failed", exc_info=ValueError(text))
    finally:
        structlog.configure(**before)
        logging.root.handlers[:] = handlers
    told = terminal.getvalue()
    assert "message.settled" in told
    assert steers(_without_colours(told).replace("\n", "")) == []


def _without_colours(told: str) -> str:
    """Without the renderer's own colours; whatever else begins with an escape stays."""
    return re.sub(r"\x1b\[[0-9;]*m", "", told)
