"""Nobody but ``link_states`` makes a link or sets its state: the sources say so."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from handlers import link_states
from tests.support.repository import ROOT

SET_BASED = {
    "links.release",
    "links.reconsider",
    "moves.follow_again",
    "moves.let_go",
    "tombstones.bury_links",
    "tombstones.want_gone",
}
AS_ROWS = {"links.columns_of", "claims._landed_columns"}


@cache
def _sources() -> Sequence[tuple[Path, ast.Module]]:
    return [
        (path, ast.parse(path.read_text()))
        for package in ("handlers", "service")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) == name:
            yield node


def _called(function: ast.expr) -> str | None:
    """The last word of what is called, with its module or without."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def _sets_a_state(function: ast.AST) -> bool:
    """In a dictionary of columns, or among the values of a statement."""
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if "state" in keys:
                return True
        if any(each.arg == "state" for each in _named_values(node)):
            return True
    return False


def _named_values(node: ast.AST) -> list[ast.keyword]:
    """Of a statement that sets columns, those that it names."""
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values"
    return node.keywords if call and isinstance(node, ast.Call) else []


def test_nobody_else_makes_a_link() -> None:
    """But for the rows of the store, which become the links that they were."""
    makers = {
        f"{path.parent.name}.{path.stem}.{function.name}"
        for path, tree in _sources()
        for function in _functions(tree)
        if any(_calls(function, "Link"))
    }

    assert makers == {"handlers.link_beginnings._pair", "links.links.link_of"}


def test_nobody_else_sets_the_state_of_a_link() -> None:
    """A ``replace`` that names a state in words is one of something else, as of what dead letters match."""
    elsewhere = [
        f"{path.name}:{call.lineno}"
        for path, tree in _sources()
        if path.stem not in {"link_states", "link_beginnings"}
        for call in _calls(tree, "replace")
        for each in call.keywords
        if each.arg == "state" and not isinstance(each.value, ast.Constant)
    ]

    assert elsewhere == []


def test_the_store_moves_whole_sets_in_six_statements_alone() -> None:
    """They are named where the states are described."""
    setters = {
        f"{path.stem}.{function.name}"
        for path, tree in _sources()
        if path.parent == ROOT / "service" / "store" / "links"
        for function in _functions(tree)
        if _sets_a_state(function)
    }

    assert setters == SET_BASED | AS_ROWS
    assert all(name in (link_states.__doc__ or "") for name in SET_BASED)


def test_only_the_rooms_of_links_speak_of_a_state_that_is_set() -> None:
    """No other module of the store, or of the service, gives a column a state of a link."""
    speakers = {
        path.relative_to(ROOT).as_posix()
        for path, tree in _sources()
        if path.parent != ROOT / "service" / "store" / "links"
        for node in ast.walk(tree)
        for each in _named_values(node)
        if each.arg == "state" and "LinkState" in ast.dump(each.value)
    }

    assert speakers == set()
