"""``handlers/RULES.md``, code and tests tell the same: what is cited stands there, and is tested."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.repository import ROOT

RULES = ROOT / "handlers" / "RULES.md"
RULE = re.compile(r"^- \*\*([GR]\d+a?)\*\* (.+?)(?=^- \*\*|^## |\Z)", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([a-z_]+/[a-z_/.]+)`")
DECIDED = re.compile(r"→ \[`([^`]+)`\]\(([^)]+)\)\s*$")
CITED = re.compile(r"\b([GR])(\d{1,2}a?)(?:[–-]([GR])?(\d{1,2}a?))?\b")
IN_A_NAME = re.compile(r"_([gr]\d{1,2}a?)(?=_)")
CODE = ("service", "handlers", "contracts")
WRITTEN_IN = (".py", ".html", ".js", ".css", ".md")
NUMBERS = [f"G{n}" for n in range(1, 11)] + ["G10a"] + [f"G{n}" for n in range(11, 20)]


def _told() -> dict[str, str]:
    """Each number with its text."""
    return dict(RULE.findall(RULES.read_text(encoding="utf-8")))


def _texts(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in WRITTEN_IN and path not in {RULES, Path(__file__)}:
                yield path, path.read_text(encoding="utf-8")


def _cited(text: str) -> set[str]:
    """The numbers in a text, R12–R15 as all four of them, and those in the names of tests."""
    numbers = {word.upper().replace("A", "a") for word in IN_A_NAME.findall(text)}
    for kind, first, other, last in CITED.findall(text):
        if other not in {"", kind} or not last:
            numbers.add(f"{kind}{first}")
        else:
            numbers.update(_range(kind, first, last))
    return numbers


def _range(kind: str, first: str, last: str) -> list[str]:
    order = NUMBERS if kind == "G" else [f"R{n}" for n in range(1, 100)]
    return order[order.index(f"{kind}{first}") : order.index(f"{kind}{last}") + 1]


def test_every_number_that_is_cited_stands_in_the_rules() -> None:
    """By code, by tests and by documents."""
    told = _told()
    unknown = {
        f"{path.relative_to(ROOT)}: {number}"
        for path, text in _texts(*CODE, "tests")
        for number in _cited(text) - told.keys()
    }
    assert unknown == set()


def test_every_rule_is_cited_by_a_test() -> None:
    """A rule without a proof is a wish."""
    cited = set[str]().union(*(_cited(text) for _, text in _texts("tests")))
    assert _told().keys() - cited == set()


def test_every_rule_names_the_one_file_in_which_it_is_decided() -> None:
    """And the link leads to that file."""
    astray = {}
    for number, text in _told().items():
        named = DECIDED.findall(text)
        target = RULES.parent / named[0][1] if named else ROOT
        if len(named) != 1 or not target.is_file() or target.resolve() != ROOT / named[0][0]:
            astray[number] = named
    assert astray == {}


def test_every_file_that_a_rule_mentions_exists() -> None:
    """Beside the deciding one, too."""
    named = set(NAMED.findall(RULES.read_text(encoding="utf-8")))
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_every_number_of_the_product_is_told_once() -> None:
    """None is forgotten."""
    numbers = [number for number, _ in RULE.findall(RULES.read_text(encoding="utf-8"))]
    assert sorted(numbers) == sorted([*NUMBERS, *(f"R{n}" for n in range(1, 55))])
