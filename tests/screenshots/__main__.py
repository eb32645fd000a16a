"""``make screenshots``: plays a busy afternoon in the demonstration and takes a picture of every page.

All of them, light and dark, in German, wide and on a phone, go to build/screenshots; the README's tour
lies here, and the handbook's pictures beside its pages. ``ARGS=--kept`` takes those two alone.
"""

import asyncio
import base64
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page

from tests.screenshots.newer import LEAVER, NewerScene
from tests.screenshots.scene import USER, Scene
from tests.support.chromium import open_chromium
from tests.support.clock_meetings import MET, interview, linked_in_berlin, visit
from tests.support.guide import GuideAddresses, window
from tests.support.office import open_office
from tests.support.processes import ROOT, started
from tests.support.served import listening

ALL = ROOT / "build" / "screenshots"
HERE = Path(__file__).parent
TOUR = (
    "my-calendar-light", "my-calendar-dark", "story-light", "list-light", "rehearsal-light", "run-light",
    "side-by-side-light", "operations-dark", "administration-light", "watching-light", "my-calendar-phone",
    "list-phone",
)  # fmt: skip
GUIDE = {
    "my-calendar-light": "my-calendar", "rehearsal-light": "confirmation", "list-light": "list",
    "run-light": "run", "story-light": "story", "my-calendar-phone": "phone", "watching-light": "watching",
    "administration-light": "administration",
}  # fmt: skip
"""The pictures of the user guide, by the page and look that they show."""
PICTURES = ROOT / "service" / "web" / "handbook" / "pictures"
DESK, PHONE, BRITISH = (1280, 860), (360, 740), "en-GB"
LOOKS = {
    "light": (DESK, "light", BRITISH), "dark": (DESK, "dark", BRITISH), "phone": (PHONE, "dark", BRITISH),
    "german": (DESK, "light", "de-DE"),
}  # fmt: skip
SIDE_BY_SIDE = (1440, 1180)
LONG = frozenset({"run", "logs", "real-time"})
"""Lists of which the first screen tells enough."""
LARGEST_TOUR, LARGEST_GUIDE = 1_000_000, 400_000
PICTURE_QUALITY = 82
KEPT_ALONE = "--kept"
"""Takes those of the tour and of the guide alone, in a fraction of the time."""


@dataclass(kw_only=True)
class Album:
    """Takes each page in every look, as the signed-in person sees it."""

    browser: Browser
    opened: BrowserContext
    """Where that person is signed in."""
    state: Path
    kept: dict[Path, bytes]
    """Pictures of the tour and of the guide, by where they belong."""
    kept_alone: bool = False
    """Take no others."""

    async def sign_in(self) -> None:
        """From now on as whoever is signed in there, with what they have chosen meanwhile."""
        await self.opened.storage_state(path=self.state)

    async def take(self, name: str, address: str, *, opened: str = "", wait: str = "") -> None:
        """``opened``: a line to click first; ``wait``: what must be seen before."""
        for look, (size, scheme, locale) in LOOKS.items():
            called = f"{name}-{look}"
            if self.kept_alone and called not in TOUR:
                continue
            wide = SIDE_BY_SIDE if name == "side-by-side" and look != "phone" else size
            async with window(
                self.browser, size=wide, scheme=scheme, locale=locale, state=self.state
            ) as context:
                page = await context.new_page()
                await page.goto(address)
                await _ready(page, opened, wait)
                whole = look != "phone" and name not in LONG
                await page.screenshot(path=ALL / f"{called}.png", full_page=whole)
                if called in TOUR:
                    self.kept[HERE / f"{called}.webp"] = await _small(page, whole=whole)
                if called in GUIDE:
                    self.kept[PICTURES / f"{GUIDE[called]}.webp"] = await _small(page, whole=False)


async def _ready(page: Page, opened: str, wait: str) -> None:
    if wait:
        await page.locator(wait).first.wait_for()
    if opened:
        await page.locator(opened).first.click()
    for frame in page.frames[1:]:
        await frame.wait_for_load_state("networkidle")


async def _small(page: Page, *, whole: bool) -> bytes:
    """The first screen or the whole page, in a form that weighs a fraction of the other."""
    wire = await page.context.new_cdp_session(page)
    size = (await wire.send("Page.getLayoutMetrics"))["cssContentSize"]
    clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
    form = {"format": "webp", "quality": PICTURE_QUALITY, "captureBeyondViewport": whole}
    taken = await wire.send("Page.captureScreenshot", {**form, **(clip if whole else {})})
    return base64.b64decode(taken["data"])


async def take_all(town: GuideAddresses, folder: Path, *, kept_alone: bool) -> dict[Path, bytes]:
    """All pages to build/screenshots; those that are kept by where they belong."""
    kept: dict[Path, bytes] = {}
    async with (
        open_chromium() as browser,
        window(browser) as opened,
        window(browser) as of_administrator,
    ):
        scene = Scene(town=town, page=await opened.new_page(), today=datetime.now(UTC).date())
        newer = NewerScene(scene=scene, administrator=await of_administrator.new_page())
        album = Album(
            browser=browser, opened=opened, state=folder / "state.json", kept=kept, kept_alone=kept_alone
        )
        await scene.begin()
        await _take_the_beginning(album, scene)
        await scene.finish()
        await scene.complicate()
        await newer.watch()
        await newer.disagree()
        await album.sign_in()
        await _take_the_rest(album, newer)
        administrators = Album(
            browser=browser, opened=of_administrator, state=folder / "administrator.json", kept=kept,
            kept_alone=kept_alone,
        )  # fmt: skip
        await _take_the_administrators(administrators, newer)
        if not kept_alone:
            await _take_the_clock_changes(browser, folder)
    return kept


async def _take_the_beginning(album: Album, scene: Scene) -> None:
    at = scene.town.product
    await album.sign_in()
    await album.take("empty", f"{at}/calendar-sync")
    await album.take("door", f"{at}/demo/door")
    await scene.page.goto(f"{at}/calendar-sync/connect")
    await album.take("cronofy", scene.page.url)
    await scene.come_to_confirmation()
    await album.sign_in()
    for tab in ("linked-calendar", "your-calendar", "sync-options"):
        await album.take(tab, f"{scene.linked}/settings/{tab}")
    await album.take(
        "rehearsal", f"{scene.linked}/settings/confirmation", wait="#rehearsal .again",
        opened="#rehearsal summary",
    )  # fmt: skip


async def _take_the_rest(album: Album, newer: NewerScene) -> None:
    scene = newer.scene
    at, linked, page = scene.town.product, scene.linked, scene.page
    day = scene.today.isoformat()
    await page.goto(f"{at}/my-calendar")
    story = await page.get_by_title("Replace the firewall").first.get_attribute("href")
    await page.goto(f"{linked}/logs")
    run = await page.locator("#log td a").last.get_attribute("href")
    await page.goto(f"{at}/operations/dead-letters")
    letter = await page.locator('td[data-label="Message"] a').first.get_attribute("href")
    await page.goto(f"{at}/calendar-sync")
    held = await page.get_by_role("link", name="See and answer").first.get_attribute("href")
    pages = {
        "my-calendar": f"{at}/my-calendar", "day": f"{at}/my-calendar?day={day}",
        "week": f"{at}/my-calendar?week={day}", "agenda": f"{at}/my-calendar?agenda={day}",
        "search": f"{at}/my-calendar?q=fabrikam", "deleted": f"{at}/my-calendar/deleted",
        "appointment": f"{at}/my-calendar/new?day={day}", "story": f"{at}{story}",
        "mirror": f"{linked}/mirror", "list": f"{at}/calendar-sync",
        "held": f"{at}{held}",
        "watching": f"{newer.watched}/watching", "agreement": f"{linked}/agreement", "logs": f"{linked}/logs",
        "real-time": f"{linked}/logs?trigger=real_time", "run": f"{at}{run}", "run-undo": f"{at}{run}/undo",
        "delete": f"{linked}/delete", "exchange-help": f"{at}/calendar-sync/exchange-help",
        "devices": f"{at}/sessions", "operations": f"{at}/operations",
        "questions": f"{at}/operations/questions", "dead-letters": f"{at}/operations/dead-letters",
        "dead-letter": f"{at}{letter}", "side-by-side": f"{at}/demo", "missing": f"{at}/nowhere",
        "calendars": scene.town.provider, "docs": f"{at}/docs", "user-guide": f"{at}/docs/user-guide",
        "linked-calendar-there": f"{scene.town.provider}/owner/{scene.calendar_id}",
    }  # fmt: skip
    for name, address in pages.items():
        await album.take(name, address, wait="#story .pill.good" if name == "story" else "")
    await newer.spoil_the_weather()
    await album.take("weather", f"{at}/calendar-sync")


async def _take_the_administrators(album: Album, newer: NewerScene) -> None:
    at = f"{newer.town.product}/administration"
    await newer.connect_company()
    await album.sign_in()
    await album.take("leaver", f"{at}/leaver?who={LEAVER}")
    await newer.lose_a_technician()
    record = await newer.administrator.get_by_role("link", name=f"Record: {LEAVER}").get_attribute("href")
    pages = {
        "administration": at, "person": f"{at}/person?who={USER}", "company": f"{at}/company-calendar",
        "company-disconnect": f"{at}/company-calendar/disconnect", "leavers": f"{at}/leavers",
        "leaver-record": f"{newer.town.product}{record}",
        "administration-confirm": f"{at}/confirm?verb=pause&every=1",
    }  # fmt: skip
    for name, address in pages.items():
        await album.take(name, address)


async def _take_the_clock_changes(browser: Browser, folder: Path) -> None:
    """On a clock that stands in the week before New York's are put forward."""
    async with (
        open_office(f"sqlite+aiosqlite:///{folder / 'office.db'}") as office,
        listening(office) as at,
        window(browser) as opened,
    ):
        mine = await linked_in_berlin(office)
        await interview(office, mine)
        await visit(office, MET)
        page = await opened.new_page()
        await page.goto(f"{at}/sign-in?token={office.token(tz='Europe/Berlin')}")
        album = Album(browser=browser, opened=opened, state=folder / "clock.json", kept={})
        await album.sign_in()
        await album.take("clock-changes", f"{at}/my-calendar/clock-changes")
        await album.take("clock-banner", f"{at}/my-calendar")
        await opened.clear_cookies()
        await page.goto(
            f"{at}/sign-in?token={office.token('vera', role='administrator', tz='Europe/Berlin')}"
        )
        await album.sign_in()
        await album.take("administration-clock-changes", f"{at}/administration/clock-changes")


@contextmanager
def demonstration(folder: Path) -> Iterator[GuideAddresses]:
    database = folder / "town.db"
    settings = {"DATABASE_URL": f"sqlite+aiosqlite:///{database}"}
    with started("up", "--demo", settings=settings, folder=folder) as up:
        product = up.said("ready ").removeprefix("ready ")
        provider = up.said("stand-in shows it: ").rpartition("it: ")[2]
        yield GuideAddresses(product=product, provider=provider, database=database)


def main() -> int:
    """1 where a picture of the tour is missing, or those that are kept are too large to be carried."""
    shutil.rmtree(ALL, ignore_errors=True)
    ALL.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as town:
        kept = asyncio.run(take_all(town, Path(folder), kept_alone=KEPT_ALONE in sys.argv[1:]))
    for path, picture in kept.items():
        path.write_bytes(picture)
    size = sum(path.stat().st_size for path in HERE.glob("*.webp"))
    guide = sum(path.stat().st_size for path in PICTURES.iterdir())
    told = f"{size:,} bytes of them in the tour, {guide:,} in the guide"
    sys.stdout.write(f"{len(list(ALL.iterdir()))} pictures in {ALL}, {told}\n")
    missing = len(kept) < len(TOUR) + len(GUIDE)
    return int(missing or size > LARGEST_TOUR or guide > LARGEST_GUIDE)


if __name__ == "__main__":
    sys.exit(main())
