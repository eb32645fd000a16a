"""``contracts/CRONOFY.md``: each assumption has a number, says how sure it is, and names its files."""

import re
from collections.abc import Iterator

from tests.support.repository import ROOT

PAGE = ROOT / "contracts" / "CRONOFY.md"
ROW = re.compile(r'^\| <a id="c(\d+)"></a>C(\d+) \| (.+) \| (.+) \| (.+) \| (.+) \|$', re.MULTILINE)
SURE = {"documented", "official client", "third party", "assumed"}
CITED = re.compile(r"CRONOFY\.md ((?:C\d+(?:, | and )?)+)")
NUMBER = re.compile(r"C(\d+)")


def _rows() -> list[tuple[str, ...]]:
    return ROW.findall(PAGE.read_text(encoding="utf-8"))


def _cited() -> Iterator[tuple[str, int]]:
    for folder in ("service", "handlers", "contracts", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for numbers in CITED.findall(path.read_text(encoding="utf-8")):
                yield from ((str(path.relative_to(ROOT)), int(number)) for number in NUMBER.findall(numbers))


def test_every_assumption_has_its_own_number_and_place() -> None:
    """Without a gap: whoever adds one adds it at the end of the page or renumbers what cites it."""
    numbers = [(int(anchor), int(number)) for anchor, number, *_ in _rows()]
    assert numbers == [(number, number) for number in range(1, len(numbers) + 1)]
    assert len(numbers) >= 50


def test_every_assumption_says_how_sure_it_is_and_names_its_files() -> None:
    """In the words that the page explains; that the files exist is test_links' to say."""
    for _, number, _, sure, files, wrong in _rows():
        assert sure.removesuffix(", live") in SURE, number
        assert "](" in files, number
        assert len(wrong) > len("nothing"), number


def test_every_assumption_that_is_cited_stands_on_the_page() -> None:
    """In code and in tests."""
    known = {int(number) for _, number, *_ in _rows()}
    assert {(path, number) for path, number in _cited() if number not in known} == set()
