"""How an event's fields become an item's fields (R3, R6, R8, R14)."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from contracts.vorex import DescriptionFormat, ItemType, ShowAs
from handlers.edits import edited_item, event_values, imported_item, item_values, masked_event
from tests.builders import HOUR, NINE, TEN, a_content, a_row_of, an_event, an_item

TICKET = {"label": "T7", "url": "https://vorex.example/t/7"}
SECOND = timedelta(seconds=1)


def test_r6_only_the_fields_named_are_taken() -> None:
    """The others stay, whatever the event says."""
    event = an_event(
        summary="Dinner",
        description="Wine",
        location="Bar",
        end=TEN + HOUR,
        transparency="transparent",
        event_private=True,
    )

    assert edited_item(a_content(), event, {"location"}) == a_content(location="Bar")


def test_r12_a_text_that_was_cut_is_unchanged_while_the_cut_text_is() -> None:
    """Also where something beside it changed."""
    item = an_item(
        title="x" * 1024,
        account_name="Contoso",
        description="<p>y</p>" * 4000,
        description_format="html",
        reference=TICKET,
    )
    assert item.content is not None
    there = a_row_of(item, location="Bar")

    assert edited_item(item.content, there, {"title", "description", "location"}) == item.content.model_copy(
        update={"location": "Bar"}
    )


def test_r13_removing_what_the_sync_added_changes_no_text() -> None:
    """The html stays html."""
    content = a_content(
        description="<b>one</b>", description_format="html", account_name="Contoso", reference=TICKET
    )
    event = an_event(summary="Lunch", description="one")

    assert edited_item(content, event, {"title", "description"}) == content


@pytest.mark.parametrize("summary", ["", "  ", "\u200b"])
def test_a_title_that_shows_nothing_gets_a_word(summary: str) -> None:
    """An item has a visible title."""
    assert edited_item(a_content(), an_event(summary=summary), {"title"}).title == "(No title)"


def test_texts_lose_what_the_store_cannot_hold() -> None:
    """U+0000."""
    taken = edited_item(
        a_content(), an_event(summary="a\x00b", description="\x00", location="\x00c"), {"title"}
    )
    assert taken.title == "ab"


TIMES = [
    # the item's start and end, the event's start and end, the fields that differ, the item's then
    ((NINE, TEN), (NINE, TEN + HOUR), {"end"}, (NINE, TEN + HOUR)),
    ((NINE + 30 * SECOND, TEN), (NINE, TEN + HOUR), {"end"}, (NINE + 30 * SECOND, TEN + HOUR)),
    ((NINE, TEN + 30 * SECOND), (NINE - HOUR, TEN), {"start"}, (NINE - HOUR, TEN + 30 * SECOND)),
    ((NINE, None), (TEN, TEN + HOUR / 2), {"start", "end"}, (TEN, None)),
    ((NINE, None), (TEN, TEN), {"start"}, (TEN, None)),
    ((NINE, None), (NINE, TEN), {"end"}, (NINE, TEN)),
    ((None, None), (NINE, NINE + HOUR / 2), {"start", "end"}, (NINE, NINE + HOUR / 2)),
    ((NINE, None), (NINE - HOUR, NINE + HOUR / 2), {"start"}, (NINE - HOUR, NINE + HOUR / 2)),
    ((NINE, TEN), (TEN, TEN), {"start"}, (TEN, None)),
    ((NINE, TEN), (NINE, NINE), {"end"}, (NINE, None)),
    ((NINE, TEN), (NINE - HOUR, NINE), {"end"}, (NINE - HOUR, NINE)),
    ((NINE, TEN), (NINE - HOUR, TEN + HOUR), {"start", "end"}, (NINE - HOUR, TEN + HOUR)),
    ((NINE, TEN), (TEN + HOUR, TEN + 2 * HOUR), {"start"}, (TEN + HOUR, TEN + 2 * HOUR)),
]


@pytest.mark.parametrize(("ours", "theirs", "fields", "then"), TIMES)
def test_r6_the_edge_that_was_moved_is_taken_and_the_other_stays(
    ours: tuple[datetime | None, datetime | None],
    theirs: tuple[datetime, datetime],
    fields: set[str],
    then: tuple[datetime, datetime | None],
) -> None:
    """To the second; a length that Vorex left open stays open (R14)."""
    taken = edited_item(
        a_content(start=ours[0], end=ours[1]), an_event(start=theirs[0], end=theirs[1]), fields
    )

    assert (taken.start, taken.end) == then


def test_an_event_of_a_day_and_a_moment_lasts_as_long_as_usual_from_its_beginning() -> None:
    """No provider should say so."""
    day = date(2026, 12, 4)
    timed = edited_item(a_content(), an_event(start=TEN, end=day), {"start", "end"})
    assert (timed.all_day, timed.start, timed.end) == (False, TEN, TEN + HOUR / 2)
    whole = edited_item(a_content(), an_event(start=day, end=TEN), {"start", "end"})
    assert (whole.all_day, whole.start, whole.end) == (True, day, date(2026, 12, 5))


def test_r14_a_day_without_an_end_that_is_moved_and_made_busy_ends_after_its_new_day() -> None:
    day = a_content(all_day=True, start="2026-12-03", end=None)
    event = an_event(start=date(2026, 12, 5), end=date(2026, 12, 6), transparency="opaque")

    taken = edited_item(day, event, {"start", "end", "free"})

    assert (taken.start, taken.end) == (date(2026, 12, 5), date(2026, 12, 6))


def test_r12_an_html_text_that_was_edited_is_plain_from_then_on() -> None:
    content = a_content(description="<b>one</b>", description_format="html")

    taken = edited_item(content, an_event(description="<b>two</b>"), {"description"})

    assert (taken.description, taken.description_format) == ("two", DescriptionFormat.TEXT)


def test_r14_a_day_without_an_end_that_is_made_busy_gets_its_end() -> None:
    """Else it would be free again."""
    day = a_content(all_day=True, start="2026-12-03", end=None)
    event = an_event(start=date(2026, 12, 3), end=date(2026, 12, 4), transparency="opaque")

    taken = edited_item(day, event, {"free"})

    assert (taken.end, taken.show_as) == (date(2026, 12, 4), "busy")


@pytest.mark.parametrize(
    ("item", "transparency"),
    [
        ({"all_day": True, "start": "2026-12-03", "end": "2026-12-06"}, "opaque"),
        ({"all_day": True, "start": "2026-12-03", "end": None}, "transparent"),
        ({"start": NINE, "end": None}, "opaque"),
        ({"start": None, "end": None}, "opaque"),
    ],
)
def test_r14_nothing_else_gets_an_end_by_being_made_busy_or_free(
    item: dict[str, Any], transparency: str
) -> None:
    content = a_content(**item, show_as="free" if transparency == "opaque" else "busy")

    taken = edited_item(content, an_event(transparency=transparency), {"free"})

    assert taken.end == content.end
    assert taken.show_as == ("busy" if transparency == "opaque" else "free")


def test_an_all_day_event_may_become_timed_and_back() -> None:
    """Both edges at once."""
    timed = edited_item(
        a_content(all_day=True, start="2026-12-03", end="2026-12-04"), an_event(), {"start", "end"}
    )
    assert (timed.all_day, timed.start, timed.end) == (False, NINE, TEN)
    day = an_event(start=date(2026, 12, 3), end=date(2026, 12, 3))
    back = edited_item(timed, day, {"start", "end"})
    assert (back.all_day, back.start, back.end) == (True, date(2026, 12, 3), date(2026, 12, 4))


def test_r3_an_event_becomes_an_appointment_in_the_users_zone() -> None:
    """Nothing but an appointment, of that user alone."""
    event = an_event(transparency="transparent", status="tentative")

    brought = imported_item(event, item_id="i-1", user_id="ann", time_zone="Asia/Tokyo")

    assert (brought.type, brought.assignees, brought.time_zone) == (
        ItemType.APPOINTMENT,
        ("ann",),
        "Asia/Tokyo",
    )
    assert (brought.title, brought.description, brought.location) == ("Lunch", "Bring fruit", "Park")
    assert (brought.start, brought.end, brought.show_as) == (NINE, TEN, ShowAs.FREE)
    assert brought.description_format is DescriptionFormat.TEXT


def test_r8_a_private_event_comes_with_its_time_only() -> None:
    """As "Private appointment"."""
    event = an_event(event_private=True, summary="Doctor", description="Knee", location="Clinic")

    brought = imported_item(event, item_id="i-1", user_id="ann", time_zone="UTC")

    assert (brought.title, brought.description, brought.location) == ("Private appointment", "", "")
    assert (brought.start, brought.end, brought.private) == (NINE, TEN, True)
    assert masked_event(an_event()) == an_event()


def test_an_event_of_which_little_is_known_still_comes() -> None:
    """Everything but the times may be absent (CRONOFY.md C2)."""
    event = an_event(
        summary=None, description=None, location=None, transparency=None, event_private=None, created=None
    )

    brought = imported_item(event, item_id="i-1", user_id="ann", time_zone="UTC")

    assert (brought.title, brought.show_as, brought.private) == ("(No title)", ShowAs.BUSY, False)


def test_r19_the_values_that_lost_are_told_by_field() -> None:
    """In the message's words."""
    assert item_values(a_content(), {"title", "free", "start"}) == {
        "title": "Lunch",
        "free": "busy",
        "start": "2026-12-03T09:00:00Z",
    }


@pytest.mark.parametrize(("transparency", "shown"), [("transparent", "free"), ("opaque", "busy")])
def test_r19_what_an_event_says_is_told_field_by_field(transparency: str, shown: str) -> None:
    """In the words in which an item says it."""
    event = an_event(transparency=transparency, event_private=True)
    told: dict[str, object] = {
        "title": "Lunch",
        "description": "Bring fruit",
        "location": "Park",
        "start": "2026-12-03T09:00:00Z",
        "end": "2026-12-03T10:00:00Z",
        "free": shown,
        "private": True,
    }

    assert event_values(event, set(told)) == told
    assert item_values(a_content(show_as=shown, private=True), set(told)) == told


TEXTS = {"title", "description", "location"}


def test_r43_a_text_that_becomes_longer_in_its_canonical_form_is_cut() -> None:
    """Letters that Unicode composes in no other way become two each."""
    event = an_event(summary="\u0958" * 1024, description="\u0958" * 32_768, location="\u0958" * 1024)

    taken = edited_item(a_content(), event, TEXTS)

    half, whole = "\u0915\u093c" * 511, "\u0915\u093c" * 16_383
    assert (taken.title, taken.location) == (f"{half}…", f"{half}…")
    assert taken.description == f"{whole}…"


def test_r43_a_text_at_its_limit_is_taken_whole() -> None:
    event = an_event(summary="x" * 1024, description="y" * 32_768, location="z" * 1024)
    taken = edited_item(a_content(), event, TEXTS)
    assert (taken.title, taken.description, taken.location) == ("x" * 1024, "y" * 32_768, "z" * 1024)


def test_r43_a_person_whose_id_is_older_than_its_limit_gets_what_their_calendar_has() -> None:
    made = imported_item(an_event(summary="Lunch"), item_id="77", user_id="u" * 255, time_zone="UTC")
    assert (made.title, made.assignees, made.time_zone) == ("Lunch", ("u" * 255,), "UTC")
