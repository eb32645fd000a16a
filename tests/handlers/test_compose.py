"""What an item looks like as an event (R4, R12–R15)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.calendar import event_id
from contracts.event_fields import EventFields, fields_hash
from contracts.times import read_time, wire_time
from contracts.vorex import ItemType
from handlers.texts.compose import canonical_text, compose, description, event_span, truncate
from handlers.texts.html_text import html_to_text
from tests.builders import NINE, TEN, a_content

TICKET = {"label": "T20261201.0007", "url": "https://vorex.example/t/7"}
LAST_LINE = "T20261201.0007: https://vorex.example/t/7"
ZONES = (
    "Europe/London",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "UTC",
)
CLOCK_CHANGES = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York forward
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # London forward
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe back, by half an hour
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe forward
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # London back
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York back
    datetime(2027, 3, 14, 7, tzinfo=UTC),
    datetime(2027, 3, 28, 1, tzinfo=UTC),
    datetime(2027, 4, 3, 15, tzinfo=UTC),
    datetime(2027, 10, 2, 15, 30, tzinfo=UTC),
    datetime(2027, 10, 31, 1, tzinfo=UTC),
    datetime(2027, 11, 7, 6, tzinfo=UTC),
)


def written(**changes: Any) -> dict[str, Any]:
    """The event of an item, as it goes to Cronofy."""
    return composed(**changes).to_wire_dict()


def composed(**changes: Any) -> EventFields:
    fields = compose(a_content(**changes))
    assert fields is not None
    return fields


def test_the_event_carries_exactly_its_fields() -> None:
    """R4: no attendees, no reminders."""
    assert written(time_zone="Europe/London") == {
        "summary": "Lunch",
        "description": "Bring fruit",
        "start": {"time": "2026-12-03T09:00:00Z", "tzid": "Europe/London"},
        "end": {"time": "2026-12-03T10:00:00Z", "tzid": "Europe/London"},
        "tzid": "Europe/London",
        "location": {"description": "Park"},
        "transparency": "opaque",
        "event_private": False,
    }


def test_empty_texts_are_sent_as_empty_texts() -> None:
    """Nothing is omitted."""
    event = written(description="", location="")

    assert (event["description"], event["location"]) == ("", {"description": ""})


def test_the_event_id_of_the_published_example() -> None:
    """Over tenant, user, type and id."""
    assert event_id("acme", "u-17", "service_call", "5512") == "vcs-4648b1577717e2649cf81ba0fd9c40c8"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Bring the <b>spare</b>.", "Bring the spare."),
        ("one<br>two<br/>three<BR />four", "one\ntwo\nthree\nfour"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<div><div>one</div></div><div>two</div>", "one\ntwo"),
        ("one<p>two</p>three", "one\ntwo\nthree"),
        ("<ul><li>one</li><li>two</li></ul>three", "- one\n- two\nthree"),
        ("<ul>\n  <li>\n    <p>one</p>\n  </li>\n</ul>", "- one"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "ab\nc"),
        ("one  \n\t two<br>  three", "one two\nthree"),
        ("one<br><br><br><br>two", "one\n\ntwo"),
        ("<br><p>one  </p><br><br>", "one"),
        ("a&amp;b &lt;c&gt; &#8211; &eacute; &nosuch;", "a&b <c> – é &nosuch;"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("I <3 you, x < y & z", "I <3 you, x < y & z"),
        ("<!doctype html><html><head><title>No</title><style>p{}</style></head><body>Yes", "Yes"),
        ("<head><meta charset=utf-8><p>Yes", "Yes"),
        ("<script>if (a<b) {}</SCRIPT >Yes", "Yes"),
        ("one<!-- <p>no</p> -->two", "onetwo"),
        ("<a title='x>y' href=\"<b>\">one</a>", "one"),
        ("<![if !mso]>one<![endif]><![x]><![CDATA[no]]>", "one"),
        ("<?xml version='1.0'?>one", "one"),
        ("<custom-tag>one</custom-tag><img src=x>", "one"),
        ("<title/>one<title>no</title>", "one"),
        ("<p>one</p>a&#10;b", "one\na\nb"),
        ("one<!-- two", "one"),
        ("one<![CDATA[ two", "one"),
        ("one<p two", "one"),
        ("", ""),
    ],
)
def test_r12_html_becomes_plain_text(html: str, text: str) -> None:
    """Blocks end lines, entities are decoded, other tags vanish."""
    assert html_to_text(html) == text
    assert written(description=html, description_format="html")["description"] == text


def test_r12_plain_text_is_not_read_as_html() -> None:
    """Only what says that it is html is."""
    assert written(description="1 <b>2</b> &amp; 3")["description"] == "1 <b>2</b> &amp; 3"


@pytest.mark.parametrize("length", [1, 1023, 1024])
def test_r12_a_title_within_the_limit_is_whole(length: int) -> None:
    """1,024 characters."""
    assert written(title="x" * length)["summary"] == "x" * length


def test_r12_a_longer_title_is_cut_with_an_ellipsis() -> None:
    """The first 1,023 characters and …, the account's name counted."""
    assert written(title="x" * 1024, account_name="C")["summary"] == "C – " + "x" * 1019 + "…"
    cut_title = written(title="x" * 1020, account_name="Contoso")["summary"]
    assert cut_title == "Contoso – " + "x" * 1013 + "…"
    assert len(cut_title) == 1024


def test_r12_a_longer_description_is_cut_and_its_reference_stays() -> None:
    """4,096 characters in all."""
    text = written(description="x" * 5000)["description"]
    assert text == "x" * 4095 + "…"
    text = written(description="x" * 5000, reference=TICKET)["description"]
    assert len(text) == 4096
    assert text.endswith(f"x…\n\n{LAST_LINE}")


def test_r12_a_description_that_just_fits_with_its_reference_is_whole() -> None:
    """One character more is cut."""
    room = 4096 - len(LAST_LINE) - 2
    assert written(description="x" * room, reference=TICKET)["description"] == "x" * room + f"\n\n{LAST_LINE}"
    cut_text = written(description="x" * (room + 1), reference=TICKET)["description"]
    assert cut_text == "x" * (room - 1) + f"…\n\n{LAST_LINE}"


def test_r43_the_longest_reference_leaves_room_for_a_text() -> None:
    """So that it never has to be cut itself."""
    reference = {"label": "L" * 255, "url": "https://" + "u" * 2040}
    text = description(a_content(description="y" * 5000, reference=reference))
    assert text == "y" * 1788 + f"…\n\n{reference['label']}: {reference['url']}"
    assert len(text) == 4096


def test_r12_every_end_of_a_line_is_one() -> None:
    assert description(a_content(description="a\r\nb\rc\nd")) == "a\nb\nc\nd"


def test_r12_the_cut_is_by_characters_not_bytes() -> None:
    """Emoji count as one."""
    assert written(title="🍏" * 1024)["summary"] == "🍏" * 1024


def test_r13_the_account_stands_before_the_title_with_an_en_dash() -> None:
    """U+2013 between blanks."""
    assert written(title="Replace firewall", account_name="Contoso")["summary"] == (
        "Contoso \u2013 Replace firewall"
    )


@pytest.mark.parametrize("name", [None, "", "  "])
def test_r13_without_an_account_the_title_stands_alone(name: str | None) -> None:
    """A name that shows nothing is none."""
    assert written(account_name=name)["summary"] == "Lunch"


def test_r13_the_reference_follows_after_an_empty_line() -> None:
    """Label and link; alone where there is no text."""
    assert written(reference=TICKET)["description"] == f"Bring fruit\n\n{LAST_LINE}"
    assert written(description="", reference=TICKET)["description"] == LAST_LINE


def test_a_title_has_one_line() -> None:
    """Calendars show no more."""
    assert written(title="one\r\ntwo\tthree")["summary"] == "one two three"


def test_r12_all_day_items_go_as_dates_with_an_exclusive_end() -> None:
    """Never as instants."""
    event = written(all_day=True, start="2026-12-03", end="2026-12-05")

    assert (event["start"], event["end"], event["transparency"]) == ("2026-12-03", "2026-12-05", "opaque")


def test_r14_a_date_without_a_time_is_a_free_day() -> None:
    """One day long."""
    event = written(all_day=True, start="2026-12-31", end=None)

    assert (event["start"], event["end"], event["transparency"]) == (
        "2026-12-31",
        "2027-01-01",
        "transparent",
    )


def test_r14_a_time_without_an_end_lasts_30_minutes() -> None:
    """Busy, as it says."""
    event = written(end=None)

    assert event["end"] == {"time": "2026-12-03T09:30:00Z", "tzid": "Europe/London"}
    assert event["transparency"] == "opaque"


def test_r14_an_item_without_a_date_is_on_no_calendar() -> None:
    """There is nothing to write."""
    assert compose(a_content(start=None, end=None)) is None
    assert event_span(a_content(start=None, end=None)) is None


@pytest.mark.parametrize(
    ("changes", "transparency"),
    [
        ({}, "opaque"),
        ({"show_as": "free"}, "transparent"),
        ({"completed": True}, "transparent"),
        ({"completed": True, "show_as": "busy"}, "transparent"),
    ],
)
def test_r15_completed_and_free_items_are_free(changes: dict[str, Any], transparency: str) -> None:
    """Completed ones stay on the calendar."""
    assert written(**changes)["transparency"] == transparency


def test_a_private_item_is_private_there() -> None:
    """As event_private."""
    assert written(private=True)["event_private"] is True


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", CLOCK_CHANGES)
def test_r12_instants_survive_every_clock_change(zone: str, change: datetime) -> None:
    """Whole seconds in UTC with the item's zone, from just before the change to after it."""
    local = (change - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    event = written(start=local.isoformat(), end=None, time_zone=zone)

    assert event["start"] == {"time": wire_time(change - timedelta(seconds=1)), "tzid": zone}
    assert read_time(event["end"]["time"]) == change + timedelta(minutes=29, seconds=59)
    assert event["tzid"] == zone


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", CLOCK_CHANGES)
def test_r12_a_day_is_a_day_whatever_its_length(zone: str, change: datetime) -> None:
    """Dates carry no zone."""
    day = change.astimezone(ZoneInfo(zone)).date()
    event = written(all_day=True, start=day.isoformat(), end=None, time_zone=zone)

    assert (event["start"], event["end"]) == (day.isoformat(), (day + timedelta(days=1)).isoformat())


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NINE, "2026-12-03T09:00:00Z"),
        (NINE.replace(microsecond=999_999), "2026-12-03T09:00:00Z"),
        (NINE.astimezone(ZoneInfo("Asia/Tokyo")), "2026-12-03T09:00:00Z"),
        (datetime(2, 1, 1, tzinfo=UTC), "0002-01-01T00:00:00Z"),
        (date(2026, 12, 3), "2026-12-03"),
    ],
)
def test_times_on_the_wire(moment: datetime | date, text: str) -> None:
    """Cronofy refuses fractions of a second (CRONOFY.md C1)."""
    assert wire_time(moment) == text


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    """To the second."""
    assert read_time(wire_time(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "there",
    ["Cafe\u0301\r\n\r\n\r\n\r\none  \r\n", "\n\nCaf\u00e9\n\none", "Caf\u00e9 \t\n \n \n\none\n\n"],
)
def test_r18_what_providers_do_to_texts_does_not_count(there: str) -> None:
    """Accents, line ends, trailing blanks, empty lines."""
    assert canonical_text(there) == "Caf\u00e9\n\none"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("a\rb\r\nc", "a\nb\nc"), ("  a  ", "  a"), ("XaX", "XaX"), ("\n\na\n\n\n\nb\n", "a\n\nb")],
)
def test_r18_texts_are_compared_line_by_line_without_what_cannot_be_seen(text: str, canonical: str) -> None:
    """Blanks before a line can be."""
    assert canonical_text(text) == canonical


def test_the_cut_keeps_what_fits() -> None:
    """Exactly the limit is not cut."""
    assert (truncate("abc", 3), truncate("abcd", 3)) == ("abc", "ab…")


def test_equal_payloads_have_equal_hashes() -> None:
    """Whatever the order of their fields; any difference tells."""
    turned = EventFields.from_wire_dict(dict(reversed(written().items())))
    assert fields_hash(turned) == fields_hash(composed())
    assert fields_hash(composed(end=TEN + timedelta(seconds=1))) != fields_hash(composed())


def test_all_five_types_are_composed_alike() -> None:
    """G8: every type becomes an event."""
    assert len({fields_hash(composed(type=kind)) for kind in ItemType}) == 1
