"""What links that were stopped, or have ended, should be (R6, R8, R21)."""

from contracts.calendar import Code, LinkState
from handlers.plan import (
    LeaveEvent,
    RemoveEvent,
    WriteEvent,
    desired_event,
    renewed_link,
)
from tests.builders import (
    NINE,
    a_link,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    fields_of_item,
)

FROZEN = LinkState.FROZEN


def test_r8_a_private_event_that_is_gone_is_not_written_anew() -> None:
    """Its masked text is never written."""
    item = an_imported_item(
        version=2, vorex_version=2, revision=2, changed_by=None, read_only_reason="private"
    )
    link = an_external_link(exists_there=False, agreed=None, code=Code.PRIVATE)

    assert desired_event(item, an_integration(), link) == LeaveEvent(state=FROZEN, code=Code.PRIVATE)


def test_events_that_stand_are_not_renewed() -> None:
    """Nor are ours."""
    for link in (an_external_link(), a_link(exists_there=False)):
        assert renewed_link(link, an_imported_item(), an_integration()) is link


def test_a_link_that_was_stopped_takes_no_more_updates() -> None:
    """Its code is loop_stopped; it still goes with its item."""
    link = a_link(state=FROZEN, code=Code.LOOP_STOPPED)
    changed = an_item(title="Other", revision=2)
    assert desired_event(changed, an_integration(), link) == LeaveEvent(state=FROZEN, code=Code.LOOP_STOPPED)
    assert desired_event(an_item(deleted=True), an_integration(), link) == RemoveEvent()


def test_r21_an_ended_link_begins_anew() -> None:
    """A tombstone stands in no one's way."""
    item = an_item()
    assert desired_event(item, an_integration(), a_link(ended_at=NINE)) == WriteEvent(
        fields=fields_of_item(item)
    )
