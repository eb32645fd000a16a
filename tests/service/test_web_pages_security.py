"""Pages run no script of others, and keep what is theirs from scripts and other sites."""

from uuid import uuid4

import pytest

from service.store.integrations import listing
from service.store.integrations.integrations import change
from service.store.tables import runs
from tests.support.office import ALL_TYPES, OFF, Office, open_office
from tests.support.pages import BROWSER, Browser

LIST = "/calendar-sync"
SCRIPT = "\"><script>alert(1)</script>'{{7*7}}"
ON = {"enabled": True, "past": "1_week", "future": "3_months"}
TABS = ("linked-calendar", "your-calendar", "sync-options", "confirmation")


@pytest.fixture
async def integration_id(office: Office) -> str:
    return await office.finished(retrieve=ON)


def pages_of(integration_id: str, run_id: str, key: str) -> list[str]:
    at = f"{LIST}/{integration_id}"
    return [
        *(f"{at}/settings/{tab}" for tab in TABS),
        f"{at}/delete", f"{at}/logs", f"{at}/logs?trigger=real_time", f"{at}/runs/{run_id}",
        f"/my-calendar/item?key={key}",
    ]  # fmt: skip


async def thing(office: Office) -> tuple[str, str]:
    """A run and an appointment of u-17."""
    body = {"title": "Mine", "start": "2026-12-03T09:00:00Z"}
    added = await office.client.post("/api/v1/my-calendar/items", json=body, headers=office.bearer())
    (run,) = await office.rows(runs)
    return run["id"], f"appointment:{added.json()['id']}"


async def token(office: Office) -> str:
    page = await Browser(client=office.client).open("/my-calendar/new")
    return page.forms[0].fields["csrf_token"]


async def test_the_token_suffices_where_a_browser_tells_no_origin(office: Office) -> None:
    """Our own pages send no referrer, so that a browser's Origin is null on plain http."""
    await office.sign_in()
    form = {
        "csrf_token": await token(office), "title": "x", "start_day": "2026-12-03", "all_day": "on",
    }  # fmt: skip
    headers = {**BROWSER, "Origin": "null"}
    answer = await office.client.post("/my-calendar/new", data=form, headers=headers)
    assert answer.status_code == 303


async def test_script_in_every_text_is_shown_and_never_run(office: Office) -> None:
    """Names of people, accounts and calendars, items' texts, runs' and addresses' words."""
    office.world.add_mailbox(email="eve@example.test", calendars=(SCRIPT,))
    integration_id = await office.connect(email="eve@example.test")
    calendar_id = (await office.calendars(integration_id))[SCRIPT]
    async with office.store.begin() as connection:
        await change(
            connection, integration_id, account_name=SCRIPT, provider_service=SCRIPT, calendar_name=SCRIPT,
            calendar_id=calendar_id, status="connected", active=True, finished_at=office.clock.now(),
        )  # fmt: skip
    body = {"title": SCRIPT, "location": SCRIPT, "description": SCRIPT, "start": "2026-12-03T09:00:00Z"}
    added = await office.client.post("/api/v1/my-calendar/items", json=body, headers=office.bearer())
    started = await office.post(f"/api/v1/integrations/{integration_id}/sync")
    async with office.store.begin() as connection:
        await connection.execute(runs.update().values(now=SCRIPT, reason=SCRIPT, total=3))
    await office.sign_in(name=SCRIPT)
    key = f"appointment:{added.json()['id']}"
    addresses = [
        LIST, f"{LIST}?notice=%3Cscript%3E&complaint=%3Cscript%3E", "/my-calendar",
        "/my-calendar?day=2026-12-03",
        "/my-calendar/new?day=%22%3E%3Cscript%3E&view=%22%3E%3Cscript%3E", "/nowhere/%3Cscript%3E",
        *pages_of(integration_id, started.json()["run_id"], key),
    ]  # fmt: skip
    for address in addresses:
        answer = await office.client.get(address, headers=BROWSER)
        assert answer.status_code in {200, 404}, address
        assert "<script>" not in answer.text, address
    listed = (await office.client.get(LIST, headers=BROWSER)).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in listed


async def test_no_page_has_script_or_style_of_its_own(integration_id: str, office: Office) -> None:
    """The policy allows none: everything comes from our own files."""
    run_id, key = await thing(office)
    await office.sign_in()
    browser = Browser(client=office.client)
    for address in (LIST, "/my-calendar", "/my-calendar/new", *pages_of(integration_id, run_id, key), "/no"):
        page = await browser.open(address)
        for tag, given in page.tags:
            assert tag != "style"
            assert "style" not in given
            assert not any(name.startswith("on") for name in given), (tag, given)
            assert tag != "script" or given["src"].startswith("/static/")
            assert not given.get("href", "").startswith("javascript:")


async def test_cookies_are_kept_from_scripts_and_from_other_sites(sqlite_url: str) -> None:
    """The draft's as well as the session's; under https they travel nowhere else."""
    async with open_office(sqlite_url, public_url="https://sync.test") as office:
        await office.sign_in()
        integration_id = await unfinished(office)
        address = f"{LIST}/{integration_id}/settings/your-calendar"
        form = {"csrf_token": await token(office), "task": "on", "to": "sync-options"}
        answer = await office.client.post(address, data=form, headers=BROWSER)
    (cookie,) = answer.headers.get_list("Set-Cookie")
    for words in ("HttpOnly", "Secure", "SameSite=lax", f"Path={LIST}/{integration_id}/settings"):
        assert words in cookie


async def unfinished(office: Office) -> str:
    """A set-up that nobody has finished."""
    integration_id = str(uuid4())
    async with office.store.begin() as connection:
        await listing.add(
            connection, id=integration_id, tenant_id="acme", user_id="u-17", sub="s", profile_id="p",
            profile_name="p", provider_name="google", provider_service="google", account_name="a",
            event_types={"create": True, "update": False, "delete": False},
            item_types=dict.fromkeys(ALL_TYPES, True), retrieve=OFF, send=OFF, created_at=office.clock.now(),
        )  # fmt: skip
    return integration_id


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize("address", ["/static/no.css", "/static/", "/static", "/static/%2e%2e/my-calendar"])
async def test_no_error_is_kept_by_whoever_stands_between(office: Office, address: str, accept: str) -> None:
    """The page of an error greets whoever is signed in, and its form carries their token."""
    await office.sign_in(name="Sam Smith")
    answer = await office.client.get(address, headers={"Accept": accept})
    assert answer.headers["Cache-Control"] == "no-store", answer.status_code
    assert answer.status_code != 200
    posted = await office.client.post("/static/style.css", headers={"Accept": accept})
    assert (posted.status_code, posted.headers["Cache-Control"]) == (405, "no-store")


async def test_what_is_the_same_for_everybody_may_be_kept(office: Office) -> None:
    """And what is not changed is not sent again."""
    answer = await office.client.get("/static/style.css")
    assert (answer.status_code, answer.headers.get("Cache-Control")) == (200, None)
    known = {"If-None-Match": answer.headers["ETag"]}
    again = await office.client.get("/static/style.css", headers=known)
    assert (again.status_code, again.headers.get("Cache-Control")) == (304, None)
