"""The list of mutants that live is read as it is meant, and speaks of the code as it is."""

import ast
from pathlib import Path

from tests.mutation.survivors import SECTIONS, Change, Survivor, survivors
from tests.support.repository import ROOT

TEXT = """\
# Mutants that live

Words that belong to none.

## Equivalent

### `handlers.plan.wish`

```diff
-    if a < b:
+    if a <= b:

-    return a
+    return None
```

They cannot be equal.

```diff
-        c,
```

It is the default.

## Alive

### `handlers.relink.Sign.of`

```diff
-    d
+    e
```
"""


def a_change(function: str, *diff: str) -> Change:
    return Change.of(function, diff)


def test_each_mutant_of_the_list_is_read_with_its_reason() -> None:
    wish = "handlers.plan.wish"
    equal = "They cannot be equal."
    assert survivors(TEXT) == [
        Survivor(change=a_change(wish, "-if a < b:", "+if a <= b:"), equivalent=True, reason=equal),
        Survivor(change=a_change(wish, "-return a", "+return None"), equivalent=True, reason=equal),
        Survivor(change=a_change(wish, "-c,"), equivalent=True, reason="It is the default."),
        Survivor(change=a_change("handlers.relink.Sign.of", "-d", "+e"), equivalent=False, reason=""),
    ]


def test_a_change_is_told_by_its_lines_and_not_by_what_stands_around_them() -> None:
    diff = ["--- handlers/plan.py", "+++ handlers/plan.py", "@@ -1,3 +1,3 @@", " x", "-  a", "-  b", "+    c"]
    assert a_change("f", *diff) == Change(function="f", before=("a", "b"), after=("c",))


def test_every_mutant_of_the_list_has_a_reason_and_stands_there_once() -> None:
    listed = survivors()
    assert [each.change for each in listed if not each.reason] == []
    assert len({each.change for each in listed}) == len(listed)


def test_every_mutant_of_the_list_changes_a_line_that_its_function_has() -> None:
    for each in survivors():
        lines = {line.strip() for line in _source(each.change.function).splitlines()}
        assert set(each.change.before) <= lines, each.change


def test_the_list_has_no_other_parts() -> None:
    text = (Path(__file__).parent / "SURVIVORS.md").read_text("utf-8")
    parts = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert tuple(parts) == SECTIONS


def _source(function: str) -> str:
    """Of a function, or of a class's method."""
    path, parts = ROOT, function.split(".")
    while not path.suffix:
        path /= parts.pop(0)
        path = path if path.is_dir() else path.with_suffix(".py")
    text = path.read_text("utf-8")
    found: ast.AST = ast.parse(text)
    for part in parts:
        found = next(each for each in ast.iter_child_nodes(found) if getattr(each, "name", None) == part)
    return ast.get_source_segment(text, found) or ""
