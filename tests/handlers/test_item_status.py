"""How an item stands on a linked calendar, as its owner is told (R6, R11, R20, R22, R23)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, Link, LinkState, Status
from contracts.vorex import ItemType
from handlers.item_status import ItemStanding, ItemStatus, status_of
from tests.builders import HOUR, MINUTE, NOW, a_link, a_write, an_external_link, an_integration, an_item, at

ITEM = an_item()
MISSING: dict[str, Any] = {"status": Status.NOT_CONNECTED}
SECOND = timedelta(seconds=1)


def story(link: Link | None, *, delayed: bool = False, **settings: Any) -> ItemStatus:
    """What the owner is told; ``delayed``: Cronofy has taken nothing for a minute."""
    return status_of(ITEM, an_integration(**settings), link, delayed=NOW - MINUTE if delayed else None)


@pytest.mark.parametrize(
    "link",
    [None, a_link(ended_at=NOW), a_link(calendar_id="cal_before")],
    ids=["none", "ended", "of another calendar"],
)
def test_r16_an_item_without_a_copy_is_not_sent_or_not_of_a_type_that_is(link: Link | None) -> None:
    assert story(link) == ItemStatus(standing=ItemStanding.NOT_SENT)
    assert story(link, item_types=frozenset({ItemType.TODO})) == ItemStatus(standing=ItemStanding.TYPE_OFF)


@pytest.mark.parametrize(
    ("code", "standing"),
    [
        (Code.HELD_DELETION, ItemStanding.ANSWER),
        (Code.NOT_CONNECTED, ItemStanding.NOT_CONNECTED),
        (Code.INACTIVE, ItemStanding.INACTIVE),
        (None, ItemStanding.FIRST_READING),
    ],
)
def test_a_change_that_is_held_says_what_it_waits_for(code: Code | None, standing: ItemStanding) -> None:
    """R11 an answer, R22 the connection, R20 the activation, R33 the reading at Finish."""
    assert story(a_link(state=LinkState.HELD, code=code)) == ItemStatus(standing=standing, code=code)


UNFINISHED = pytest.mark.parametrize("state", [LinkState.BEHIND, LinkState.RETRYING])


@UNFINISHED
def test_r22_a_change_waits_for_the_connection_above_all(state: LinkState) -> None:
    waiting = story(a_link(state=state), delayed=True, active=False, **MISSING)
    assert waiting == ItemStatus(standing=ItemStanding.NOT_CONNECTED)


@UNFINISHED
def test_r20_a_change_waits_for_the_activation_of_an_inactive_integration(state: LinkState) -> None:
    assert story(a_link(state=state), delayed=True, active=False) == ItemStatus(
        standing=ItemStanding.INACTIVE
    )


@pytest.mark.parametrize("status", [Status.CONNECTED, Status.SETUP])
def test_a_change_is_on_its_way_while_cronofy_takes_what_comes(status: Status) -> None:
    assert story(a_link(state=LinkState.BEHIND), status=status) == ItemStatus(
        standing=ItemStanding.ON_ITS_WAY
    )


def test_r23_a_change_is_delayed_while_cronofy_takes_nothing_or_this_one_is_tried_again() -> None:
    since = NOW - MINUTE
    assert story(a_link(state=LinkState.BEHIND), delayed=True) == ItemStatus(
        standing=ItemStanding.DELAYED, at=since
    )
    assert story(a_link(state=LinkState.RETRYING), delayed=True) == ItemStatus(
        standing=ItemStanding.DELAYED, at=since
    )
    assert story(a_link(state=LinkState.RETRYING)) == ItemStatus(standing=ItemStanding.DELAYED)


@pytest.mark.parametrize(
    ("state", "standing"),
    [(LinkState.FAILED, ItemStanding.REFUSED), (LinkState.LET_GO, ItemStanding.LET_GO)],
)
def test_a_copy_that_is_not_kept_says_so_with_the_code_behind_it(
    state: LinkState, standing: ItemStanding
) -> None:
    """R6; whatever the calendar was when it was known."""
    link = a_link(state=state, code=Code.REFUSED_BY_CALENDAR, differs=True)
    assert story(link, delayed=True, **MISSING) == ItemStatus(
        standing=standing, code=Code.REFUSED_BY_CALENDAR
    )


@pytest.mark.parametrize("differs", [True, False])
def test_r10_a_frozen_copy_says_whether_it_differs(differs: bool) -> None:
    link = a_link(state=LinkState.FROZEN, code=Code.SERIES, differs=differs)
    assert story(link) == ItemStatus(standing=ItemStanding.FROZEN, code=Code.SERIES, differs=differs)


def test_a_copy_that_was_removed_says_when() -> None:
    assert story(a_link(exists_there=False)) == ItemStatus(standing=ItemStanding.REMOVED, at=NOW - HOUR)
    never = a_link(exists_there=False, accepted_at=None)
    assert story(never) == ItemStatus(standing=ItemStanding.REMOVED)


@pytest.mark.parametrize("differs", [True, False])
def test_r18_a_copy_is_accepted_until_it_was_read_back_after_that(differs: bool) -> None:
    accepted: dict[str, Any] = {"accepted_at": at(-MINUTE), "differs": differs}
    since = ItemStatus(standing=ItemStanding.ACCEPTED, at=NOW - MINUTE, differs=differs)
    assert story(a_link(**accepted, read_at=at(-MINUTE - SECOND))) == since
    assert story(a_link(**accepted, read_at=None)) == since
    assert story(a_link(**accepted, read_at=None, writes=[a_write(ITEM)])) == since


@pytest.mark.parametrize("differs", [True, False])
@pytest.mark.parametrize(
    "known", [{"read_at": at(timedelta())}, {"read_at": at(-HOUR), "rewrites": [at(-SECOND)]}]
)
def test_r38_a_copy_that_was_read_without_its_newest_write_is_on_its_way_since_that_was_sent(
    known: dict[str, Any], differs: bool
) -> None:
    """Also once it was written again."""
    link = a_link(accepted_at=at(-MINUTE), differs=differs, writes=[a_write(ITEM, sent=-HOUR)], **known)
    since = ItemStatus(standing=ItemStanding.ON_ITS_WAY, at=NOW - HOUR, differs=differs)
    assert story(link) == since
    unmade = [at(-HOUR)]
    assert story(replace(link, read_at=None, rewrites=unmade)).standing is ItemStanding.ACCEPTED


@pytest.mark.parametrize("differs", [True, False])
def test_r18_a_copy_that_was_read_back_is_confirmed_as_of_that_reading(differs: bool) -> None:
    read = ItemStatus(standing=ItemStanding.CONFIRMED, at=NOW - MINUTE, differs=differs)
    assert story(a_link(accepted_at=at(-MINUTE), read_at=at(-MINUTE), differs=differs)) == read
    assert story(a_link(accepted_at=None, read_at=at(-MINUTE), differs=differs)) == read
    assert story(a_link(accepted_at=None, read_at=None)) == ItemStatus(standing=ItemStanding.CONFIRMED)


def test_an_event_of_the_calendars_owner_needs_no_reading_back() -> None:
    link = an_external_link(accepted_at=at(-MINUTE), read_at=at(-HOUR), writes=[a_write(ITEM)])
    assert story(link) == ItemStatus(standing=ItemStanding.CONFIRMED, at=NOW - HOUR)


def test_a_page_that_shows_the_story_looks_again_until_nothing_more_will_come() -> None:
    moving = {standing for standing in ItemStanding if not ItemStatus(standing=standing).settled}
    assert moving == {ItemStanding.ACCEPTED, ItemStanding.ON_ITS_WAY, ItemStanding.DELAYED}
