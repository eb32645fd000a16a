"""No name of the product stands in two modules: a class, a type or a constant is found by its name alone."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.repository import ROOT

PACKAGES = ("service", "handlers", "contracts")
HISTORY = ROOT / "service" / "store" / "migrations"

SAME_EVERYWHERE = {
    "log": "each module's own logger",
    "router": "each file of pages or API adds its own routes to the one above",
    "app": "each group of commands is one Typer, mounted by the command line",
}


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if not path.is_relative_to(HISTORY))


def _targets(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Tuple):
        for each in node.elts:
            yield from _targets(each)


def classes_of(module: ast.Module) -> Iterator[str]:
    """Every class, wherever in the module it stands."""
    return (node.name for node in ast.walk(module) if isinstance(node, ast.ClassDef))


def constants_of(module: ast.Module) -> Iterator[str]:
    """Public constants, types and tables at the top of the module; what is imported is another's."""
    several = (target for node in module.body if isinstance(node, ast.Assign) for target in node.targets)
    annotated = (node.target for node in module.body if isinstance(node, ast.AnnAssign))
    for target in (*several, *annotated):
        yield from (name for name in _targets(target) if not name.startswith("_"))


def namesakes(modules: Mapping[str, ast.Module]) -> dict[str, list[str]]:
    """Names that more than one of these modules defines, and where."""
    places: dict[str, set[str]] = defaultdict(set)
    for path, module in modules.items():
        for name in (*classes_of(module), *constants_of(module)):
            places[name].add(path)
    return {name: sorted(found) for name, found in sorted(places.items()) if len(found) > 1}


def test_no_class_type_or_constant_has_a_namesake() -> None:
    """Of what is the same everywhere, the list above says why."""
    product = {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in _sources()
    }
    found = namesakes(product)
    assert {name: places for name, places in found.items() if name not in SAME_EVERYWHERE} == {}
    assert SAME_EVERYWHERE.keys() <= found.keys(), "a reason for what is no longer so"


def test_a_namesake_is_found_in_every_form() -> None:
    """Classes anywhere, constants one by one or several in a line, with an annotation or without."""
    modules = {
        "one.py": "class Reader: ...\nA, B = 1, 2\nSeconds: TypeAlias = float\n_OWN = 1",
        "two.py": "from one import A\ndef made():\n    class Reader: ...\nB = 2\nSeconds = 1\n_OWN = 1",
    }
    found = namesakes({path: ast.parse(text) for path, text in modules.items()})
    assert found == {name: ["one.py", "two.py"] for name in ("B", "Reader", "Seconds")}
