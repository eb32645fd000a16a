"""The rest of the afternoon: watching, a dispatcher's question, a company's people, leavers, bad weather."""

from dataclasses import dataclass
from datetime import timedelta

from playwright.async_api import Page, expect

from service.monitoring.weather import data_centre_of
from service.store.engine.store import Store
from service.store.operations import weather
from service.store.operations.weather import WeatherRow
from tests.screenshots.scene import ODETTE, Scene, until
from tests.support.guide import PATIENT_MILLISECONDS, GuideAddresses, add_event, press

ADMINISTRATOR = "vera"
DOMAIN = "fabrikam.example"
TECHNICIANS = ("ann", "bob", "eve")
LEAVER = "bob"
QUESTIONED, LET_GO = "Adventure Works – New laptop for Ms Meyer", "Northwind – Label the patch panel"
SLOW_SINCE, SLOW_SECONDS, USUAL_SECONDS = timedelta(minutes=30), 341.0, 5.0
ON_THE_CALENDAR = ("Parents' evening", "Swimming")


@dataclass(kw_only=True)
class NewerScene:
    """What follows :class:`Scene`, as its person and, in a window of her own, as their administrator."""

    scene: Scene
    administrator: Page
    watched: str = ""
    """The address of the integration that only watches."""

    @property
    def town(self) -> GuideAddresses:
        return self.scene.town

    async def watch(self) -> None:
        """One more calendar, on which nothing is written while things happen on both sides."""
        page = self.scene.page
        await self.scene.connect(ODETTE)
        calendar_id = await page.get_by_label("Linked calendar").input_value()
        for word in ("Update", "Delete"):
            await page.get_by_label(word, exact=True).check()
        await press(page, "Confirmation")
        await press(page, "Watch first")
        self.watched = page.url.rpartition("/")[0]
        for number, title in enumerate(ON_THE_CALENDAR):
            await add_event(self.town, calendar_id, title, self.scene.today + timedelta(days=5 + number))
        await self.scene.add("Handover with the night shift")
        await until(page, f"{self.watched}/watching", ON_THE_CALENDAR[-1])
        await until(page, f"{self.watched}/watching", "Handover with the night shift")

    async def disagree(self) -> None:
        """The technician deletes two copies on the phone: a service call is asked about, a task let go."""
        calendar_id = self.scene.calendar_id
        for title in (QUESTIONED, LET_GO):
            await self.town.delete_all(calendar_id, [title])
        page, linked = self.scene.page, self.scene.linked
        await until(page, f"{self.town.product}/operations/questions", "Deleted it")
        await press_while_busy(page, f"{linked}/agreement", "Check now")

    async def spoil_the_weather(self) -> None:
        """One provider is slow for many; a keeper soon finds that it is not, so the picture comes first."""
        store = Store(f"sqlite+aiosqlite:///{self.town.database}")
        try:
            async with store.begin() as connection:
                now = await store.now(connection)
                told = {
                    "calm_since": None, "kind": "slow", "people": 37, "tenants": 4, "delay": SLOW_SECONDS,
                    "usual": {str(USUAL_SECONDS): 900.0}, "usual_delay": USUAL_SECONDS,
                    "judged_at": now,
                }  # fmt: skip
                row = WeatherRow(provider="google", since=now - SLOW_SINCE.total_seconds(), told=told)
                await weather.put(connection, data_centre_of(self.town.provider), row)
        finally:
            await store.close()

    async def connect_company(self) -> None:
        """The administrator connects the domain, and three technicians and a mistake with it."""
        page, at = self.administrator, f"{self.town.product}/administration/company-calendar"
        for name in TECHNICIANS:
            await self.town.control(
                "POST", "/accounts", email=f"{name}@{DOMAIN}", provider="office365", name=name.title()
            )
        await page.goto(self.town.sign_in(ADMINISTRATOR, role="administrator", name="Vera Vance"))
        await page.goto(f"{at}/connect")
        await page.get_by_role("button", name=DOMAIN).click()
        await page.goto(at)
        people = [*TECHNICIANS, "tom"]
        await page.locator("#pasted").fill("\n".join(f"{name} {name}@{DOMAIN}" for name in people))
        await press(page, "Connect these people")
        await self._all_connected(at)

    async def lose_a_technician(self) -> None:
        """Whoever left leaves a signed record."""
        page, at = self.administrator, f"{self.town.product}/administration"
        await page.goto(f"{at}/leaver?who={LEAVER}")
        await press(page, "End all of it")
        await until(page, f"{at}/leavers", "Signed")

    async def _all_connected(self, at: str) -> None:
        page = self.administrator
        connected = page.get_by_role("cell", name="Connected", exact=True)
        for _ in range(PATIENT_MILLISECONDS // 500):
            await page.goto(at)
            if await connected.count() >= len(TECHNICIANS):
                return
            await page.wait_for_timeout(500)
        await expect(connected).to_have_count(len(TECHNICIANS))


async def press_while_busy(page: Page, address: str, name: str) -> None:
    await page.goto(address)
    await press(page, name)
