"""The README's table of promises names proofs that exist."""

import ast
import re
from collections.abc import Iterator

from tests.support.repository import ROOT

HEADING = "## Promises, faults and proofs"
PROOF = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")


def _rows() -> Iterator[str]:
    """The table's rows without its head."""
    _, _, behind = (ROOT / "README.md").read_text(encoding="utf-8").partition(HEADING)
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
