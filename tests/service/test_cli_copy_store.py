"""``copy-store`` on the command line: where it takes its target from, and what it never says."""

from pathlib import Path

import pytest

from tests.support.processes import run

AWAY = "postgresql+asyncpg://nobody:hidden@127.0.0.1:9/none"


@pytest.mark.parametrize(
    ("named", "given", "code", "said"),
    [
        ("-", f"{AWAY}\n".encode(), 1, b"the database cannot be reached"),
        ("-", b"mysql://nobody:hidden@127.0.0.1/none", 2, b"must hold one address that begins with"),
        ("-", f"{AWAY}\n{AWAY}".encode(), 2, b"must hold one address that begins with"),
        ("-", b"\xff\x00", 2, b"must hold one address that begins with"),
        ("missing", b"", 2, b"there is no file missing"),
        (AWAY, b"", 2, b"put the address into a file"),
    ],
)
def test_copy_store_takes_its_target_where_nobody_sees_it_and_never_says_it(
    named: str, given: bytes, code: int, said: bytes, *, tmp_path: Path
) -> None:
    """A command's arguments are shown to everybody on the machine, and stay in the shell's history."""
    source = {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/source.db"}
    if code == 1:
        assert run("migrate", settings=source, folder=tmp_path).returncode == 0
    ended = run("copy-store", named, settings=source, folder=tmp_path, given=given)
    assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
    assert b"hidden" not in ended.stdout + ended.stderr
