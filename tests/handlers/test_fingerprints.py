"""How what was written and what is read are compared (R6, R18)."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from contracts.vorex import ItemType
from handlers.fingerprints import (
    are_same,
    bare_description,
    bare_title,
    differing_fields,
    fingerprints_of_event,
    fingerprints_of_item,
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
    assert bare_title("Cafe\u0301 – De\u0301jeuner", item.content) == "Déjeuner"


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


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Bring fruit\n\nT7: https://vorex.example/t/7", "Bring fruit"),
        ("Bring fruit\r\n\r\nT7: https://vorex.example/t/7\r\n", "Bring fruit"),
        ("T7: https://vorex.example/t/7", ""),
        ("Bring fruit\n\nT7: https://vorex.example/t/7\nand wine", "Bring fruit\n\nand wine"),
        ("Bring fruit", "Bring fruit"),
        ("see T7: https://vorex.example/t/7", "see T7: https://vorex.example/t/7"),
    ],
)
def test_r13_the_reference_line_is_removed_wherever_it_stands(text: str, bare: str) -> None:
    """People type below it."""
    assert bare_description(text, a_content(reference=TICKET)) == bare


def test_r13_of_two_reference_lines_the_last_is_ours() -> None:
    """The one before it is somebody's text."""
    line = "T7: https://vorex.example/t/7"
    assert bare_description(f"{line}\nwine\n{line}", a_content(reference=TICKET)) == f"{line}\nwine"


def test_r13_without_a_reference_a_text_stays_as_it_is() -> None:
    assert bare_description("Bring fruit\n\nand wine", a_content()) == "Bring fruit\n\nand wine"


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("Contoso – Lunch", "Lunch"),
        ("Lunch", "Lunch"),
        ("Contoso – Contoso – Lunch", "Contoso – Lunch"),
        ("Contoso - Lunch", "Contoso - Lunch"),
    ],
)
def test_r13_the_accounts_name_is_removed_once(title: str, bare: str) -> None:
    """With its en dash."""
    assert bare_title(title, a_content(account_name="Contoso")) == bare
