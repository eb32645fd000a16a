"""What a replay would do, foretold by the rules that the consumers follow (R30)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, Integration, Item, Link, LinkState, Reason, Status
from contracts.envelope import ItemChanged
from contracts.messages import NoticeData
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemType
from handlers.outbound_message import Received, sort_out
from handlers.replay_forecast import Outcome, RunNow, of_item, of_notice, of_run
from tests.builders import NOW, a_content, a_link, an_integration, an_item

WHERE = "Work of ann@example.com"


def received(version: int, **changes: Any) -> Received:
    data = ItemChangedData(
        tenant_id="acme",
        action=changes.pop("action", Action.UPDATED),
        version=version,
        actor=Actor(kind=ActorKind.USER, id="ann"),
        item=a_content(**changes),
    )
    return Received(message=ItemChanged.of(data, id="m-1", time=NOW, source="/vorex/acme"), replay=True)


def integration(**changes: Any) -> Integration:
    usual = {"calendar_name": "Work", "profile_name": "ann@example.com"}
    return replace(an_integration(), **usual | changes)


def told(
    message: Received, stored: Item | None = None, *links: Link, at: Integration | None = None
) -> list[tuple[Outcome, str]]:
    verdicts = sort_out(stored, [message])
    return [(one.outcome, one.said) for one in of_item(verdicts, [at or integration()], links, now=0.0)]


def test_an_older_version_would_change_nothing() -> None:
    """R17: the one that is known is named."""
    ((outcome, said),) = told(received(3), an_item(version=7, vorex_version=7))

    assert outcome is Outcome.STALE
    assert said == "Version 3 is stale: version 7 is already known. Nothing would be written."


def test_what_is_new_would_be_written_to_the_calendar_of_the_account() -> None:
    assert told(received(1)) == [(Outcome.WRITTEN, f"It would be written to {WHERE}.")]


def test_what_failed_would_be_tried_again_in_its_version() -> None:
    """The letter's own version is the newest: a replay sends it, an ordinary repetition would not."""
    failed = a_link(state=LinkState.FAILED, desired_revision=1)

    assert told(received(1), an_item(), failed) == [(Outcome.WRITTEN, f"It would be written to {WHERE}.")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"status": Status.NOT_CONNECTED, "reason": Reason.PERMISSION_WITHDRAWN},
            f"{WHERE} is not connected. The change would be kept as state.",
        ),
        (
            {"active": False},
            f"The integration with {WHERE} is not active. The change would be kept as state.",
        ),
        (
            {"baseline_at": None},
            f"{WHERE} has not been read for the first time yet. The change would be kept as state.",
        ),
    ],
)
def test_what_cannot_be_sent_would_be_kept_as_state(changes: dict[str, Any], said: str) -> None:
    """R20, R22, R33."""
    assert told(received(1), at=integration(**changes)) == [(Outcome.HELD, said)]


def test_an_item_that_nobody_sees_would_only_be_stored() -> None:
    """R2, G8: no integration takes its type."""
    ((outcome, said),) = told(received(1), at=integration(item_types=frozenset({ItemType.TASK})))

    assert outcome is Outcome.NOBODY
    assert said.endswith("it would be stored, and nothing written.")


def test_a_copy_of_what_is_deleted_would_be_removed() -> None:
    link = a_link(state=LinkState.AGREED, exists_there=True, desired_revision=1)

    deleted = told(received(2, action=Action.DELETED), an_item(), link)

    assert deleted == [(Outcome.REMOVED, f"Its copy would be removed from {WHERE}.")]


def test_what_agrees_already_would_stay_as_it_is() -> None:
    link = a_link(state=LinkState.AGREED, exists_there=True, desired_revision=1, applied_revision=1)

    ((outcome, _),) = told(received(1), an_item(), link)

    assert outcome is Outcome.AGREED


def test_a_frozen_copy_would_be_left_alone_for_its_reason() -> None:
    """R16."""
    link = a_link(state=LinkState.AGREED, exists_there=True, desired_revision=1)
    narrow = integration(item_types=frozenset({ItemType.TASK}))

    ((outcome, said),) = told(received(2), an_item(), link, at=narrow)

    assert outcome is Outcome.LEFT
    assert "no longer sent to this calendar" in said


def test_a_conflict_is_foretold_with_its_winner() -> None:
    """R19: the calendar changed it later than the message says."""
    changed = an_item(
        version=5, vorex_version=4, sync_version=5, changed_by=integration().id, changed_at=NOW + timedelta(1)
    )

    outcomes = told(received(5), changed, a_link(state=LinkState.AGREED, exists_there=True))

    assert outcomes[0][0] is Outcome.CONFLICT
    assert "the newer change in the linked calendar would win" in outcomes[0][1]


def test_a_deletion_that_waits_for_an_answer_is_said_so() -> None:
    """R11."""
    link = a_link(state=LinkState.HELD, code=Code.HELD_DELETION, desired_revision=1, exists_there=True)

    ((outcome, said),) = told(received(1), an_item(), link)

    assert outcome is Outcome.HELD
    assert "wait for the user's answer" in said


@pytest.mark.parametrize(
    ("kind", "at", "outcome"),
    [
        ("change", integration(), Outcome.READ),
        ("change", integration(active=False), Outcome.HELD),
        ("change", integration(deleted_at=NOW), Outcome.GONE),
        ("change", None, Outcome.GONE),
        ("profile_disconnected", integration(), Outcome.READ),
        ("verification", integration(), Outcome.NOTED),
    ],
)
def test_what_a_notice_would_do_is_foretold(kind: str, at: Integration | None, outcome: Outcome) -> None:
    """DESIGN 7.2, 7.5."""
    notice = NoticeData(integration_id="i", received_at=NOW, notification={"type": kind})

    assert of_notice(notice, at).outcome is outcome


@pytest.mark.parametrize(
    ("run", "at", "outcome"),
    [
        (RunNow(state="running", ended=False, number=2), integration(), Outcome.CONTINUED),
        (RunNow(state="running", ended=False, number=2), integration(active=False), Outcome.FAILED),
        (RunNow(state="running", ended=False, number=3), integration(), Outcome.STALE),
        (RunNow(state="done", ended=True, number=2), integration(), Outcome.GONE),
        (None, integration(), Outcome.GONE),
    ],
)
def test_what_a_step_of_a_run_would_do_is_foretold(
    run: RunNow | None, at: Integration, outcome: Outcome
) -> None:
    """R25."""
    assert of_run(2, run, at).outcome is outcome
