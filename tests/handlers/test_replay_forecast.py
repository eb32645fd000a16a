"""What a replay would do, foretold by the rules that the consumers follow (R30)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, Integration, IntegrationId, Item, Link, LinkState, Reason, Status
from contracts.envelope import ItemChanged
from contracts.errors import Malformed
from contracts.messages import NoticeData
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemType
from handlers.outbound_message import ItemMessage, judge_messages
from handlers.plan import let_go_fingerprint
from handlers.replays.forecast import (
    ReplayForecast,
    ReplayOutcome,
    RunNow,
    names_of,
    of_item,
    of_malformed,
    of_notice,
    of_run,
)
from tests.builders import NOW, a_content, a_link, an_integration, an_item

WHERE = "Work of ann@example.com"
ONE = IntegrationId("one")


def received(version: int, **changes: Any) -> ItemMessage:
    data = ItemChangedData(
        tenant_id="acme",
        action=changes.pop("action", Action.UPDATED),
        version=version,
        actor=Actor(kind=ActorKind.USER, id="ann"),
        item=a_content(**changes),
    )
    return ItemMessage(message=ItemChanged.of(data, id="m-1", time=NOW, source="/vorex/acme"), replay=True)


def integration(**changes: Any) -> Integration:
    usual = {"calendar_name": "Work", "profile_name": "ann@example.com"}
    return replace(an_integration(), **usual | changes)


def told(
    message: ItemMessage, stored: Item | None = None, *links: Link, at: Integration | None = None
) -> list[tuple[ReplayOutcome, str]]:
    verdicts = judge_messages(stored, [message])
    return [(one.outcome, one.said) for one in of_item(verdicts, [at or integration()], links, now=0.0)]


def test_an_older_version_would_change_nothing() -> None:
    """R17: the one that is known is named."""
    ((outcome, said),) = told(received(3), an_item(version=7, vorex_version=7))

    assert outcome is ReplayOutcome.STALE
    assert said == "Version 3 is stale: version 7 is already known. Nothing would be written."


def test_what_is_new_would_be_written_to_the_calendar_of_the_account() -> None:
    assert told(received(1)) == [(ReplayOutcome.WRITTEN, f"It would be written to {WHERE}.")]


def test_what_failed_would_be_tried_again_in_its_version() -> None:
    """The letter's own version is the newest: a replay sends it, an ordinary repetition would not."""
    failed = a_link(state=LinkState.FAILED, desired_revision=1)

    assert told(received(1), an_item(), failed) == [
        (ReplayOutcome.WRITTEN, f"It would be written to {WHERE}.")
    ]


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
    assert told(received(1), at=integration(**changes)) == [(ReplayOutcome.HELD, said)]


def test_an_item_that_nobody_sees_would_only_be_stored() -> None:
    """R2, G8: no integration takes its type."""
    ((outcome, said),) = told(received(1), at=integration(item_types=frozenset({ItemType.TASK})))

    assert outcome is ReplayOutcome.NOBODY
    assert said.endswith("it would be stored, and nothing written.")


def test_a_copy_of_what_is_deleted_would_be_removed() -> None:
    link = a_link(state=LinkState.AGREED, exists_there=True, desired_revision=1)

    deleted = told(received(2, action=Action.DELETED), an_item(), link)

    assert deleted == [(ReplayOutcome.REMOVED, f"Its copy would be removed from {WHERE}.")]


def test_what_agrees_already_would_stay_as_it_is() -> None:
    link = a_link(state=LinkState.AGREED, exists_there=True, desired_revision=1, applied_revision=1)

    ((outcome, _),) = told(received(1), an_item(), link)

    assert outcome is ReplayOutcome.AGREED


def test_a_frozen_copy_would_be_left_alone_for_its_reason() -> None:
    """R16."""
    link = a_link(state=LinkState.AGREED, exists_there=True, desired_revision=1)
    narrow = integration(item_types=frozenset({ItemType.TASK}))

    ((outcome, said),) = told(received(2), an_item(), link, at=narrow)

    assert outcome is ReplayOutcome.LEFT
    assert "no longer sent to this calendar" in said


def test_a_conflict_is_foretold_with_its_winner() -> None:
    """R19: the calendar changed it later than the message says."""
    changed = an_item(
        version=5, vorex_version=4, sync_version=5, changed_by=integration().id, changed_at=NOW + timedelta(1)
    )

    outcomes = told(received(5), changed, a_link(state=LinkState.AGREED, exists_there=True))

    assert outcomes[0][0] is ReplayOutcome.CONFLICT
    assert "the newer change in the linked calendar would win" in outcomes[0][1]


def test_a_deletion_that_waits_for_an_answer_is_said_so() -> None:
    """R11."""
    link = a_link(state=LinkState.HELD, code=Code.HELD_DELETION, desired_revision=1, exists_there=True)

    ((outcome, said),) = told(received(1), an_item(), link)

    assert outcome is ReplayOutcome.HELD
    assert "wait for the user's answer" in said


@pytest.mark.parametrize(
    ("kind", "at", "outcome"),
    [
        ("change", integration(), ReplayOutcome.READ),
        ("change", integration(active=False), ReplayOutcome.HELD),
        ("change", integration(deleted_at=NOW), ReplayOutcome.GONE),
        ("change", None, ReplayOutcome.GONE),
        ("profile_disconnected", integration(), ReplayOutcome.READ),
        ("verification", integration(), ReplayOutcome.NOTED),
    ],
)
def test_what_a_notice_would_do_is_foretold(
    kind: str, at: Integration | None, outcome: ReplayOutcome
) -> None:
    """A notice makes us read, or look at the account, or says nothing that we need."""
    notice = NoticeData(integration_id="i", received_at=NOW, notification={"type": kind})

    assert of_notice(notice, at).outcome is outcome


@pytest.mark.parametrize(
    ("run", "at", "outcome"),
    [
        (RunNow(state="running", ended=False, number=2), integration(), ReplayOutcome.CONTINUED),
        (RunNow(state="running", ended=False, number=2), integration(active=False), ReplayOutcome.FAILED),
        (RunNow(state="running", ended=False, number=3), integration(), ReplayOutcome.STALE),
        (RunNow(state="done", ended=True, number=2), integration(), ReplayOutcome.GONE),
        (None, integration(), ReplayOutcome.GONE),
    ],
)
def test_what_a_step_of_a_run_would_do_is_foretold(
    run: RunNow | None, at: Integration, outcome: ReplayOutcome
) -> None:
    """R25."""
    assert of_run(2, run, at).outcome is outcome


def forecasts(
    message: ItemMessage, stored: Item | None, *links: Link, among: list[Integration] | None = None
) -> list[ReplayForecast]:
    return of_item(judge_messages(stored, [message]), among or [integration()], links, now=0.0)


def test_what_reaches_nobody_is_said_with_its_reason() -> None:
    """R2, G8: nobody takes it, or it is deleted and was nowhere."""
    narrow = [integration(item_types=frozenset({ItemType.TASK}))]
    stored = "it would be stored, and nothing written."
    nobody = f"No linked calendar of its assignees takes this item: {stored}"
    assert forecasts(received(1), None, among=narrow) == [
        ReplayForecast(outcome=ReplayOutcome.NOBODY, said=nobody)
    ]
    gone = f"The item is deleted and no linked calendar has a copy of it: {stored}"
    deleted = received(2, action=Action.DELETED)
    assert forecasts(deleted, an_item()) == [ReplayForecast(outcome=ReplayOutcome.NOBODY, said=gone)]


@pytest.mark.parametrize(
    ("later", "winner"),
    [(timedelta(1), "the newer change in the linked calendar"), (timedelta(-1), "this message")],
)
def test_r19_a_conflict_is_foretold_for_the_calendar_that_it_is_with(later: timedelta, winner: str) -> None:
    changed = an_item(version=5, vorex_version=4, sync_version=5, changed_by="two", changed_at=NOW + later)

    first, second = forecasts(received(5), changed, a_link())

    said = f"Both sides changed the item: {winner} would win, and the log would keep the other."
    assert first == ReplayForecast(
        outcome=ReplayOutcome.CONFLICT, said=said, integration_id=IntegrationId("two")
    )
    assert second.integration_id == "one"


def test_every_calendar_that_is_reached_is_told_in_one_order() -> None:
    """The assignees' own, and one that still has a copy; not one whose link has ended, nor a stranger's."""
    everybody = [
        integration(id="e", user_id="eve"),
        integration(id="b", user_id="bob"),
        integration(id="a"),
        integration(id="c", user_id="cy"),
        integration(id="d", tenant_id="other"),
    ]
    had = [a_link(integration_id="b"), a_link(integration_id="c", ended_at=NOW)]

    found = forecasts(received(2), an_item(), *had, among=everybody)

    assert [(one.integration_id, one.outcome) for one in found] == [
        ("a", ReplayOutcome.WRITTEN),
        ("b", ReplayOutcome.REMOVED),
    ]


@pytest.mark.parametrize("code", [Code.REFUSED_BY_CALENDAR, None])
def test_what_is_left_alone_for_no_reason_of_its_own_is_said_so(code: Code | None) -> None:
    """R6: it was let go, and nothing happened that brings it back."""
    item = an_item()
    let_go = a_link(state=LinkState.LET_GO, code=code, let_go_print=let_go_fingerprint(item.content))

    assert forecasts(received(2), item, let_go) == [
        ReplayForecast(
            outcome=ReplayOutcome.LEFT,
            said=f"{WHERE} would be left alone. The copy is no longer kept alike.",
            integration_id=ONE,
        )
    ]


def test_a_failed_link_without_a_code_is_left_alone_by_what_is_no_replay() -> None:
    failed = a_link(state=LinkState.FAILED, desired_revision=1)
    again = replace(received(1), replay=False)

    assert forecasts(again, an_item(), failed) == [
        ReplayForecast(
            outcome=ReplayOutcome.LEFT,
            said=f"{WHERE} would be left alone. The copy is no longer kept alike.",
            integration_id=ONE,
        )
    ]


def test_a_calendar_without_a_name_is_known_by_its_account() -> None:
    assert " of ".join(names_of(integration(calendar_name=None))) == "The calendar of ann@example.com"
    assert " of ".join(names_of(integration(calendar_name=""))) == "The calendar of ann@example.com"
    assert " of ".join(names_of(integration())) == WHERE


NOT_HERE = ReplayForecast(
    outcome=ReplayOutcome.GONE, said="The integration is not here any more: nothing would be read."
)
LOOKED_AT = ReplayForecast(
    outcome=ReplayOutcome.READ,
    said=f"The account behind {WHERE} would be looked at, and its status set.",
    integration_id=ONE,
)
DISCONNECTED = integration(status=Status.NOT_CONNECTED)


@pytest.mark.parametrize(
    ("kind", "at", "forecast"),
    [
        ("change", None, NOT_HERE),
        ("change", integration(deleted_at=NOW), NOT_HERE),
        ("profile_disconnected", DISCONNECTED, LOOKED_AT),
        ("profile_initial_sync_completed", integration(active=False), LOOKED_AT),
        (
            "verification",
            integration(active=False),
            ReplayForecast(
                outcome=ReplayOutcome.NOTED, said="A notice of this kind is only noted.", integration_id=ONE
            ),
        ),
        (
            "change",
            DISCONNECTED,
            ReplayForecast(
                outcome=ReplayOutcome.HELD,
                said=f"{WHERE} is not connected. The notice would be noted and read for later.",
                integration_id=ONE,
            ),
        ),
        (
            "change",
            integration(),
            ReplayForecast(
                outcome=ReplayOutcome.READ,
                said=f"What has changed on {WHERE} since then would be read; "
                "what is known already changes nothing.",
                integration_id=ONE,
            ),
        ),
    ],
)
def test_what_a_notice_would_do_is_said(kind: str, at: Integration | None, forecast: ReplayForecast) -> None:
    """R5, R22."""
    notice = NoticeData(integration_id="i", received_at=NOW, notification={"type": kind})

    assert of_notice(notice, at) == forecast


def of_step(outcome: ReplayOutcome, said: str) -> ReplayForecast:
    return ReplayForecast(outcome=outcome, said=said, integration_id=ONE)


FAILS = of_step(ReplayOutcome.FAILED, f"The integration with {WHERE} is not active. The run would fail.")
LOST = of_step(ReplayOutcome.FAILED, f"{WHERE} is not connected. The run would fail.")
DONE_ALREADY = of_step(ReplayOutcome.STALE, "This step of the run was done already: nothing would be done.")
GOES_ON = of_step(ReplayOutcome.CONTINUED, "The run would go on.")
NO_RUN = ReplayForecast(
    outcome=ReplayOutcome.GONE, said="The run is not here any more: nothing would be done."
)


@pytest.mark.parametrize(
    ("step", "at", "forecast"),
    [
        (2, integration(), GOES_ON),
        (3, integration(), GOES_ON),
        (2, integration(active=False), FAILS),
        (2, DISCONNECTED, LOST),
        (2, replace(DISCONNECTED, deleted_at=NOW), GOES_ON),
        (
            1,
            integration(),
            of_step(ReplayOutcome.STALE, "This step of the run was done already: nothing would be done."),
        ),
        (2, None, NO_RUN),
    ],
)
def test_r25_what_a_step_of_a_run_would_do_is_said(
    step: int, at: Integration | None, forecast: ReplayForecast
) -> None:
    """A deleted integration's run removes its copies, whatever became of the connection (R21)."""
    assert of_run(step, RunNow(state="running", ended=False, number=2), at) == forecast


def test_r25_what_a_step_of_a_run_that_has_ended_would_do_is_said() -> None:
    assert of_run(2, None, integration()) == NO_RUN
    ended = RunNow(state="done", ended=True, number=2)
    said = "The run has ended (done): nothing would be done."
    assert of_run(2, ended, integration()) == of_step(ReplayOutcome.GONE, said)


def test_what_nobody_can_read_stays_a_dead_letter_for_its_reason() -> None:
    said = "Still malformed: item.title: is required."
    forecast = of_malformed(Malformed("item.title", "is required"))
    assert forecast == ReplayForecast(outcome=ReplayOutcome.MALFORMED, said=said)
