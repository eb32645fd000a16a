"""Nothing secret is ever said: the search through all output can fail, and finds nothing (R27)."""

import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from contracts.fields import rfc3339
from contracts.ports import Outgoing
from service.demo.acceptance import AcceptanceWalk
from service.store.engine.ids import new_id
from service.store.tables import attempts, credentials, integrations, log_entries, outbox
from tests.support.calendars import changed, raw
from tests.support.processes import ROOT, SECRETS, run
from tests.support.secrecy import CLIENT_SECRET, PRIVATE, SIGN_IN_SECRET, leaks
from tests.support.servers import free_port
from tests.support.stage import Stage, staged
from tests.support.waiting import until

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
def test_r27_each_kind_of_secret_is_recognised(what: str) -> None:
    """A search that finds nothing proves nothing unless it can find."""
    assert [told.partition(":")[0] for told in leaks([f"before {SAYINGS[what]} after"])] == [what]
    assert leaks([SAYINGS[what]], but=[what]) == [] or what == "a planted key"
    assert leaks(["the client secret, a token, Bearer, a private item"]) == []


def test_r27_a_test_fails_in_which_a_secret_is_said(tmp_path: Path) -> None:
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


@pytest.mark.rabbitmq
@pytest.mark.timeout(600)
async def test_r27_no_process_says_a_secret_in_good_times_or_bad(
    broker_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    """Connected, synced both ways, refused, expired, revoked: what was said is searched at the test's end.

    Here the places are searched where people look: log entries, dead letters, metrics, facts, command line.
    """
    pages = f"http://127.0.0.1:{free_port()}"
    addresses = {"PUBLIC_URL": pages, "PORT": pages.rpartition(":")[2], "RETRY_DELAYS": "1"}
    async with staged(sqlite_url, broker_url, tmp_path, **addresses) as stage:
        up = stage.begin("up")
        await asyncio.to_thread(up.said, "ready http", seconds=240)
        async with httpx.AsyncClient(timeout=60, trust_env=False) as browser:
            person = AcceptanceWalk(
                browser=browser,
                product=pages,
                calendar_provider=stage.settings["CRONOFY_API_URL"],
                now=datetime.now(UTC),
            )
            await person.sign_in(_token("u-17"))
            await person.connect()
            await person.finish()
            await _in_good_times(stage, person)
            await _in_bad_times(stage, person)
            shown = await _what_people_see(stage, browser, pages)
        assert leaks(shown) == []
        sealed = [row["refresh_token"] for row in await stage.world.rows(credentials)]
        assert leaks(sealed, but=["a sealed token"]) == []
        assert await stage.stop([up]) == [0]


async def _in_good_times(stage: Stage, person: AcceptanceWalk) -> None:
    """A private item goes out, a private event comes in."""
    await stage.publish([_private("out")])
    await stage.settled(1)
    event = {
        "summary": f"{PRIVATE} lunch",
        "description": PRIVATE,
        "location": PRIVATE,
        "start": rfc3339(person._day(12)),
        "end": rfc3339(person._day(13)),
        "event_private": True,
    }
    added = await stage.control.post(f"/calendars/{person.calendar_id}/events", json=event)
    assert added.status_code == 200, added.text
    days = {"from": rfc3339(person._day(0)), "to": rfc3339(person._day(23))}

    async def there() -> bool:
        return bool((await person._api("GET", "/my-calendar/items", params=days))["items"])

    await until(there, what="the private event in My Calendar")


async def _in_bad_times(stage: Stage, person: AcceptanceWalk) -> None:
    """Refused, unreadable, malformed, a token that has ended, a fault of Cronofy, and access withdrawn."""
    await stage.faults(next_errors=1, error_status=422)
    await stage.publish([_private("refused")])
    await until(lambda: _letters(stage, 1), what="the refused one's letter")
    body = _private("wrong").body.replace(b'"version":1', b'"version":"one"')
    await stage.publish([raw(body, "wrong"), raw(b'{"private": true, "title": "unspeakable"', "broken")])
    await until(lambda: _letters(stage, 3), what="the letters of the malformed")
    await stage.faults(next_errors=2, error_status=500, expire_access_tokens=True)
    await stage.publish([_private("again")])
    await until(lambda: _ended(stage, "again"), what="the one that met an ended token")
    (integration,) = await stage.world.rows(integrations)
    await stage.faults(revoke=[integration["sub"]])
    await stage.publish([_private("withdrawn")])
    await until(lambda: _ended(stage, "withdrawn"), what="the one that met the withdrawal")


async def _what_people_see(stage: Stage, browser: httpx.AsyncClient, pages: str) -> list[str]:
    """Everything of it that others than the owner may see, and what stands in the store as plain text."""
    operator = {"Authorization": f"Bearer {_token('olga', role='operator')}"}
    paths = ("/api/v1/dead-letters", "/api/v1/dead-letters/groups", "/operations/dead-letters", "/metrics")
    answers = [await browser.get(f"{pages}{path}", headers=operator) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    (integration,) = await stage.world.rows(integrations)
    boss = {"Authorization": f"Bearer {_token('boss', role='administrator')}"}
    logs = await browser.get(
        f"{pages}/api/v1/integrations/{integration['id']}/logs?trigger=all", headers=boss
    )
    assert logs.status_code == 200
    words = (("dead-letters", "list", "--json"), ("integrations", "list", "--json"), ("doctor",))
    said = [
        await asyncio.to_thread(run, *each, settings=stage.settings, folder=stage.folder) for each in words
    ]
    return [
        *(answer.text for answer in (*answers, logs)),
        *(ended.stdout.decode() for ended in said),
        *(str(dict(row)) for row in await stage.world.rows(log_entries)),
        *(f"{row['reason']} {row['exception']}" for row in await stage.world.letters()),
        *(row["error"] for row in await stage.world.rows(attempts)),
        *(row["body"].decode() for row in await stage.world.rows(outbox)),
    ]


def _private(name: str) -> Outgoing:
    texts: dict[str, Any] = {"title": f"{PRIVATE} {name}", "description": PRIVATE, "location": PRIVATE}
    return changed(name, id=name, private=True, **texts)


def _token(user: str, **claims: str) -> str:
    """As Vorex signs one."""
    given = {"sub": user, "tenant": "acme", "exp": datetime.now(UTC) + timedelta(minutes=9), "jti": new_id()}
    return jwt.encode({**given, **claims}, SIGN_IN_SECRET, algorithm="HS256")


async def _letters(stage: Stage, count: int) -> bool:
    return len(await stage.world.letters()) == count


async def _ended(stage: Stage, message_id: str) -> bool:
    return message_id in await stage.world.finished()
