"""An id that comes from a form adds an appointment once, and reaches nobody else's (R50)."""

import uuid
from dataclasses import replace

import pytest

from contracts.calendar import Item, ItemRef, item_ref
from contracts.vorex import ItemType
from service.integrations.my_calendar import id_once
from service.integrations.ownership import Person
from service.store.items import items as items_store
from service.store.tables import items as items_table
from tests.builders import an_item
from tests.support.office import Office
from tests.support.pages import Browser

NEW = "/my-calendar/new"
THEIRS = "0197f3c2-5f0b-7a52-8a3e-1d1d5d1c9a01"
ANN = Person(tenant_id="acme", user_id="u-17", time_zone="Europe/Berlin")


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in(tz="Europe/Berlin")
    return Browser(client=office.client)


async def _keep(office: Office, item_id: str, **changes: object) -> Item:
    ref = item_ref("acme", "appointment", item_id)
    item = an_item(ref=ref, id=item_id, type=ItemType.APPOINTMENT, tenant_id="acme", **changes)
    async with office.store.begin() as connection:
        await items_store.save(connection, [(item, None)], now=office.clock.now())
    return item


async def _kept(office: Office, ref: ItemRef) -> Item | None:
    async with office.store.read() as connection:
        return (await items_store.load(connection, [ref])).get(ref)


@pytest.mark.parametrize("deleted", [False, True])
async def test_r50_a_form_that_names_a_colleagues_appointment_leaves_it_alone(
    deleted: bool, browser: Browser, office: Office
) -> None:
    theirs = await _keep(
        office, THEIRS, title="Surgery", private=True, assignees=["u-22"], version=4, deleted=deleted
    )
    await browser.open(NEW)
    page = await browser.press("Add", changes={"title": "Mine", "once": THEIRS})
    assert "The appointment was added." in page.words
    assert await _kept(office, theirs.ref) == theirs
    (mine,) = [row for row in await office.rows(items_table) if row["ref"] != theirs.ref]
    assert (mine["content"]["title"], mine["content"]["assignees"]) == ("Mine", ["u-17"])


async def test_r50_a_row_that_stands_under_the_derived_id_is_never_written_over(
    browser: Browser, office: Office
) -> None:
    """Whoever else made it: Vorex may name an item as it likes."""
    once = str(uuid.uuid4())
    theirs = await _keep(office, id_once(ANN, once), title="Surgery", assignees=["u-22"], version=4)
    await browser.open(NEW)
    page = await browser.press("Add", changes={"title": "Mine", "once": once})
    assert page.status == 409
    assert await _kept(office, theirs.ref) == theirs
    assert await office.sent("vorex.items") == []


async def test_r50_a_form_sent_again_after_its_appointment_was_deleted_says_so(
    browser: Browser, office: Office
) -> None:
    form = await browser.open(NEW)
    await browser.press("Add", changes={"title": "Mine"})
    browser.page = form
    again = await browser.press("Add", changes={"title": "Mine"})
    assert "The appointment was added." in again.words
    (row,) = await office.rows(items_table)
    await office.client.delete(
        f"/api/v1/my-calendar/items/appointment:{row['item_id']}", headers=office.bearer()
    )
    browser.page = form
    again = await browser.press("Add", changes={"title": "Mine"})
    assert again.status == 409
    assert "was deleted" in again.words
    (row,) = await office.rows(items_table)
    assert row["deleted"]


def test_r50_an_id_of_a_form_is_one_persons() -> None:
    once = str(uuid.uuid4())
    people = [ANN, replace(ANN, user_id="u-22"), replace(ANN, tenant_id="other")]
    assert len({once, *(id_once(one, once) for one in people)}) == 4
    assert id_once(ANN, once) == id_once(ANN, once.upper())
