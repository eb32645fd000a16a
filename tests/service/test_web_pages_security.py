"""Pages give nothing to strangers, take no form that is not theirs, and run no script of others."""

from uuid import uuid4

import pytest

from service.store.integrations import listing
from service.store.integrations.integrations import change
from service.store.tables import integrations, outbox, runs
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


def forms_of(integration_id: str, run_id: str, key: str) -> list[str]:
    at = f"{LIST}/{integration_id}"
    return [
        *(f"{at}/settings/{tab}" for tab in TABS),
        *(f"{at}/{verb}" for verb in ("activate", "deactivate", "delete", "discard", "held-deletions")),
        f"{at}/runs/{run_id}/cancel", f"/my-calendar/item?key={key}", f"/my-calendar/item/delete?key={key}",
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


async def standing(office: Office) -> tuple[object, ...]:
    """What a form that was refused must leave as it is."""
    (row,) = await office.rows(integrations)
    ran = sorted((one["id"], one["state"]) for one in await office.rows(runs))
    return row["active"], row["deleted_at"], ran, len(await office.rows(outbox))


@pytest.mark.parametrize(
    "who", [{"user": "u-22"}, {"tenant": "other"}, {"user": "boss", "role": "administrator"}]
)
async def test_what_is_not_yours_is_404_on_every_page_and_form(
    who: dict[str, str], integration_id: str, office: Office
) -> None:
    """Another user's, another tenant's, an administrator's colleague's, and what does not exist."""
    run_id, key = await thing(office)
    office.client.cookies.clear()
    await office.sign_in(**who)
    mine, before = await token(office), await standing(office)
    for given in ((integration_id, run_id, key), (str(uuid4()), str(uuid4()), "x:y"), ("x", "x", "x")):
        for address in pages_of(*given):
            answer = await office.client.get(address, headers=BROWSER)
            assert answer.status_code == 404, address
        for address in forms_of(*given):
            answer = await office.client.post(address, data={"csrf_token": mine}, headers=BROWSER)
            assert answer.status_code == 404, address
    assert await standing(office) == before


async def test_nobody_sees_a_page_or_sends_a_form_without_signing_in(
    integration_id: str, office: Office
) -> None:
    run_id, key = await thing(office)
    office.client.cookies.clear()
    before = await standing(office)
    whole = ["/my-calendar", "/my-calendar/new", LIST, f"{LIST}/exchange-help"]
    for address in (*whole, *pages_of(integration_id, run_id, key)):
        answer = await office.client.get(address, headers=BROWSER)
        assert (answer.status_code, "Sign in through Vorex." in answer.text) == (401, True), address
    for address in ("/my-calendar/new", *forms_of(integration_id, run_id, key)):
        answer = await office.client.post(address, data={"title": "x"}, headers=BROWSER)
        assert answer.status_code == 401, address
    assert await standing(office) == before


async def test_a_form_without_its_own_sessions_token_is_refused(integration_id: str, office: Office) -> None:
    """CSRF: none, a guess, and that of another session of the same person."""
    run_id, key = await thing(office)
    await office.sign_in()
    old = await token(office)
    office.client.cookies.clear()
    await office.sign_in()
    before = await standing(office)
    for given in ({}, {"csrf_token": ""}, {"csrf_token": "0" * 64}, {"csrf_token": old}):
        for address in ("/my-calendar/new", *forms_of(integration_id, run_id, key)):
            form = {**given, "title": "x", "start_day": "2026-12-03", "all_day": "on"}
            answer = await office.client.post(address, data=form, headers=BROWSER)
            assert answer.status_code == 403, address
    assert await standing(office) == before


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
