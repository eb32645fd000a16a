"""The Confirmation step rehearses Finish, and an item tells its story (R8, R19, R24–R29)."""

from datetime import timedelta
from typing import Any

import pytest

from service.store.tables import integration_state, items, links, log_entries, outbox, runs
from tests.support.office import Office
from tests.support.pages import Browser

LIST = "/calendar-sync"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in()
    return Browser(client=office.client)


async def add_event(office: Office, integration_id: str, title: str, **more: Any) -> None:
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    now = office.clock.now().replace(minute=0, second=0, microsecond=0)
    times = {"start": now + timedelta(hours=1), "end": now + timedelta(hours=2)}
    times_text = {name: at.strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in times.items()}
    office.world.add_event(calendar_id, summary=title, **times_text, **more)
    await office.world.advance(60)


async def at_confirmation(office: Office, browser: Browser) -> str:
    """Back from Cronofy, Retrieve enabled, at the last step; the integration's id."""
    integration_id = await office.connect()
    await browser.open(f"{LIST}/{integration_id}/settings/linked-calendar")
    await browser.press("Next")
    await browser.press("Next")
    await browser.press("Next", changes={"retrieve": "yes", "retrieve_future": "1_week"})
    return integration_id


async def test_a_button_rehearses_finish_and_nothing_is_written(office: Office, browser: Browser) -> None:
    """Counts with openable lines; private texts masked, script only ever text."""
    integration_id = await at_confirmation(office, browser)
    await add_event(office, integration_id, SCRIPT)
    await add_event(office, integration_id, "Dentist", event_private=True)
    before = [len(await office.rows(table)) for table in (items, links, runs, outbox, log_entries)]

    page = await browser.press("Rehearse")

    assert page.path == f"{LIST}/{integration_id}/settings/confirmation"
    assert "Will add 2 to My Calendar" in page.words
    assert "Private appointment" in page.words
    assert "Dentist" not in page.text
    assert SCRIPT in page.words
    assert SCRIPT not in page.text
    assert [len(await office.rows(table)) for table in (items, links, runs, outbox, log_entries)] == before
    assert ("details", {"class": "line"}) in page.tags


async def test_what_finish_would_refuse_is_told_before(office: Office, browser: Browser) -> None:
    """R5."""
    integration_id = await office.connect()
    await browser.open(f"{LIST}/{integration_id}/settings/linked-calendar")
    await browser.press("Next", changes={"create": None})
    names = ("appointment", "crm_activity", "service_call", "task", "todo")
    await browser.press("Confirmation", changes=dict.fromkeys(names, None))
    page = await browser.open(f"{LIST}/{integration_id}/settings/confirmation?rehearse=yes")
    assert "Select at least one event type or one calendar item type to sync." in page.words


@pytest.mark.parametrize("path", ["GET /v1/events", "GET /v1/userinfo", "GET /v1/calendars"])
async def test_while_cronofy_is_silent_the_step_still_stands(
    office: Office, browser: Browser, path: str
) -> None:
    await at_confirmation(office, browser)
    await office.clock.pass_time(60)
    office.wire.broken.add(path)

    page = await browser.press("Rehearse")

    assert "Cronofy does not answer just now" in page.words
    assert page.form("Finish")


async def test_nobody_rehearses_somebody_elses_settings(office: Office, browser: Browser) -> None:
    """404 for another person and another tenant."""
    integration_id = await at_confirmation(office, browser)
    address = f"{LIST}/{integration_id}/settings/confirmation?rehearse=yes"
    for user, tenant in (("u-99", "acme"), ("u-17", "other")):
        await office.sign_in(user, tenant)
        assert (await browser.open(address)).status == 404
        assert (await office.client.post(address, data={"to": "rehearse"})).status_code in {403, 404}


async def appointment(office: Office, **changes: Any) -> str:
    """An appointment of the person's; its key."""
    day = office.clock.now().date().isoformat()
    form = {"title": "Site visit", "start": f"{day}T09:00:00Z", "end": f"{day}T10:00:00Z", **changes}
    answer = await office.client.post("/api/v1/my-calendar/items", json=form, headers=office.bearer())
    assert answer.status_code == 201, answer.text
    return f"appointment:{answer.json()['id']}"


async def link_up(office: Office, integration_id: str, key: str, **values: Any) -> None:
    """A copy of the item, as the outbound side leaves it."""
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    ref = next(row["ref"] for row in await office.rows(items) if f"appointment:{row['item_id']}" == key)
    now = office.clock.now()
    row = {
        "id": "link-1", "integration_id": integration_id, "item_ref": ref, "calendar_id": calendar_id,
        "origin": "ours", "state": "agreed", "exists_there": True, "created_at": now, **values,
    }  # fmt: skip
    async with office.store.begin() as connection:
        await connection.execute(links.insert().values(**row))


STANDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "read back": ({"accepted_at": -60.0, "read_at": -30.0}, "On your calendar · "),
    "accepted": ({"accepted_at": -60.0}, "On its way: taken by Cronofy, not read back yet"),
    "to be written": ({"state": "behind", "exists_there": False}, "On its way"),
    "tried again": ({"state": "retrying", "exists_there": False}, "Delayed: it is tried again by itself"),
    "held": ({"state": "held", "code": "not_connected", "exists_there": False}, "Waiting: not connected"),
    "answer": ({"state": "held", "code": "held_deletion"}, "Waiting: its deletion needs your answer"),
    "refused": ({"state": "failed", "exists_there": False}, "Not on your calendar: it was refused"),
    "let go": ({"state": "let_go", "exists_there": False}, "No longer kept alike"),
}


@pytest.mark.parametrize("case", STANDINGS)
async def test_an_item_tells_how_it_stands_on_each_calendar(
    office: Office, browser: Browser, case: str
) -> None:
    """Times are the person's own, to the second."""
    values, sentence = STANDINGS[case]
    integration_id = await office.finished()
    key = await appointment(office)
    now = office.clock.now().timestamp()
    moments = {name: now + values[name] for name in ("accepted_at", "read_at") if name in values}
    await link_up(office, integration_id, key, **(values | moments))

    page = await browser.open(f"/my-calendar/item?key={key}")

    assert sentence in " ".join(page.words.split())
    if "read_at" in moments:
        seen = office.clock.now() - timedelta(seconds=30)
        assert f"{seen:%H:%M:%S}" in page.words


async def test_asking_for_a_story_has_an_unconfirmed_copy_read_back(office: Office, browser: Browser) -> None:
    """Cronofy never notifies of what was written through it, so it is asked, and not more than once."""
    integration_id = await office.finished()
    key = await appointment(office)
    accepted = office.clock.now().timestamp() - 60
    await link_up(office, integration_id, key, accepted_at=accepted)

    for _ in range(2):
        await browser.open(f"/my-calendar/item?key={key}")

    (state,) = await office.rows(integration_state)
    assert state["noticed_since"].timestamp() == pytest.approx(accepted - 60)


async def log(office: Office, integration_id: str, key: str, **values: Any) -> None:
    ref = next(row["ref"] for row in await office.rows(items) if f"appointment:{row['item_id']}" == key)
    row = {
        "id": f"entry-{values['action']}-{values['code']}", "integration_id": integration_id,
        "at": office.clock.now(), "trigger": "real_time", "outcome": "done", "item_ref": ref,
        "reason": "Because.", **values,
    }  # fmt: skip
    async with office.store.begin() as connection:
        await connection.execute(log_entries.insert().values(**row))


async def test_a_story_says_which_side_won_and_what_was_lost(office: Office, browser: Browser) -> None:
    """R19: the losing values are kept, and told to the owner alone."""
    integration_id = await office.finished()
    key = await appointment(office)
    there, here = "to_linked_calendar", "to_my_calendar"
    await log(office, integration_id, key, direction=there, action="create", code="ok")
    lost = {"lost": {"title": f"Lunch {SCRIPT}", "start": "2026-12-03T09:00:00+00:00"}}
    await log(
        office, integration_id, key, direction=here, action="update", outcome="skipped",
        code="conflict_lost", detail=lost,
    )  # fmt: skip

    page = await browser.open(f"/my-calendar/item?key={key}")

    words = " ".join(page.words.split())
    assert "My Calendar won over Calendar" in words
    assert f"Subject, not kept Lunch {SCRIPT}" in words.replace("kept", "kept ").replace("  ", " ")
    assert "3 Dec 2026, 09:00" in words
    assert SCRIPT not in page.text
    assert "Created on Calendar" in words


async def test_nobody_reads_somebody_elses_story(office: Office, browser: Browser) -> None:
    await office.finished()
    key = await appointment(office)
    for user, tenant in (("u-99", "acme"), ("u-17", "other")):
        await office.sign_in(user, tenant)
        assert (await browser.open(f"/my-calendar/item?key={key}")).status == 404
