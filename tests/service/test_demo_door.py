"""The demonstration's door: always open on this machine, and nowhere else."""

import httpx
import pytest

from service.demo.door import DOOR_PATH, Door
from tests.support.office import Office
from tests.support.pages import BROWSER, Browser


@pytest.fixture
def door(office: Office) -> list[str]:
    """The roles for which links were made."""
    made: list[str] = []

    def token(role: str) -> str:
        made.append(role)
        return office.token("demo-1", role=role, jti=f"{role}-{len(made)}")

    office.app.router.routes.extend(Door(token).routes())
    return made


def at(office: Office, host: str, *, client: str = "127.0.0.1") -> Browser:
    transport = httpx.ASGITransport(app=office.app, client=(client, 1))
    return Browser(client=httpx.AsyncClient(transport=transport, base_url=f"http://{host}"))


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost:8400", "[::1]:8400"])
async def test_the_door_signs_in_as_often_as_it_is_opened(host: str, office: Office, door: list[str]) -> None:
    for word, path in (
        ("My Calendar", "/my-calendar"), ("Operations and dead letters", "/operations"),
        ("Administration", "/administration"),
    ):  # fmt: skip
        browser = at(office, host)
        await browser.open(DOOR_PATH)
        page = await browser.follow(word)
        assert (page.status, page.path) == (200, path)
        if word == "Administration":
            assert (await browser.follow("Company calendar")).status == 200
    assert door.count("operator") == door.count("administrator") == 3


@pytest.mark.parametrize(
    ("host", "client"),
    [("127.0.0.1:8400", "192.0.2.7"), ("evil.example:8400", "127.0.0.1"), ("192.0.2.7", "192.0.2.7")],
)
async def test_elsewhere_there_is_no_door(host: str, client: str, office: Office, door: list[str]) -> None:
    page = await at(office, host, client=client).open(DOOR_PATH)
    assert page.status == 404
    assert door == []


@pytest.mark.parametrize("host", ["[", "[::1", "[zz]", "127.0.0.1@evil.example", ""])
async def test_a_host_that_names_no_loopback_finds_no_door(
    host: str, office: Office, door: list[str]
) -> None:
    answer = await at(office, "127.0.0.1:8400").client.get(DOOR_PATH, headers={**BROWSER, "Host": host})
    assert answer.status_code in {400, 404}
    assert door == []


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-anything"])
async def test_whoever_comes_by_way_of_a_proxy_finds_no_door(
    name: str, office: Office, door: list[str]
) -> None:
    """The proxy is on this machine, whoever stands behind it need not be."""
    answer = await at(office, "127.0.0.1:8400").client.get(DOOR_PATH, headers={**BROWSER, name: "127.0.0.1"})
    assert answer.status_code == 404
    assert door == []


async def test_production_has_none_and_its_401_leads_to_vorex(office: Office) -> None:
    answer = await office.client.get(DOOR_PATH, headers=BROWSER)
    assert answer.status_code == 404
