"""R40: meetings with guests or a join link are not deleted from Vorex, and keep their texts."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, Item, Link, LinkState, Origin
from handlers.item_status import ItemStanding, status_of
from handlers.link_states import seen
from handlers.outbound_message import LEAVE_REASONS
from handlers.plan import LeaveEvent, RemoveEvent, WriteEvent, desired_event
from tests.builders import (
    ELEVEN,
    HOUR,
    TEN,
    a_link,
    a_reading,
    a_row_of,
    a_write,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
)
from tests.support.judging import codes, judged

GUESTS: dict[str, Any] = {"guests": 2}
ONLINE: dict[str, Any] = {"online": True}
TEXTS = [{"title": "Brunch"}, {"description": "Bring bread"}, {"location": "Bar"}]
TIMES = [{"end": ELEVEN}, {"start": TEN, "end": ELEVEN}]
FLAGS = [{"show_as": "free"}, {"private": True}]


def changed(**changes: Any) -> Item:
    """An imported appointment that was changed in Vorex."""
    return an_imported_item(**changes, revision=2, version=2, vorex_version=2, changed_by=None)


def wish(item: Item, **link: Any) -> object:
    return desired_event(item, an_integration(), an_external_link(**link))


@pytest.mark.parametrize("meeting", [GUESTS, ONLINE, GUESTS | ONLINE])
def test_r40_a_meeting_is_never_deleted_from_vorex(meeting: dict[str, Any]) -> None:
    """Deleted, or no longer this person's: the provider would mail the guests, or lose the meeting."""
    left = LeaveEvent(state=LinkState.FROZEN, code=Code.MEETING)
    assert wish(changed(deleted=True), **meeting) == left
    assert wish(changed(assignees=("bob",)), **meeting) == left
    assert wish(changed(start=None, end=None), **meeting) == left
    assert isinstance(wish(changed(deleted=True)), RemoveEvent)
    not_allowed = LeaveEvent(state=LinkState.FROZEN, code=Code.NOT_POSSIBLE)
    sandbox = an_integration(permission_level="sandbox")
    assert desired_event(changed(deleted=True), sandbox, an_external_link()) == not_allowed
    assert wish(changed(deleted=True), may_delete=False) == not_allowed


@pytest.mark.parametrize("meeting", [GUESTS, ONLINE, GUESTS | ONLINE])
@pytest.mark.parametrize("change", TEXTS)
def test_r40_its_texts_are_never_changed(meeting: dict[str, Any], change: dict[str, Any]) -> None:
    """Nor with a time beside them."""
    left = LeaveEvent(state=LinkState.FROZEN, code=Code.MEETING)
    assert wish(changed(**change), **meeting) == left
    assert wish(changed(**change, end=ELEVEN), **meeting) == left
    assert isinstance(wish(changed(**change)), WriteEvent)


@pytest.mark.parametrize("change", [*TIMES, *FLAGS])
def test_r40_its_time_is_changed_only_where_it_has_no_guests(change: dict[str, Any]) -> None:
    """Of one that is only online the title is sent as it is, and no description."""
    written = wish(changed(**change), **ONLINE)
    assert isinstance(written, WriteEvent)
    assert (written.fields.summary, written.fields.description, written.fields.location) == (
        "Lunch",
        None,
        None,
    )
    left = LeaveEvent(state=LinkState.FROZEN, code=Code.MEETING)
    assert wish(changed(**change), **GUESTS) == left
    assert wish(changed(**change), **(GUESTS | ONLINE)) == left


def test_r40_our_own_copy_is_ours_whoever_is_invited_to_it() -> None:
    """The rule is about events that a person made."""
    link = a_link(guests=2, online=True, origin=Origin.OURS)
    assert not link.is_meeting
    assert isinstance(desired_event(an_item(deleted=True, revision=2), an_integration(), link), RemoveEvent)


def waiting(item: Item, **changes: Any) -> Link:
    """A change of Vorex's that is still to be written."""
    return an_external_link(
        state=LinkState.BEHIND,
        desired_revision=2,
        writes=[a_write(item, accepted=None, sent=-HOUR)],
        **changes,
    )


def test_r40_a_change_that_waits_is_given_up_when_guests_are_seen() -> None:
    """The item says so, once."""
    item = changed(title="Brunch")
    row = an_event(people=("bob@example.org",))

    done = judged(row, waiting(item), item)

    assert done.link is not None
    assert (done.link.state, done.link.code, done.link.guests) == (LinkState.FROZEN, Code.MEETING, 1)
    assert codes(done)[-1] == ("update", "skipped", "meeting")
    assert done.entries[-1].reason == LEAVE_REASONS[Code.MEETING]
    assert done.entries[-1].direction == "to_linked_calendar"
    alone = judged(an_event(people=("ann@example.org",)), waiting(item), item)
    assert alone.link is not None
    assert alone.link.state is LinkState.BEHIND
    moved = changed(end=ELEVEN)
    online = judged(an_event(online=True), waiting(moved), moved)
    assert online.link is not None
    assert (online.link.state, online.link.online) == (LinkState.BEHIND, True)
    ours = judged(a_row_of(an_item(), people=("bob@example.org",)), a_link(), an_item())
    assert ours.link is not None
    assert ours.link.state is LinkState.AGREED


def test_r40_the_item_tells_of_its_meeting() -> None:
    """On each calendar where the event is; nothing of one that is gone."""
    meeting: dict[str, Any] = {"guests": 2, "online": True, "join_url": "https://meet.example/1"}
    told = status_of(an_imported_item(), an_integration(), an_external_link(**meeting), delayed=None)
    assert (told.standing, told.guests, told.online, told.join_url) == (
        ItemStanding.CONFIRMED,
        2,
        True,
        "https://meet.example/1",
    )
    for link in (
        None,
        an_external_link(**meeting, exists_there=False),
        an_external_link(**meeting, ended_at=an_item().changed_at),
    ):
        told = status_of(an_imported_item(), an_integration(), link, delayed=None)
        assert (told.guests, told.online, told.join_url) == (0, False, None)


def test_r13_the_records_own_address_leads_into_no_meeting() -> None:
    """Where we wrote it beside the fields, and the calendar shows it as the meeting's."""
    record, elsewhere = "https://vorex.example/t/7", "https://meet.example/1"
    reading = a_reading()
    forms = replace(a_link().forms, references=(("T7", record),))
    for address, told in ((record, (False, None)), (elsewhere, (True, elsewhere)), (None, (True, None))):
        event = an_event(join_url=address, online=True)
        link = seen(a_link(forms=forms), event, reading, person="ann@example.com")
        assert (link.online, link.join_url) == told
