"""Meetings of a linked calendar: left as they are, and shown with their way in (R40)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.calendar import Code, LinkState
from contracts.vorex import Action
from tests.support.two_people import TwoPeople, two_people

TIMES = {"start": "2026-12-13T09:00:00Z", "end": "2026-12-13T10:00:00Z"}
ZOOM = {"provider_name": "zoom", "join_url": "https://zoom.example/j/1"}
BOB = [{"email": "ann@example.com"}, {"email": "bob@elsewhere.example"}]


@pytest.fixture
async def place(sqlite_url: str) -> AsyncIterator[TwoPeople]:
    async with two_people(sqlite_url) as built:
        yield built


async def read(place: TwoPeople) -> None:
    await place.pass_time(20)
    while place.notices:
        await place.notice(0)
    await place.settle()


def calendar(place: TwoPeople) -> str:
    return place.home.calendars[place.integrations["ann"]]


@pytest.mark.parametrize("meeting", [{"attendees": BOB}, {"conferencing": ZOOM}])
@pytest.mark.parametrize("change", [{"title": "Renamed"}, {"description": "Other"}, None])
async def test_r40_a_meeting_is_neither_renamed_nor_deleted(
    place: TwoPeople, meeting: dict[str, Any], change: dict[str, Any] | None
) -> None:
    """The change in Vorex stands there, and the log and the item say that it did not cross."""
    place.world.set_permission(calendar(place), "unrestricted")
    place.world.add_event(calendar(place), summary="Review", **TIMES, **meeting)
    await read(place)
    (item,) = await place.home.items()
    assert item.content is not None
    content = item.content.model_copy(update=change or {})

    await place.say(content, action=Action.UPDATED if change else Action.DELETED)
    await place.rest()

    (event,) = place.world.events(calendar(place))
    assert (event["summary"], event["description"]) == ("Review", "")
    assert list(place.world.log.writes) == []
    (link,) = [each for each in await place.home.links() if each.item_ref == item.ref]
    assert (link.state, link.code) == (LinkState.FROZEN, Code.MEETING)
    assert any(entry[3] == "meeting" for entry in await place.home.log())


async def test_r40_an_online_meeting_without_guests_may_be_moved(place: TwoPeople) -> None:
    """Its texts are not sent."""
    place.world.set_permission(calendar(place), "unrestricted")
    place.world.add_event(calendar(place), summary="Review", **TIMES, conferencing=ZOOM, attendees=BOB[:1])
    await read(place)
    (item,) = await place.home.items()
    assert item.content is not None
    start = item.content.start
    assert start is not None
    later = item.content.model_copy(update={"end": item.content.end and start.replace(day=14)})

    await place.say(later, action=Action.UPDATED)
    await place.rest()

    (event,) = place.world.events(calendar(place))
    assert (event["end"], event["conferencing"]) == ("2026-12-14T09:00:00Z", ZOOM)
    (write,) = place.world.log.writes
    assert "description" not in write.data
