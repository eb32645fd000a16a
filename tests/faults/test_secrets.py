"""Nothing secret is ever said: the search through all output can fail, and finds nothing (DESIGN 9, R33)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT, SECRETS
from tests.support.secrecy import CLIENT_SECRET, PRIVATE, SIGN_IN_SECRET, leaks

SAYINGS = {
    "a client secret": f"signed with {CLIENT_SECRET}",
    "the sign-in secret": SIGN_IN_SECRET,
    "a text of a private item": f'{{"title":"{PRIVATE}"}}',
    "a token of the simulator": "tok" + "0123456789abcdef0123456789abc",
    "a planted token": "planted-refresh-token",
    "a bearer token": "Authorization: Bearer 0123456789",
    "a sealed token": "gAAAAA" + "b" * 60,
    "a sign-in token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTE3In0.c2lnbmF0dXJlLW9mLWl0",
    "a planted key": SECRETS["ENCRYPTION_KEYS"],
}
TESTS = """
from tests.support.processes import SECRETS
from tests.support.secrecy import CLIENT_SECRET, heard

def test_prints(): print(CLIENT_SECRET)
def test_logs(): __import__("logging").getLogger().warning(CLIENT_SECRET)
def test_process(): heard("a line\\nkey " + SECRETS["ENCRYPTION_KEYS"])
def test_innocent(): print("nothing")
"""


@pytest.mark.parametrize("what", SAYINGS)
def test_r33_each_kind_of_secret_is_recognised(what: str) -> None:
    """A search that finds nothing proves nothing unless it can find."""
    assert [told.partition(":")[0] for told in leaks([f"before {SAYINGS[what]} after"])] == [what]
    assert leaks([SAYINGS[what]], but=[what]) == [] or what == "a planted key"
    assert leaks(["the client secret, a token, Bearer, a private item"]) == []


def test_r33_a_test_fails_in_which_a_secret_is_said(tmp_path: Path) -> None:
    """Printed, logged or said by a process: the search is part of every test of the suite."""
    (tmp_path / "test_sayings.py").write_text(TESTS)
    plugins = ("-p", "tests.support.secrecy", "-p", "no:cacheprovider", "-q", "--rootdir", str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-rA", "test_sayings.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    said = re.findall(r"^(?:ERROR|FAILED) \S+::(\w+)", ended.stdout, re.MULTILINE)
    assert sorted(said) == ["test_logs", "test_prints", "test_process"], ended.stdout + ended.stderr
