"""``integrations`` on the command line, as real processes: what operators see and do."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contracts.calendar import Code, IntegrationId, LinkState
from service.cli.operator import operator_name
from service.store.engine.store import Store
from service.store.items import items
from service.store.links import links
from service.store.tables import deletions, integration_state, integrations, log_entries, runs
from tests.builders import a_link, an_item
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
    kinds = asyncio.run(_with_store(settings["DATABASE_URL"], _kinds))
    assert kinds == [("catch_up", "waiting", "calendar-sync")]


RAW = re.compile(r"[\[{]'|datetime\.|\b(None|True|False)\b|<\w+[.:]")
PRINTING = (
    "integrations list", f"integrations show {ID}", f"integrations pause {ID}", f"integrations resume {ID}",
    f"integrations sync {ID}", f"integrations runs {ID}", f"integrations log {ID}",
    f"integrations agreement {ID}", f"integrations agreement {ID} --check", f"integrations watch {ID}",
    f"integrations watching {ID}", f"integrations begin {ID}", f"integrations held {ID} --answer keep",
    f"integrations delete {ID} --yes", "integrations forget-deleted --tenant acme --user u-17",
    "dead-letters list", "sources list", "questions list --tenant acme", "record list", "record keys",
    "sessions end --tenant acme --user u-17", "migrate --check", "integrations list --status held",
)  # fmt: skip


def test_every_command_prints_what_people_read(settings: dict[str, str], tmp_path: Path) -> None:
    """No word of Python's, whatever the row holds; ``--json`` is for programs."""
    said = {words: run(*words.split(), settings=settings, folder=tmp_path) for words in PRINTING}
    raw = {words: one.stdout.decode() for words, one in said.items() if RAW.search(one.stdout.decode())}
    assert raw == {}
    assert [words for words, one in said.items() if one.returncode == 2] == []
    shown = said[f"integrations show {ID}"].stdout.decode()
    assert "\nsettings event_types: create yes, update no, delete no\n" in shown
    assert "\nactive: yes\n" in shown


def test_r47_the_log_of_an_integration_says_which_operator_switched_or_deleted_it(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """By the name that the system knows, not the environment; what stood so already says nothing."""

    def done(*words: str) -> Any:
        ended = run("integrations", *words, "--json", settings=claimed, folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    claimed = {**settings, "USER": "mallory", "LOGNAME": "mallory", "CALENDAR_SYNC_OPERATOR": "mallory"}
    for words in (("pause", ID), ("pause", ID), ("resume", ID)):
        done(*words)
    shown = done("log", ID)["items"]
    done("delete", ID, "--yes")
    kept = asyncio.run(_with_store(settings["DATABASE_URL"], _said))

    who = f"operator {operator_name()}"
    assert kept == [f"Paused by {who}.", f"Resumed by {who}.", f"Deleted by {who}."]
    assert [one["reason"] for one in reversed(shown)] == kept[:2]


def test_r47_an_operator_looks_for_integrations_as_the_api_does(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """By tenant, person, how they stand, and a part of a name; a word of no closed set is wrong usage."""

    def found(*words: str) -> list[str]:
        ended = run("integrations", "list", *words, "--json", settings=settings, folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return [one["id"] for one in json.loads(ended.stdout)["items"]]

    for words in (("--tenant", "acme"), ("--person", "u-17"), ("--status", "connected"), ("--q", "CONTOSO")):
        assert found(*words) == [ID]
    for words in (("--tenant", "other"), ("--person", "u-18"), ("--status", "held"), ("--q", "nobody")):
        assert found(*words) == []
    table = run("integrations", "list", settings=settings, folder=tmp_path).stdout.decode()
    assert [*table.split()[:3]] == [ID, "acme/u-17", "active"]  # forgetting asks for tenant and person
    wrong = run("integrations", "list", "--status", "well", settings=settings, folder=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, b"")


async def _hold(store: Store) -> None:
    """A task of the person's whose copy they deleted among many others."""
    item = an_item(title="Held", assignees=("u-17",))
    held = a_link(item, integration_id=IntegrationId(ID), calendar_id="cal_1", code=Code.HELD_DELETION)
    async with store.begin() as connection:
        await items.add(connection, [(item, None)], now=NOW)
        await links.add(connection, [replace(held, state=LinkState.HELD)], now=NOW, touched_at=0.0)
        row = {"link_id": held.id, "integration_id": ID, "noticed_at": NOW, "state": "held"}
        await connection.execute(deletions.insert().values(row))


def test_r47_the_log_says_which_operator_answered_or_cancelled_and_the_answer_is_taken_back(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """The undo is told first, and is then a run that the same operator has started (R50)."""

    def done(*words: str) -> Any:
        ended = run("integrations", *words, "--json", settings=settings, folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    asyncio.run(_with_store(settings["DATABASE_URL"], _hold))
    (asked,) = done("held", ID)["items"]
    assert (asked["kind"], asked["title"], asked["count"]) == ("deletion", "Held", 1)
    said = run("integrations", "held", ID, settings=settings, folder=tmp_path)
    assert said.stdout.decode().split()[::2] == ["deletion", "Held"]
    assert done("runs", ID)["items"] == []
    answered = done("held", ID, "--answer", "delete")
    assert answered["count"] == 1
    who = operator_name()
    (run_shown,) = done("runs", ID)["items"]
    assert (run_shown["id"], run_shown["kind"]) == (answered["run_id"], "answer")
    assert (run_shown["started_by"], run_shown["deleted"]) == (who, 1)

    told = done("undo-run", answered["run_id"], "--dry-run")["items"]
    assert [(one["title"], one["left"], one["reason"]) for one in told] == [
        ("Held", False, "On My Calendar again.")
    ]
    said = run(
        "integrations", "undo-run", answered["run_id"], "--dry-run", settings=settings, folder=tmp_path
    )
    assert said.stdout.decode().splitlines() == ["back  <-  Held  On My Calendar again."]
    undoing = done("undo-run", answered["run_id"])["run_id"]
    newest = done("runs", ID)["items"][0]
    assert (newest["id"], newest["undoes"], newest["started_by"]) == (undoing, answered["run_id"], who)

    cancelled = done("cancel", undoing)
    assert (cancelled["state"], cancelled["reason"]) == (
        "cancelled", f"A sync was cancelled by operator {who}.",
    )  # fmt: skip
    assert asyncio.run(_with_store(settings["DATABASE_URL"], _said)) == [
        f"Held deletions were answered by operator {who}: they are carried out.",
        cancelled["reason"],
    ]


async def _said(store: Store) -> list[str]:
    async with store.read() as connection:
        rows = select(log_entries.c.reason).where(log_entries.c.trigger == "operator")
        return [*await connection.scalars(rows.order_by(log_entries.c.id))]


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
    """Refusals are sentences; deleting asks first, and counts copies; a program has to say yes (R21, R25)."""

    def ended(*words: str) -> Any:
        return run("integrations", *words, settings=settings, folder=tmp_path)

    def said(*words: str) -> Any:
        answer = ended(*words, "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    run_id = said("sync", ID)["run_id"]
    assert [(one["id"], one["state"]) for one in said("runs", ID)["items"]] == [(run_id, "waiting")]
    assert said("cancel", run_id)["state"] == "cancelled"
    assert said("held", ID, "--answer", "keep") == {"count": 0, "run_id": None}
    said("pause", ID)
    refused = ended("sync", ID)
    assert (refused.returncode, b"not active" in refused.stderr) == (1, True)
    for answer in (b"", b"n\n"):
        unasked = run("integrations", "delete", ID, settings=settings, folder=tmp_path, given=answer)
        assert (unasked.returncode, b"0 copies are on the linked calendar" in unasked.stderr) == (1, True)
        assert unasked.stderr.decode().endswith("calendar-sync: not confirmed; nothing was done\n")
    assert said("delete", ID, "--copies", "remove") == {"copies": 0, "dry_run": True}
    assert len(said("list")["items"]) == 1
    assert said("delete", ID, "--copies", "remove", "--yes") == {"copies": 0, "dry_run": False}
    assert said("list")["items"] == []
