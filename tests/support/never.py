"""What must never have happened, held against the log of all that was written (R6–R8, R40)."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from contracts.calendar import Item, Link, Origin
from contracts.envelope import ItemChanged, decode
from contracts.vorex import Action, ItemContent
from handlers.edits import MASKED_TITLE
from service.store.items import items as item_store
from service.store.tables import items, log_entries
from tests.support.odd_days import SECRET, Diary
from tests.support.two_people_with_runs import TwoPeopleWithRuns

Taken = tuple[str, str, str]
"""An item's type and id, and the person that it was taken from."""


def _taken_off(here: TwoPeopleWithRuns) -> set[Taken]:
    """Items that Vorex ever deleted, left without a date, or did not assign to that person."""
    taken: set[Taken] = set()
    for message in here.people.said:
        data = decode(message.body, expected=ItemChanged).data
        off = data.action is Action.DELETED or data.item.start is None
        for person in here.people.integrations:
            if off or person not in data.item.assignees:
                taken.add((data.item.type.value, data.item.id, person))
    return taken


async def no_restored_event_was_deleted(here: TwoPeopleWithRuns, diary: Diary) -> None:
    """What its owner fetched back stays, unless Vorex has no place for its item."""
    if diary.removed:
        return
    taken = _taken_off(here)
    whose = await _items_by_event(here)
    for write in here.people.world.log.writes:
        if write.kind not in {"delete", "remove"}:
            continue
        uid = write.key if write.kind == "remove" else write.binding.managed.get(write.key, "")
        if uid in diary.restored and write.at >= diary.restored[uid]:
            assert whose.get(write.key) in taken, (write, whose.get(write.key))


async def _items_by_event(here: TwoPeopleWithRuns) -> dict[str, Taken]:
    """By each name of its events: the item, and whose calendar they are on."""
    by_ref = {item.ref: item for item in await _all_items(here)}
    bobs = here.people.integrations["bob"]
    return {
        name: (item.type.value, item.id, "bob" if link.integration_id == bobs else "ann")
        for link in await here.home.links()
        if (item := by_ref.get(link.item_ref)) is not None
        for name in (link.event_uid, link.event_id, link.former_uid)
        if name
    }


async def _all_items(here: TwoPeopleWithRuns) -> Iterable[Item]:
    async with here.home.store.read() as connection:
        refs = (await connection.scalars(select(items.c.ref))).all()
        return list((await item_store.load(connection, refs)).values())


async def nothing_was_made_without_a_cause(here: TwoPeopleWithRuns, added: int) -> None:
    """No more appointments came than events were added by people."""
    brought = [item for item in await _all_items(here) if item.imported_by is not None]
    assert len(brought) <= added, [(item.id, item.content) for item in brought]


async def no_secret_was_told(here: TwoPeopleWithRuns) -> None:
    """Texts of private events are in no item, entry or message, and on no other calendar."""
    for item in await _all_items(here):
        assert item.content is None or SECRET not in item.content.model_dump_json(), item
    async with here.home.store.read() as connection:
        for row in (await connection.execute(select(log_entries))).mappings():
            assert SECRET not in f"{row['title']}{row['reason']}{row['detail']}", row
    for write in here.people.world.log.writes:
        assert SECRET not in str(write.data), write


async def private_has_not_widened(here: TwoPeopleWithRuns) -> None:
    """What Vorex said to be private is private, here and on the wire; what came as private has no texts.

    But those that Vorex itself has written into it.
    """
    private: set[tuple[str, str]] = set()
    told = {MASKED_TITLE, ""}
    for message in here.people.said:
        data = decode(message.body, expected=ItemChanged).data
        told |= {data.item.title, data.item.description}
        (private.add if data.item.private else private.discard)((data.item.type.value, data.item.id))
    found = {(item.type.value, item.id): item for item in await _all_items(here)}
    for key in private & found.keys():
        content = found[key].content
        assert content is None or content.private, found[key]
    for link in await here.home.links():
        if link.desired is not None and link.origin is Origin.OURS:
            item = next((one for one in found.values() if one.ref == link.item_ref), None)
            if item is not None and item.content is not None and item.content.private:
                assert link.desired.event_private, link
    for item in found.values():
        if item.imported_by is not None and item.content is not None and item.content.private:
            assert {item.content.title, item.content.description} <= told, item


def _meetings(here: TwoPeopleWithRuns) -> dict[str, dict[str, Any]]:
    """Living events of both people that they made and others are invited to, by their uids."""
    found: dict[str, dict[str, Any]] = {}
    for person in here.people.integrations:
        for event in here.people.world.events(here.calendar_of(person)):
            if event["event_id"] is None and not event["deleted"] and event["attendees"]:
                found[event["event_uid"]] = event
    return found


async def meetings_are_left_alone(here: TwoPeopleWithRuns) -> None:
    """Vorex renames, moves and deletes them: nothing is written there, for guests would be mailed (R40)."""
    meetings = _meetings(here)
    by_ref = {item.ref: item for item in await here.home.items()}
    mine: list[tuple[Link, ItemContent]] = [
        (link, content)
        for link in await here.home.links()
        if link.event_uid in meetings and link.origin is Origin.EXTERNAL
        and link.item_ref in by_ref and (content := by_ref[link.item_ref].content) is not None
    ]  # fmt: skip
    if not mine:
        return
    before = len(here.people.world.log.writes)
    for at, (_, content) in enumerate(mine):
        action = Action.DELETED if at % 2 else Action.UPDATED
        await here.people.say(content.model_copy(update={"title": "Renamed by Vorex"}), action=action)
    await here.people.rest()
    written = [write for write in list(here.people.world.log.writes)[before:] if write.key in meetings]
    assert not written, written
