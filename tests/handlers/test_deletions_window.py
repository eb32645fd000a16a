"""Deletions of what is out of Cronofy's reach are none (R11)."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Link
from contracts.cronofy import UNSAID_TIME, CronofyEvent
from contracts.vorex import ItemType
from handlers.inbound_event import judge_row
from handlers.judgement import NO_CHANGE, Judgement, Reading
from tests.builders import HOUR, NOW, a_link, a_reading, a_row_of, an_integration, an_item


def judged(event: CronofyEvent, link: Link, item: Any, reading: Reading | None = None) -> Judgement:
    """What a row means."""
    return judge_row(event, link, item, an_integration(), reading or a_reading())


@pytest.mark.parametrize("kind", list(ItemType))
@pytest.mark.parametrize(
    ("agreed", "row", "gone"),
    [
        (41, {}, True),
        (42, {}, False),
        (41, {"start": UNSAID_TIME, "end": UNSAID_TIME}, True),
        (42, {"start": UNSAID_TIME, "end": UNSAID_TIME}, False),
    ],
)
def test_r11_what_ended_before_the_window_is_not_deleted(
    kind: ItemType, agreed: int, row: dict[str, Any], gone: bool
) -> None:
    """By the row's times, else by what was agreed: it has only left Cronofy's reach (CRONOFY.md C34)."""
    ended = NOW - timedelta(days=agreed)
    item = an_item(type=kind, start=ended - HOUR, end=ended)
    for link in (a_link(item), a_link(item, agreed=None)):
        done = judged(a_row_of(item, deleted=True, **row), link, item)
        assert (done != NO_CHANGE) is gone


@pytest.mark.parametrize(("ended", "gone"), [(7, True), (8, False)])
def test_r11_what_ended_before_a_smaller_window_is_not_deleted(ended: int, gone: bool) -> None:
    """The first day that Cronofy let itself be asked for counts, not the one of a full read."""
    before = NOW - timedelta(days=ended)
    item = an_item(start=before - HOUR, end=before)
    reading = a_reading(first=(NOW - timedelta(days=7)).date())
    done = judged(a_row_of(item, deleted=True), a_link(item), item, reading)
    assert (done != NO_CHANGE) is gone


def test_r11_a_cancelled_event_is_gone_whenever_it_was() -> None:
    """That is said of it alone."""
    ended = NOW - timedelta(days=60)
    item = an_item(start=ended - HOUR, end=ended)
    assert judged(a_row_of(item, status="cancelled"), a_link(item), item).gone


def test_r11_an_event_without_any_known_time_is_deleted() -> None:
    """Neither row nor link nor item says when it was."""
    item = an_item()
    bare = an_item(start=None, end=None)
    row = a_row_of(item, deleted=True, start=UNSAID_TIME, end=UNSAID_TIME)
    assert judged(row, a_link(item, agreed=None), bare).gone
