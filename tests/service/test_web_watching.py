"""*Watch first*, the page of what would have happened, and *Begin*: pages, API, administrators, commands."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.calendar import (
    Code,
    Direction,
    IntegrationId,
    LogAction,
    LogEntry,
    Outcome,
    Trigger,
)
from contracts.vorex import ItemType
from service.store.logs import logs
from tests.support.choices import form
from tests.support.office import Office, open_office
from tests.support.pages import Browser
from tests.support.processes import SECRETS, run

LIST = "/calendar-sync"
CREATE_OFF = "Create is not checked for this calendar."
API = "/api/v1/integrations"


@pytest.fixture
async def office(new_sqlite_url: str) -> AsyncIterator[Office]:
    async with open_office(new_sqlite_url) as opened:
        yield opened


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in()
    return Browser(client=office.client)


async def would(office: Office, integration_id: str, title: str, **changes: Any) -> None:
    """An entry of what would have been done."""
    told: dict[str, Any] = {
        "direction": Direction.TO_MY_CALENDAR,
        "action": LogAction.CREATE,
        "outcome": Outcome.DONE,
        "code": Code.OK,
        "reason": "Added to the linked calendar.",
        **changes,
    }
    entry = LogEntry(
        integration_id=IntegrationId(integration_id),
        trigger=Trigger.WATCHING,
        item_type=ItemType.APPOINTMENT,
        title=title,
        **told,
    )
    async with office.store.begin() as connection:
        await logs.log(connection, [entry], now=office.clock.now() + timedelta(seconds=1))


async def shown(office: Office, integration_id: str) -> dict[str, Any]:
    answer = await office.get(f"{API}/{integration_id}")
    found: dict[str, Any] = answer.json()
    return found


async def test_watching_gives_its_reasons_in_the_readers_language(office: Office) -> None:
    """Of what would be done, and of what would not."""
    mine = await office.finished()
    await office.post(f"{API}/{mine}/watch")
    await would(office, mine, "Swimming")
    left = {"outcome": Outcome.SKIPPED, "code": Code.CREATE_OFF, "reason": CREATE_OFF}
    await would(office, mine, "Dentist", **left)
    await office.sign_in(locale="de-DE")
    page = await Browser(client=office.client).open(f"{LIST}/{mine}/watching")

    assert "Was geschehen wäre" in page.words
    for english in ("Added to the linked calendar.", CREATE_OFF):
        assert english not in page.words
    assert page.words.count("Im verknüpften Kalender hinzugefügt.") == 1


async def test_watching_starts_in_the_last_step_of_the_wizard_and_ends_with_begin(
    browser: Browser, office: Office
) -> None:
    """Without a script: *Watch first*, the page, *Begin* on the card."""
    mine = await office.connect()
    await browser.open(f"{LIST}/{mine}/settings/linked-calendar")
    await browser.press("Next")
    await browser.open(f"{LIST}/{mine}/settings/confirmation")
    page = await browser.press("Watch first")

    assert page.path == f"{LIST}/{mine}/watching"
    assert "nothing is written on either side" in page.words
    assert (await shown(office, mine))["active"] is False
    assert (await shown(office, mine))["watching_since"] is not None

    page = await browser.open(LIST)
    assert "Watching" in page.words
    page = await browser.press("Begin: Calendar")

    assert "What changed meanwhile is being caught up with." in page.words
    assert (await shown(office, mine))["active"] is True
    assert (await shown(office, mine))["watching_since"] is None
    assert await office.unfinished("catch_up") == ["waiting"]


async def test_watching_is_kept_by_save_and_ended_by_finish(office: Office) -> None:
    """Whoever changes settings while watching goes on watching, unless they say Finish."""
    mine = await office.finished()
    calendar_id = (await office.calendars(mine))["Calendar"]
    headers = office.bearer()

    for watch, active in (("true", False), ("true", False), ("false", True)):
        address = f"{API}/{mine}/settings?watch={watch}"
        answer = await office.client.put(address, json=form(calendar_id), headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["active"] is active
        assert (answer.json()["watching_since"] is None) is active


async def test_watching_the_page_counts_by_direction_action_and_type_and_says_why_not(
    browser: Browser, office: Office
) -> None:
    mine = await office.finished()
    await office.post(f"{API}/{mine}/watch")
    for title in ("Lunch", "Dinner"):
        await would(office, mine, title)
    left = {"outcome": Outcome.FAILED, "code": Code.NOT_POSSIBLE, "action": LogAction.UPDATE}
    await would(office, mine, "Board", direction=Direction.TO_LINKED_CALENDAR, reason="It may not.", **left)

    page = await browser.open(f"{LIST}/{mine}/watching")
    told = (await office.get(f"{API}/{mine}/watching")).json()

    assert [(one["direction"], one["action"], one["times"]) for one in told["done"]] == [
        ("to_my_calendar", "create", 2)
    ]
    assert [(one["code"], one["reason"]) for one in told["left"]] == [("not_possible", "It may not.")]
    assert {one["title"] for one in told["samples"]} == {"Lunch", "Dinner", "Board"}
    assert all(word in page.words for word in ("Lunch", "Dinner", "Board", "It may not."))
    log = await browser.open(f"{LIST}/{mine}/logs?trigger=watching")
    assert "Lunch" in log.words
    assert "Lunch" not in (await browser.open(f"{LIST}/{mine}/logs?trigger=real_time")).words


async def test_watching_of_a_whole_tenant_by_its_administrator_and_taken_back(
    browser: Browser, office: Office
) -> None:
    """Counted and confirmed as pausing is, and each person's log says who did it (R47)."""
    mine = [await office.finished(), await office.finished(user="u-22")]
    await office.sign_in("boss", role="administrator")
    await browser.open("/administration/confirm?verb=watch&every=yes")
    page = await browser.press("Watch with 2 integrations")

    assert "2 integrations were set to watching" in page.words
    assert {(await shown_to_boss(office, one))["active"] for one in mine} == {False}
    entries = (await office.get(f"{API}/{mine[1]}/logs?trigger=all", "u-22")).json()["items"]
    assert entries[0]["reason"].startswith("Set to watching by administrator boss")

    page = await browser.open("/administration?status=watching")
    assert "u-22" in page.words
    await browser.open("/administration/confirm?verb=resume&every=yes")
    assert {(await shown_to_boss(office, one))["active"] for one in mine} == {False}
    await browser.open("/administration/confirm?verb=begin&every=yes")
    await browser.press("Begin with 2 integrations")
    assert {(await shown_to_boss(office, one))["active"] for one in mine} == {True}


async def shown_to_boss(office: Office, integration_id: str) -> dict[str, Any]:
    answer = await office.get(f"{API}/{integration_id}", "boss", role="administrator")
    found: dict[str, Any] = answer.json()
    return found


async def test_watching_by_command(office: Office, new_sqlite_url: str, tmp_path: Path) -> None:
    """*watch*, *watching* and *begin* of an operator."""
    mine = await office.finished()
    settings = {"DATABASE_URL": new_sqlite_url, "ENCRYPTION_KEYS": SECRETS["ENCRYPTION_KEYS"]}

    async def command(*words: str) -> str:
        done = await asyncio.to_thread(run, "integrations", *words, settings=settings, folder=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    watched = await command("watch", mine, "--json")
    since = datetime.fromisoformat(json.loads(watched)["watching_since"])  # of a clock that goes on
    await office.clock.pass_time((since - office.clock.now()).total_seconds())
    await would(office, mine, "Lunch")
    told = await command("watching", mine)
    begun = await command("begin", mine, "--json")

    assert "1  <-  create" in told
    assert json.loads(begun)["active"]


@pytest.mark.parametrize("who", ["u-17", "boss"])
async def test_watching_is_begun_by_nothing_that_resumes(office: Office, browser: Browser, who: str) -> None:
    """Whoever saw it paused a moment before: by page, API and a whole tenant's act, each is refused."""
    mine = await office.finished()
    await office.post(f"{API}/{mine}/deactivate")
    await browser.open(LIST)
    await office.post(f"{API}/{mine}/activate")
    await office.post(f"{API}/{mine}/watch")
    role = "administrator" if who == "boss" else "user"

    refused = await office.post(f"{API}/{mine}/activate", who, role=role)
    page = await browser.press("Active: Calendar")

    assert (refused.status_code, refused.json()["code"]) == (409, "not_editable")
    assert "It only watches. Press Begin to start for real." in page.words
    assert (await shown(office, mine))["watching_since"] is not None
