"""How links begin, and two ends that are easily mistaken for others (R6, R8, R9, R16, R21)."""

from dataclasses import replace

import pytest

from contracts.calendar import Code, IntegrationId, LinkId, LinkState, Origin, event_id
from contracts.cronofy import CronofyEvent, EventOptions
from contracts.event_fields import fields_hash
from contracts.vorex import ItemContent
from handlers import link_beginnings, link_states
from handlers.calendar_move import Successor, plan_successor
from handlers.outbound_message import ItemMessage, choose_for_link, judge_messages
from handlers.plan import let_go_fingerprint
from tests.builders import (
    HOUR,
    MINUTE,
    NINE,
    NOW,
    TEN,
    a_link,
    a_message,
    a_reading,
    an_event,
    an_external_link,
    an_integration,
    an_item,
    at,
    fields_of_item,
)

AGREED, BEHIND, FAILED, LET_GO = LinkState.AGREED, LinkState.BEHIND, LinkState.FAILED, LinkState.LET_GO
ITEM = an_item(revision=5)


def test_an_agreement_leaves_what_the_calendar_allows_and_drops_what_kept_the_link_back() -> None:
    """R8, R9, R20: the code of a foreign event says that it is private, not that nothing could be sent."""
    kept: dict[Code, Code | None] = {}
    for code in (Code.PRIVATE, Code.SERIES, Code.INACTIVE, Code.NOT_CONNECTED):
        link = an_external_link(state=BEHIND, code=code, desired_revision=4)
        accepted = link_states.accept(
            link, revision=4, applied_hash="4", gone=False, now=at(-MINUTE), writes=()
        )
        assert accepted.code == link_states.agree(link, revision=4).code
        kept[code] = accepted.code

    assert kept == {
        Code.PRIVATE: Code.PRIVATE,
        Code.SERIES: Code.SERIES,
        Code.INACTIVE: None,
        Code.NOT_CONNECTED: None,
    }


def test_a_first_link_is_a_copy_of_ours_that_is_behind() -> None:
    """R1: its event's id is the same whoever computes it."""
    link = link_beginnings.first(ITEM, an_integration(), LinkId("new"))

    assert (link.state, link.origin, link.calendar_id) == (BEHIND, Origin.OURS, "cal_1")
    assert link.event_id == event_id("acme", "ann", ITEM.type, ITEM.id)
    assert (link.id, link.integration_id, link.item_ref) == ("new", IntegrationId("one"), ITEM.ref)
    assert not link.exists_there


@pytest.mark.parametrize(
    ("event", "origin", "code", "may_update"),
    [
        (an_event(), Origin.EXTERNAL, None, True),
        (an_event(event_private=True), Origin.EXTERNAL, Code.PRIVATE, False),
        (an_event(recurring=True), Origin.EXTERNAL, Code.SERIES, False),
        (an_event(options=EventOptions()), Origin.EXTERNAL, None, False),
        (an_event(event_id="vcs-1", event_private=True), Origin.OURS, None, True),
    ],
)  # fmt: skip
def test_an_event_that_was_found_is_agreed_on(
    event: CronofyEvent, origin: Origin, code: Code | None, may_update: bool
) -> None:
    """R8, R9: with what its calendar allows; an event that bears an id of ours is ours."""
    link = link_beginnings.found(ITEM, an_integration(), event, a_reading(), LinkId("new"))

    assert (link.state, link.origin, link.code) == (AGREED, origin, code)
    assert (link.may_update, link.may_delete) == (may_update, may_update)
    assert link.exists_there
    assert (link.event_id, link.event_uid) == (event.event_id, "uid")


@pytest.mark.parametrize(
    ("code", "carried"), [(Code.SERIES, Code.SERIES), (Code.PRIVATE, Code.PRIVATE), (Code.INACTIVE, None)]
)
def test_r21_a_foreign_event_that_was_not_shown_is_carried_over(code: Code, carried: Code | None) -> None:
    """As what it was, whatever its state was: nothing says that it is gone."""
    old = an_external_link(
        state=FAILED, code=code, series_identifier="series", may_update=False, may_delete=False
    )

    link = link_beginnings.carry_over(old, ITEM, an_integration(calendar_id="cal_2"), LinkId("new"))

    assert (link.state, link.code, link.calendar_id) == (AGREED, carried, "cal_2")
    assert (link.event_uid, link.series_identifier) == ("uid", "series")
    assert (link.may_update, link.may_delete, link.exists_there) == (False, False, True)


@pytest.mark.parametrize("content", [ITEM.content, None])
def test_r21_a_new_link_knows_what_the_calendar_holds_by_what_was_wished_before(
    content: ItemContent | None,
) -> None:
    """Where nobody noted what was accepted; an item of which no text is left is wished as nothing."""
    item = replace(ITEM, content=content)
    old = a_link(ITEM, applied_hash=None)

    link = link_states.recall(a_link(ITEM), old, item, agreed=None)

    assert link.applied_hash == fields_hash(fields_of_item(ITEM))
    assert link.desired == (fields_of_item(ITEM) if content else None)


def test_r6_r16_a_copy_that_came_back_is_not_taken_for_one_that_its_owner_deleted() -> None:
    """A new time brings it back; should another calendar be chosen and this one again, it follows."""
    item = an_item()
    deleted = a_link(item, state=LET_GO, exists_there=False, let_go_print=let_go_fingerprint(item.content))
    later = a_message(version=2, start=NINE + HOUR, end=TEN + HOUR, id="77", time=NOW)
    verdicts = judge_messages(item, [ItemMessage(message=later)])
    choice = choose_for_link(verdicts, an_integration(), deleted, now=at(-MINUTE), new_id=lambda: "")
    assert choice is not None
    assert choice.link.state is BEHIND

    let_go_with_its_calendar = replace(choice.link, state=LET_GO, code=Code.OK)

    followed = plan_successor(verdicts.item, an_integration(), let_go_with_its_calendar, new_id=lambda: "")
    assert followed != Successor()
