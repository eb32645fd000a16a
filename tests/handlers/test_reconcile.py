"""What a comparison by state, or a Send run, makes of a link whose item changed meanwhile (R6, R20, R22)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, IntegrationId, Item, Link, LinkId, LinkState, Origin, Status, event_id
from contracts.vorex import ItemType
from handlers.plan import let_go_fingerprint
from handlers.reconcile import compared_link, link_to_send
from tests.builders import (
    NOW,
    a_content,
    a_link,
    a_write,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    fields_of_item,
)

OLD = an_item(title="Old")
NEW = an_item(title="New", version=2, vorex_version=2, revision=2)
THEIRS = an_imported_item(title="New", version=2, vorex_version=2, changed_by=None, revision=2)
GONE = replace(NEW, deleted=True)
WAITS = [Code.INACTIVE, Code.NOT_CONNECTED]
HELD: dict[str, Any] = {"state": LinkState.HELD, "code": Code.INACTIVE}


def comparison(link: Link, item: Item = NEW, **settings: Any) -> Link | None:
    return compared_link(link, item, an_integration(**settings))


@pytest.mark.parametrize(
    "link",
    [a_link(OLD, calendar_id="cal_before"), a_link(OLD, ended_at=NOW)],
    ids=["of another calendar", "ended"],
)
def test_r20_a_comparison_leaves_links_that_are_not_of_this_calendar(link: Link) -> None:
    assert comparison(link) is None
    assert comparison(replace(link, **HELD)) is None


@pytest.mark.parametrize(
    "following", [{"desired_revision": 2}, {"applied_revision": 2}, {"applied_revision": 3}]
)
def test_r20_a_link_that_follows_its_item_already_stays(following: dict[str, int]) -> None:
    assert comparison(a_link(OLD, **following)) is None


def test_r11_a_deletion_that_waits_for_its_answer_is_not_compared() -> None:
    assert comparison(a_link(OLD, state=LinkState.HELD, code=Code.HELD_DELETION)) is None


def test_r20_a_copy_whose_item_changed_is_written() -> None:
    link = a_link(OLD, code=Code.DIFFERS)
    behind: dict[str, Any] = {
        "state": LinkState.BEHIND,
        "code": None,
        "desired": fields_of_item(NEW),
        "desired_revision": 2,
    }
    assert comparison(link) == replace(link, **behind)


def test_r20_a_change_that_was_held_is_written_although_it_was_noted() -> None:
    link = a_link(OLD, **HELD, desired=fields_of_item(NEW), desired_revision=2)
    assert comparison(link) == replace(link, state=LinkState.BEHIND, code=None)


def test_r20_a_copy_of_what_was_deleted_is_removed() -> None:
    link = a_link(OLD)
    behind: dict[str, Any] = {"state": LinkState.BEHIND, "code": None, "desired": None, "desired_revision": 2}
    assert comparison(link, GONE) == replace(link, **behind)


def test_r20_a_change_that_was_taken_back_agrees_again() -> None:
    link = a_link(OLD, code=Code.DIFFERS)
    back = replace(OLD, revision=3)
    agreed: dict[str, Any] = {
        "state": LinkState.AGREED,
        "code": None,
        "desired_revision": 3,
        "applied_revision": 3,
    }
    assert comparison(link, back) == replace(link, **agreed)


@pytest.mark.parametrize("code", WAITS)
def test_r10_a_foreign_event_is_edited_when_its_integration_sends_again(code: Code) -> None:
    """What it had waited for is forgotten."""
    link = an_external_link(an_imported_item(title="Old"), state=LinkState.HELD, code=code)
    found = comparison(link, THEIRS)
    only_its_title = fields_of_item(THEIRS).only(())
    behind: dict[str, Any] = {
        "state": LinkState.BEHIND,
        "code": None,
        "desired": only_its_title,
        "desired_revision": 2,
    }
    assert found == replace(link, **behind)


def test_r10_a_foreign_event_keeps_what_is_known_of_it() -> None:
    same = an_imported_item(title="Old", revision=2)
    link = an_external_link(an_imported_item(title="Old"), code=Code.SERIES)
    assert comparison(link, same) == replace(link, desired_revision=2, applied_revision=2)


@pytest.mark.parametrize("code", WAITS)
def test_r20_a_foreign_event_that_needs_nothing_forgets_what_it_waited_for(code: Code) -> None:
    link = an_external_link(an_imported_item(title="Old"), state=LinkState.HELD, code=code)
    same = an_imported_item(title="Old", revision=2)
    agreed: dict[str, Any] = {
        "state": LinkState.AGREED,
        "code": None,
        "desired_revision": 2,
        "applied_revision": 2,
    }
    assert comparison(link, same) == replace(link, **agreed)


def test_r10_a_foreign_event_that_cannot_be_edited_is_frozen() -> None:
    link = an_external_link(an_imported_item(title="Old"), code=Code.SERIES)
    frozen: dict[str, Any] = {"state": LinkState.FROZEN, "code": Code.SERIES, "desired_revision": 2}
    assert comparison(link, THEIRS) == replace(link, **frozen)


def test_r16_a_copy_of_a_type_that_is_not_sent_any_more_is_left() -> None:
    link = a_link(OLD)
    frozen: dict[str, Any] = {"state": LinkState.FROZEN, "code": Code.TYPE_OFF, "desired_revision": 2}
    assert comparison(link, item_types=frozenset({ItemType.TODO})) == replace(link, **frozen)


def test_a_foreign_event_that_is_gone_is_followed_by_a_copy_of_ours() -> None:
    link = an_external_link(an_imported_item(title="Old"), exists_there=False, code=Code.DIFFERS)
    found = comparison(link, THEIRS)
    assert found is not None
    copy = event_id("acme", "ann", "appointment", "77")
    assert (found.origin, found.event_id, found.desired) == (Origin.OURS, copy, fields_of_item(THEIRS))


def sending(link: Link | None, item: Item = NEW, **settings: Any) -> Link | None:
    return link_to_send(item, an_integration(**settings), link, new_id=lambda: "fresh")


@pytest.mark.parametrize("origin", [Origin.OURS, Origin.EXTERNAL])
def test_r11_a_send_writes_nothing_whose_deletion_waits_for_an_answer(origin: Origin) -> None:
    """Else the answer would find nothing to delete."""
    link = a_link(OLD, state=LinkState.HELD, code=Code.HELD_DELETION, exists_there=False, origin=origin)
    assert sending(link) is None


def test_r24_a_send_writes_what_was_never_sent() -> None:
    assert sending(None) == Link(
        id=LinkId("fresh"),
        integration_id=IntegrationId("one"),
        item_ref=NEW.ref,
        calendar_id="cal_1",
        origin=Origin.OURS,
        event_id=event_id("acme", "ann", "appointment", "77"),
        state=LinkState.BEHIND,
        desired_revision=2,
        desired=fields_of_item(NEW),
    )


@pytest.mark.parametrize(
    "item",
    [
        replace(NEW, content=a_content(assignees=("bob",))),
        replace(NEW, content=a_content(start=None, end=None)),
    ],
    ids=["of others", "undated"],
)
def test_r24_a_send_sends_only_what_is_on_the_persons_calendar(item: Item) -> None:
    assert sending(None, item) is None


@pytest.mark.parametrize("state", [LinkState.AGREED, LinkState.BEHIND, LinkState.FAILED])
def test_r24_a_send_writes_a_copy_that_is_not_as_its_item(state: LinkState) -> None:
    link = a_link(OLD, state=state, code=Code.REFUSED_BY_CALENDAR)
    behind: dict[str, Any] = {
        "state": LinkState.BEHIND,
        "code": None,
        "desired": fields_of_item(NEW),
        "desired_revision": 2,
    }
    assert sending(link) == replace(link, **behind)


def test_r24_a_send_leaves_what_is_as_it_should_be() -> None:
    assert sending(a_link(NEW)) is None


def test_r24_a_send_removes_nothing() -> None:
    assert sending(a_link(OLD), GONE) is None


def test_r10_a_send_never_edits_a_foreign_event() -> None:
    assert sending(an_external_link(an_imported_item(title="Old")), THEIRS) is None


LEFT: dict[str, dict[str, Any]] = {
    "let go": {
        "state": LinkState.LET_GO,
        "exists_there": False,
        "let_go_print": let_go_fingerprint(NEW.content),
    },
    "of a type that was unchecked": {"state": LinkState.FROZEN, "code": Code.TYPE_OFF},
}


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_r6_a_send_brings_back_a_copy_that_was_let_go(left: dict[str, Any]) -> None:
    """Also one that would be as it should, were it there, and one of a type that is checked again (R16)."""
    link = a_link(NEW, writes=[a_write(NEW)], **left)
    behind: dict[str, Any] = {
        "state": LinkState.BEHIND,
        "code": None,
        "let_go_print": None,
        "applied_hash": None,
    }
    assert sending(link) == replace(link, **behind)


def test_r6_a_send_leaves_a_copy_that_this_sync_left_alone_for_good() -> None:
    assert sending(a_link(OLD, state=LinkState.FROZEN, code=Code.LOOP_STOPPED)) is None


def test_r6_a_send_writes_an_item_whose_event_is_gone_as_a_copy_of_ours() -> None:
    """Its deletion was not carried out, or Delete is not checked: the item stayed, without its event."""
    gone = an_external_link(THEIRS, exists_there=False, state=LinkState.LET_GO, code=Code.OK)
    found = sending(gone, THEIRS)
    assert found is not None
    assert (found.origin, found.state, found.exists_there) == (Origin.OURS, LinkState.BEHIND, False)
    assert found.event_id == event_id("acme", "ann", "appointment", "77")


def test_r8_a_send_never_writes_the_mask_of_a_private_event_that_is_gone() -> None:
    private = replace(THEIRS, read_only_reason=Code.PRIVATE.value, imported_by=IntegrationId("one"))
    gone = an_external_link(private, exists_there=False, state=LinkState.LET_GO, code=Code.OK)
    assert sending(gone, private) is None


def test_r18_a_send_never_takes_what_a_calendar_brought_back_to_its_integration() -> None:
    """Not to another calendar either, that is linked now, until a person changes it."""
    one = IntegrationId("one")
    assert sending(None, replace(NEW, imported_by=one, changed_by=one)) is None
    assert sending(None, replace(NEW, imported_by=one, changed_by=None)) == sending(None)


def test_r22_a_send_notes_its_wish_whatever_the_integration_may_do_just_now() -> None:
    assert sending(None, active=False, status=Status.NOT_CONNECTED) == sending(None)
