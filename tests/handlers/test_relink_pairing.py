"""Linking again: which event is known from before (R8, R11, R21)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import (
    Item,
    LinkState,
    event_id,
)
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers.relink import TombstoneSign, pair_up, was_never_sent
from tests.builders import (
    a_link,
    a_row_of,
    an_event,
    an_item,
)
from tests.support.tombstones import THEIRS, a_foreign_tombstone, a_tombstone

LUNCH = ("Lunch", "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z")
NEVER = {"event_id": None, "event_uid": None}


def a_sign(item: Item | None = None, **changes: Any) -> TombstoneSign:
    """What is known of lunch."""
    return replace(TombstoneSign.of(a_tombstone(a_link(), item or an_item())), **changes)


def found(events: list[CronofyEvent], *signs: TombstoneSign) -> list[tuple[str, str]]:
    """Which item stands for which event, by item id and uid."""
    ids = {an_item(id=each).ref: each for each in ("1", "2", "77")}
    return [(ids[sign.item_ref], event.event_uid) for sign, event in pair_up(events, signs).found]


def other(number: str, **changes: Any) -> TombstoneSign:
    """An item of another id, of which no event was known."""
    return a_sign(an_item(id=number), **(NEVER | changes))


def test_r21_a_sign_says_by_what_an_event_is_known() -> None:
    assert TombstoneSign.of(a_tombstone(a_link(), an_item())) == TombstoneSign(
        item_ref=an_item().ref,
        event_id=event_id("acme", "ann", "appointment", "77"),
        event_uid="uid",
        alive=True,
        twin=LUNCH,
        stands_unseen=False,
    )


def test_r21_a_sign_is_told_by_the_title_as_it_was_written() -> None:
    named = an_item(type=ItemType.CRM_ACTIVITY, account_name="Smith Ltd")
    assert TombstoneSign.of(a_tombstone(a_link(named), named)).twin == ("SmithLtd-Lunch", *LUNCH[1:])


@pytest.mark.parametrize(
    ("item", "alive"),
    [
        (an_item(deleted=True), False),
        (replace(an_item(), content=None), False),
        (an_item(start=None, end=None), True),
    ],
    ids=["deleted", "unknown", "undated"],
)
def test_r21_what_is_not_on_my_calendar_is_told_by_no_title(item: Item, alive: bool) -> None:
    sign = TombstoneSign.of(a_foreign_tombstone(item))
    assert (sign.alive, sign.twin) == (alive, None)


def test_r11_a_foreign_event_of_this_calendar_stands_even_if_a_reading_does_not_show_it() -> None:
    assert TombstoneSign.of(a_foreign_tombstone()).stands_unseen is True
    assert TombstoneSign.of(a_foreign_tombstone(exists_there=False)).stands_unseen is False
    assert TombstoneSign.of(a_foreign_tombstone(same_calendar=False)).stands_unseen is False
    assert TombstoneSign.of(a_foreign_tombstone(replace(THEIRS, deleted=True))).stands_unseen is False
    assert TombstoneSign.of(a_tombstone()).stands_unseen is False


def test_r21_an_event_is_known_by_our_event_id_before_anything_else() -> None:
    ours = a_row_of(an_item(), event_uid="new uid", summary="Renamed")
    theirs = an_event()
    assert found([theirs, ours], a_sign()) == [("77", "new uid")]
    assert found([ours, theirs], a_sign(alive=False)) == [("77", "new uid")]


def test_r21_an_event_of_ours_is_never_known_by_anything_but_its_id() -> None:
    ours = a_row_of(an_item())
    assert found([ours], a_sign(event_id="vcs-other")) == []


def test_r21_an_event_is_known_by_its_uid_where_its_id_is_not() -> None:
    assert found([an_event(summary="Renamed")], a_sign(event_id=None)) == [("77", "uid")]
    assert found([an_event(summary="Renamed")], a_sign()) == [("77", "uid")]
    assert found([an_event(summary="Renamed")], a_sign(event_uid="other")) == []


def test_r21_a_foreign_event_of_an_item_that_is_gone_is_foreign_again() -> None:
    assert found([an_event()], a_sign(alive=False, twin=None)) == []


def test_r8_an_event_that_is_gone_is_not_known() -> None:
    assert found([an_event(deleted=True), a_row_of(an_item(), deleted=True)], a_sign()) == []


def test_r21_an_event_is_known_by_title_and_times_where_exactly_one_fits() -> None:
    lunch = an_event(event_uid="new")
    assert found([lunch], other("1")) == [("1", "new")]
    assert found([lunch, an_event(event_uid="newer")], other("1")) == []
    assert found([lunch], other("1"), other("2")) == []
    assert found([an_event(event_uid="new", summary="Dinner")], other("1")) == []


def test_r8_a_private_event_is_known_by_no_title_and_yet_is_one_of_two() -> None:
    private = an_event(event_uid="secret", event_private=True)
    assert found([private], other("1")) == []
    assert found([private, an_event(event_uid="new")], other("1")) == []


def test_r21_what_is_known_by_its_uid_is_not_counted_among_equals() -> None:
    """Neither the event nor the item."""
    events = [an_event(), an_event(event_uid="new")]
    assert found(events, a_sign(), other("1")) == [("77", "uid"), ("1", "new")]


def test_r21_what_is_known_by_our_id_does_not_hide_an_equal_of_the_owners() -> None:
    events = [a_row_of(an_item(), event_uid="ours"), an_event(event_uid="new")]
    assert found(events, a_sign(), other("1")) == [("77", "ours"), ("1", "new")]


def test_r21_each_sign_stands_for_one_event() -> None:
    events = [an_event(event_uid="a", summary="A"), an_event(event_uid="b", summary="B")]
    twins = {"1": ("A", *LUNCH[1:]), "2": ("B", *LUNCH[1:])}
    signs = [other(number, twin=twin) for number, twin in twins.items()]
    assert found(events, *signs, a_sign()) == [("1", "a"), ("2", "b")]


def test_r11_what_stands_unseen_is_told_unless_it_was_found() -> None:
    seen, unseen = other("1", stands_unseen=True), other("2", stands_unseen=True, twin=None)
    pairing = pair_up([an_event(event_uid="new")], [seen, unseen, other("77", twin=None)])
    assert pairing.unseen == [unseen]


def test_a_wish_from_before_the_reading_of_which_nothing_has_left_is_known() -> None:
    held = a_link(state=LinkState.HELD, applied_revision=0, exists_there=False)
    assert was_never_sent(held) is True
    assert was_never_sent(replace(held, state=LinkState.BEHIND)) is False
    assert was_never_sent(replace(held, applied_revision=1)) is False
    assert was_never_sent(replace(held, exists_there=True)) is False
