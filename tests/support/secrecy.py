"""Searches all that the tests and their processes say for what must never be said (R27).

Loaded by the conftest of all tests: whatever a process wrote, and whatever a test's own process logged or
printed, is searched at the end of each test, and the test fails in which it was said.
"""

import re
from collections.abc import Generator, Iterable
from typing import Any

import pytest

CLIENT_SECRET = "planted-client-secret-4f1e9a77"
SIGN_IN_SECRET = "planted sign-in secret of thirty-two bytes"
PRIVATE = "unspeakable"
"""Stands in the texts of private items and events that tests make up."""

UNSPEAKABLE: dict[str, re.Pattern[str]] = {
    "a client secret": re.compile(re.escape(CLIENT_SECRET)),
    "the sign-in secret": re.compile(re.escape(SIGN_IN_SECRET)),
    "a text of a private item": re.compile(rf"\b(?:{PRIVATE}|Dentist|Doctor|Knee|root canal)\b"),
    "a token of the simulator": re.compile(r"\btok[0-9a-f]{29}\b"),
    "a planted token": re.compile(r"planted-(?:access|refresh)-token"),
    "a bearer token": re.compile(r"Bearer [\w.~+/-]{8,}"),
    "a sealed token": re.compile(r"gAAAAA[\w-]{40,}"),
    "a sign-in token": re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
}
"""What, and how it is recognised wherever it stands."""

_said: list[str] = []
_keys: set[str] = set()


def heard(text: str) -> None:
    """Keep what a process of the present test has said."""
    _said.append(text)


def planted(key: str) -> str:
    """A secret that no pattern knows, such as an encryption key; it is looked for from now on."""
    _keys.add(key)
    return key


def leaks(texts: Iterable[str], *, but: Iterable[str] = ()) -> list[str]:
    """What of the unspeakable is said there, and where."""
    found = []
    forgiven = set(but)
    for text in texts:
        patterns = [(what, pattern) for what, pattern in UNSPEAKABLE.items() if what not in forgiven]
        patterns += [("a planted key", re.compile(re.escape(key))) for key in sorted(_keys)]
        for what, pattern in patterns:
            if match := pattern.search(text):
                around = text[max(0, match.start() - 120) : match.end() + 20]
                found.append(f"{what}: …{around}")
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "says(what): which of the unspeakable this test has to say")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the test in which something unspeakable was said."""
    report = yield
    if report.when != "teardown":
        return report
    texts = [*_said, *(text for name, text in _sections(item) if name.startswith("Captured"))]
    _said.clear()
    told = leaks(texts, but=_forgiven(item))
    if told:
        report.outcome = "failed"
        report.longrepr = "Said what must never be said:\n" + "\n".join(told)
    return report


def _sections(item: pytest.Item) -> list[tuple[str, str]]:
    found: Any = item._report_sections
    return [(f"Captured {what} {when}", text) for when, what, text in found]


def _forgiven(item: pytest.Item) -> list[str]:
    """``@pytest.mark.says("a sign-in token")``: the demonstration prints a link for its only user."""
    return [what for marker in item.iter_markers("says") for what in marker.args]
