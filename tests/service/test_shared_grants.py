"""One account linked by several: who allows less takes nothing from the others (R1, finding 11)."""

import httpx
import pytest
from cryptography.fernet import Fernet

from contracts.ports import Credentials
from service.store.engine.store import Store
from service.store.integrations import listing
from service.store.integrations.credentials import CredentialsTable
from service.store.tables import credentials, integrations
from tests.support.clock import START
from tests.support.office import EMAIL, Office

FULL = "read_account list_calendars read_events create_event delete_event"
NARROW = "read_account list_calendars read_events"


async def link(office: Office, user: str, scope: str) -> httpx.Response:
    """A person who changes in the address what Cronofy is asked for."""
    headers = office.bearer(user)
    away = await office.client.get("/calendar-sync/connect", headers=headers)
    address = away.headers["Location"].replace(FULL.replace(" ", "%20"), scope.replace(" ", "%20"))
    back = await office.authorise(address)
    return await office.answered(await office.client.get(back, headers=headers), headers=headers)


async def scope(office: Office) -> str:
    (row,) = await office.rows(credentials)
    return str(row["scope"])


async def test_r1_a_narrower_grant_overwrites_no_wider_one(office: Office) -> None:
    theirs = await office.finished("u-22")
    before = await office.rows(credentials)
    answer = await link(office, "u-17", NARROW)
    assert (answer.status_code, answer.json()["code"]) == (409, "access_too_narrow")
    assert "allowed more than you did just now" in answer.text
    assert await office.rows(credentials) == before
    assert [row["id"] for row in await office.rows(integrations)] == [theirs]
    assert await office.calendars(theirs, "u-22")


async def test_the_same_persons_narrower_grant_does_not_either(office: Office) -> None:
    await office.finished()
    await link(office, "u-17", NARROW)
    assert await scope(office) == FULL


async def test_a_wider_or_equal_grant_takes_over(office: Office) -> None:
    await link(office, "u-22", NARROW)
    assert await scope(office) == NARROW
    assert (await link(office, "u-17", FULL)).headers["Location"].endswith("/settings/linked-calendar")
    assert await scope(office) == FULL
    assert len(await office.rows(integrations)) == 2


async def test_r22_a_wider_grant_that_is_dead_gives_way(office: Office) -> None:
    """Found dead by asking, though nobody had noticed yet."""
    integration_id = await office.finished()
    office.world.revoke(EMAIL)
    office.world.expire_access_tokens()
    await office.clock.pass_time(3600)
    answer = await link(office, "u-17", NARROW)
    assert integration_id in answer.headers["Location"]
    assert await scope(office) == NARROW


@pytest.mark.parametrize(
    ("new", "kept"), [("a", "a b"), ("", ""), ("b a", "b a"), ("a b c", "a b c"), ("c", "a b")]
)
async def test_scopes_are_sets_of_words_and_none_means_all(store: Store, new: str, kept: str) -> None:
    table = CredentialsTable(store, [Fernet.generate_key().decode()])
    known = Credentials(sub="s", access_token="a", refresh_token="r", expires_at=1, saved_at=0, scope="a b")
    assert await table.save(known)
    async with store.begin() as connection:
        await listing.add(
            connection, id="i", tenant_id="acme", user_id="u", sub="s", profile_id="p", profile_name="p",
            provider_name="google", provider_service="google", account_name="a", event_types={},
            item_types={}, retrieve={}, send={}, created_at=START,
        )  # fmt: skip
    other = Credentials(sub="s", access_token="x", refresh_token="y", expires_at=1, saved_at=0, scope=new)
    assert await table.save(other) is (kept == new)
    found = await table.load("s")
    assert found is not None
    assert (found.scope, found.access_token) == (kept, "x" if kept == new else "a")
