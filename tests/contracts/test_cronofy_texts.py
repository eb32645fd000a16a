"""How much of an event's texts is taken: never more than a message of ours can carry."""

from datetime import UTC, datetime

import pytest

from contracts.cronofy import CronofyEvent
from contracts.envelope import LARGEST_BODY, ItemChanged, decode, encode
from contracts.limits import LONGEST_LINE, LONGEST_TEXT
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
HUGE = 400_000


def event(letter: str) -> CronofyEvent:
    """A row whose every text is far longer than any calendar needs."""
    return CronofyEvent.parse(
        {
            "calendar_id": "cal_1",
            "event_uid": "evt_1",
            "start": "2026-12-03T09:00:00Z",
            "end": "2026-12-03T10:00:00Z",
            "summary": letter * HUGE,
            "description": letter * HUGE,
            "location": {"description": letter * HUGE},
        }
    )


@pytest.mark.parametrize("letter", ["a", "é", "😀", '"', "\x01"])
def test_the_fact_of_an_imported_event_is_a_message_that_its_readers_take(letter: str) -> None:
    """Whatever the letters become on the wire."""
    read = event(letter)
    content = ItemContent.model_validate(
        {
            "id": "5512",
            "type": "appointment",
            "title": f"x{read.summary}"[:LONGEST_LINE],
            "description": read.description,
            "location": read.location,
            "assignees": ["u-17"],
        }
    )
    data = ItemChangedData(
        tenant_id="acme",
        action=Action.CREATED,
        version=1,
        actor=Actor(kind=ActorKind.CALENDAR_SYNC, id="i-1"),
        item=content,
    )

    body = encode(ItemChanged.of(data, id="m-1", time=NOW))

    assert len(body) <= LARGEST_BODY
    assert decode(body, expected=ItemChanged).data.item == content


def test_a_text_that_fits_is_taken_as_it_is_and_a_cut_one_ends_in_an_ellipsis() -> None:
    row = {"calendar_id": "c", "event_uid": "e", "start": "2026-12-03", "end": "2026-12-04"}
    fits = CronofyEvent.parse({**row, "summary": "a" * LONGEST_LINE, "description": "b" * LONGEST_TEXT})
    assert (fits.summary, fits.description) == ("a" * LONGEST_LINE, "b" * LONGEST_TEXT)

    read = event("a")
    assert read.summary == read.location == "a" * (LONGEST_LINE - 1) + "…"
    assert read.description == "a" * (LONGEST_TEXT - 1) + "…"
