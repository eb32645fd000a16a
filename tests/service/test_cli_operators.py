"""The operators' commands as real processes: dead letters and the doctor (R30)."""

import asyncio
import json
import os
import pwd
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import QUEUE_OUTBOUND
from service.cli.dead_letters import come_through
from service.store.engine.store import Store
from service.store.messages.burying import NewDeadLetter, bury
from tests.support.processes import SECRETS, run, started
from tests.support.servers import free_port

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
SAMPLE = json.loads(
    (Path(__file__).parents[2] / "contracts" / "samples" / "appointment-created.json").read_text()
)


def a_letter(number: int, *, code: str = "malformed") -> NewDeadLetter:
    message = SAMPLE | {"id": f"e-{number}", "data": SAMPLE["data"] | {"version": 0}}
    return NewDeadLetter(
        queue=QUEUE_OUTBOUND,
        source=SAMPLE["source"],
        message_id=f"e-{number}",
        code=code,
        reason=f"{code}: [bold]must[/bold] be at least 1",
        routing_key="appointment.created",
        headers={},
        body=json.dumps(message).encode(),
        tenant_id="acme",
    )


async def _with_store(url: str, work: Callable[[Store], Awaitable[Any]]) -> Any:
    store = Store(url)
    await store.upgrade()
    found = await work(store)
    await store.close()
    return found


async def _fill(store: Store) -> None:
    async with store.begin() as connection:
        letters = [*(a_letter(number) for number in range(7)), a_letter(8, code="bug")]
        await bury(connection, letters, now=NOW)


@pytest.fixture
def settings(new_sqlite_url: str) -> dict[str, str]:
    """Seven malformed messages and a bug on a file."""
    asyncio.run(_with_store(new_sqlite_url, _fill))
    return {**SECRETS, "DATABASE_URL": new_sqlite_url, "CRONOFY_API_URL": "http://127.0.0.1:9"}


def letters(settings: Mapping[str, str], folder: Path, *words: str, given: bytes = b"") -> Any:
    """The JSON document, alone on standard output."""
    ended = run("dead-letters", *words, "--json", settings=settings, folder=folder, given=given)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_letters_are_listed_and_counted_by_cause(settings: dict[str, str], tmp_path: Path) -> None:
    """R30: tables for people, whose texts are no markup; the same as JSON."""
    listed = run("dead-letters", "list", settings=settings, folder=tmp_path, cold=True)
    assert listed.returncode == 0
    told = listed.stdout.decode().splitlines()
    assert len(told) == 9
    assert "[bold]must[/bold]" in told[1]

    causes = letters(settings, tmp_path, "groups")["items"]
    assert [(one["count"], one["code"]) for one in causes] == [(7, "malformed"), (1, "bug")]
    group = causes[1]["group"]
    assert len(letters(settings, tmp_path, "list", "--group", group)["items"]) == 1
    assert group in run("dead-letters", "groups", settings=settings, folder=tmp_path).stdout.decode()


def test_a_letter_is_shown_with_what_a_replay_would_do(settings: dict[str, str], tmp_path: Path) -> None:
    """R30: message, headers, attempts and forecast, for people and as JSON."""
    first = letters(settings, tmp_path, "list")["items"][0]

    assert letters(settings, tmp_path, "show", first["id"]) == first
    around = letters(settings, tmp_path, "show", first["id"], "--context")
    assert around["forecast"] == [
        {
            "outcome": "malformed",
            "integration_id": None,
            "said": "Still malformed: data.version: must be at least 1.",
        }
    ]
    told = run("dead-letters", "show", first["id"], settings=settings, folder=tmp_path).stdout.decode()
    assert "replayed now: Still malformed: data.version: must be at least 1." in told
    assert SAMPLE["data"]["item"]["title"] in told


def test_all_that_match_are_replayed_at_a_rate_and_stopped(settings: dict[str, str], tmp_path: Path) -> None:
    """R30: counted first; progress goes to standard error; what waits can be taken back."""
    which = ("--all-matching", "--reason", "malformed")
    assert letters(settings, tmp_path, "replay", *which, "--dry-run") == {"count": 7}
    grown = run("dead-letters", "replay", *which, "--expect", "6", settings=settings, folder=tmp_path)
    assert (grown.returncode, grown.stdout) == (1, b"")
    assert b"7 letters match by now, not 6" in grown.stderr

    dry = run("dead-letters", "replay", *which, "--dry-run", settings=settings, folder=tmp_path)
    assert dry.stdout.decode().splitlines() == [
        "would replay 7, which takes at least 1 seconds",
        "7 × Still malformed: data.version: must be at least 1.",
    ]

    slow = run("dead-letters", "replay", *which, "--rate", "0.01", settings=settings, folder=tmp_path)
    assert slow.stdout.decode().splitlines() == ["replaying 7"]
    assert b"7 of 7 dead letters" in slow.stderr
    assert letters(settings, tmp_path, "stop") == {"count": 6}
    assert len(letters(settings, tmp_path, "list", "--state", "open")["items"]) == 7


def test_r30_a_replay_says_of_its_length_what_its_dry_run_said(
    new_sqlite_url: str, settings: dict[str, str], tmp_path: Path
) -> None:
    """One integration's messages go out one a second, and so it is told before and after."""

    async def bury_more(store: Store) -> None:
        letters = [
            replace(a_letter(number, code="exhausted"), integration_id="i-1") for number in range(10, 30)
        ]
        async with store.begin() as connection:
            await bury(connection, letters, now=NOW)

    asyncio.run(_with_store(new_sqlite_url, bury_more))
    which = ("dead-letters", "replay", "--all-matching", "--reason", "exhausted")
    dry = run(*which, "--dry-run", settings=settings, folder=tmp_path)
    assert dry.stdout.decode().splitlines()[0] == "would replay 20, which takes at least 20 seconds"
    sent = run(*which, settings=settings, folder=tmp_path)
    told = "it takes at least 20 seconds; to end it: calendar-sync dead-letters stop"
    assert told in sent.stderr.decode().splitlines()


@given(st.lists(st.integers(0, 900)))
def test_r30_a_bar_of_replays_ends_where_it_should_whatever_others_add(seen: list[int]) -> None:
    """It never goes back nor says more than the number it began with."""
    begun, told, lowest = 600, 0, 600
    for left in [*seen, 0]:
        told += come_through(lowest, left)
        lowest = min(lowest, left)
        assert 0 <= told <= begun
    assert told == begun


def test_r30_all_that_match_are_mended_alike_or_discarded_and_taken_back(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """A change is made to each message's own data; what stays wrong is named and stays open."""
    (tmp_path / "change.json").write_text('{"version": 4, "item": {"reference": null}}')
    which = ("--all-matching", "--expect", "7")
    dry = letters(settings, tmp_path, "edit", *which, str(tmp_path / "change.json"), "--dry-run")
    assert dry == {"count": 7, "wrong": {}}
    (tmp_path / "wrong.json").write_text('{"version": 4, "action": "invented"}')
    wrong = run(
        "dead-letters", "edit", *which, str(tmp_path / "wrong.json"), settings=settings, folder=tmp_path
    )
    assert (wrong.returncode, wrong.stdout.count(b"still wrong: data.action")) == (1, 7)

    done = letters(settings, tmp_path, "discard", "--all-matching", "--code", "malformed", "--reason", "x")
    assert done["count"] == 7
    assert len(letters(settings, tmp_path, "list")["items"]) == 1
    assert len(letters(settings, tmp_path, "list", "--state", "all")["items"]) == 8
    assert letters(settings, tmp_path, "undo", "--batch", done["batch"]) == {"count": 7}
    again = run("dead-letters", "undo", "--batch", done["batch"], settings=settings, folder=tmp_path)
    assert (again.returncode, again.stdout) == (1, b"")
    assert b"nothing that was discarded together under this id is discarded still" in again.stderr

    assert letters(settings, tmp_path, "edit", *which, str(tmp_path / "change.json")) == dry
    assert len(letters(settings, tmp_path, "list", "--state", "edited")["items"]) == 7


def test_a_malformed_message_is_mended_from_a_file(settings: dict[str, str], tmp_path: Path) -> None:
    """The whole message or its data alone; what is wrong is a sentence and exit code 1."""
    first, second = letters(settings, tmp_path, "list", "--reason", "malformed")["items"][:2]
    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps(SAMPLE))
    new = letters(settings, tmp_path, "edit", first["id"], str(mended))
    assert (new["state"], new["id"] != first["id"]) == ("replaying", True)
    data = json.dumps(SAMPLE["data"]).encode()
    assert letters(settings, tmp_path, "edit", second["id"], "-", given=data)["state"] == "replaying"
    assert letters(settings, tmp_path, "show", first["id"])["state"] == "edited"

    third = letters(settings, tmp_path, "list", "--reason", "malformed", "--state", "open")["items"][0]
    mended.write_text(json.dumps(SAMPLE["data"] | {"version": 0}))
    wrong = run("dead-letters", "edit", third["id"], str(mended), settings=settings, folder=tmp_path)
    assert (wrong.returncode, b"data.version: must be at least 1" in wrong.stderr) == (1, True)
    for text in ("no json", "[]"):
        mended.write_text(text)
        odd = run("dead-letters", "edit", third["id"], str(mended), settings=settings, folder=tmp_path)
        assert odd.returncode == 2


def test_the_doctor_names_what_is_missing_and_its_remedy(tmp_path: Path, new_sqlite_url: str) -> None:
    """One line each; exit code 1."""
    empty = {"DATABASE_URL": new_sqlite_url, "BROKER_URL": "amqp://guest:hidden@127.0.0.1:9/"}

    seen = run("doctor", settings=empty, folder=tmp_path, cold=True)

    told = seen.stdout.decode()
    assert seen.returncode == 1
    assert "[failed] settings: " in told
    assert "CALENDAR_SYNC_CRONOFY_CLIENT_ID" in told
    assert "run: calendar-sync migrate" in told
    assert "[failed] broker: " in told
    assert "[skipped] topology: " in told
    assert "hidden" not in told


@pytest.mark.rabbitmq
def test_the_doctor_finds_a_whole_installation_well(
    tmp_path: Path, new_sqlite_url: str, broker_url: str
) -> None:
    """Settings, database, broker, topology, Cronofy's answer to our name, channels and depths."""
    port = free_port()
    whole = {
        **SECRETS,
        "DATABASE_URL": new_sqlite_url,
        "BROKER_URL": broker_url,
        "CRONOFY_API_URL": f"http://127.0.0.1:{port}",
        "SIMULATOR_PORT": str(port),
    }
    for command in ("migrate", "topology"):
        assert run(command, settings=whole, folder=tmp_path).returncode == 0
    with started("simulator", settings=whole, folder=tmp_path) as simulator:
        simulator.logged("process.started")
        seen = run("doctor", "--json", settings=whole, folder=tmp_path)
        assert seen.returncode == 0, seen.stdout
        found = {one["name"]: one["well"] for one in json.loads(seen.stdout)["items"]}
        assert set(found.values()) == {True}
        assert {"settings", "database", "broker", "topology", "cronofy", "channels"} < set(found)
        strange = whole | {"CRONOFY_CLIENT_SECRET": "another"}
        refused = run("doctor", settings=strange, folder=tmp_path)
        assert refused.returncode == 1
        assert "[failed] cronofy: " in refused.stdout.decode()


def test_what_was_done_stands_under_the_name_that_the_system_knows(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R30: nobody acts in another's name by saying so in the environment."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(variable, "mallory")
    settings = {**SECRETS, "DATABASE_URL": sqlite_url}
    asyncio.run(_with_store(sqlite_url, _fill))
    listed = run("dead-letters", "list", "--json", settings=settings, folder=tmp_path)
    letter_id = json.loads(listed.stdout)["items"][0]["id"]

    words = ("discard", letter_id, "--reason", "a test")
    assert run("dead-letters", *words, settings=settings, folder=tmp_path).returncode == 0

    shown = run("dead-letters", "show", letter_id, "--json", settings=settings, folder=tmp_path)
    (act,) = json.loads(shown.stdout)["acts"]
    assert act["who"] == pwd.getpwuid(os.getuid()).pw_name
