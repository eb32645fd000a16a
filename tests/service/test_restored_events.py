"""What an owner deletes and fetches back, declines and accepts, goes on as the same item (R6, R8, R11)."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from contracts.calendar import Item, LinkState
from contracts.vorex import Action, ItemContent
from tests.support.two_people import TwoPeople, two_people

CALL: dict[str, Any] = {
    "id": "5512",
    "title": "Replace firewall",
    "start": "2026-12-13T09:00:00Z",
    "end": "2026-12-13T10:00:00Z",
    "assignees": ["ann"],
}
SOON, LATE = 120.0, 6 * 86_400.0
KINDS = ["appointment", "task", "service_call"]


@pytest.fixture
async def place(sqlite_url: str) -> AsyncIterator[TwoPeople]:
    async with two_people(sqlite_url) as built:
        yield built


def content(kind: str, **changes: Any) -> ItemContent:
    return ItemContent.model_validate({**CALL, "type": kind, **changes})


async def said(place: TwoPeople, kind: str, action: Action = Action.UPDATED, **changes: Any) -> None:
    await place.say(content(kind, **changes), action=action)
    await place.settle()


def calendar(place: TwoPeople) -> str:
    return place.home.calendars[place.integrations["ann"]]


def events(place: TwoPeople) -> list[tuple[str, str]]:
    return [(each["summary"], each["start"]) for each in place.world.events(calendar(place))]


async def read(place: TwoPeople, *, complete: bool = False) -> None:
    """What the owner did is noticed, or found by the daily read."""
    await place.pass_time(20)
    while place.notices:
        await place.notice(0)
    if complete:
        place.handle(partial(place.home.reader.read_all, place.integrations["ann"]))
    await place.settle()


async def only(place: TwoPeople) -> Item:
    (item,) = await place.home.items()
    return item


async def _sent(place: TwoPeople, kind: str) -> str:
    await said(place, kind, Action.CREATED)
    await place.rest()
    (event,) = place.world.events(calendar(place))
    return str(event["event_uid"])


async def _followed(place: TwoPeople, kind: str) -> None:
    """The restored event is the copy: one item, one event, and Vorex's next change reaches it."""
    await place.rest()
    assert len(await place.home.items()) == 1
    before = place.world.events(calendar(place))
    assert len(before) == 1
    item = await only(place)
    assert item.content is not None
    await place.say(item.content.model_copy(update={"title": "Newest"}), action=Action.UPDATED)
    await place.rest()
    (after,) = place.world.events(calendar(place))
    assert (after["summary"], after["event_uid"]) == ("Newest", before[0]["event_uid"])
    assert not any(write.kind == "delete" for write in place.world.log.writes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("later", [SOON, LATE])
@pytest.mark.parametrize("complete", [False, True])
async def test_r11_a_copy_that_its_owner_fetches_back_is_the_copy_again(
    place: TwoPeople, kind: str, later: float, complete: bool
) -> None:
    """Soon or late, and nothing of ours deletes it."""
    uid = await _sent(place, kind)
    place.world.delete_event(calendar(place), uid)
    await read(place)
    assert len(await place.home.items()) == (0 if kind == "appointment" else 1)
    await place.pass_time(later)
    await place.rest()

    place.world.restore_event(calendar(place), uid)
    await read(place, complete=complete)

    await _followed(place, kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_r19_a_copy_that_is_restored_takes_what_vorex_said_meanwhile(
    place: TwoPeople, kind: str
) -> None:
    """A new title, which a copy that was let go had not got."""
    uid = await _sent(place, kind)
    await place.home.set(
        place.integrations["ann"], event_types={"create": True, "update": True, "delete": False}
    )
    place.world.delete_event(calendar(place), uid)
    await read(place)
    await said(place, kind, title="Meanwhile")
    await place.rest()
    assert events(place) == []

    place.world.restore_event(calendar(place), uid)
    await read(place)
    await place.rest()

    assert events(place) == [("Meanwhile", CALL["start"])]
    await _followed(place, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("equal", [True, False])
async def test_an_old_event_restored_beside_its_new_copy_is_passed_over_where_it_is_equal(
    place: TwoPeople, kind: str, equal: bool
) -> None:
    """The time was changed in Vorex, so the copy had come back as another event (R6).

    One that differs was fetched back for its own sake, and is an appointment of its own.
    """
    uid = await _sent(place, kind)
    await place.home.set(
        place.integrations["ann"], event_types={"create": True, "update": True, "delete": False}
    )
    place.world.delete_event(calendar(place), uid)
    await read(place)
    moved: dict[str, Any] = {"start": "2026-12-14T09:00:00Z", "end": "2026-12-14T10:00:00Z"}
    await said(place, kind, **moved)
    await place.rest()
    assert events(place) == [("Replace firewall", "2026-12-14T09:00:00Z")]

    place.world.restore_event(calendar(place), uid, **(moved if equal else {}))
    for _ in range(2):
        await read(place, complete=True)
    await place.rest()

    assert len(await place.home.items()) == (1 if equal else 2)
    told = [entry for entry in await place.home.log() if entry[3] == "already_there"]
    assert told == [("to_my_calendar", "create", "skipped", "already_there")] * equal
    assert len(events(place)) == 2
    assert not any(write.kind == "delete" for write in place.world.log.writes)


@pytest.mark.parametrize("kind", ["task", "service_call"])
async def test_what_vorex_deleted_and_its_owner_restores_is_never_deleted_again(
    place: TwoPeople, kind: str
) -> None:
    """It is left alone there, and said once."""
    uid = await _sent(place, kind)
    await said(place, kind, Action.DELETED)
    await place.rest()
    assert events(place) == []
    deletions = len([write for write in place.world.log.writes if write.kind == "delete"])

    place.world.restore_event(calendar(place), uid)
    for _ in range(2):
        await read(place, complete=True)
        await place.rest()

    assert events(place) == [("Replace firewall", CALL["start"])]
    assert len([write for write in place.world.log.writes if write.kind == "delete"]) == deletions
    assert [entry for entry in await place.home.log() if entry[3] == "differs"] == [
        ("to_my_calendar", "none", "skipped", "differs")
    ]


@pytest.mark.parametrize("delete", [True, False])
@pytest.mark.parametrize("update", [True, False])
@pytest.mark.parametrize("how", ["deleted", "declined"])
async def test_r8_declined_accepted_again_and_moved_is_the_same_item(
    place: TwoPeople, delete: bool, update: bool, how: str
) -> None:
    """With Delete and Update on or off: no second item, no second event."""
    boxes = {"create": True, "update": update, "delete": delete}
    await place.home.set(place.integrations["ann"], event_types=boxes)
    (event,) = place.world.add_event(calendar(place), summary="Review", start=CALL["start"], end=CALL["end"])
    await read(place)
    item = await only(place)
    uid = event["event_uid"]
    if how == "declined":
        place.world.change_event(calendar(place), uid, participation_status="declined")
    else:
        place.world.delete_event(calendar(place), uid)
    await read(place)
    assert len(await place.home.items()) == (0 if delete else 1)
    await place.pass_time(LATE)

    moved = {"start": "2026-12-13T14:00:00Z", "end": "2026-12-13T15:00:00Z"}
    if how == "declined":
        place.world.change_event(calendar(place), uid, participation_status="accepted", **moved)
    else:
        place.world.restore_event(calendar(place), uid, **moved)
    await read(place)
    await place.rest()

    again = await only(place)
    assert again.ref == item.ref
    assert again.content is not None
    (link,) = [link for link in await place.home.links() if link.item_ref == item.ref]
    assert (link.state, link.differs, link.exists_there) == (LinkState.AGREED, not update, True)
    assert events(place) == [("Review", moved["start"])]
    assert (again.content.start == link_start(link)) is update


def link_start(link: Any) -> Any:
    """When its event begins, as it was read."""
    from contracts.times import read_time

    return read_time(link.last_read["start"])


@pytest.mark.parametrize("offset", [-86_400.0, 86_400.0])
async def test_stamps_of_a_clock_that_is_wrong_lose_nothing(place: TwoPeople, offset: float) -> None:
    """An edit, a deletion and a restoration: the next complete read finds them."""
    (event,) = place.world.add_event(calendar(place), summary="Review", start=CALL["start"], end=CALL["end"])
    await read(place)
    place.world.faults.change(stamp_offset=offset)
    uid = event["event_uid"]
    place.world.change_event(calendar(place), uid, summary="Second review")
    await read(place, complete=True)
    item = await only(place)
    assert item.content is not None
    assert item.content.title == "Second review"
    place.world.delete_event(calendar(place), uid)
    await read(place, complete=True)
    assert await place.home.items() == []
    place.world.restore_event(calendar(place), uid)
    await read(place, complete=True)
    assert (await only(place)).ref == item.ref
    place.world.add_event(calendar(place), summary="New", start=CALL["start"], end=CALL["end"])
    await read(place, complete=True)
    assert len(await place.home.items()) == 2
