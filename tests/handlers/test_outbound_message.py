"""What an intake makes of messages, rows and links, as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.calendar import (
    Code,
    EventTypes,
    Integration,
    IntegrationId,
    Item,
    Link,
    LinkState,
    Origin,
    Status,
    Written,
    event_id,
)
from contracts.envelope import ItemChanged, decode
from contracts.event_fields import fields_hash
from contracts.vorex import ItemType
from handlers.conflicts import fact_of, loss_entries
from handlers.outbound_message import (
    MOST_REMEMBERED_WRITES,
    ItemMessage,
    LinkChoice,
    LinkStanding,
    choose_for_link,
    judge_messages,
    superseded_entries,
)
from handlers.texts.compose import compose
from tests.support.calendars import MORNING, changed

NOW = 1000.0
HOME = IntegrationId("00000001-0000-7000-8000-000000000000")


def received(version: int = 1, **changes: Any) -> ItemMessage:
    replay = bool(changes.pop("replay", False))
    message = decode(changed(version=version, **changes).body, expected=ItemChanged)
    return ItemMessage(message=message, replay=replay)


def stored(first: int = 1, **changes: Any) -> Item:
    return replace(judge_messages(None, [received(first)]).item, **changes)


def integration(**changes: Any) -> Integration:
    usual: dict[str, Any] = {
        "id": HOME,
        "tenant_id": "acme",
        "user_id": "u-17",
        "sub": "acc",
        "profile_id": "pro",
        "profile_name": "ann@example.com",
        "provider_name": "google",
        "calendar_id": "cal",
        "calendar_name": "Work",
        "time_zone": "UTC",
        "permission_level": "sandbox",
        "active": True,
        "status": Status.CONNECTED,
        "reason": None,
        "event_types": EventTypes(),
        "item_types": frozenset(ItemType),
        "finished_at": MORNING,
        "baseline_at": MORNING,
    }
    return Integration(**usual | changes)


def decide(
    received_: ItemMessage, known: Item | None, link: Link | None, **changes: Any
) -> LinkChoice | None:
    verdicts = judge_messages(known, [received_])
    return choose_for_link(verdicts, integration(**changes), link, now=NOW, new_id=lambda: "new")


def first_link(**changes: Any) -> Link:
    """As it is after the first version was accepted."""
    choice = decide(received(), None, None)
    assert choice is not None
    done: dict[str, Any] = {
        "state": LinkState.AGREED,
        "applied_revision": 1,
        "applied_hash": fields_hash(choice.link.desired),
        "exists_there": True,
    }
    return replace(choice.link, **done | changes)


def test_r17_the_highest_version_of_an_intake_wins_in_any_order() -> None:
    """The others are superseded, what is below the stored version is stale."""
    verdicts = judge_messages(stored(3), [received(5), received(2), received(4)])

    assert [each.data.version for each in verdicts.current] == [5]
    assert [each.data.version for each in verdicts.superseded] == [4]
    assert [each.data.version for each in verdicts.stale] == [2]
    assert verdicts.item.version == 5
    assert verdicts.carrier is verdicts.current[0]


def test_r17_the_same_version_twice_goes_on_to_the_links_twice() -> None:
    """Both messages wait for the same links; the item is stored once."""
    verdicts = judge_messages(None, [received(1), received(1)])

    assert len(verdicts.current) == 2
    assert verdicts.item.revision == 1


def test_a_new_link_is_behind_with_its_event_id_and_its_write_remembered() -> None:
    """Before it is sent, what may be read back is known."""
    choice = decide(received(), None, None)

    assert choice is not None
    assert (choice.new, choice.standing, choice.link.state) == (True, LinkStanding.SEND, LinkState.BEHIND)
    assert choice.link.event_id == event_id("acme", "u-17", "appointment", "5512")
    assert [write.sent_at for write in choice.link.writes] == [NOW]


def test_at_most_twenty_writes_are_remembered() -> None:
    """The oldest go first."""
    writes = [
        Written(prints={"title": str(number)}, sent_at=number) for number in range(MOST_REMEMBERED_WRITES)
    ]
    choice = decide(received(2), stored(), first_link(writes=writes))

    assert choice is not None
    assert len(choice.link.writes) == MOST_REMEMBERED_WRITES
    assert choice.link.writes[-1].sent_at == NOW


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        (LinkState.AGREED, LinkStanding.DONE),
        (LinkState.FROZEN, LinkStanding.DONE),
        (LinkState.LET_GO, LinkStanding.DONE),
        (LinkState.FAILED, LinkStanding.FAILED),
        (LinkState.BEHIND, LinkStanding.SEND),
        (LinkState.RETRYING, LinkStanding.SEND),
        (LinkState.HELD, LinkStanding.SEND),
    ],
)
def test_an_equal_version_runs_the_links_that_are_not_done(state: LinkState, standing: LinkStanding) -> None:
    """A redelivery finishes what a crash left; it does not revive what failed for good."""
    choice = decide(received(), stored(), first_link(state=state))

    assert choice is not None
    assert choice.standing is standing


def test_a_replay_revives_a_failed_link() -> None:
    """Its header says that an operator wants it (R30)."""
    choice = decide(received(replay=True), stored(), first_link(state=LinkState.FAILED, exists_there=False))

    assert choice is not None
    assert (choice.standing, choice.link.state) == (LinkStanding.SEND, LinkState.BEHIND)


def test_a_held_deletion_waits_for_its_answer_in_spite_of_a_redelivery() -> None:
    """R11: a person is being asked."""
    link = first_link(state=LinkState.HELD, code=Code.HELD_DELETION)
    choice = decide(received(), stored(), link)

    assert choice is not None
    assert choice.standing is LinkStanding.DONE


def test_r7_a_link_that_differs_is_written_by_the_next_change_and_not_by_a_repetition() -> None:
    """The calendar's own change stays until Vorex changes the item again."""
    again = decide(received(), stored(), first_link(differs=True))
    following = decide(received(2), stored(), first_link(differs=True))

    assert again is not None
    assert following is not None
    assert (again.standing, following.standing) == (LinkStanding.DONE, LinkStanding.SEND)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"active": False}, Code.INACTIVE),
        ({"status": Status.NOT_CONNECTED}, Code.NOT_CONNECTED),
        ({"baseline_at": None}, None),
    ],
)
def test_r20_what_may_not_be_sent_is_held_with_its_reason(changes: dict[str, Any], code: Code | None) -> None:
    """And is told in the log where a person would want to know."""
    choice = decide(received(), None, None, **changes)

    assert choice is not None
    assert (choice.standing, choice.link.state, choice.link.code) == (LinkStanding.DONE, LinkState.HELD, code)
    assert choice.link.writes == ()
    assert (choice.entry.code if choice.entry else None) == code


def test_r20_what_was_stored_before_its_message_came_is_told_as_held_once() -> None:
    """An appointment added on My Calendar's own page; its message's return tells nothing more."""
    first = decide(received(), stored(), None, active=False)
    assert first is not None
    assert first.entry is not None
    assert first.entry.message_id is not None

    again = decide(received(), stored(), first.link, active=False)
    assert again is not None
    assert again.entry is None


def test_an_ended_link_of_the_same_pair_is_taken_up_again() -> None:
    """One row for a pair; its tombstone adopts (R21)."""
    choice = decide(received(2), stored(), first_link(ended_at=datetime(2026, 12, 1, tzinfo=UTC)))

    assert choice is not None
    assert (choice.new, choice.link.ended_at, choice.standing) == (False, None, LinkStanding.SEND)


def test_r2_a_copy_whose_item_is_unassigned_is_wished_away() -> None:
    """Its desired state is to be absent."""
    choice = decide(received(2, assignees=["u-22"]), stored(), first_link())

    assert choice is not None
    assert (choice.link.desired, choice.standing) == (None, LinkStanding.SEND)


def test_r9_a_change_to_an_event_of_a_series_is_not_possible() -> None:
    """Logged, not retried."""
    link = first_link(origin=Origin.EXTERNAL, event_uid="uid", code=Code.SERIES, agreed={"title": "other"})
    choice = decide(received(2), stored(), link)

    assert choice is not None
    assert (choice.standing, choice.link.state) == (LinkStanding.DONE, LinkState.FROZEN)
    assert choice.entry is not None
    assert choice.entry.code is Code.SERIES


def test_an_external_event_changed_back_before_the_change_arrived_is_written_again() -> None:
    """What may still arrive is written over too."""
    content = stored().content
    assert content is not None
    before = decide(received(), None, None)
    assert before is not None
    agreed = before.link.writes[0].prints
    link = first_link(
        origin=Origin.EXTERNAL,
        event_uid="uid",
        agreed=agreed,
        writes=[Written(prints={**agreed, "title": "meanwhile"}, sent_at=1.0)],
    )
    choice = decide(received(2, title=content.title), stored(), link, permission_level="unrestricted")

    assert choice is not None
    assert choice.standing is LinkStanding.SEND
    fields = compose(content)
    assert fields is not None
    assert choice.link.desired == fields.only({})


def test_r19_a_lost_change_of_a_private_item_keeps_no_text() -> None:
    """Neither in the values nor in the title."""
    known = stored(version=2, sync_version=2, changed_by=HOME, changed_at=MORNING + timedelta(days=9))
    verdicts = judge_messages(known, [received(2, private=True, title="Clinic")])

    (entry,) = loss_entries(verdicts)
    times = {"start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}
    assert entry.detail == {"kept": times, "lost": times, "private": True}
    fact = fact_of(verdicts, None)
    assert fact is not None
    assert (fact.version, fact.item.title, fact.actor.id) == (3, "5512 v1", HOME)


def test_r17_every_integration_reached_is_told_of_stale_and_superseded_messages() -> None:
    """One entry each."""
    verdicts = judge_messages(stored(3), [received(5), received(2), received(4)])

    assert [entry.code for entry in superseded_entries(verdicts, [HOME])] == [Code.STALE, Code.SUPERSEDED]
