"""``sources list`` and ``sources trust`` as real processes (R42)."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contracts.calendar import item_ref
from contracts.vorex import ItemType
from service.store.engine.store import Store
from service.store.messages import sources
from service.store.messages.sources import VersionDoubt
from service.store.tables import outbox, trusted_sources
from tests.support.calendars import changed
from tests.support.processes import SECRETS, run

SOURCE, SINCE = "/vorex/acme", "2026-12-01T08:00:00Z"
SAID_AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
WORDS = ("trust", SOURCE, "--since", SINCE)


def doubt(number: int) -> VersionDoubt:
    """A message with a lower version than the one that is known."""
    message = changed(f"i-{number}", version=1, id=f"m-{number}", time=SAID_AT)
    return VersionDoubt(
        source=SOURCE,
        item_ref=item_ref("acme", ItemType.APPOINTMENT, f"i-{number}"),
        kind="backwards",
        version=1,
        said_at=SAID_AT,
        message_id=message.message_id,
        body=message.body,
    )


async def _on_store(url: str, *doubts: VersionDoubt) -> tuple[int, int]:
    """These are noted; how many sources are trusted by then, and how many messages wait to go out."""
    store = Store(url)
    await store.upgrade()
    async with store.begin() as connection:
        await sources.note(connection, doubts, now=await store.now(connection))
        trusted = (await connection.execute(select(trusted_sources))).all()
        waiting = (await connection.execute(select(outbox))).all()
    await store.close()
    return len(trusted), len(waiting)


@pytest.fixture
def settings(new_sqlite_url: str) -> dict[str, str]:
    """Twelve items of one source said later under lower versions."""
    asyncio.run(_on_store(new_sqlite_url, *map(doubt, range(12))))
    return {**SECRETS, "DATABASE_URL": new_sqlite_url}


def told(settings: dict[str, str], folder: Path, *words: str) -> Any:
    """The JSON document, alone on standard output."""
    ended = run("sources", *words, "--json", settings=settings, folder=folder)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_r42_a_source_is_listed_and_trusted_once_its_items_were_counted(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """Without a count nothing is done, with too small a one neither; then its messages come again."""
    (one,) = told(settings, tmp_path, "list")["items"]
    assert (one["source"], one["backwards"], one["started_again"]) == (SOURCE, 12, True)
    report = {"source": SOURCE, "since": SINCE, "items": 12}
    assert told(settings, tmp_path, *WORDS) == {**report, "dry_run": True}
    said = run("sources", *WORDS, settings=settings, folder=tmp_path)
    assert "12 items whose newest message was passed over would be taken in; to do it: --expect 12" in (
        said.stdout.decode()
    )
    refused = run("sources", *WORDS, "--expect", "11", settings=settings, folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"There are 12 by now, not 11" in refused.stderr
    assert asyncio.run(_on_store(settings["DATABASE_URL"])) == (0, 0)

    assert told(settings, tmp_path, *WORDS, "--expect", "12") == {**report, "dry_run": False}

    assert asyncio.run(_on_store(settings["DATABASE_URL"])) == (1, 12)
    assert told(settings, tmp_path, "list") == {"items": []}


def test_r42_a_time_without_an_offset_is_wrong_usage(settings: dict[str, str], tmp_path: Path) -> None:
    """Whose clock is meant is not guessed; nothing is done."""
    words = ("trust", SOURCE, "--since", "2026-12-01T08:00:00", "--expect", "12")
    wrong = run("sources", *words, settings=settings, folder=tmp_path)
    assert (wrong.returncode, b"--since: must be a time with an offset" in wrong.stderr) == (2, True)
    _, line = run("sources", "list", settings=settings, folder=tmp_path).stdout.decode().splitlines()
    assert line.split() == [SOURCE, "0", "12", "2026-12-01T09:00:00Z", "-", "yes"]
    assert asyncio.run(_on_store(settings["DATABASE_URL"])) == (0, 0)


@pytest.mark.parametrize("expect", [(), ("--expect", "0")])
@pytest.mark.parametrize(
    ("source", "since"), [("/vorex/acmee", SINCE), (SOURCE, "2026-12-01T10:00:00Z")], ids=["name", "time"]
)
def test_r42_a_source_of_which_nothing_was_passed_over_is_not_trusted(
    settings: dict[str, str], tmp_path: Path, source: str, since: str, expect: tuple[str, ...]
) -> None:
    """Its name may be misspelt, or the moment; and whoever made the name up would be believed."""
    refused = run("sources", "trust", source, "--since", since, *expect, settings=settings, folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert f"Nothing that {source} has said since {since} was passed over." in refused.stderr.decode()
    assert asyncio.run(_on_store(settings["DATABASE_URL"])) == (0, 0)
