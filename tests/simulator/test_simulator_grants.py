"""Consent, tokens, scopes, linking (CRONOFY.md C5, C6, C8)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

BACK = "https://app.test/back?a=1"
SECRETS = {"client_id": "simulated", "client_secret": "simulated-secret"}


@pytest.fixture
def web(transport: httpx.ASGITransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=transport, base_url="http://cronofy.test")


async def authorize(web: httpx.AsyncClient, **changes: str) -> httpx.Response:
    asked = {
        "client_id": "simulated",
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "read_events create_event delete_event",
        "state": "st-1",
        **changes,
    }
    return await web.get("/oauth/authorize", params=asked)


def told(answer: httpx.Response) -> dict[str, str]:
    assert answer.headers["location"].startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def exchange(web: httpx.AsyncClient, code: str, **changes: str) -> httpx.Response:
    body = {**SECRETS, "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **changes}
    return await web.post("/oauth/token", json=body)


async def test_the_page_lists_the_five_services(web: httpx.AsyncClient, world: Any) -> None:
    """A form with a button for each person and one to refuse."""
    page = (await authorize(web)).text

    for word in ("Office 365", "Exchange", "Outlook.com", "Google", "iCloud", "olivia@example.test"):
        assert word in page


async def test_allowing_gives_a_code_and_the_state(web: httpx.AsyncClient, world: Any) -> None:
    """By the button of the page; the code is exchanged once and only with the same redirect_uri."""
    form = {
        "client_id": "simulated",
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "read_events",
        "state": "st-1",
        "_approve": "olivia@example.test",
    }
    back = told(await web.post("/oauth/authorize", data=form))
    assert back["state"] == "st-1"
    answer = await exchange(web, back["code"])
    tokens = answer.json()

    assert answer.headers["cache-control"] == "no-store"
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("bearer", 3600, "read_events")
    assert tokens["sub"] == tokens["account_id"]
    assert tokens["linking_profile"]["provider_service"] == "office365"
    assert (await exchange(web, back["code"])).json() == {"error": "invalid_grant"}
    again = told(await authorize(web, _approve="first"))
    assert (await exchange(web, again["code"], redirect_uri="https://app.test/")).status_code == 400


async def test_refusing_gives_access_denied(web: httpx.AsyncClient, world: Any) -> None:
    """By parameter, or by the switch."""
    assert told(await authorize(web, _approve="refuse"))["error"] == "access_denied"
    world.faults.change(auto_approve="refuse")
    assert told(await authorize(web))["error"] == "access_denied"


async def test_a_request_that_cannot_be_trusted_is_not_sent_back(web: httpx.AsyncClient, world: Any) -> None:
    """An unknown application 400; a missing scope goes back as an error."""
    assert (await authorize(web, client_id="nobody")).status_code == 400
    assert told(await authorize(web, scope=""))["error"] == "invalid_scope"


async def test_one_browser_is_one_account_unless_linking_is_avoided(
    web: httpx.AsyncClient,
    world: Any,
) -> None:
    """The cookie joins calendar accounts; avoid_linking does not."""
    for email in ("b@example.test", "c@example.test"):
        world.add_mailbox(email=email)

    async def sub(email: str, **more: str) -> str:
        back = told(await authorize(web, _approve=email, **more))
        return str((await exchange(web, back["code"])).json()["sub"])

    first = await sub("olivia@example.test")
    assert await sub("b@example.test") == first
    assert await sub("c@example.test", avoid_linking="true") != first


async def test_a_link_token_joins_by_name(web: httpx.AsyncClient, world: Any, api: Any) -> None:
    """Explicit linking."""
    world.add_mailbox(email="b@example.test")
    token = (await api.http.post("/v1/link_tokens")).json()["link_token"]
    asked = {"link_token": token, "avoid_linking": "true", "_approve": "b@example.test"}
    back = told(await authorize(web, **asked))

    assert (await exchange(web, back["code"])).json()["sub"] == api.linked.account.account_id
    assert len((await api.http.get("/v1/profiles")).json()["profiles"]) == 2


async def test_a_form_is_as_good_as_json(web: httpx.AsyncClient, api: Any) -> None:
    """The token endpoints take both."""
    body = {**SECRETS, "grant_type": "refresh_token", "refresh_token": api.linked.refresh_token}
    answer = await web.post("/oauth/token", data=body)

    assert answer.status_code == 200
    assert "sub" not in answer.json()


async def test_wrong_credentials_are_invalid_client(web: httpx.AsyncClient, api: Any) -> None:
    """400; every active secret is right."""
    body = {**SECRETS, "grant_type": "refresh_token", "refresh_token": api.linked.refresh_token}
    wrong = await web.post("/oauth/token", json={**body, "client_secret": "no"})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_client"})

    api.world.add_application("simulated", ["newer", "simulated-secret"])
    for secret in ("newer", "simulated-secret"):
        assert (await web.post("/oauth/token", json={**body, "client_secret": secret})).status_code == 200


async def test_an_old_refresh_token_lives_for_a_grace_period(
    web: httpx.AsyncClient,
    world: Any,
    api: Any,
) -> None:
    """Rotated, or kept, by switch."""
    body = {**SECRETS, "grant_type": "refresh_token", "refresh_token": api.linked.refresh_token}
    first = (await web.post("/oauth/token", json=body)).json()
    assert first["refresh_token"] != api.linked.refresh_token
    assert (await web.post("/oauth/token", json=body)).status_code == 200
    await world.advance(301)
    assert (await web.post("/oauth/token", json=body)).json() == {"error": "invalid_grant"}

    world.faults.change(rotate_refresh_tokens=False)
    body["refresh_token"] = first["refresh_token"]
    assert (await web.post("/oauth/token", json=body)).json()["refresh_token"] == first["refresh_token"]


async def test_an_access_token_runs_out_after_its_time(world: Any, api: Any) -> None:
    """401 with a challenge; also for a client secret or none at all."""
    assert (await api.http.get("/v1/account")).status_code == 200
    await world.advance(3600)
    answer = await api.http.get("/v1/account")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    secret = {"Authorization": "Bearer simulated-secret"}
    assert (await api.http.get("/v1/account", headers=secret)).status_code == 401


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [
        ("read_events", (403, 403, 200)),
        ("create_event", (202, 403, 403)),
        ("delete_event", (403, 202, 403)),
        ("read_write", (202, 202, 200)),
        ("free_busy", (403, 403, 403)),
    ],
)
async def test_scopes_are_enforced(world: Any, api: Any, scope: str, statuses: tuple[int, ...]) -> None:
    """create_event, delete_event, read_events; one's own events need no read_events."""
    token = world.link("olivia@example.test", scope=scope).access_token
    api.http.headers["Authorization"] = f"Bearer {token}"

    written, deleted, read = await api.upsert(), await api.delete(), await api.page()
    assert (written.status_code, deleted.status_code, read.status_code) == statuses
    assert (await api.page(only_managed=True)).status_code == 200


async def test_revoking_ends_tokens_and_channels(web: httpx.AsyncClient, world: Any, api: Any) -> None:
    """200 with nothing in it, also for an unknown token."""
    await api.watch()
    answer = await web.post("/oauth/token/revoke", json={**SECRETS, "token": api.linked.refresh_token})

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await api.http.get("/v1/account")).status_code == 401
    assert api.linked.account.channels == {}
    unknown = await web.post("/oauth/token/revoke", json={**SECRETS, "token": "unknown"})
    assert unknown.status_code == 200


async def test_a_revoked_profile_takes_its_calendars_with_it(world: Any, api: Any) -> None:
    """202; then 404."""
    profile = api.linked.account.profiles[0].profile_id

    assert (await api.http.post(f"/v1/profiles/{profile}/revoke")).status_code == 202
    assert (await api.http.get("/v1/calendars")).json()["calendars"] == []
    assert (await api.upsert()).status_code == 404
    assert (await api.http.post(f"/v1/profiles/{profile}/revoke")).status_code == 404


async def test_what_is_under_way_never_reaches_a_revoked_profile(world: Any, api: Any) -> None:
    """write_stall: accepted before, due after."""
    world.faults.change(write_stall=1800.0)
    calendar = world.bindings[api.calendar].calendar
    assert (await api.upsert()).status_code == 202
    await api.http.post(f"/v1/profiles/{api.linked.account.profiles[0].profile_id}/revoke")
    await world.rest()

    assert calendar.events == {}


async def test_two_accounts_at_one_mailbox_have_ids_of_their_own(world: Any, api: Any, other: Any) -> None:
    """Calendar ids and managed views are per application and account."""
    assert api.calendar != other.calendar
    await api.upsert()
    await other.upsert()
    await world.rest()

    assert len(world.events(api.calendar)) == 2
    listed = (await api.http.get("/v1/calendars")).json()
    assert listed["sub"] == api.linked.account.account_id
    assert listed["calendars"][0]["permission_level"] == "sandbox"
