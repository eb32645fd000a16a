"""The pages for watching, agreement, questions, companies and leavers: for everybody, on any screen."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser

from tests.screenshots.newer import LEAVER, NewerScene
from tests.screenshots.scene import USER, Scene
from tests.support.guide import GuideAddresses, listening, open_to_all, window

pytestmark = pytest.mark.says("a sign-in token")


async def test_newer_pages_are_open_to_all_and_no_wider_than_a_phone(
    town: GuideAddresses, browser: Browser
) -> None:
    """And a sentence with a time in it stays one sentence (R48, R51, R52, R54)."""
    async with window(browser) as opened, window(browser) as of_administrator:
        scene = Scene(town=town, page=await opened.new_page(), today=datetime.now(UTC).date())
        newer = NewerScene(scene=scene, administrator=await of_administrator.new_page())
        of_person, of_company = listening(scene.page, town), listening(newer.administrator, town)
        await scene.begin()
        await scene.come_to_confirmation()
        await scene.finish()
        await newer.watch()
        await newer.disagree()
        at = town.product
        for address in (
            f"{newer.watched}/watching", f"{scene.linked}/agreement", f"{scene.linked}/mirror",
            f"{at}/operations/questions",
        ):  # fmt: skip
            await open_to_all(scene.page, address)
        await newer.connect_company()
        await newer.lose_a_technician()
        record = await newer.administrator.get_by_role("link", name=f"Record: {LEAVER}").get_attribute("href")
        for path in (
            "/administration", "/administration/company-calendar", f"{record}",
            "/administration/confirm?verb=pause&every=1", f"/administration/leaver?who={USER}",
        ):  # fmt: skip
            await open_to_all(newer.administrator, f"{at}{path}")
        assert of_person == of_company == []
