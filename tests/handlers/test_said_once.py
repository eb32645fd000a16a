"""R42: a version is said once; of a source that started again the newest message counts."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from contracts.calendar import Code, IntegrationId, Item
from contracts.envelope import ItemChanged
from contracts.vorex import Action
from handlers.outbound_message import LEAVE_REASONS, ItemMessage, judge_messages, superseded_entries
from handlers.versions import JudgedVersion, VersionVerdict, judge_version
from tests.builders import HOUR, MINUTE, NOW, a_message, an_item


def judged(stored: Item, message: ItemChanged) -> JudgedVersion:
    return judge_version(stored, message.data, time=message.time, source=message.source)


def known(**changes: Any) -> Item:
    """At version 5 of Vorex, said at NOW - HOUR."""
    return an_item(**({"version": 5, "vorex_version": 5} | changes))


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ({}, VersionVerdict.EQUAL),
        ({"time": NOW - 2 * HOUR}, VersionVerdict.EQUAL),
        ({"title": "Other"}, VersionVerdict.CONFLICTING),
        ({"title": "Other", "time": NOW - 2 * HOUR}, VersionVerdict.CONFLICTING),
        ({"action": Action.DELETED}, VersionVerdict.CONFLICTING),
        ({"assignees": ("bob",)}, VersionVerdict.CONFLICTING),
    ],
)
def test_r42_a_version_is_said_once(message: dict[str, Any], verdict: VersionVerdict) -> None:
    """The same content is a repetition, another contradicts it; either way what is stored stays."""
    judgement = judged(known(), a_message(version=5, **message))
    assert (judgement.verdict, judgement.item, judgement.backwards) == (verdict, known(), False)


def test_r42_what_was_changed_since_cannot_tell_what_was_said() -> None:
    """By the calendar, or as the winner of a conflict."""
    for item in (
        known(version=6),
        known(changed_by="one"),
        known(version=6, vorex_version=5, changed_by="one"),
    ):
        assert judged(item, a_message(version=5, title="Other")).verdict is VersionVerdict.EQUAL


def test_r42_of_two_deletions_no_content_counts() -> None:
    """Gone is gone."""
    gone = known(deleted=True)
    same = a_message(version=5, action=Action.DELETED, title="Other")
    assert judged(gone, same).verdict is VersionVerdict.EQUAL
    assert judged(gone, a_message(version=5)).verdict is VersionVerdict.CONFLICTING


@pytest.mark.parametrize(
    ("message", "backwards"),
    [
        ({"title": "Other"}, True),
        ({"title": "Other", "time": NOW - HOUR}, False),
        ({"title": "Other", "time": NOW - 2 * HOUR}, False),
        ({}, False),
    ],
)
def test_r42_a_lower_version_that_was_said_later_runs_backwards(
    message: dict[str, Any], backwards: bool
) -> None:
    """One that only came late does not, nor one that says what is known."""
    judgement = judged(known(), a_message(version=3, **message))
    assert (judgement.verdict, judgement.backwards) == (VersionVerdict.STALE, backwards)


@pytest.mark.parametrize("version", [3, 5])
@pytest.mark.parametrize(
    ("since", "message", "taken"),
    [
        (NOW - MINUTE, {"title": "Other"}, True),
        (NOW, {"title": "Other"}, True),
        (NOW + MINUTE, {"title": "Other"}, False),
        (NOW - 3 * HOUR, {"title": "Other", "time": NOW - 2 * HOUR}, False),
        (NOW - MINUTE, {}, False),
        (None, {"title": "Other"}, False),
    ],
)
def test_r42_of_a_trusted_source_the_newest_message_counts_whatever_its_number(
    version: int, since: datetime | None, message: dict[str, Any], taken: bool
) -> None:
    """From then on; the item's own version goes on, and its source's number is the new one."""
    said = a_message(version=version, **message)
    judgement = judge_version(known(), said.data, time=said.time, source=said.source, trusted_since=since)
    assert (judgement.verdict is VersionVerdict.NEW) is taken
    if taken:
        assert judgement.item.content is not None
        assert judgement.item.content.title == "Other"
        assert (judgement.item.version, judgement.item.vorex_version) == (6, version)


def test_r42_a_known_version_with_other_content_goes_nowhere_and_is_logged_for_each_integration() -> None:
    """What was said first stays; in the very same intake, too."""
    first, other = (
        ItemMessage(message=a_message(version=5)),
        ItemMessage(message=a_message(version=5, title="Other")),
    )
    verdicts = judge_messages(None, [first, other])
    assert (verdicts.current, verdicts.conflicting, verdicts.stale) == ([first], [other], [])
    assert verdicts.item.content is not None
    assert verdicts.item.content.title == "Lunch"
    (entry,) = superseded_entries(verdicts, [IntegrationId("one")])
    assert (entry.outcome, entry.code, entry.action) == ("skipped", "other_content", "none")
    assert entry.reason == LEAVE_REASONS[Code.OTHER_CONTENT]


def test_r42_a_lower_version_that_was_said_later_is_stale_and_remarked() -> None:
    """And of a trusted source it is the newest."""
    stored = an_item(version=9, vorex_version=9)
    late = ItemMessage(message=a_message(version=3, title="Other"))
    verdicts = judge_messages(stored, [late])
    assert (verdicts.stale, verdicts.backwards, verdicts.carrier) == ([late], [late], None)
    only_late = ItemMessage(message=a_message(version=3, title="Other", time=NOW - 2 * HOUR))
    assert judge_messages(stored, [only_late]).backwards == []
    trusted = replace(late, trusted_since=NOW)
    assert judge_messages(stored, [trusted]).carrier == trusted
