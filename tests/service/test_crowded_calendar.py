"""A calendar on which others keep more copies than a page of a read is compared with (R1, R43)."""

from typing import Any

from sqlalchemy import insert, update
from structlog.testing import capture_logs

from service.consumers.inbound.surroundings import MOST_COPIES_COMPARED, Surroundings, surroundings
from service.store.engine.store import Store
from service.store.integrations.integrations import load
from service.store.tables import integrations, items, links
from tests.builders import NOW, a_content, an_event, an_item, fields_of_item
from tests.support.counted_steps import counting
from tests.support.owners import stored_integration

MINE, THEIRS = (f"0192e4c1-0000-7000-8000-00000000000{number}" for number in (1, 2))
BEGIN = a_content().start


async def crowded(store: Store, first: int, number: int) -> None:
    """So many copies of a colleague's, all at one moment, each with a title of its own."""
    wire = fields_of_item(an_item()).to_wire_dict()
    numbers = range(first, first + number)
    made_items = [
        {
            "ref": key(each), "tenant_id": "acme", "item_type": "task", "item_id": str(each), "version": 1,
            "vorex_version": 1, "sync_version": 0, "revision": 1, "deleted": False, "starts_at": BEGIN,
            "changed_at": NOW, "stored_at": NOW,
        }
        for each in numbers
    ]  # fmt: skip
    made_links = [
        {
            "id": key(each), "integration_id": THEIRS, "item_ref": key(each), "calendar_id": "c",
            "origin": "ours", "state": "in_step", "created_at": NOW,
            "desired": dict(wire) | {"summary": f"Copy {each}"},
        }
        for each in numbers
    ]  # fmt: skip
    async with store.begin() as connection:
        await connection.execute(insert(items), made_items)
        await connection.execute(insert(links), made_links)


def key(number: int) -> str:
    return f"0192e4c1-0000-7000-9000-{number:012x}"


async def around(store: Store) -> tuple[Surroundings, list[Any], int]:
    """What bears on one new event there, what the log said, and the statements that it took."""
    with counting(store) as counted, capture_logs() as said:
        async with store.read() as connection:
            (mine,) = (await load(connection, [MINE])).values()
            event = an_event(event_id=None, start=BEGIN)
            found = await surroundings(connection, mine, [event], [], now=0.0)
    return found, said, counted.statements


async def test_r43_a_page_is_compared_with_the_oldest_ten_thousand_copies_and_the_log_tells(
    store: Store,
) -> None:
    """As many as that are all compared, without a word."""
    for one in (MINE, THEIRS):
        await stored_integration(store, one, tenant="acme")
    async with store.begin() as connection:
        await connection.execute(update(integrations).values(calendar_name="Work", calendar_id="c"))
    await crowded(store, 0, MOST_COPIES_COMPARED)

    whole, said, statements = await around(store)

    assert len(whole["twins"]) == MOST_COPIES_COMPARED
    assert said == []
    await crowded(store, MOST_COPIES_COMPARED, 2)
    cut, said, more = await around(store)
    assert cut["twins"] == whole["twins"]
    assert [(one["event"], one["integration_id"], one["compared"]) for one in said] == [
        ("copies.left_out", MINE, MOST_COPIES_COMPARED)
    ]
    assert more == statements
