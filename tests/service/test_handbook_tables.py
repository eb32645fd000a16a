"""The operators' handbook tells every command, setting, finding and alert as it is, and no other."""

import ast
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from service import tracing_settings
from service.operations import findings, overview
from service.operations.consequences import WORST_FIRST, worst_harm
from service.operations.weather_words import SENTENCES_OF_ALL, SENTENCES_OF_ONE
from service.store.operations.standing import ConcernKind, ItemConcern
from service.web.labels import ALERT_NAMES
from tests.support.repository import ROOT, setting_defaults
from tests.support.told_commands import COMMAND, command_names, complaint_of, make_targets, told_commands

HANDBOOK = ROOT / "service" / "web" / "handbook"
PAGES = sorted(HANDBOOK.glob("*.md"))
OPERATING = (HANDBOOK / "operating.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`]+)`")
OTEL = re.compile(r"OTEL_[A-Z_]+")
CELL = re.compile(r"(?<!\\)\|")
OF_OTHERS = {
    "cat", "curl", "docker", "export", "kubectl", "openssl", "pg_dump", "pg_restore", "psql", "python",
    "rabbitmqctl",
}  # fmt: skip
"""Programs of others that a shell block may call."""
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = OPERATING.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in CELL.split(line)[1:-1]] for line in found[2:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_that_is_shown_is_one(page: Path) -> None:
    """Ours as its own parser reads it, a target of make, or a program of others that is known to be meant."""
    targets = make_targets((ROOT / "Makefile").read_text(encoding="utf-8"))
    complaints = []
    for name, *words in told_commands(page.read_text(encoding="utf-8")):
        if name == COMMAND:
            complaints.append(complaint_of(words))
        elif name == "make":
            complaints += [f"make {word}" for word in words if "=" not in word and word not in targets]
        elif name not in OF_OTHERS:
            complaints.append(name)
    assert [one for one in complaints if one] == []


def test_a_command_that_is_none_is_found() -> None:
    """A misspelt verb, an option and a word that there are not, in a block and in a sentence."""
    text = (
        "```sh\nA=b calendar-sync doctr\ncalendar-sync publish --chek \\\n  x.json | "
        "calendar-sync keys status\n```\n"
        "Then `calendar-sync integrations held\n7 --answer maybe`, or `calendar-sync COMMAND`."
    )
    told = list(told_commands(text))
    assert [words[0] for words in told] == [COMMAND] * 4
    assert [complaint_of(words[1:]) is None for words in told] == [False, False, True, False]


def test_every_command_is_in_the_table_and_no_other() -> None:
    told = set()
    for cell, _ in rows("Commands"):
        for code in CODE.findall(cell):
            words = code.replace("\\|", "|").split()
            below = (
                words[1].split("|") if len(words) > 1 and words[1][0].isalpha() and words[1].islower() else []
            )
            group = [f"{words[0]} {one}" for one in below if f"{words[0]} {one}" in command_names()]
            told |= set(group) if len(group) == len(below) and group else {words[0]}
    assert told == command_names()


def test_every_setting_is_told_with_its_default() -> None:
    told = {name: default for names, default, _ in rows("Settings") for name in names.split(", ")}
    wanted = setting_defaults()
    assert told.keys() == wanted.keys()
    assert {name for name, default in wanted.items() if (default or "none") not in told[name]} == set()


def test_every_variable_of_others_that_is_read_is_told() -> None:
    """Of OpenTelemetry, in the table of *Tracing*."""
    told = {code for cell, _ in rows("Tracing") for code in OTEL.findall(cell)}
    read = set(OTEL.findall(Path(tracing_settings.__file__).read_text(encoding="utf-8")))
    assert len(read) > 3
    assert read - told == set()


def test_every_finding_is_explained_and_no_other() -> None:
    """What Operations can say fits one row each, and every row can be said."""
    told = [re.compile(".+".join(map(re.escape, cell.split("…")))) for cell, *_ in rows("Findings")]
    said = list(_sentences())
    assert len(said) > 10
    fitting = [[row.pattern for row in told if row.fullmatch(one)] for one in said]
    assert [one for one, fits in zip(said, fitting, strict=True) if len(fits) != 1] == []
    assert {row.pattern for row in told} == {fits[0] for fits in fitting}


def test_every_alert_of_the_page_is_explained() -> None:
    assert [name for _, name, _ in rows("Findings") if name] == list(ALERT_NAMES.values())


def _sentences() -> Iterator[str]:
    yield from _written(Path(findings.__file__), "Finding", "said")
    yield from _returned(Path(overview.__file__), "_calmly")
    for forms in (SENTENCES_OF_ONE, SENTENCES_OF_ALL):
        yield from (re.sub("{.+?}", "X", sentence) for pair in forms.values() for sentence in pair)
    lacks: tuple[ConcernKind, ...] = get_args(ConcernKind)
    assert set(lacks) == set(WORST_FIRST)
    for lack in lacks:
        for many in (1, 2):
            concern = ItemConcern(
                integration_id="i",
                item_type="task",
                starts_at=NOW + timedelta(hours=1),
                all_day=False,
                lack=lack,
            )
            said = worst_harm([concern] * many, "UTC", NOW).said
            assert said is not None
            yield said


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _written(path: Path, maker: str, argument: str) -> Iterator[str]:
    """The sentences that are given to a maker of values; X where a value is filled in."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == maker:
            yield from (text for one in node.keywords if one.arg == argument for text in _text(one.value))


def _returned(path: Path, name: str) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            returns: Sequence[ast.Return] = [one for one in ast.walk(node) if isinstance(one, ast.Return)]
            yield from (text for one in returns if one.value for text in _text(one.value))


def _text(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant) else "X" for one in value.values)
        yield "".join(map(str, parts))
    elif isinstance(value, ast.IfExp):
        yield from _text(value.body)
        yield from _text(value.orelse)
