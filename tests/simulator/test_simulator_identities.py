"""As unkind as Cronofy: permission only when asked for, and new identities after a long absence."""

from typing import Any

import httpx
import pytest

from service.demo.simulator.app import create_app

OLIVIA = "olivia@example.test"
DAY = 86_400.0


def _uids(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["summary"]: row["event_uid"] for row in rows}


async def _calendar(api: Any) -> dict[str, Any]:
    (only, _) = (await api.http.get("/v1/calendars")).json()["calendars"]
    return dict(only)


async def _asked(world: Any, api: Any, choice: str) -> str:
    """Where the person is sent back to after that answer on the page."""
    asked = [{"calendar_id": (await _calendar(api))["calendar_id"], "permission_level": "unrestricted"}]
    back = "https://app.test/back?state=1"
    answer = await api.http.post("/v1/permissions", json={"permissions": asked, "redirect_uri": back})
    page = answer.json()["permissions_request"]["url"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world))) as browser:
        assert "Do not allow" in (await browser.get(page)).text
        sent_back = await browser.post(page, data={"choice": choice})
        assert (await browser.post(page, data={"choice": choice})).status_code == 404
    return str(sent_back.headers["Location"])


@pytest.mark.parametrize(("choice", "level"), [("allow", "unrestricted"), ("refuse", "sandbox")])
async def test_permission_is_granted_on_its_page_alone(world: Any, api: Any, choice: str, level: str) -> None:
    """Everybody begins in the sandbox; the request is good once."""
    assert (await _calendar(api))["permission_level"] == "sandbox"

    assert await _asked(world, api, choice) == "https://app.test/back?state=1"

    assert (await _calendar(api))["permission_level"] == level


@pytest.mark.parametrize(("days", "anew"), [(29, False), (31, True)])
async def test_ids_are_made_anew_after_thirty_days(world: Any, api: Any, days: int, *, anew: bool) -> None:
    """The same calendar and the same events; what was permitted is to be asked for again."""
    world.add_event(api.calendar, summary="Lunch", start="2026-12-20T09:00:00Z", end="2026-12-20T10:00:00Z")
    world.set_permission(api.calendar, "unrestricted")
    await world.advance(5)
    before = _uids(await api.read())
    world.disconnect(OLIVIA)
    await world.advance(days * DAY)
    world.reconnect(OLIVIA)
    linked = world.link(OLIVIA)
    api.http.headers["Authorization"] = f"Bearer {linked.access_token}"
    await world.advance(5)

    after = _uids(await api.read(from_="2026-12-01", to="2027-01-15"))

    calendar = await _calendar(api)
    assert (after == before, list(after)) == (not anew, ["Lunch"])
    assert (calendar["calendar_id"] != api.calendar) is anew
    assert calendar["permission_level"] == ("sandbox" if anew else "unrestricted")


async def test_own_events_look_external_after_ninety_days(world: Any, api: Any) -> None:
    """Nothing of them is forgotten at the provider."""
    await api.upsert(start="2027-03-20T09:00:00Z", end="2027-03-20T10:00:00Z")
    await world.advance(5)
    world.disconnect(OLIVIA)
    await world.advance(91 * DAY)
    linked = world.link(OLIVIA)
    api.http.headers["Authorization"] = f"Bearer {linked.access_token}"

    (row,) = await api.own()

    assert "event_id" not in row


async def test_coming_back_by_mail_is_told_to_nobody(world: Any, api: Any, receiver: Any) -> None:
    """What happens afterwards comes by the old channel."""
    await api.watch()
    world.disconnect(OLIVIA)
    await world.advance(5)
    told = len(receiver.got)

    world.reconnect(OLIVIA)
    await world.advance(5)

    assert len(receiver.got) == told
    world.add_event(api.calendar, summary="Lunch", start="2026-12-20T09:00:00Z", end="2026-12-20T10:00:00Z")
    await world.advance(5)
    assert receiver.types()[told:] == ["change"]


async def test_a_request_to_be_forgotten_is_told(world: Any, api: Any, receiver: Any) -> None:
    """On every channel of the account."""
    await api.watch()

    world.request_erasure(OLIVIA)
    await world.advance(5)

    assert receiver.types() == ["verification", "gdpr_requested"]


async def test_a_revoked_authorisation_is_over(world: Any, api: Any) -> None:
    """By its refresh token; what was kept of the person goes where that was asked for."""
    body: dict[str, Any] = {"client_id": "simulated", "client_secret": "simulated-secret"}
    body |= {"token": api.linked.refresh_token, "request_pii_erasure": True}

    assert (await api.http.post("/oauth/token/revoke", json=body)).status_code == 200

    assert (await api.http.get("/v1/userinfo")).status_code == 401
    assert api.linked.account.erased
