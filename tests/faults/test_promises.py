"""``tests/PROOFS.md`` names proofs that exist, and tells every fault that a test stands for."""

import ast
import re
from collections.abc import Iterator

from tests.support.repository import ROOT

PAGE = (ROOT / "tests" / "PROOFS.md").read_text(encoding="utf-8")
PROOF = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")
FAULT = re.compile(r"^\| (T\d+) \| .+ \|$", re.MULTILINE)
CRASH_POINT = re.compile(r"\"((?:outbound|inbound|runs|tokens)\.\d+)\"")
TOLD_POINT = re.compile(r"^\| ([a-z]+\.\d+) \| .+ \|$", re.MULTILINE)
IN_A_NAME = re.compile(r"\bdef test_(t\d+)_")
IN_A_DOCSTRING = re.compile(r"(?:\"\"\"|\(|, |; )(T\d+)(?=[:,;)])")


def _rows() -> Iterator[str]:
    """The table of promises without its head."""
    _, _, behind = PAGE.partition("## The table")
    section, _, _ = behind.partition("\n## ")
    table = [line for line in section.splitlines() if line.startswith("|")]
    yield from (line for line in table[2:] if "`" in line)


def _tests_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions}


def test_every_row_names_a_test_that_exists() -> None:
    """A promise whose proof was renamed or deleted is no promise."""
    told = {row: PROOF.findall(row) for row in _rows()}

    assert [row for row, proofs in told.items() if not proofs] == []
    missing = [
        f"{path}::{name}"
        for proofs in told.values()
        for path, name in proofs
        if not (ROOT / "tests" / path).exists() or name not in _tests_in(path)
    ]
    assert missing == []
    assert len(told) > 30


def test_every_fault_that_a_test_stands_for_is_told_and_the_other_way_round() -> None:
    """By its number, in the name of the test or in its docstring."""
    cited = set[str]()
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        cited.update(name.upper() for name in IN_A_NAME.findall(text))
        cited.update(IN_A_DOCSTRING.findall(text))

    assert cited == set(FAULT.findall(PAGE))


def test_the_crash_points_are_those_in_the_code() -> None:
    """A point that nobody tells of is a point that nobody has thought about."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "service").rglob("*.py"))
    assert set(TOLD_POINT.findall(PAGE)) == set(CRASH_POINT.findall(code))
