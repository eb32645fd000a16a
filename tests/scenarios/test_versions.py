"""The version before works on a later schema of its generation, beside this one, under traffic."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from service.store.engine import schema
from tests.support.calendars import changed
from tests.support.processes import ROOT, environment
from tests.support.stage import CONSUME, Stage, staged
from tests.support.waiting import until

FIRST_WITH_GENERATIONS = "service/store/migrations/versions/0025_generations.py"
MANY = 60

pytestmark = pytest.mark.rabbitmq


def git(*words: str) -> str:
    """What git says of this repository; empty where it has no history here."""
    ended = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else ""


@pytest.fixture
def version_before(tmp_path: Path) -> Path:
    """The code of the last release, or of the first commit whose schema tells its generation."""
    added = git("log", "--diff-filter=A", "--format=%H", "--", FIRST_WITH_GENERATIONS).splitlines()
    tags = [tag for tag in git("tag", "--sort=-creatordate").splitlines() if _has_generations(tag)]
    if not added:
        pytest.skip("there is no history here: the version before cannot be had")
    folder = tmp_path / "before"
    folder.mkdir()
    code = subprocess.run(
        ["git", "archive", (tags or added)[0], "service", "handlers", "contracts"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    subprocess.run(["tar", "-x", "-C", str(folder)], input=code.stdout, check=True)
    return folder


def _has_generations(tag: str) -> bool:
    return bool(git("ls-tree", "--name-only", tag, FIRST_WITH_GENERATIONS))


@contextmanager
def started_from(code: Path, stage: Stage) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A consumer of that code, and the file that holds what it logs."""
    said = stage.folder / "before.log"
    own = {**environment(stage.settings), "PYTHONPATH": str(code)}
    with said.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", *CONSUME], cwd=code, env=own, stderr=lines, stdout=lines
        )
    try:
        yield process, said
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def stage(sqlite_url: str, broker_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """One person with a linked calendar, and a schema that a later version has added to."""
    async with staged(sqlite_url, broker_url, tmp_path, PREFETCH="5") as opened:
        await opened.world.broker.declare()
        await opened.people("u-17")
        async with opened.world.store.begin() as connection:
            for table in ("items", "links", "inbox", "log_entries"):
                await connection.execute(text(f"ALTER TABLE {table} ADD COLUMN of_later TEXT"))
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        yield opened


async def test_the_version_before_and_this_one_share_the_work_on_a_later_schema(
    stage: Stage, version_before: Path
) -> None:
    """Each event crosses once, whoever writes it, and neither process minds what it does not know."""
    state = await stage.world.store.schema()
    assert (state.later, state.fits, state.present) == (True, True, "9999")
    assert schema.newest() < "9999"
    with started_from(version_before, stage) as (before, said):
        await until(lambda: b"process.started" in said.read_bytes(), what="the version before")
        (here,) = await stage.start(*CONSUME)
        for at in range(0, MANY, 10):
            await stage.publish([changed(f"t-{at + number}", assignees=["u-17"]) for number in range(10)])
            await asyncio.sleep(0.1)
        await stage.settled(MANY)

        assert before.poll() is None
        assert here.process.poll() is None
    assert await stage.shown("u-17") == sorted(f"t-{number} v1" for number in range(MANY))
    assert await stage.world.letters() == []
