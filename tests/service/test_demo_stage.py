"""Both calendars side by side: only in the demonstration, behind the locks of every page."""

import json
from typing import cast

import httpx
import pytest
from starlette.applications import Starlette

from contracts.calendar import item_ref
from contracts.envelope import ItemChanged, decode
from contracts.errors import Unavailable
from contracts.vorex import ItemContent
from service.demo.stage import Stage
from service.demo.vorex import COLLEAGUE, Dispatcher
from service.integrations import Person
from service.store.engine.store import Store
from service.store.items import items
from service.store.tables import outbox
from service.web.middleware import ResponseGuard
from tests.builders import an_item
from tests.support.office import Office, Unwritable
from tests.support.pages import Browser

SIMULATOR = "http://127.0.0.1:8402"
STAGE = "/demo"


@pytest.fixture
async def browser(office: Office) -> Browser:
    """Signed in where the demonstration is."""
    office.app.router.routes.extend(Stage(SIMULATOR).routes())
    await office.sign_in()
    return Browser(client=office.client)


async def published(office: Office) -> list[ItemChanged]:
    rows = [row for row in await office.rows(outbox) if row["exchange"] == "vorex.items"]
    return [decode(row["body"], expected=ItemChanged) for row in sorted(rows, key=lambda row: row["id"])]


async def taken_in(office: Office, message: ItemChanged) -> None:
    """What the consumer makes of a message about a new or a known item."""
    data = message.data
    ref = item_ref(data.tenant_id, data.item.type, data.item.id)
    content = ItemContent.from_json_dict(json.loads(data.item.model_dump_json()))
    item = an_item(ref=ref, id=data.item.id, type=data.item.type, content=content, version=data.version)
    async with office.store.begin() as connection:
        await items.save(connection, [(item, None)], now=office.clock.now())


async def test_production_has_no_such_page(office: Office) -> None:
    """Neither the stage nor the provider's side; and nothing of ours may be framed."""
    await office.sign_in()
    for path in (STAGE, "/owner/cal_1", "/provider/provider.css"):
        assert (await office.client.get(path)).status_code == 404, path
    assert (await office.client.post(f"{STAGE}/vorex", data={"act": "assign"})).status_code in {404, 405}
    page = await office.client.get("/my-calendar")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"


async def test_only_the_demonstration_frames_its_own_pages() -> None:
    """And nobody else's pages may, there either."""
    transport = httpx.ASGITransport(ResponseGuard(Starlette(), https=False, framed=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://sync.test") as client:
        headers = (await client.get("/")).headers
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "SAMEORIGIN"


async def test_both_sides_are_shown(office: Office, browser: Browser) -> None:
    """The linked calendar's own page once there is one."""
    page = await browser.open(STAGE)
    assert [given["src"] for tag, given in page.tags if tag == "iframe"] == ["/my-calendar", SIMULATOR]
    integration_id = await office.finished()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    page = await browser.open(STAGE)
    frames = [given["src"] for tag, given in page.tags if tag == "iframe"]
    assert frames == ["/my-calendar", f"{SIMULATOR}/owner/{calendar_id}"]


async def test_the_panel_publishes_what_a_dispatcher_does(office: Office, browser: Browser) -> None:
    """Assigned, reassigned, completed, deleted: each one message, a version more each time."""
    await browser.open(STAGE)
    await browser.press("Assign a service call")
    (assigned,) = await published(office)
    title = assigned.data.item.title
    steps = [f"Complete: {title}", f"Reassign to Alex: {title}", f"Delete: {title}"]
    for step in steps:
        await taken_in(office, (await published(office))[-1])
        await browser.open(STAGE)
        page = await browser.press(step)
        assert "Vorex published:" in page.words

    told = [message.data for message in await published(office)]

    assert [data.action.value for data in told] == ["created", "updated", "updated", "deleted"]
    assert [data.version for data in told] == [1, 2, 3, 4]
    assert [data.item.completed for data in told] == [False, True, True, True]
    assert [data.item.assignees for data in told][1:] == [("u-17",), (COLLEAGUE,), (COLLEAGUE,)]


async def test_a_press_builds_on_the_one_before_it_whose_message_is_still_on_its_way(
    office: Office, browser: Browser
) -> None:
    """Vorex knows what it published: a version more, and nothing of the earlier press undone."""
    await browser.open(STAGE)
    await browser.press("Assign a service call")
    (assigned,) = await published(office)
    await taken_in(office, assigned)
    await browser.open(STAGE)
    for step in ("Complete", "Reassign to Alex", "Delete"):
        await browser.press(f"{step}: {assigned.data.item.title}")

    told = [message.data for message in await published(office)]

    assert [data.version for data in told] == [1, 2, 3, 4]
    assert [data.item.completed for data in told] == [False, True, True, True]
    assert [data.item.assignees for data in told][1:] == [("u-17",), (COLLEAGUE,), (COLLEAGUE,)]


async def test_a_press_that_reached_nobody_is_forgotten_and_so_is_what_was_taken_in(office: Office) -> None:
    """What follows builds on what Vorex really published, and on nothing older than the store."""
    store, ann = Unwritable(office.store), Person(tenant_id="acme", user_id="u-17", time_zone="UTC")
    dispatcher = Dispatcher(store=cast("Store", store))
    store.away = False
    await dispatcher.assign(ann)
    await taken_in(office, (await published(office))[-1])
    (call,) = await dispatcher.calls(ann)
    store.away = True
    with pytest.raises(Unavailable):
        await dispatcher.change(ann, call.id, "delete")
    store.away = False
    assert [one.state for one in await dispatcher.calls(ann)] == ["assigned to you"]
    await dispatcher.change(ann, call.id, "complete")
    assert [one.state for one in await dispatcher.calls(ann)] == ["assigned to you, completed"]
    last = (await published(office))[-1]
    assert (last.data.version, last.data.action.value) == (2, "updated")
    await taken_in(office, last)
    assert [one.state for one in await dispatcher.calls(ann)] == ["assigned to you, completed"]
    assert dispatcher.published == {}


async def test_nobody_deals_with_somebody_elses_calls(office: Office, browser: Browser) -> None:
    """Nor does a form without its token, nor a word that is none."""
    await browser.open(STAGE)
    await browser.press("Assign a service call")
    await taken_in(office, (await published(office))[0])
    call = (await published(office))[0].data.item.id
    page = await browser.open(STAGE)
    token = page.form("Assign a service call")[0].fields["csrf_token"]
    forged = await office.client.post(f"{STAGE}/vorex", data={"act": "delete", "call": call})
    assert forged.status_code == 403
    form = {"csrf_token": token, "call": call}
    assert (await office.client.post(f"{STAGE}/vorex", data={**form, "act": "burn"})).status_code == 303

    await office.sign_in("u-99")
    page = await browser.open(STAGE)
    token = page.form("Assign a service call")[0].fields["csrf_token"]
    await office.client.post(f"{STAGE}/vorex", data={"csrf_token": token, "act": "delete", "call": call})

    assert len(await published(office)) == 1


async def test_the_stage_asks_who_is_there(office: Office) -> None:
    office.app.router.routes.extend(Stage(SIMULATOR).routes())
    assert (await office.client.get(STAGE)).status_code == 401
    assert (await office.client.post(f"{STAGE}/vorex")).status_code == 401
