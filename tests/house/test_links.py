"""Every link in the repository's documents leads somewhere."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.repository import ROOT

ROOMS = (".", "contracts", "handlers", "service", "tests")
HANDBOOK = ROOT / "service" / "web" / "handbook"
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
ANCHOR = re.compile(r"<a id=\"([^\"]+)\">")
ELSEWHERE = re.compile(r"[a-z]+:")


def _documents() -> Iterator[Path]:
    for room in ROOMS:
        folder = ROOT / room
        yield from sorted(folder.glob("*.md") if room == "." else folder.rglob("*.md"))


@cache
def _prose(path: Path) -> str:
    return FENCED.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """What ``#`` may lead to: the headings as GitHub names them, and named places."""
    headings = (_slug(title) for title in HEADING.findall(_prose(path)))
    return frozenset({*headings, *ANCHOR.findall(_prose(path))})


def _slug(title: str) -> str:
    plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", title).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def _broken(path: Path, root: Path = ROOT) -> Iterator[str]:
    """The links of a document that lead nowhere, or out of the repository."""
    for link in LINK.findall(_prose(path)):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        is_route = link.startswith("/") and path.parent == HANDBOOK  # test_docs_links knows the routes
        if not ELSEWHERE.match(link) and not is_route and not _leads_to(target, anchor, root):
            yield link


def _leads_to(target: Path, anchor: str, root: Path) -> bool:
    if not target.exists() or not target.is_relative_to(root):
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors_of(target))


def test_every_link_between_documents_and_files_leads_somewhere() -> None:
    """A file that exists, and a heading or a named place in it."""
    broken = {str(path.relative_to(ROOT)): list(_broken(path)) for path in _documents()}
    assert {name: links for name, links in broken.items() if links} == {}


def test_the_search_finds_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """A missing file, a missing heading, and a path out of the repository."""
    page = tmp_path / "page.md"
    links = "[a](#one) [b](#two) [c](gone.py) [d](https://example.com) [e](/)"
    page.write_text(f"# One\n{links}\n```\n[f](in-a-block.py)\n```\n", encoding="utf-8")

    assert list(_broken(page, tmp_path)) == ["#two", "gone.py", "/"]


def test_the_documents_are_found() -> None:
    """Not one of the pages that a newcomer needs is out of the search's sight."""
    found = {str(path.relative_to(ROOT)) for path in _documents()}
    assert found >= {"README.md", "contracts/README.md", "contracts/CRONOFY.md", "handlers/RULES.md"}
