"""One's own *Sign out everywhere*: by API, by a token, and on the page (R45)."""

import pytest

from contracts.envelope import SessionRevoked
from contracts.messages import PersonData
from service.consumers.failures import ReceivedMessage
from service.integrations.leavers.leaving import Leaving
from service.integrations.sign_outs import SIGNED_OUT_THEMSELVES, SignOuts
from service.store.tables import log_entries
from tests.support.office import Office
from tests.support.pages import BROWSER, Browser

LIST = "/api/v1/integrations"
ROLES = {"administrator": "administrator"}


ADMINISTRATOR, OPERATOR = "administrator vera", "operator olga"


@pytest.mark.parametrize("way", ["api", "page", "message", "administrator", "operator", "leaving"])
async def test_r47_the_log_of_each_integration_says_who_signed_its_person_out(
    way: str, office: Office
) -> None:
    """Whoever did it; nobody else's log says anything."""
    mine, others = await office.finished(), await office.finished("u-22")
    browser = Browser(client=office.client)
    await office.sign_in("vera" if way == "administrator" else "u-17", role=ROLES.get(way, "user"))
    if way == "api":
        await office.client.delete("/api/v1/sessions")
    elif way == "page":
        await browser.open("/sessions")
        await browser.press("Sign out everywhere")
    elif way == "message":
        told = SessionRevoked.of(
            PersonData(tenant_id="acme", user_id="u-17"), id="m-1", time=office.clock.now(), source="/vorex"
        )
        await office.parts.people(ReceivedMessage(message=told))
    elif way == "administrator":
        await browser.open("/administration/person?who=u-17")
        await browser.press("Sign out everywhere")
    elif way == "operator":
        await SignOuts(office.store, who=OPERATOR).end(("acme", "u-17"))
    else:
        await Leaving(office.store).leave("acme", "u-17", "pause", who=ADMINISTRATOR)

    said = {
        one["reason"]: one["integration_id"]
        for one in await office.rows(log_entries)
        if "igned out" in one["reason"]
    }
    by = {"message": "Vorex", "administrator": ADMINISTRATOR, "operator": OPERATOR, "leaving": ADMINISTRATOR}
    assert said == {f"Signed out everywhere by {by[way]}." if way in by else SIGNED_OUT_THEMSELVES: mine}
    assert others != mine


async def entered(office: Office, token: str) -> int:
    return (await office.client.get("/sign-in", params={"token": token}, headers=BROWSER)).status_code


@pytest.mark.parametrize("way", ["api", "bearer", "page"])
@pytest.mark.parametrize("told", [True, False])
async def test_r45_ones_own_everywhere_ends_bearer_tokens_and_links_too(
    way: str, told: bool, office: Office
) -> None:
    """A stolen one dies with it, whether or not it tells its age; what Vorex makes afterwards opens."""
    now = office.clock.now().timestamp()
    iat = now if told else None
    stolen, link = office.bearer(iat=iat, jti=None, exp=now + 86_000), office.token(iat=iat)
    others = office.bearer("u-22", iat=iat)
    await office.sign_in()
    if way == "page":
        browser = Browser(client=office.client)
        await browser.open("/sessions")
        await browser.press("Sign out everywhere")
    else:
        await office.client.delete("/api/v1/sessions", headers=stolen if way == "bearer" else {})
    office.client.cookies.clear()
    assert (await office.client.get(LIST, headers=stolen)).status_code == 401
    assert await entered(office, link) == 401
    assert (await office.client.get(LIST, headers=others)).status_code == 200
    await office.clock.pass_time(1)
    later = office.clock.now().timestamp()
    assert (await office.client.get(LIST, headers=office.bearer(iat=later))).status_code == 200
    assert await entered(office, office.token(iat=later)) == 303
