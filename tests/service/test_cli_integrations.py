"""``integrations`` on the command line, as real processes: what operators see and do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from service.store.engine.store import Store
from service.store.tables import integration_state, integrations, runs
from tests.support.processes import SECRETS, run

ID = "00000001-0000-7000-8000-000000000000"
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
OFF = {"enabled": False, "past": "today", "future": "today"}


@pytest.fixture
def settings(sqlite_url: str) -> dict[str, str]:
    """One finished, active integration on a file."""
    asyncio.run(_with_store(sqlite_url, _fill))
    return {**SECRETS, "DATABASE_URL": sqlite_url}


async def _with_store(url: str, work: Callable[[Store], Awaitable[Any]]) -> Any:
    store = Store(url)
    await store.upgrade()
    found = await work(store)
    await store.close()
    return found


async def _fill(store: Store) -> None:
    row = {
        "id": ID,
        "tenant_id": "acme",
        "user_id": "u-17",
        "sub": "acc_1",
        "profile_id": "pro_1",
        "profile_name": "sam@contoso.example",
        "provider_name": "google",
        "provider_service": "google",
        "account_name": "sam@contoso.example",
        "calendar_id": "cal_1",
        "calendar_name": "Work",
        "active": True,
        "status": "connected",
        "event_types": {"create": True, "update": False, "delete": False},
        "item_types": {"task": True},
        "retrieve": OFF,
        "send": OFF,
        "created_at": NOW,
        "finished_at": NOW,
        "baseline_at": NOW,
    }
    async with store.begin() as connection:
        await connection.execute(integrations.insert().values(row))
        await connection.execute(integration_state.insert().values(integration_id=ID))


async def _kinds(store: Store) -> list[tuple[str, str, str]]:
    async with store.read() as connection:
        rows = await connection.execute(
            select(runs.c.kind, runs.c.state, runs.c.started_by).order_by(runs.c.id)
        )
        return [tuple(row) for row in rows]


def test_operators_see_pause_and_resume_everyones_integrations(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """``--json`` prints the API's document and nothing else."""

    def said(*words: str) -> Any:
        ended = run("integrations", *words, "--json", settings=settings, folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    listed = said("list")
    assert [(one["id"], one["active"]) for one in listed["items"]] == [(ID, True)]
    assert said("show", ID) == listed["items"][0]
    assert said("pause", ID)["active"] is False
    assert said("resume", ID)["active"] is True
    assert said("log", ID) == {"items": [], "next": None}
    kinds = asyncio.run(_with_store(settings["DATABASE_URL"], _kinds))
    assert kinds == [("catch_up", "waiting", "calendar-sync")]


def test_a_sync_that_an_operator_starts_is_a_run(settings: dict[str, str], tmp_path: Path) -> None:
    """One at a time (R25); the words of a range are checked."""

    def sync(*words: str) -> Any:
        return run("integrations", "sync", ID, *words, settings=settings, folder=tmp_path)

    wrong = sync("--retrieve", "today,forever")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert sync("--send", "today,12_months").returncode == 0
    refused = sync()
    assert (refused.returncode, b"A sync is running" in refused.stderr) == (1, True)
    ((kind, state, started_by),) = asyncio.run(_with_store(settings["DATABASE_URL"], _kinds))
    assert (kind, state) == ("sync_now", "waiting")
    assert started_by


def test_an_unknown_integration_is_told_in_a_sentence(settings: dict[str, str], tmp_path: Path) -> None:
    """Exit code 1."""
    ended = run("integrations", "show", "nothing", settings=settings, folder=tmp_path, cold=True)

    assert ended.returncode == 1
    assert b"There is no such integration." in ended.stderr


def test_operators_end_syncs_and_delete_integrations(settings: dict[str, str], tmp_path: Path) -> None:
    """Each refusal is a sentence; deleting asks first, and tells how many copies there are (R21, R25)."""

    def ended(*words: str) -> Any:
        return run("integrations", *words, settings=settings, folder=tmp_path)

    def said(*words: str) -> Any:
        answer = ended(*words, "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    run_id = said("sync", ID)["run_id"]
    assert [(one["id"], one["state"]) for one in said("runs", ID)["items"]] == [(run_id, "waiting")]
    assert said("cancel", run_id)["state"] == "cancelled"
    assert said("held", ID, "--answer", "keep") == {"count": 0}
    said("pause", ID)
    refused = ended("sync", ID)
    assert (refused.returncode, b"not active" in refused.stderr) == (1, True)
    unasked = ended("delete", ID)
    assert (unasked.returncode, b"0 copies are on the linked calendar" in unasked.stderr) == (1, True)
    assert said("delete", ID, "--copies", "remove") == {"copies": 0}
    assert said("list")["items"] == []
