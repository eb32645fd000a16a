"""No text makes a formula of a cell, at whatever separator a spreadsheet divides the export (G14)."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.pages.logs_csv import cell

FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "＝1",
    "＋1",
    "－1",
    "＠A",
    "﹦1",
    "﹢1",
    "﹣1",
    "﹫A",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x")',
)
BEFORE = (
    "", ";", "a;", "a; ", "a;;", "; ;", "|", "a|", "\t", "a\t", "a\t ", "\r", "\n", "a\r\n", "a\n ", " ",
    "  ",
    '"', 'a;"', 'a;""', 'a";', 'a"; "', '";"', "\u00a0", "a;\u00a0", "a;\u200b", "a;\ufeff", "a;\x00", "\x00",
    "\x0b", "a\x0b", "a\u2028", " ;\t|", "a,b;", "',;", "a;b;",
)  # fmt: skip
BEGINS = re.compile(r'[\s"\x00-\x20\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫]')


def line_of(text: str) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(["2026-12-01T08:00:00Z", cell(text), cell("b")])
    return file.getvalue()


def formulas_in(line: str) -> list[str]:
    """The cells that begin like one, as strict readers divide the line and as careless ones do."""
    cells = [one for row in csv.reader(io.StringIO(line, newline="")) for one in row]
    for separator in ";\t|":
        cells += [
            one for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator) for one in row
        ]
        cells += re.split(f"[\r\n\v\f\x85\u2028\u2029{re.escape(separator)}]", line)
    return [one for one in cells if BEGINS.match(one)]


@pytest.mark.parametrize("before", BEFORE)
def test_what_follows_a_separator_is_no_formula(before: str) -> None:
    for formula in FORMULAS:
        assert formulas_in(line_of(before + formula)) == []


@given(st.text(alphabet=st.sampled_from(";|,\t\r\n \"'=+-@a\u00a0\u200b＝﹦"), max_size=12))
def test_no_text_makes_a_formula(text: str) -> None:
    line = line_of(text)
    assert formulas_in(line) == []
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert row[1].replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize(
    "text", ["Visit", "Acme – Visit", "a - b", "1 + 1", "x=1", "me@there", "a; b", "'t", ""]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


def test_long_blanks_are_looked_at_once() -> None:
    """Twice the length, twice the work: a run of blanks is tried from its beginning alone."""
    for run in (" " * 1_000_000, "\t" * 1_000_000, "; " * 500_000, '"' * 1_000_000):
        assert cell(f"a{run}b") == f"a{run}b"
