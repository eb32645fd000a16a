"""``make check`` says what has grown too large, where it is, and what to do."""

from pathlib import Path

import pytest

from tests.house import limits
from tests.support.repository import ROOT


def _written(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _function(lines: int) -> str:
    return "def grown() -> None:\n" + "    pass\n" * (lines - 1)


def test_nothing_in_this_repository_is_too_large() -> None:
    """The limits hold for product and tests alike."""
    assert list(limits.violations(ROOT)) == []


def test_a_function_over_fifty_lines_is_named_with_its_line(tmp_path: Path) -> None:
    """Fifty are allowed; decorators do not count."""
    _written(tmp_path, "handlers/plan.py", f"{_function(50)}\n\n@decorated\nasync {_function(51)}")
    (found,) = limits.violations(tmp_path)
    assert found.startswith("handlers/plan.py:54: grown has 51 lines, and a function has at most 50: ")


def test_a_method_counts_as_a_function(tmp_path: Path) -> None:
    """Also where it stands inside another function."""
    inner = "\n".join(f"        {line}" for line in _function(51).splitlines())
    _written(tmp_path, "tests/support/world.py", f"def made() -> None:\n    class World:\n{inner}\n")
    assert [one.split(" has ")[0] for one in limits.violations(tmp_path)] == [
        "tests/support/world.py:1: made",
        "tests/support/world.py:3: grown",
    ]


@pytest.mark.parametrize("package", ["service", "handlers", "contracts", "tests"])
def test_a_file_over_four_hundred_lines_is_named(tmp_path: Path, package: str) -> None:
    """Four hundred are allowed."""
    _written(tmp_path, f"{package}/long.py", "A = 1\n" * 401)
    _written(tmp_path, f"{package}/full.py", "A = 1\n" * 400)
    (found,) = limits.violations(tmp_path)
    assert found.startswith(f"{package}/long.py:401: 401 lines, and a file has at most 400: ")


def test_what_a_database_has_gone_through_may_be_long(tmp_path: Path) -> None:
    """Migrations are history, and nobody shortens it."""
    _written(tmp_path, "service/store/migrations/versions/0001_first.py", "A = 1\n" * 500)
    assert list(limits.violations(tmp_path)) == []


@pytest.mark.parametrize(("package", "most"), [("service", 16), ("handlers", 26)])
def test_a_crowded_folder_is_named(tmp_path: Path, package: str, most: int) -> None:
    """Its ``__init__.py`` does not count, nor does what lies in rooms below."""
    for number in range(most):
        _written(tmp_path, f"{package}/room/module_{number}.py", "")
    _written(tmp_path, f"{package}/room/__init__.py", "")
    _written(tmp_path, f"{package}/room/below/module.py", "")
    assert list(limits.violations(tmp_path)) == []
    _written(tmp_path, f"{package}/room/one_more.py", "")
    (found,) = limits.violations(tmp_path)
    assert found.startswith(
        f"{package}/room:1: {most + 1} modules lie loose here, and a folder of {package} has "
    )


def test_the_exit_code_and_the_lines_tell_a_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 where all is well; else 1, with a line on standard error for each thing."""
    _written(tmp_path, "contracts/small.py", _function(3))
    assert limits.main(tmp_path) == 0
    _written(tmp_path, "contracts/large.py", _function(401))
    assert limits.main(tmp_path) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
