"""What a page tells once it tells no second time, also without script."""

from service.store.integrations.integrations import change
from service.web.cookies import SAID_COOKIE
from tests.support.office import Office
from tests.support.pages import Browser

LIST = "/calendar-sync"
ALERT = 'role="alert"'
OFF, ON = "is deactivated. Nothing was deleted.", "Sync is active again."


async def test_a_notice_is_gone_when_its_page_is_loaded_again(office: Office) -> None:
    """And so is the offer that came with it; what is done again is told again, in the same words."""
    await office.finished()
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(LIST)
    for _ in range(2):
        told = await browser.press("Active: Calendar")
        again = await browser.open(told.address)
        assert (OFF in told.words, OFF in again.words) == (True, False)
        assert ("Undo" in told.words, "Undo" in again.words) == (True, False)
        told = await browser.press("Active: Calendar")
        again = await browser.open(told.address)
        assert (ON in told.words, ON in again.words) == (True, False)


async def test_a_refusal_is_told_each_time_that_it_is_refused(office: Office) -> None:
    """In the same words, by the same address; whoever keeps no cookie is told whenever they look."""
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        await change(connection, integration_id, active=False, status="not_connected")
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(LIST)
    for _ in range(2):
        told = await browser.press("Active: Calendar")
        assert told.address.endswith("complaint=not_connected")
        again = await browser.open(told.address)
        assert (ALERT in told.text, ALERT in again.text) == (True, False)
    office.client.cookies.delete(SAID_COOKIE)
    assert ALERT in (await browser.open(told.address)).text
