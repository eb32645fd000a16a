"""*Reconnect* leads to what mends just that account, and says whose account is expected (R22, R35)."""

from urllib.parse import parse_qs, urlsplit

from service.store.integrations import listing
from service.store.tables import credentials, integrations
from tests.support.office import CRONOFY, EMAIL, Office
from tests.support.pages import ShownPage

OTHER = "eve@contoso.example"


async def _lost(office: Office, *, revoked: bool = False) -> str:
    integration_id = await office.finished()
    if revoked:
        office.world.revoke(EMAIL)
    else:
        office.world.disconnect(EMAIL)
    office.world.expire_access_tokens()
    await office.clock.pass_time(61)
    assert await office.accounts.look(integration_id) == "not_connected"
    await office.sign_in()
    return integration_id


async def _away(office: Office, integration_id: str) -> str:
    page = ShownPage(await office.client.get("/calendar-sync"))
    address = page.link("Reconnect: Calendar")
    assert address == f"/calendar-sync/connect?reconnect={integration_id}"
    assert f"Choose {EMAIL} there" in page.words
    answer = await office.client.get(address)
    assert answer.status_code == 303
    return str(answer.headers["Location"])


async def test_r22_a_working_grant_is_mended_on_the_accounts_own_page(office: Office) -> None:
    """Nothing is allowed anew; the keeper looks a minute later."""
    integration_id = await _lost(office)
    (profile,) = office.world.profiles(EMAIL)

    assert await _away(office, integration_id) == f"{CRONOFY}/relink/{profile.profile_id}"

    office.world.reconnect(EMAIL)
    await office.clock.pass_time(61)
    assert await office.accounts.look(integration_id) == "fine"


async def test_r22_an_account_of_exchanges_old_protocol_leads_to_its_migration(office: Office) -> None:
    """Office 365 has ended it: linking the same way again would mend nothing."""
    integration_id = await _lost(office)
    office.world.mailbox(EMAIL).legacy = True
    (profile,) = office.world.profiles(EMAIL)

    away = await _away(office, integration_id)

    assert away == f"{CRONOFY}/relink/{profile.profile_id}?protocol=graph_api"


async def test_r22_a_grant_that_is_gone_is_allowed_anew_for_its_service_alone(office: Office) -> None:
    """The person finds the provider chosen."""
    integration_id = await _lost(office, revoked=True)

    address = urlsplit(await _away(office, integration_id))

    assert (address.path, parse_qs(address.query)["provider_name"]) == ("/oauth/authorize", ["google"])


async def test_r22_another_account_is_not_linked_without_being_told(office: Office) -> None:
    """It would be a second integration, and the first would stay Not Connected."""
    integration_id = await _lost(office, revoked=True)
    office.world.add_mailbox(email=OTHER)
    away = await _away(office, integration_id)

    asked = await office.client.get(await office.authorise(away, OTHER))

    page = ShownPage(asked)
    assert f"You came to reconnect {EMAIL}" in page.words
    form, _ = page.form("Link it beside")
    await office.client.post(form.action, data={**form.fields, "answer": "leave"})
    (row,) = await office.rows(integrations)
    assert (row["id"], row["status"]) == (integration_id, "not_connected")
    assert len(await office.rows(credentials)) == 1


async def test_r22_the_expected_account_is_reconnected_as_before(office: Office) -> None:
    """And nothing of another account is said."""
    integration_id = await _lost(office, revoked=True)

    asked = await office.client.get(await office.authorise(await _away(office, integration_id), EMAIL))

    assert "You came to reconnect" not in ShownPage(asked).words
    answer = await office.answered(asked)
    assert answer.headers["Location"].startswith(f"/calendar-sync/{integration_id}/")
    (row,) = await office.rows(integrations)
    assert row["status"] == "connected"


async def test_r22_what_is_not_theirs_is_not_reconnected(office: Office) -> None:
    """404, whatever the address says."""
    integration_id = await _lost(office)
    await office.client.get("/sign-out")

    answer = await office.get(f"/calendar-sync/connect?reconnect={integration_id}", "u-22")

    assert answer.status_code == 404
    assert (await office.get("/calendar-sync/connect?reconnect=none")).status_code == 404


MOVE = "Move to the new way: Calendar"


async def test_r22_the_way_out_of_an_old_protocol_is_shown_while_it_still_works(office: Office) -> None:
    """As soon as Cronofy names it; it leads there, and goes when the account has left."""
    mailbox = office.world.mailbox(EMAIL)
    mailbox.legacy = True
    integration_id = await office.finished()
    await office.sign_in()
    (profile,) = office.world.profiles(EMAIL)

    page = ShownPage(await office.client.get("/calendar-sync"))
    address = page.link(MOVE)
    away = await office.client.get(address)

    assert address == f"/calendar-sync/{integration_id}/migration"
    assert away.status_code == 303
    assert away.headers["Location"] == f"{CRONOFY}/relink/{profile.profile_id}?protocol=graph_api"
    mailbox.legacy = False
    back = await office.client.get(address)
    assert back.headers["Location"] == "/calendar-sync?notice=migrated"
    assert MOVE not in (await office.client.get("/calendar-sync")).text


async def test_r22_a_look_notices_an_account_that_its_provider_gives_up(office: Office) -> None:
    integration_id = await office.finished()
    office.world.mailbox(EMAIL).legacy = True
    await office.clock.pass_time(61)

    assert await office.accounts.look(integration_id) == "fine"

    async with office.store.read() as connection:
        assert await listing.count_old_protocol(connection) == 1


async def test_r22_a_lost_grant_leads_back_to_the_list(office: Office) -> None:
    integration_id = await office.finished()
    await office.sign_in()
    office.world.revoke(EMAIL)
    office.world.expire_access_tokens()

    answer = await office.client.get(f"/calendar-sync/{integration_id}/migration")

    assert answer.headers["Location"] == "/calendar-sync?complaint=not_connected"
