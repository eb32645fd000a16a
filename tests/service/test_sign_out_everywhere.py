"""One's own *Sign out everywhere*: by API, by a token, and on the page (R45)."""

import pytest

from tests.support.office import Office
from tests.support.pages import BROWSER, Browser

LIST = "/api/v1/integrations"


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
