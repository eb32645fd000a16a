"""Nobody finds out by missing an appointment: a mark on every page, a banner on My Calendar (R48)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.calendar import Code, Reason, Status
from service.store.engine.ids import new_id
from service.store.integrations.integrations import change
from service.store.runs.runs import add_run, end
from tests.support.office import EMAIL, Office
from tests.support.pages import Browser

SINCE = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
CALLED = f"Calendar ({EMAIL})"
MARK = 'class="alert"'


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in(tz="Europe/Berlin")
    return Browser(client=office.client)


async def _set(office: Office, integration_id: str, **values: Any) -> None:
    async with office.store.begin() as connection:
        await change(connection, integration_id, **values)


async def _broken(office: Office, integration_id: str) -> None:
    reason = Reason.PERMISSION_WITHDRAWN.value
    await _set(office, integration_id, status=Status.NOT_CONNECTED.value, reason=reason, status_since=SINCE)
    calendar = (await office.calendar_of(integration_id)) or ""
    for item in ("1", "2"):
        await office.add_link(integration_id, calendar, "behind", item=item)


async def _asking(office: Office, integration_id: str) -> None:
    calendar = (await office.calendar_of(integration_id)) or ""
    await office.add_link(integration_id, calendar, "held", code=Code.HELD_DELETION.value)


async def _run(office: Office, integration_id: str, state: str) -> None:
    async with office.store.begin() as connection:
        run_id, at = new_id(), await office.store.moment(connection)
        await add_run(
            connection,
            id=run_id,
            integration_id=integration_id,
            started_by="calendar-sync",
            kind="catch_up",
            state="waiting",
            step="baseline",
            requested_at=at,
            listed=True,
        )
        await end(connection, run_id, state=state, reason=None, at=SINCE)


async def _failed(office: Office, integration_id: str) -> None:
    await _run(office, integration_id, "failed")


TROUBLES: list[tuple[Callable[[Office, str], Awaitable[None]], str]] = [
    (_broken, f"{CALLED} is not connected since 30 Nov 2026, 08:00"),
    (_asking, f"{CALLED} waits for your answer"),
    (_failed, f"The last sync of {CALLED} failed on 30 Nov 2026, 08:00"),
]


@pytest.mark.parametrize(("happen", "sentence"), TROUBLES)
async def test_r48_what_needs_the_person_is_marked_on_every_page_and_said_on_my_calendar(
    happen: Callable[[Office, str], Awaitable[None]], sentence: str, browser: Browser, office: Office
) -> None:
    """Each kind of trouble by itself; nothing of it before."""
    mine = await office.finished()
    pages = [
        "/my-calendar",
        "/my-calendar?day=2026-12-01",
        "/my-calendar/new",
        "/calendar-sync",
        "/calendar-sync/exchange-help",
        f"/calendar-sync/{mine}/settings/sync-options",
        f"/calendar-sync/{mine}/logs",
        f"/calendar-sync/{mine}/delete",
        "/sessions",
        "/no/such/page",
    ]
    before = [MARK in (await browser.open(page)).text for page in pages]
    await happen(office, mine)

    after = [MARK in (await browser.open(page)).text for page in pages]
    calendar = await browser.open("/my-calendar")

    assert (any(before), all(after)) == (False, True)
    assert sentence in " ".join(calendar.words.split())


async def test_r48_the_banner_says_how_many_changes_wait_and_where_it_is_mended(
    browser: Browser, office: Office
) -> None:
    mine = await office.finished()
    await _broken(office, mine)

    calendar = await browser.open("/my-calendar")

    assert "2 changes wait until then." in calendar.words
    assert calendar.link("Mend it: Calendar") == f"/calendar-sync#{mine}"


async def test_r48_a_run_that_went_well_takes_the_mark_away(browser: Browser, office: Office) -> None:
    """One that was cancelled says nothing."""
    mine = await office.finished()
    shown = []
    for state in ("failed", "cancelled", "done"):
        await _run(office, mine, state)
        shown.append(MARK in (await browser.open("/my-calendar")).text)

    assert shown == [True, True, False]


async def test_r48_nobody_sees_anothers_trouble(browser: Browser, office: Office) -> None:
    mine = await office.finished(user="u-18")
    await _broken(office, mine)

    assert MARK not in (await browser.open("/my-calendar")).text


async def test_r48_what_was_switched_off_or_forgotten_by_its_owner_is_no_trouble(
    browser: Browser, office: Office
) -> None:
    """They know it; a question to them stays one."""
    mine = await office.finished()
    await _broken(office, mine)
    await _set(office, mine, active=False)

    assert MARK not in (await browser.open("/my-calendar")).text
