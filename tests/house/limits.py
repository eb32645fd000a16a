"""How large things may grow: ``python -m tests.house.limits``, a part of ``make check``."""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.repository import ROOT

FUNCTION_LINES = 50
FILE_LINES = 400
ROOM_MODULES = {"service": 16, "handlers": 26}
"""Modules that lie loose in one folder of these; ``__init__.py`` does not count, for it tells of the room."""

PACKAGES = ("service", "handlers", "contracts", "tests")
HISTORY = Path("service/store/migrations")
"""What a database has once gone through stays as it was written."""


def violations(root: Path) -> Iterator[str]:
    """Everything under this root that is too large: where it is, how large, and what to do about it."""
    for path in _sources(root):
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(root).as_posix()
        yield from _long_file(where, text)
        yield from _long_functions(where, text)
    for package, most in ROOM_MODULES.items():
        yield from _crowded_rooms(root, package, most)


def _sources(root: Path) -> Sequence[Path]:
    found = (path for package in PACKAGES for path in (root / package).rglob("*.py"))
    return sorted(path for path in found if not path.relative_to(root).is_relative_to(HISTORY))


def _long_file(where: str, text: str) -> Iterator[str]:
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield (
            f"{where}:{FILE_LINES + 1}: {lines} lines, and a file has at most {FILE_LINES}: "
            "give one of the things that it holds a module of its own"
        )


def _long_functions(where: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield (
                    f"{where}:{node.lineno}: {node.name} has {lines} lines, and a function has at most "
                    f"{FUNCTION_LINES}: name its steps, and make each a function"
                )


def _crowded_rooms(root: Path, package: str, most: int) -> Iterator[str]:
    for room in sorted({path.parent for path in _sources(root) if path.is_relative_to(root / package)}):
        modules = [path for path in room.glob("*.py") if path.name != "__init__.py"]
        if len(modules) > most:
            yield (
                f"{room.relative_to(root).as_posix()}:1: {len(modules)} modules lie loose here, and a folder "
                f"of {package} has at most {most}: give those that belong together a room"
            )


def main(root: Path = ROOT) -> int:
    """Print what is too large, a line each; the exit code is 1 where there is anything."""
    found = list(violations(root))
    for one in found:
        sys.stderr.write(f"{one}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
