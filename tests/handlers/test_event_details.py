"""What an event is given beside its fields is written where it is wanted, and compared with nothing (R13)."""

import re
from dataclasses import replace
from typing import Any

import pytest

from contracts.event_fields import NO_DETAILS, EventDetails
from contracts.vorex import ItemContent, ItemType
from contracts.writes import Answer, Upsert
from handlers.landing import write_otherwise
from handlers.texts.compose import compose
from handlers.texts.event_details import COLOURS, event_details
from tests.builders import an_item

BOTH = EventDetails(url=True, color=True)
NO_ADDRESSES = (None, "https://a b", 'https://a"b', "https://a<b", "https://a>b", "https://a\u00a0b")
RECORD = "https://vorex.example/t/7?a=1&b=2"


def content(url: str | None = RECORD, kind: ItemType = ItemType.SERVICE_CALL) -> ItemContent:
    reference = {"label": "T7", "url": url} if url is not None else None
    found = an_item(type=kind, reference=reference).content
    assert found is not None
    return found


def test_r13_the_records_address_and_a_colour_go_along_where_they_are_wanted() -> None:
    wanted = {"url": RECORD, "color": "#E8743B"}
    assert event_details(content().traits, BOTH, exists_there=False) == wanted
    assert event_details(content().traits, EventDetails(url=True), exists_there=False) == {"url": RECORD}
    assert event_details(content().traits, EventDetails(color=True), exists_there=True) == {
        "color": "#E8743B"
    }
    assert event_details(content().traits, NO_DETAILS, exists_there=True) == {}
    assert event_details(None, BOTH, exists_there=True) == {}


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_r13_what_is_no_address_of_the_web_is_not_written_and_an_earlier_one_is_removed(url: str) -> None:
    assert event_details(content(url).traits, EventDetails(url=True), exists_there=False) == {}
    assert event_details(content(url).traits, EventDetails(url=True), exists_there=True) == {"url": None}


@pytest.mark.parametrize("url", ["http://a", "HTTPS://A/b?c#d", "https://[::1]:8400/é"])
def test_r13_what_is_one_is_written_as_it_is(url: str) -> None:
    assert event_details(content(url).traits, EventDetails(url=True), exists_there=False) == {"url": url}


def test_r13_each_type_has_a_colour_of_its_own() -> None:
    assert COLOURS.keys() == set(ItemType)
    assert len(set(COLOURS.values())) == len(ItemType)
    assert all(re.fullmatch(r"#[0-9A-F]{6}", colour) for colour in COLOURS.values())
    for kind in ItemType:
        assert event_details(content(kind=kind).traits, BOTH, exists_there=False)["color"] == COLOURS[kind]


@pytest.mark.parametrize("refused", [{"url": "invalid"}, {"color": "invalid"}, {"url": "x", "tzid": "y"}])
def test_r13_where_one_is_refused_the_event_is_written_without(refused: dict[str, Any]) -> None:
    fields = compose(content())
    assert fields is not None
    plain = Upsert(calendar_id="cal_1", event_id="vcs-1", fields=fields)
    given = replace(plain, details={"url": RECORD, "color": "#E8743B"})
    assert given.body() == {**plain.body(), "url": RECORD, "color": "#E8743B"}
    assert write_otherwise(given, Answer(status=422, errors=refused), ()) == plain
    assert write_otherwise(plain, Answer(status=422, errors={"url": "invalid"}), ()) is None
    assert write_otherwise(given, Answer(status=422, errors={"summary": "too_long"}), ()) is None
