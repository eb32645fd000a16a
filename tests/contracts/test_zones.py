"""Time zones are known by Windows' names, and said by other names where theirs are not known (R37)."""

from zoneinfo import available_timezones

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.fields import Zone
from contracts.zones import WINDOWS_ZONES, iana_zone, zones_instead

ZONE: TypeAdapter[str] = TypeAdapter(Zone)


def test_every_windows_zone_is_a_zone_that_the_world_knows() -> None:
    assert set(WINDOWS_ZONES.values()) <= available_timezones()
    assert len(WINDOWS_ZONES) > 130


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w.  europe standard time ", "Europe/Berlin"),
        ("GMT Standard Time", "Europe/London"),
        ("Europe/London", "Europe/London"),
        ("UTC", "UTC"),
    ],
)
def test_a_windows_zone_is_taken_as_its_iana_zone(said: str, zone: str) -> None:
    assert ZONE.validate_python(said) == zone


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Middle Earth Standard Time", ", not Middle Earth Standard Time"),
        ("Mars/Olympus", ""),
        ("+01:00", ""),
        ("my own words", ""),
        ("A" * 60 + " Standard Time", ""),
    ],
)
def test_a_zone_that_is_none_is_named_where_its_words_may_be_told(said: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ZONE.validate_python(said)
    assert refused.value.errors()[0]["msg"] == f"must be an IANA time zone, such as Europe/London{told}"


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Kyiv", "Europe/Kiev"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("Asia/Kolkata", "Asia/Calcutta"),
        ("America/Nuuk", "America/Godthab"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("America/Ciudad_Juarez", "Etc/UTC"),
        ("Nowhere/Never", "Etc/UTC"),
    ],
)
def test_a_zone_has_other_names_and_at_last_utc(zone: str, first: str) -> None:
    instead = zones_instead(zone)
    assert (instead[0], instead[-1]) == (first, "Etc/UTC")
    assert len(instead) <= 3
    assert zone not in instead
    assert iana_zone("Europe/Berlin") is None
