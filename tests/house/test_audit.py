"""``make audit`` tells a weakness from an answer that did not come, and fails on either."""

import json
from typing import Any

import pytest

from tests.house.audit import COMMAND, audited, judged
from tests.support.repository import ROOT

CLEAN = {"name": "jinja2", "version": "3.1.6", "vulns": []}
WEAK = {**CLEAN, "vulns": [{"id": "CVE-1", "fix_versions": ["3.1.7"], "aliases": [], "description": "x"}]}
SKIPPED = {"name": "starlette", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ([CLEAN], 0, "No weakness of the 1 pinned dependencies is known."),
        ([CLEAN, WEAK], 1, "jinja2 3.1.6: CVE-1, mended in 3.1.7"),
        ([SKIPPED, WEAK], 1, "CVE-1"),
        ([CLEAN, SKIPPED], 2, "cannot be reached, so nothing is known of starlette"),
        ([], 2, "cannot be reached"),
    ],
)
def test_what_was_found_decides_the_exit_code(found: list[Any], code: int, words: str) -> None:
    """What nobody could look at is not taken for clean."""
    ended, lines = judged(json.dumps({"dependencies": found, "fixes": []}), "")
    assert ended == code
    assert words in lines[0]


@pytest.mark.parametrize("told", ["", "no json", "[]", "null"])
def test_no_answer_at_all_is_a_sentence(told: str) -> None:
    """With the last word of what was complained of."""
    ended, (line,) = judged(told, "Traceback\nConnectionError: refused\n")
    assert ended == 2
    assert line.endswith("nothing is known: ConnectionError: refused")


def test_data_that_cannot_be_reached_fails_the_audit() -> None:
    """The real program, asking where nobody answers."""
    ended, (line,) = audited("--osv-url", "http://127.0.0.1:9", "--timeout", "2")
    assert ended == 2
    assert line.startswith("The data on weaknesses cannot be reached")


def test_make_audit_looks_at_every_pin() -> None:
    """The lock file is what the image and the tests are made of."""
    assert "requirements.lock" in COMMAND
    assert "-m tests.house.audit" in (ROOT / "Makefile").read_text(encoding="utf-8")
