"""The record's address and a colour for each type, where owner and provider want them (R13)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from service.store.tables import dead_letters, integrations, links
from tests.support.office import Office, form
from tests.support.pages import Browser, ShownPage
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

API = "/api/v1/integrations"
BOTH = {"url": True, "color": True}
TICKET = {"label": "T7", "url": "https://vorex.example/t/7"}
SHOWN = {"url": TICKET["url"], "color": "#4986E7"}


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _want(ann: TwoPeopleWithRuns, details: dict[str, bool] | None) -> None:
    async with ann.home.store.begin() as connection:
        await connection.execute(update(integrations).values(event_details=details))


async def _written(ann: TwoPeopleWithRuns, **changes: Any) -> list[dict[str, Any]]:
    """What writes said beside the fields."""
    ann.people.world.log.writes.clear()
    await ann.say("Lunch", **changes)
    await ann.people.settle()
    await ann.people.rest()
    return [
        {name: write.data[name] for name in ("url", "color") if name in write.data}
        for write in ann.people.world.log.writes
    ]


async def test_r13_both_go_out_as_long_as_they_are_wanted(ann: TwoPeopleWithRuns) -> None:
    """The reference line stays; an address that is gone is taken away."""
    assert await _written(ann, reference=TICKET) == [{}]
    await _want(ann, BOTH)
    assert await _written(ann, reference=TICKET, title="Dinner") == [SHOWN]
    (event,) = ann.people.world.events(ann.calendar)
    assert "T7: " in event["description"]
    assert (event["url"], event["color"]) == (SHOWN["url"], SHOWN["color"])
    assert await _written(ann, reference=None, title="Supper") == [{**SHOWN, "url": None}]
    await _want(ann, {"url": False, "color": True})
    assert await _written(ann, reference=TICKET, title="Tea") == [{"color": SHOWN["color"]}]


@pytest.mark.parametrize("kept", [True, False])
async def test_r13_what_the_provider_makes_of_them_is_read_as_nothing(
    ann: TwoPeopleWithRuns, kept: bool
) -> None:
    """Shown or dropped: no second write, no edit, no way into a meeting."""
    await _want(ann, BOTH)
    assert await _written(ann, reference=TICKET) == [SHOWN]
    (event,) = ann.people.world.events(ann.calendar)
    if not kept:
        ann.people.world.change_event(ann.calendar, event["event_uid"], url=None, color=None)
    ann.people.world.log.writes.clear()
    for _ in range(2):
        await ann.read(after=60)

    assert list(ann.people.world.log.writes) == []
    async with ann.home.store.read() as connection:
        (link,) = (await connection.execute(select(links.c.state, links.c.join_url, links.c.online))).all()
    assert tuple(link) == ("agreed", None, False)
    (item,) = await ann.home.items()
    assert item.version == 1


@pytest.mark.parametrize("word", ["address", "colour"])
async def test_r13_where_one_is_refused_the_event_is_written_without(
    ann: TwoPeopleWithRuns, word: str
) -> None:
    await _want(ann, BOTH)
    ann.people.world.faults.change(contrary=[word])

    assert await _written(ann, reference=TICKET) == [{}]

    async with ann.home.store.read() as connection:
        assert (await connection.execute(select(dead_letters))).all() == []


async def test_r13_they_are_off_until_they_are_chosen(office: Office) -> None:
    """By the API and in the wizard; the settings say how it is."""
    integration_id = await office.connect()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    for details in (BOTH, {"url": True, "color": False}):
        answer = await office.put(integration_id, form(calendar_id, event_details=details))
        assert answer.json()["settings"]["event_details"] == details
    answer = await office.put(integration_id, form(calendar_id))
    assert answer.json()["settings"]["event_details"] == {"url": False, "color": False}


async def test_r13_a_provider_that_keeps_neither_is_not_asked_to(office: Office) -> None:
    """422 by the API; the wizard does not offer it."""
    integration_id = await office.finished()
    await office.sign_in()
    tab = f"/calendar-sync/{integration_id}/settings/your-calendar"
    assert "A colour for each type of item" in ShownPage(await office.client.get(tab)).words
    async with office.store.begin() as connection:
        await connection.execute(update(integrations).values(provider_name="exchange"))

    calendar_id = (await office.calendars(integration_id))["Calendar"]
    refused = await office.put(integration_id, form(calendar_id, event_details=BOTH))

    assert refused.status_code == 422
    assert [each["field"] for each in refused.json()["errors"]] == ["event_details"]
    assert "A colour for each type of item" not in ShownPage(await office.client.get(tab)).words


async def test_r13_the_wizard_keeps_and_tells_what_was_chosen(office: Office) -> None:
    integration_id = await office.connect()
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(f"/calendar-sync/{integration_id}/settings/linked-calendar")
    await browser.press("Next")
    await browser.press("Next", changes={"url": True})
    page = await browser.press("Next")
    assert "What else they show there" in page.words
    assert "The address of the record behind the item" in page.words
    await browser.press("Finish")

    (row,) = await office.rows(integrations)
    assert row["event_details"] == {"url": True, "color": False}
    await browser.open(f"/calendar-sync/{integration_id}/settings/your-calendar")
    assert browser.page.own_forms[0].boxes["url"] == [("on", True)]
    assert browser.page.own_forms[0].boxes["color"] == [("on", False)]
