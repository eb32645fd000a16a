"""A store that is brought back from an hour ago comes to agree with everybody, nothing twice (R36)."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from service.integrations.catch_up import CATCH_UP_RUN
from service.store.engine.copying import NotEmpty, copy_store
from service.store.engine.store import Store
from service.store.tables import items as items_table
from service.store.tables import links as links_table
from service.store.tables import metadata, outbox
from tests.support.one_person import ELEVEN, NINE, TEN, EndedRun, OnePerson

TWELVE = "2026-12-03T12:00:00Z"
Backup = Mapping[str, Sequence[Mapping[str, Any]]]


async def backup(store: Store) -> Backup:
    """Every row of every table."""
    async with store.read() as connection:
        return {
            table.name: [dict(row) for row in (await connection.execute(table.select())).mappings()]
            for table in metadata.sorted_tables
        }


async def restore(store: Store, taken: Backup) -> None:
    async with store.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())
        for table in metadata.sorted_tables:
            if taken[table.name]:
                await connection.execute(insert(table), list(taken[table.name]))


async def ids_by_title(home: OnePerson) -> dict[str, str]:
    """The living items of My Calendar."""
    return {item.content.title: item.id for item in await home.items() if item.content and not item.deleted}


async def told(home: OnePerson) -> dict[str, str]:
    """What the facts that were ever sent say of items: their ids by their titles."""
    async with home.store.read() as connection:
        rows = (await connection.execute(outbox.select())).mappings().all()
    items = [
        json.loads(row["body"])["data"]["item"] for row in rows if row["exchange"] == "calendar-sync.items"
    ]
    return {item["title"]: item["id"] for item in items}


async def test_r36_what_a_restored_store_has_forgotten_comes_again_under_its_own_id(home: OnePerson) -> None:
    """Vorex and the person's other calendars hear of the items that they have, edited ones too."""
    mine = await home.integration()
    home.add_event(mine, "Before")
    await home.changed(mine)
    hour_ago = await backup(home.store)
    uid = home.add_event(mine, "Within", start=TEN, end=ELEVEN)
    home.add_event(mine, "Gone again", start=ELEVEN, end="2026-12-03T12:00:00Z")
    await home.changed(mine)
    known, said = await ids_by_title(home), await told(home)
    assert set(known) == {"Before", "Within", "Gone again"}
    home.world.change_event(home.calendars[mine], uid, summary="Within", location="Park")

    await restore(home.store, hour_ago)
    assert set(await ids_by_title(home)) == {"Before"}
    await home.changed(mine)

    assert await ids_by_title(home) == known
    assert await told(home) == said
    assert len(await home.items()) == len(known)


async def _checked(home: OnePerson, integration_id: str) -> EndedRun:
    """As ``integrations agreement ID --check`` asks for it."""
    return await home.run_to_end(integration_id, kind=CATCH_UP_RUN)


@pytest.mark.parametrize("look", [OnePerson.daily_read, _checked])
async def test_r36_without_a_notice_the_daily_read_or_a_check_alone_brings_it_back(
    home: OnePerson, look: Callable[[OnePerson, str], Awaitable[EndedRun]]
) -> None:
    """What was added, changed and deleted since the backup, after notices that nobody will repeat."""
    mine = await home.integration()
    for title, start, end in (("Stays", NINE, TEN), ("Moves", TEN, ELEVEN), ("Goes", ELEVEN, TWELVE)):
        home.add_event(mine, title, start=start, end=end)
    await home.changed(mine)
    hour_ago = await backup(home.store)
    calendar = home.calendars[mine]
    uids = {event["summary"]: event["event_uid"] for event in home.world.events(calendar)}
    home.add_event(mine, "Comes", start=TWELVE, end="2026-12-03T13:00:00Z")
    home.world.change_event(calendar, uids["Moves"], location="Park")
    home.world.delete_event(calendar, uids["Goes"])
    await home.changed(mine)
    known, said = await ids_by_title(home), await told(home)
    assert set(known) == {"Stays", "Moves", "Comes"}

    await restore(home.store, hour_ago)
    assert set(await ids_by_title(home)) == {"Stays", "Moves", "Goes"}
    ended = await look(home, mine)

    assert ended.state == "done"
    assert await ids_by_title(home) == known
    assert await told(home) == said
    places = {item.content.title: item.content.location for item in await home.items() if item.content}
    assert places == {"Stays": "", "Moves": "Park", "Comes": ""}


async def test_r36_the_same_event_is_another_item_where_its_first_one_was_deleted(home: OnePerson) -> None:
    """No id is ever that of two items, one after the other: Vorex would take the second for the first."""
    mine = await home.integration()
    home.add_event(mine, "Lunch")
    await home.changed(mine)
    first = await home.item()
    async with home.store.begin() as connection:
        await connection.execute(delete(links_table))
        await connection.execute(update(items_table).values(deleted=True))

    await home.changed(mine)

    second = await home.item()
    assert (second.id != first.id, second.version) == (True, 1)


@pytest.mark.postgresql
async def test_a_store_is_moved_to_the_other_engine_whole_and_into_an_empty_one_alone(
    home: OnePerson, sqlite_url: str, postgresql_url: str
) -> None:
    """Row by row the same, and what is there is never mixed with it."""
    mine = await home.integration()
    home.add_event(mine, "Before")
    await home.changed(mine)
    target = Store(postgresql_url if home.store.sqlite else sqlite_url)
    copied = await copy_store(home.store, target)
    assert (await backup(target)) == (await backup(home.store))
    assert (copied["items"], copied["credentials"]) == (1, 1)
    with pytest.raises(NotEmpty, match="nothing is copied"):
        await copy_store(home.store, target)
    await target.close()
