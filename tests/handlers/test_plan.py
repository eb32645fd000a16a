"""What each link should be (R2, R6, R9, R10, R14, R16, R18, R20)."""

from typing import Any

import pytest

from contracts.calendar import Code, LinkState, Origin
from contracts.event_fields import fields_hash
from contracts.vorex import ItemType
from handlers.edits import edited_item
from handlers.fingerprints import fingerprints_of_event
from handlers.plan import (
    InAgreement,
    LeaveEvent,
    RemoveEvent,
    WriteEvent,
    desired_event,
    let_go_fingerprint,
    renewed_link,
)
from tests.builders import (
    HOUR,
    NINE,
    TEN,
    a_content,
    a_link,
    a_write,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    fields_of_item,
)

FROZEN = LinkState.FROZEN


def types_but(*unchecked: ItemType) -> Any:
    """The boxes without these."""
    return an_integration(item_types=frozenset(ItemType) - set(unchecked))


def changed_here(**changes: Any) -> Any:
    """An imported item that Vorex changed since."""
    counters = {"version": 2, "vorex_version": 2, "revision": 2, "changed_by": None}
    return an_imported_item(**(counters | changes))


@pytest.mark.parametrize("kind", list(ItemType))
def test_g8_an_item_of_a_checked_type_is_written(kind: ItemType) -> None:
    """Each of the five."""
    item = an_item(type=kind)

    assert desired_event(item, an_integration(), None) == WriteEvent(fields=fields_of_item(item))
    assert desired_event(item, types_but(kind), None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"assignees": ("bob",)},
        {"assignees": ()},
        {"deleted": True},
        {"start": None, "end": None},
        {"tenant_id": "other"},
    ],
)
def test_r2_r14_what_is_not_on_this_persons_calendar_is_not_written(change: dict[str, Any]) -> None:
    """Nor is there anything to remove where no copy is."""
    assert desired_event(an_item(**change), an_integration(), None) is None


@pytest.mark.parametrize("change", [{"assignees": ("bob",)}, {"deleted": True}, {"start": None, "end": None}])
@pytest.mark.parametrize("state", [LinkState.AGREED, LinkState.BEHIND, LinkState.FROZEN, LinkState.HELD])
def test_r2_r14_a_copy_of_what_is_no_longer_theirs_is_removed(
    change: dict[str, Any], state: LinkState
) -> None:
    """However the link stands."""
    item = an_item(revision=2, **change)

    assert desired_event(item, an_integration(), a_link(state=state)) == RemoveEvent()


def test_r18_what_is_in_agreement_makes_no_writes() -> None:
    """A newer revision that looks the same, too."""
    assert desired_event(an_item(), an_integration(), a_link()) == InAgreement()
    assert desired_event(an_item(revision=2, version=2), an_integration(), a_link()) == InAgreement()
    gone = a_link(desired=None, exists_there=False, applied_hash=None)
    assert desired_event(an_item(deleted=True), an_integration(), gone) == InAgreement()


@pytest.mark.parametrize(
    "change",
    [
        {"state": LinkState.BEHIND},
        {"state": LinkState.FAILED},
        {"differs": True},
        {"exists_there": False},
        {"applied_hash": "other"},
    ],
)
def test_r7_what_is_not_in_agreement_is_written(change: dict[str, Any]) -> None:
    """Also where the calendar was left differing."""
    assert desired_event(an_item(), an_integration(), a_link(**change)) == WriteEvent(
        fields=fields_of_item(an_item())
    )


def test_r16_a_type_unchecked_later_freezes_its_copies() -> None:
    """No more updates, in whatever state."""
    changed = an_item(type=ItemType.TASK, title="Other", revision=2)
    for state in (LinkState.AGREED, LinkState.BEHIND):
        link = a_link(an_item(type=ItemType.TASK), state=state)
        assert desired_event(changed, types_but(ItemType.TASK), link) == LeaveEvent(
            state=FROZEN, code=Code.TYPE_OFF
        )


def test_r16_a_frozen_copy_is_removed_only_with_the_item_or_its_assignment() -> None:
    """A lost date is an update like others."""
    link = a_link(state=FROZEN, code=Code.TYPE_OFF)
    off = types_but(ItemType.APPOINTMENT)
    assert desired_event(an_item(deleted=True), off, link) == RemoveEvent()
    assert desired_event(an_item(assignees=("bob",)), off, link) == RemoveEvent()
    assert desired_event(an_item(start=None, end=None), off, link) == LeaveEvent(
        state=FROZEN, code=Code.TYPE_OFF
    )


def test_r16_a_type_checked_again_brings_its_copies_up_to_date() -> None:
    """They are behind then."""
    changed = an_item(title="Other", revision=2)
    link = a_link(state=FROZEN, code=Code.TYPE_OFF)

    assert desired_event(changed, an_integration(), link) == WriteEvent(fields=fields_of_item(changed))


LET_GO: dict[str, Any] = {
    "state": LinkState.LET_GO,
    "code": Code.OK,
    "exists_there": False,
    "let_go_print": let_go_fingerprint(a_content()),
}


@pytest.mark.parametrize(
    "change", [{}, {"title": "Other"}, {"description": ""}, {"completed": True}, {"deleted": True}]
)
def test_r6_a_let_go_copy_stays_away(change: dict[str, Any]) -> None:
    """Whatever else changes."""
    item = an_item(revision=2, **change)

    assert desired_event(item, an_integration(), a_link(**LET_GO)) == LeaveEvent(
        state=LinkState.LET_GO, code=Code.OK
    )


@pytest.mark.parametrize(
    "change", [{"start": NINE - HOUR}, {"end": TEN + HOUR}, {"assignees": ("ann", "bob")}]
)
def test_r6_a_let_go_copy_comes_back_with_its_time_or_assignees(change: dict[str, Any]) -> None:
    """It is sent again."""
    item = an_item(revision=2, **change)

    assert desired_event(item, an_integration(), a_link(**LET_GO)) == WriteEvent(fields=fields_of_item(item))


def test_r6_a_let_go_copy_without_a_date_stays_away() -> None:
    """Until it gets one; other assignees do not bring it back, as there is nothing to be shown."""
    undated = {"start": None, "end": None}
    link = a_link(**(LET_GO | {"let_go_print": let_go_fingerprint(a_content(**undated))}))
    away = LeaveEvent(state=LinkState.LET_GO, code=Code.OK)
    assert desired_event(an_item(**undated), an_integration(), link) == away
    assert desired_event(an_item(**undated, assignees=("ann", "bob")), an_integration(), link) == away
    assert desired_event(an_item(), an_integration(), link) == WriteEvent(fields=fields_of_item(an_item()))


@pytest.mark.parametrize(("code", "told"), [(Code.DELETE_OFF, Code.DELETE_OFF), (None, Code.OK)])
@pytest.mark.parametrize("assignees", [("ann",), ("bob",)])
def test_r6_a_let_go_copy_stays_away_for_the_reason_that_it_had(
    code: Code | None, told: Code, assignees: tuple[str, ...]
) -> None:
    """Also where its person is assigned no more."""
    content = a_content(assignees=assignees)
    for known in (let_go_fingerprint(content), let_go_fingerprint(a_content())):
        link = a_link(**(LET_GO | {"code": code, "let_go_print": known}))
        left = desired_event(an_item(content=content), an_integration(), link)
        assert left == LeaveEvent(state=LinkState.LET_GO, code=told)


def test_r6_a_let_go_copy_is_never_removed() -> None:
    """It is not there."""
    moved_away = an_item(assignees=("bob",), revision=2)

    assert desired_event(moved_away, an_integration(), a_link(**LET_GO)) == LeaveEvent(
        state=LinkState.LET_GO, code=Code.OK
    )


def test_a_copy_on_a_calendar_that_is_no_longer_linked_is_let_go() -> None:
    """Even of a deleted item."""
    other = an_integration(calendar_id="cal_2")

    for item in (an_item(title="Other", revision=2), an_item(deleted=True, revision=2)):
        assert desired_event(item, other, a_link()) == LeaveEvent(state=LinkState.LET_GO, code=Code.OK)


def test_r18_what_came_from_a_calendar_is_sent_to_the_others_only() -> None:
    """Where Appointments is checked."""
    item = an_imported_item()
    other = an_integration(id="two", calendar_id="cal_2")
    assert desired_event(item, an_integration(), None) is None
    assert desired_event(item, other, None) == WriteEvent(fields=fields_of_item(item))
    assert desired_event(item, an_integration(id="two", item_types=frozenset()), None) is None


def test_r18_what_came_from_a_calendar_goes_back_once_a_person_changed_it() -> None:
    """In Vorex, or in another calendar; where no link is, as after another calendar was chosen."""
    for changed_by in (None, "two"):
        item = changed_here(changed_by=changed_by)
        assert isinstance(desired_event(item, an_integration(), None), WriteEvent)


def test_r18_an_event_of_the_calendar_at_rest_is_left_alone() -> None:
    """Whatever our text of it would look like."""
    assert desired_event(an_imported_item(), an_integration(), an_external_link()) == InAgreement()
    same_again = changed_here()
    assert desired_event(same_again, an_integration(), an_external_link()) == InAgreement()


def test_an_event_of_the_calendar_is_written_with_what_vorex_changed() -> None:
    """Title and times always, of the rest only the changed."""
    item = changed_here(location="Bar", show_as="free")
    fields = fields_of_item(item)

    assert desired_event(item, an_integration(), an_external_link()) == WriteEvent(
        fields=fields.only({"location", "transparency"})
    )


def test_r18_what_an_earlier_write_may_have_left_is_written_over() -> None:
    """Changed and changed back before it was read."""
    between = an_imported_item(title="Between", location="Bar")
    link = an_external_link(writes=[a_write(between)], applied_revision=2)

    written = desired_event(changed_here(revision=3), an_integration(), link)

    assert isinstance(written, WriteEvent)
    assert written.fields.summary == "Lunch"
    assert written.fields.location == "Park"


def test_r7_a_foreign_event_that_was_left_differing_gets_vorexs_values() -> None:
    """The next change in Vorex writes them, also the fields that Vorex did not touch."""
    item = changed_here(title="Dinner")
    content = a_content()
    read = fingerprints_of_event(an_event(location="Bar"), content)
    link = an_external_link(differs=True, last_read=read)

    written = desired_event(item, an_integration(), link)

    assert isinstance(written, WriteEvent)
    assert set(written.fields.to_wire_dict()) == {"summary", "start", "end", "location"}


def test_r6_r21_a_foreign_event_of_a_record_is_written_with_what_was_composed_anew() -> None:
    """It was a copy that lost its id; its texts are never read back, so what was wished last counts."""
    before = an_item(type=ItemType.TASK, changed_by=None)
    link = an_external_link(before)
    for changes, written in (
        ({"title": "Other"}, {"summary"}),
        ({"location": "Bar", "completed": True}, {"location", "transparency"}),
    ):
        item = an_item(type=ItemType.TASK, revision=2, **changes)
        wished = WriteEvent(fields=fields_of_item(item).only(written))
        assert desired_event(item, an_integration(), link) == wished
    assert desired_event(an_item(type=ItemType.TASK, revision=2), an_integration(), link) == InAgreement()


def test_r6_r21_where_no_record_was_wished_its_times_are_held_against_what_was_read() -> None:
    """As for an appointment."""
    link = an_external_link(an_item(type=ItemType.TASK), desired=None)
    moved = an_item(type=ItemType.TASK, title="Other", start=NINE - HOUR, revision=2)

    assert desired_event(moved, an_integration(), link) == WriteEvent(
        fields=fields_of_item(moved).only(set())
    )
    same = an_item(type=ItemType.TASK, title="Other", revision=2)
    assert desired_event(same, an_integration(), link) == InAgreement()


def test_r10_what_was_read_otherwise_and_is_not_left_so_is_not_written_over() -> None:
    """Only what Vorex changed since both sides agreed; the rest may be a write that has not arrived."""
    item = changed_here(title="Dinner")
    read = fingerprints_of_event(an_event(location="Bar"), a_content())

    written = desired_event(item, an_integration(), an_external_link(last_read=read))

    assert written == WriteEvent(fields=fields_of_item(item).only({"summary"}))


def test_r12_a_foreign_text_that_is_too_long_for_us_is_not_cut_there() -> None:
    """Only what Vorex changed is written."""
    long = edited_item(a_content(), an_event(description="x" * 5000), {"description"})
    imported = an_imported_item(content=long)
    agreed = fingerprints_of_event(an_event(description="x" * 5000), long)
    item = changed_here(content=long.model_copy(update={"location": "Bar"}))

    written = desired_event(
        item, an_integration(), an_external_link(imported, agreed=agreed, last_read=agreed)
    )

    assert isinstance(written, WriteEvent)
    assert set(written.fields.to_wire_dict()) == {"summary", "start", "end", "location"}


@pytest.mark.parametrize(
    ("link", "integration", "code"),
    [
        ({"code": Code.SERIES, "may_update": False}, {}, Code.SERIES),
        ({"code": Code.PRIVATE, "may_update": False}, {}, Code.PRIVATE),
        ({"may_update": False}, {}, Code.NOT_POSSIBLE),
        ({}, {"permission_level": "sandbox"}, Code.NOT_POSSIBLE),
    ],
)
def test_r8_r9_r10_what_may_not_be_edited_is_not(
    link: dict[str, Any], integration: dict[str, Any], code: Code
) -> None:
    """The reason is told; the title is Vorex's."""
    item = changed_here(title="Other")

    assert desired_event(item, an_integration(**integration), an_external_link(**link)) == LeaveEvent(
        state=FROZEN, code=code
    )


@pytest.mark.parametrize(
    ("link", "integration", "wished"),
    [
        ({}, {}, RemoveEvent()),
        ({"may_delete": False}, {}, LeaveEvent(state=FROZEN, code=Code.NOT_POSSIBLE)),
        ({}, {"permission_level": "sandbox"}, LeaveEvent(state=FROZEN, code=Code.NOT_POSSIBLE)),
        ({"code": Code.SERIES}, {}, LeaveEvent(state=FROZEN, code=Code.SERIES)),
        ({"code": Code.PRIVATE}, {}, LeaveEvent(state=FROZEN, code=Code.PRIVATE)),
    ],
)
def test_r10_an_event_of_the_calendar_is_deleted_only_where_it_may_be(
    link: dict[str, Any], integration: dict[str, Any], wished: Any
) -> None:
    """R8, R9: neither private ones nor parts of a series."""
    item = changed_here(deleted=True)

    assert desired_event(item, an_integration(**integration), an_external_link(**link)) == wished


def test_r2_an_imported_item_that_comes_back_to_its_person_is_written_anew() -> None:
    """Its event is gone, and a foreign event cannot be brought back (CRONOFY.md C21)."""
    link = an_external_link(exists_there=False, desired=None, applied_hash=None, agreed=None)
    item = changed_here()

    assert desired_event(item, an_integration(), link) == WriteEvent(fields=fields_of_item(item))
    anew = renewed_link(link, item, an_integration())
    assert (anew.origin, anew.event_id, anew.event_uid) == (Origin.OURS, a_link(item).event_id, None)


def test_r20_a_wish_does_not_ask_whether_the_integration_is_active() -> None:
    """What should be is noted while nothing may be sent."""
    changed = an_item(title="Other", revision=2)
    assert desired_event(changed, an_integration(active=False), a_link()) == WriteEvent(
        fields=fields_of_item(changed)
    )


def test_r15_a_completed_item_is_written_as_free() -> None:
    """It stays."""
    written = desired_event(an_item(completed=True, revision=2), an_integration(), a_link())

    assert isinstance(written, WriteEvent)
    assert written.fields.transparency == "transparent"
    assert fields_hash(written.fields) != a_link().applied_hash
