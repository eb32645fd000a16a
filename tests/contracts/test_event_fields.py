"""An event's fields on the wire and in the store: what links stored once is read for ever (R4, R10, R12)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.event_fields import EventFields, fields_hash
from contracts.writes import ForeignEdit, Upsert

NINE = datetime(2026, 12, 3, 9, tzinfo=UTC)
TIMED: dict[str, Any] = {
    "summary": "Contoso – Replace firewall",
    "description": "",
    "start": {"time": "2026-12-03T09:00:00Z", "tzid": "Europe/London"},
    "end": {"time": "2026-12-03T11:00:00Z", "tzid": "Europe/London"},
    "tzid": "Europe/London",
    "location": {"description": ""},
    "transparency": "opaque",
    "event_private": False,
}
DAYS = TIMED | {"start": "2026-12-03", "end": "2026-12-05", "transparency": "transparent"}
REST = ("description", "location", "transparency", "event_private")


def part(form: dict[str, Any], *names: str) -> dict[str, Any]:
    """Title and times of a form, and what is named."""
    return {name: form[name] for name in ("summary", "start", "end", *names)}


@pytest.mark.parametrize(
    ("stored", "kept_hash"),
    [
        (TIMED, "57d381852da61f05cc1bb00ab209caa6"),
        (DAYS, "0af795c643fd133cc3d545ab8b1520cc"),
        (part(TIMED, "location"), "7cccfc7d643b7012f32d8ca20efc3a1c"),
        (part(DAYS), "4dd7d2572e4b889910f3b8346349322e"),
        (part(DAYS, *REST), "381e77bc05f40fe4a1a890fb227de6ab"),
    ],
)
def test_what_links_stored_before_is_read_and_stored_alike(stored: dict[str, Any], kept_hash: str) -> None:
    """The hash that stands beside it too, or every event would be written again."""
    fields = EventFields.from_wire_dict(stored)

    assert fields.to_wire_dict() == stored
    assert fields_hash(fields) == kept_hash


def test_a_change_of_everything_was_stored_without_its_zone_and_is_the_whole_event() -> None:
    """It is in the times."""
    assert EventFields.from_wire_dict(part(TIMED, *REST)) == EventFields.from_wire_dict(TIMED)


def test_the_hash_of_an_event_that_should_not_exist_stays() -> None:
    """Links keep it."""
    assert fields_hash(None) == "74234e98afe7498fb5daf1f36ac2d78a"


texts = st.text(max_size=20)
zones = st.sampled_from(["Europe/London", "Asia/Tokyo", "UTC"])
days = st.dates(date(2, 1, 1), date(9998, 1, 1))
seconds = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.one_of(
    days.map(lambda day: (day, day + timedelta(days=1))),
    seconds.map(lambda at: at.replace(microsecond=0)).map(lambda at: (at, at + timedelta(minutes=30))),
)
whole = st.builds(
    lambda span, **rest: EventFields(start=span[0], end=span[1], **rest),
    spans,
    summary=texts,
    tzid=zones,
    description=texts,
    location=texts,
    transparency=st.sampled_from(["opaque", "transparent"]),
    event_private=st.booleans(),
)


@given(whole, st.sets(st.sampled_from(REST)))
def test_fields_come_back_from_the_store_as_they_were(fields: EventFields, names: set[str]) -> None:
    """Whole events, and changes of any of their fields."""
    for each in (fields, fields.only(names)):
        assert EventFields.from_wire_dict(each.to_wire_dict()) == each


@given(whole, st.sets(st.sampled_from(REST)))
def test_r10_a_change_carries_title_and_time_and_what_is_named(fields: EventFields, names: set[str]) -> None:
    """As in the whole event, of which the zone beside the times is never part."""
    body = ForeignEdit(calendar_id="cal_1", event_uid="uid", fields=fields.only(names)).body()

    assert body == {"event_uid": "uid", **part(fields.to_wire_dict(), *names)}


@given(st.sets(st.sampled_from(REST), max_size=len(REST) - 1))
def test_r4_an_event_of_ours_is_never_written_in_part(names: set[str]) -> None:
    """Nothing is omitted."""
    fields = EventFields.from_wire_dict(TIMED).only(names)

    with pytest.raises(ValueError, match="whole"):
        Upsert(calendar_id="cal_1", event_id="vcs-1", fields=fields)


def test_no_text_of_an_event_is_shown_by_repr() -> None:
    """It may be private."""
    fields = EventFields.from_wire_dict(
        TIMED | {"description": "secret", "location": {"description": "secret"}}
    )

    assert "secret" not in repr(fields)
    assert "firewall" not in repr(fields)
