"""No text cites a document that is not in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

ROOMS = ("contracts", "handlers", "service", "tests", ".ci")
LOOSE = ("README.md", "CHANGELOG.md", "pyproject.toml", "Makefile", "Dockerfile", "docker-compose.yml")
TEXTS = {".py", ".md", ".html", ".js", ".css", ".json", ".toml", ".yml", ""}
HERE = Path(__file__).parent
ABSENT = re.compile(
    r"\bDESIGN(?= \d|\.md|'s|[,;:)])|\b[Ff]act[ -]sheet\b|\bmessaging(?=\.md| T\d)"
    r"|\bstyle-models\b|\bPRODUCT\.md\b"
)
DOCUMENT = re.compile(r"[\w.-]+\.md\b")


def _texts() -> Iterator[tuple[str, str]]:
    """Every text of the repository but this room's own, which speaks of what must not be."""
    paths = [ROOT / name for name in LOOSE]
    for room in ROOMS:
        paths += sorted(path for path in (ROOT / room).rglob("*") if path.is_file() and path.suffix in TEXTS)
    for path in paths:
        if HERE not in path.parents:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_no_text_cites_what_was_never_here() -> None:
    """A reader could not look it up; the rules have numbers, and Cronofy's assumptions too."""
    cited = {name: sorted(set(ABSENT.findall(text))) for name, text in _texts()}
    assert {name: words for name, words in cited.items() if words} == {}


def test_every_document_that_a_text_names_exists() -> None:
    """By its name, wherever it lies."""
    there = {path.name for room in ROOMS for path in (ROOT / room).rglob("*.md")} | {*LOOSE}
    named = {name: set(DOCUMENT.findall(text)) - there for name, text in _texts()}
    assert {name: absent for name, absent in named.items() if absent} == {}


CITATIONS = (
    "(DESIGN 9)",
    "R30, DESIGN 11: x",
    "as DESIGN 6 says",
    "(fact sheet 5)",
    "Fact sheet 8:",
    "messaging.md 3.3",
    "messaging T24",
    "see style-models",
    "PRODUCT.md section 1",
)


@pytest.mark.parametrize("text", CITATIONS)
def test_the_search_knows_such_a_citation(text: str) -> None:
    """In each of the forms that there were."""
    assert ABSENT.search(text)


@pytest.mark.parametrize(
    "text", ["the design is simple", "a sheet of facts", "messaging is slow", "DESIGNED"]
)
def test_the_search_lets_words_be_words(text: str) -> None:
    """No citation, though alike."""
    assert not ABSENT.search(text)
