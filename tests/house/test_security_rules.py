"""The rules of bandit, which ruff calls S, hold for all product code; each exception says why."""

import re
import tomllib

from tests.support.repository import ROOT

LINT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
EXCEPTION = re.compile(r"# noqa:(?P<rules>[ A-Z0-9,]*\bS\d+[ A-Z0-9,]*)(?P<reason>.*)$", re.MULTILINE)


def test_they_are_on_for_everything_but_tests_and_asserts() -> None:
    """By `make check`, which fails on what they find."""
    ignored = {rule for rule in LINT["ignore"] if re.fullmatch(r"S\d*", rule)}
    files = {
        path for path, rules in LINT["per-file-ignores"].items() if any(r.startswith("S") for r in rules)
    }
    assert "ALL" in LINT["select"]
    assert ignored == {"S101"}
    assert files == {"tests/**"}
    assert "-m ruff check ." in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_each_exception_says_why() -> None:
    """On its own line, after a dash."""
    found = [
        (path.name, match)
        for room in ("contracts", "handlers", "service")
        for path in (ROOT / room).rglob("*.py")
        for match in EXCEPTION.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found
    assert [name for name, match in found if len(match["reason"].strip(" -–")) < 10] == []
