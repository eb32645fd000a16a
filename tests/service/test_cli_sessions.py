"""``sessions end``: everybody or one person is signed out, once it was counted (R45)."""

import asyncio
import json
from pathlib import Path
from typing import Any

from service.web.tokens import SESSION_COOKIE
from tests.support.office import Office
from tests.support.processes import SECRETS, run

ONE = ("--tenant", "acme", "--user", "u-17")
LIST = "/calendar-sync"


class Operator:
    """At the command line, beside the office."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office, self.folder = office, folder
        self.settings = {**SECRETS, "DATABASE_URL": office.store.url}

    async def says(self, *words: str, code: int = 0) -> Any:
        ended = await asyncio.to_thread(
            run, "sessions", "end", *words, "--json", settings=self.settings, folder=self.folder
        )
        assert ended.returncode == code, ended.stderr
        return json.loads(ended.stdout) if code == 0 else ended.stderr.decode()


async def cookie_of(office: Office, user: str, tenant: str = "acme") -> str:
    office.client.cookies.clear()
    await office.sign_in(user, tenant=tenant)
    return str(office.client.cookies[SESSION_COOKIE])


async def opens(office: Office, cookie: str) -> int:
    office.client.cookies.clear()
    return (await office.client.get(LIST, headers={"Cookie": f"{SESSION_COOKIE}={cookie}"})).status_code


async def test_r45_an_operator_ends_one_persons_sessions_or_all_after_counting_them(
    office: Office, tmp_path: Path
) -> None:
    """Old cookies answer 401; of the person older tokens, too; the same id elsewhere is another person."""
    operator = Operator(office, tmp_path)
    mine, colleagues = await cookie_of(office, "u-17"), await cookie_of(office, "u-22")
    namesakes = await cookie_of(office, "u-17", tenant="globex")

    assert await operator.says(*ONE) == {"sessions": 1, "dry_run": True}
    assert await opens(office, mine) == 200
    assert await operator.says(*ONE, "--yes") == {"sessions": 1, "dry_run": False}
    assert [await opens(office, one) for one in (mine, colleagues, namesakes)] == [401, 200, 200]

    assert await operator.says() == {"sessions": 2, "dry_run": True}
    assert await opens(office, colleagues) == 200
    assert await operator.says("--yes") == {"sessions": 2, "dry_run": False}
    assert [await opens(office, one) for one in (colleagues, namesakes)] == [401, 401]

    assert "name both for one person" in await operator.says("--user", "u-17", "--yes", code=2)
