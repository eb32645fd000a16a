"""How what was written and what is read are compared (R6, R18)."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from contracts.vorex import ItemType
from handlers.fingerprints import (
    are_alike,
    are_same,
    differing_fields,
    fingerprints_of_event,
    fingerprints_of_item,
    text_print,
)
from tests.builders import HOUR, NINE, TEN, a_content, a_row_of, an_event, an_item, prints_of

TICKET = {"label": "T7", "url": "https://vorex.example/t/7"}
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"summary": "Lunch \r\n", "description": "Bring fruit  \r\n\r\n", "location": "Park\n"},
        {"summary": None, "description": None, "location": None, "transparency": None, "event_private": None},
        {"transparency": "unknown"},
    ],
)
def test_r18_what_a_provider_makes_of_a_text_is_the_same(seen: dict[str, Any]) -> None:
    """Line ends, blanks, and fields that are not sent."""
    item = an_item()
    assert item.content is not None
    assert are_same(fingerprints_of_event(a_row_of(item, **seen), item.content), prints_of(item))


def test_r18_accents_may_come_apart() -> None:
    """NFC, in the account's name too."""
    item = an_item(title="Déjeuner", account_name="Café", description="Crème")
    assert item.content is not None
    there = a_row_of(item, summary="Cafe\u0301 – De\u0301jeuner", description="Cre\u0300me")

    assert are_same(fingerprints_of_event(there, item.content), prints_of(item))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"summary": "Dinner"}, "title"),
        ({"description": ""}, "description"),
        ({"location": "Bar"}, "location"),
        ({"start": NINE - HOUR}, "start"),
        ({"end": TEN + HOUR}, "end"),
        ({"transparency": "transparent"}, "free"),
        ({"event_private": True}, "private"),
    ],
)
def test_r6_each_field_of_an_appointment_may_come_back(change: dict[str, Any], field: str) -> None:
    """And only the one that differs does."""
    item = an_item()
    assert item.content is not None
    read = fingerprints_of_event(a_row_of(item, **change), item.content)

    assert differing_fields(read, prints_of(item)) == {field}


@pytest.mark.parametrize("kind", [each for each in ItemType if each is not ItemType.APPOINTMENT])
def test_r6_of_the_four_records_only_the_time_comes_back(kind: ItemType) -> None:
    """Their texts are Vorex's."""
    item = an_item(type=kind)
    assert item.content is not None
    there = a_row_of(item, summary="Mine now", description="", transparency="transparent", end=TEN + HOUR)

    assert differing_fields(fingerprints_of_event(there, item.content), prints_of(item)) == {"end"}


@pytest.mark.parametrize(
    ("ours", "theirs", "alike"),
    [
        (NINE + 30 * SECOND, NINE, True),
        (NINE + 30 * SECOND, NINE + 60 * SECOND, True),
        (NINE + 59 * SECOND, NINE, True),
        (NINE, NINE + 60 * SECOND, False),
        (NINE + 30 * SECOND, NINE - 60 * SECOND, False),
        (NINE + 30 * SECOND, NINE + 10 * SECOND, False),
    ],
)
def test_r18_rounding_to_whole_minutes_changes_nothing(ours: datetime, theirs: datetime, alike: bool) -> None:
    """Up or down, by less than a minute, and only to a whole one."""
    item = an_item(start=ours, end=ours + HOUR)
    assert item.content is not None
    read = fingerprints_of_event(a_row_of(item, start=theirs), item.content)

    assert are_same(read, prints_of(item)) is alike


def test_a_day_is_not_midnight() -> None:
    """All-day and timed differ."""
    item = an_item(all_day=True, start="2026-12-03", end="2026-12-04")
    assert item.content is not None
    midnight = datetime.combine(date(2026, 12, 3), datetime.min.time(), NINE.tzinfo)

    assert "start" in differing_fields(
        fingerprints_of_event(a_row_of(item, start=midnight, end=TEN), item.content), prints_of(item)
    )


def test_what_is_not_known_is_never_the_same() -> None:
    """Everything that is read differs from nothing."""
    read = fingerprints_of_event(an_event(), a_content())
    assert differing_fields(read, None) == set(read)
    assert not are_same(read, None)


def test_r12_the_items_own_texts_are_whole() -> None:
    """To tell what Vorex changed of a foreign event from what the limits made of it."""
    item = an_item(account_name="Contoso", reference=TICKET)
    assert item.content is not None
    own = fingerprints_of_item(item.content)
    assert own == {name: prints_of(item)[name] for name in own}
    one, other = (fingerprints_of_item(a_content(description="x" * length)) for length in (5000, 5001))
    assert one["description"] != other["description"]


def test_r37_a_print_that_was_stored_before_there_were_skeletons_is_known() -> None:
    """By the canonical form, which is its only half."""
    new = text_print("Bring  fruit")
    assert are_alike("title", new, new[16:])
    assert are_alike("title", new[16:], new)
    assert are_alike("title", new[16:], new[16:])
    assert not are_alike("title", new[:16], text_print("Bring fruit")[16:])
    assert not are_alike("title", text_print("Bring fruit"), new[16:])
    assert are_alike("title", text_print("Bring fruit"), new)
    assert not are_alike("free", new, text_print("Bring fruit"))


def test_r14_an_event_without_title_or_length_is_as_an_item_that_has_none() -> None:
    item = an_item(title="(No title)", end=None)
    assert item.content is not None
    for summary in ("", "\u200b", "(No title)"):
        there = a_row_of(item, summary=summary, start=NINE, end=NINE)
        assert are_same(fingerprints_of_event(there, item.content), prints_of(item))
    day = an_item(all_day=True, start="2026-12-03", end=None)
    assert day.content is not None
    there = a_row_of(day, start=date(2026, 12, 3), end=date(2026, 12, 3))
    assert are_same(fingerprints_of_event(there, day.content), prints_of(day))
