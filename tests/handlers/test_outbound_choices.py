"""What becomes of each link that a message reaches, and what the log says (R6, R10, R16, R17, R20, R27)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import (
    Code,
    Direction,
    IntegrationId,
    Item,
    Link,
    LinkId,
    LinkState,
    LogAction,
    LogEntry,
    Origin,
    Outcome,
    Status,
    Written,
    event_id,
)
from contracts.envelope import ItemChanged
from contracts.event_fields import fields_hash
from contracts.vorex import Action, ItemType
from handlers.fingerprints import NO_EVENT
from handlers.outbound_message import (
    ItemMessage,
    LinkChoice,
    LinkStanding,
    action_of,
    choose_for_link,
    fingerprints_after,
    judge_messages,
    shown_title,
    superseded_entries,
)
from handlers.plan import let_go_fingerprint
from tests.builders import (
    NOW,
    a_content,
    a_link,
    a_message,
    a_write,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    at,
    fields_of_item,
)
from tests.builders import prints_of as prints_of_item

OLD = an_item(title="Old")
NEW = an_item(title="New", version=2, vorex_version=2, revision=2, changed_at=NOW)
THEIRS = an_imported_item(title="Old", vorex_version=1, sync_version=1)
NOW_AT = at(NOW - NOW)
IN_SERIES: dict[str, Any] = {"code": Code.SERIES, "may_update": False}
UNDATED: dict[str, Any] = {"start": None, "end": None}


def news(version: int = 2, *, attempt: int = 1, replay: bool = False, **changes: Any) -> ItemMessage:
    """Vorex says that an item has this version."""
    message: ItemChanged = a_message(version=version, **({"title": "New"} | changes))
    return ItemMessage(message=message, attempt=attempt, replay=replay)


def choice(
    link: Link | None, message: ItemMessage | None = None, *, stored: Item = OLD, **settings: Any
) -> LinkChoice | None:
    verdicts = judge_messages(stored, [message or news()])
    return choose_for_link(verdicts, an_integration(**settings), link, now=NOW_AT, new_id=lambda: "fresh")


def a_line(**changes: Any) -> LogEntry:
    """About the message, on the way to the linked calendar."""
    usual: dict[str, Any] = {
        "integration_id": "one",
        "direction": Direction.TO_LINKED_CALENDAR,
        "action": LogAction.UPDATE,
        "outcome": Outcome.SKIPPED,
        "item_ref": OLD.ref,
        "item_id": "77",
        "item_type": ItemType.APPOINTMENT,
        "title": "New",
        "message_id": "m-1",
        "trace_id": a_message().trace_id,
        "attempt": 1,
    }
    return LogEntry(**usual | changes)


def test_g8_a_first_link_is_written_under_the_items_own_event_id() -> None:
    link = Link(
        id=LinkId("fresh"),
        integration_id=IntegrationId("one"),
        item_ref=NEW.ref,
        calendar_id="cal_1",
        origin=Origin.OURS,
        event_id=event_id("acme", "ann", "appointment", "77"),
        state=LinkState.BEHIND,
        desired_revision=2,
        desired=fields_of_item(NEW),
        writes=(Written(prints=prints_of_item(NEW), sent_at=NOW_AT),),
    )
    assert choice(None) == LinkChoice(link=link, standing=LinkStanding.SEND, new=True, changed=True)


def test_a_copy_is_written_with_what_it_was_wished_before_remembered() -> None:
    before = a_write(OLD)
    link = a_link(OLD, writes=[before], code=Code.DIFFERS)
    wanted = replace(
        link,
        state=LinkState.BEHIND,
        code=None,
        desired=fields_of_item(NEW),
        desired_revision=2,
        writes=(before, Written(prints=prints_of_item(NEW), sent_at=NOW_AT)),
    )
    assert choice(link) == LinkChoice(link=wanted, standing=LinkStanding.SEND, changed=True)


def test_r17_a_repetition_sends_what_is_not_sent_yet_and_changes_nothing() -> None:
    link = choice(None)
    assert link is not None
    again = choice(link.link, stored=NEW)
    assert again == LinkChoice(link=link.link, standing=LinkStanding.SEND, changed=False)


def test_a_foreign_event_that_is_gone_is_written_anew_as_one_of_ours() -> None:
    """CRONOFY.md C21: it cannot be brought back; nothing is known of the new one yet."""
    chosen = choice(an_external_link(OLD, exists_there=False))
    assert chosen is not None
    assert (chosen.standing, chosen.new, chosen.changed) == (LinkStanding.SEND, False, True)
    link = chosen.link
    assert (link.origin, link.event_id) == (Origin.OURS, event_id("acme", "ann", "appointment", "77"))
    assert (link.event_uid, link.agreed, link.desired) == (None, None, fields_of_item(NEW))


def test_r2_a_copy_of_what_is_deleted_is_removed() -> None:
    link = a_link(OLD)
    removed = replace(
        link,
        state=LinkState.BEHIND,
        desired=None,
        desired_revision=2,
        writes=(Written(prints=NO_EVENT, sent_at=NOW_AT),),
    )
    found = choice(link, news(action=Action.DELETED))
    assert found == LinkChoice(link=removed, standing=LinkStanding.SEND, changed=True)


@pytest.mark.parametrize("origin", Origin)
def test_r17_a_version_that_changes_nothing_of_an_event_agrees_at_once(origin: Origin) -> None:
    """What was said of a foreign event still holds (R9)."""
    link = (a_link if origin is Origin.OURS else an_external_link)(OLD, code=Code.SERIES)
    agreed = replace(
        link,
        state=LinkState.AGREED,
        code=Code.SERIES if origin is Origin.EXTERNAL else None,
        desired_revision=2,
        applied_revision=2,
    )
    found = choice(link, news(title="Old"))
    assert found == LinkChoice(link=agreed, standing=LinkStanding.DONE, changed=True)


def test_a_copy_that_is_gone_with_its_item_agrees() -> None:
    """Only its revision is noted, and that not twice."""
    gone = replace(OLD, deleted=True)
    link = a_link(OLD, desired=None, exists_there=False, desired_revision=0, applied_revision=0)
    message = news(1, title="Old", action=Action.DELETED)
    agreed = replace(link, desired_revision=1, applied_revision=1)
    assert choice(link, message, stored=gone) == LinkChoice(
        link=agreed, standing=LinkStanding.DONE, changed=True
    )
    link = replace(agreed, ended_at=None, desired_revision=0)
    known = replace(link, desired_revision=1)
    assert choice(known, message, stored=gone) == LinkChoice(
        link=known, standing=LinkStanding.DONE, changed=False
    )


def test_r9_a_change_that_cannot_be_made_is_left_and_said_once() -> None:
    link = an_external_link(THEIRS, **IN_SERIES)
    left = replace(link, state=LinkState.FROZEN, desired_revision=2)
    reason = "The event is part of a series, which cannot be edited from outside."
    entry = a_line(code=Code.SERIES, reason=reason, attempt=4)
    found = choice(link, news(attempt=4), stored=THEIRS)
    assert found == LinkChoice(link=left, standing=LinkStanding.DONE, changed=True, entry=entry)


@pytest.mark.parametrize(
    ("message", "action"),
    [
        (news(action=Action.DELETED), LogAction.DELETE),
        (news(**UNDATED), LogAction.DELETE),
        (news(assignees=("bob",)), LogAction.UPDATE),
    ],
    ids=["deleted", "undated", "given to another"],
)
def test_r10_the_log_says_what_a_foreign_event_would_have_had_to_undergo(
    message: ItemMessage, action: LogAction
) -> None:
    found = choice(an_external_link(THEIRS, may_delete=False), message, stored=THEIRS)
    assert found is not None
    assert found.entry is not None
    assert (found.entry.action, found.entry.code) == (action, Code.NOT_POSSIBLE)


def test_r16_a_type_that_is_not_sent_any_more_freezes_its_copies_and_says_so() -> None:
    link = a_link(OLD)
    frozen = replace(link, state=LinkState.FROZEN, code=Code.TYPE_OFF, desired_revision=2)
    entry = a_line(code=Code.TYPE_OFF, reason="Items of this type are no longer sent to this calendar.")
    found = choice(link, item_types=frozenset({ItemType.TODO}))
    assert found == LinkChoice(link=frozen, standing=LinkStanding.DONE, changed=True, entry=entry)


def test_r6_a_copy_that_was_let_go_stays_so_without_a_word() -> None:
    link = a_link(OLD, state=LinkState.LET_GO, code=Code.OK, let_go_print=let_go_fingerprint(OLD.content))
    left = replace(link, desired_revision=2)
    assert choice(link) == LinkChoice(link=left, standing=LinkStanding.DONE, changed=True)
    item = replace(OLD, deleted=True)
    same = choice(replace(link, desired_revision=0), news(1, title="Old", action=Action.DELETED), stored=item)
    assert same == LinkChoice(
        link=replace(link, desired_revision=1), standing=LinkStanding.DONE, changed=True
    )


def test_r17_what_was_left_for_a_revision_is_not_told_again() -> None:
    """Nor changed: the message comes once more, for a link that a crash left behind."""
    link = an_external_link(THEIRS, state=LinkState.BEHIND, desired_revision=1, **IN_SERIES)
    again = choice(link, news(1, title="New"), stored=replace(THEIRS, content=a_content(title="New")))
    assert again is not None
    assert (again.entry, again.link.state) == (None, LinkState.FROZEN)


def test_what_is_left_as_it_stands_is_not_stored_again() -> None:
    link = a_link(OLD, calendar_id="cal_before", state=LinkState.LET_GO, code=Code.OK, desired_revision=1)
    known = replace(link, desired_revision=2)
    assert choice(known) == LinkChoice(link=known, standing=LinkStanding.DONE, changed=False)


def test_r17_what_agrees_at_a_revision_already_is_not_stored_again() -> None:
    known = a_link(OLD, desired=fields_of_item(NEW), applied_hash=fields_hash(fields_of_item(NEW)))
    known = replace(known, desired_revision=2, applied_revision=2)
    assert choice(known) == LinkChoice(link=known, standing=LinkStanding.DONE, changed=False)


HOLDS = [
    (
        {"active": False},
        Code.INACTIVE,
        "The integration is not active; the change is kept for its activation.",
    ),
    (
        {"status": Status.NOT_CONNECTED, "active": False},
        Code.NOT_CONNECTED,
        "The calendar is not connected; the change is kept for the reconnection.",
    ),
]


@pytest.mark.parametrize(("settings", "code", "reason"), HOLDS)
@pytest.mark.parametrize(
    ("link", "message", "action"),
    [
        (None, news(), LogAction.CREATE),
        (a_link(OLD), news(), LogAction.UPDATE),
        (a_link(OLD), news(action=Action.DELETED), LogAction.DELETE),
    ],
    ids=["new", "changed", "deleted"],
)
def test_r20_a_change_that_may_not_be_sent_is_held_and_said(  # noqa: PLR0917
    link: Link | None,
    message: ItemMessage,
    action: LogAction,
    settings: dict[str, Any],
    code: Code,
    reason: str,
) -> None:
    found = choice(link, message, **settings)
    assert found is not None
    assert (found.standing, found.link.state, found.link.code) == (LinkStanding.DONE, LinkState.HELD, code)
    assert (found.new, found.changed, found.link.writes) == (link is None, True, ())
    title = "Old" if action is LogAction.DELETE else "New"
    assert found.entry == a_line(action=action, outcome=Outcome.HELD, code=code, reason=reason, title=title)


def test_r20_a_change_that_is_held_is_said_once() -> None:
    """The message comes once more, for a link that a crash left behind."""
    link = a_link(NEW, state=LinkState.BEHIND, desired_revision=2, applied_revision=1)
    again = choice(link, stored=replace(NEW, version=2, vorex_version=2), active=False)
    assert again is not None
    assert (again.entry, again.link.state, again.link.code) == (None, LinkState.HELD, Code.INACTIVE)


def test_r33_what_waits_for_the_reading_at_finish_is_held_without_a_word() -> None:
    found = choice(a_link(OLD), baseline_at=None)
    assert found is not None
    assert (found.link.state, found.link.code, found.entry) == (LinkState.HELD, None, None)


def test_r30_a_link_that_failed_is_tried_again_by_a_replay_alone() -> None:
    """Also where the replay comes with a repetition."""
    failed = a_link(NEW, state=LinkState.FAILED)
    verdicts = judge_messages(NEW, [news()])
    told = choose_for_link(verdicts, an_integration(), failed, now=NOW_AT, new_id=lambda: "fresh")
    assert told == LinkChoice(link=failed, standing=LinkStanding.FAILED, changed=False)
    verdicts = judge_messages(NEW, [news(replay=True), news()])
    told = choose_for_link(verdicts, an_integration(), failed, now=NOW_AT, new_id=lambda: "fresh")
    assert told is not None
    assert told.standing is LinkStanding.SEND


def test_an_intake_without_a_message_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no message about the item$"):
        judge_messages(NEW, [])


@pytest.mark.parametrize("code", [Code.STALE, Code.SUPERSEDED])
def test_r17_each_integration_is_told_what_came_too_late_or_too_early(code: Code) -> None:
    stored, messages, reason = {
        Code.STALE: (NEW, [news(1, attempt=2)], "A newer version of the item was known already."),
        Code.SUPERSEDED: (
            OLD,
            [news(2, attempt=2), news(3, attempt=2)],
            "A newer version of the item came before this one was sent.",
        ),
    }[code]
    verdicts = judge_messages(stored, messages)
    lines = superseded_entries(verdicts, [IntegrationId("one"), IntegrationId("two")])
    line = a_line(action=LogAction.NONE, code=code, reason=reason, attempt=2)
    assert lines == [line, replace(line, integration_id=IntegrationId("two"))]


def test_r17_what_came_late_is_told_before_what_was_overtaken() -> None:
    verdicts = judge_messages(NEW, [news(3), news(1), news(4)])
    lines = superseded_entries(verdicts, [IntegrationId("one")])
    assert [line.code for line in lines] == [Code.STALE, Code.SUPERSEDED]


def test_r27_the_log_shows_the_title_that_everybody_may_see() -> None:
    assert shown_title(a_content(title="Lunch")) == "Lunch"
    assert shown_title(a_content(title="Lunch", private=True)) == "Private appointment"
    assert shown_title(a_content(title="")) is None
    assert shown_title(None) is None


def test_the_log_calls_a_write_by_what_it_does_to_the_event() -> None:
    assert action_of(a_link(), gone=False) is LogAction.UPDATE
    assert action_of(a_link(exists_there=False), gone=False) is LogAction.CREATE
    assert action_of(a_link(exists_there=False), gone=True) is LogAction.DELETE


def test_a_write_is_remembered_by_how_the_whole_event_will_look() -> None:
    """Also where it names single fields of a foreign one (R10), which is deleted once and for all."""
    part = fields_of_item(NEW).only(())
    assert fingerprints_after(an_external_link(NEW), NEW, part) == prints_of_item(NEW)
    assert fingerprints_after(a_link(OLD), NEW, fields_of_item(NEW)) == prints_of_item(NEW)
    assert fingerprints_after(a_link(OLD), NEW, fields_of_item(OLD)) == prints_of_item(OLD)
    assert fingerprints_after(a_link(OLD), NEW, None) == NO_EVENT
    assert fingerprints_after(an_external_link(NEW), NEW, None) is None
    undated = an_item(**UNDATED)
    assert fingerprints_after(an_external_link(NEW), undated, part) is None
    assert fingerprints_after(a_link(NEW), replace(NEW, content=None), fields_of_item(NEW)) is None
