"""What a row says of guests and online meetings is read tolerantly (R40, CRONOFY.md C55)."""

from typing import Any

import pytest

from contracts.cronofy import CronofyEvent

BARE = {"calendar_id": "cal", "event_uid": "uid", "start": "2026-12-03", "end": "2026-12-04"}
ANN, BOB = {"email": " Ann@Example.org "}, {"email": "bob@example.org", "status": "accepted"}


@pytest.mark.parametrize(
    ("row", "people"),
    [
        ({}, ()),
        ({"attendees": None, "organizer": None}, ()),
        ({"attendees": [], "organizer": ANN}, ()),
        ({"attendees": "everybody", "organizer": ANN}, ()),
        ({"attendees": [ANN, BOB]}, ("ann@example.org", "bob@example.org")),
        ({"attendees": [BOB], "organizer": ANN}, ("bob@example.org", "ann@example.org")),
        ({"attendees": [BOB, BOB, 17, None]}, ("bob@example.org",)),
        ({"attendees": [{"display_name": "A room"}]}, ("",)),
    ],
)
def test_who_is_invited(row: dict[str, Any], people: tuple[str, ...]) -> None:
    """By their addresses, whoever invites among them; an event of its owner's alone has nobody."""
    event = CronofyEvent.parse({**BARE, **row})
    assert event.people == people
    assert "bob" not in repr(event)


@pytest.mark.parametrize(
    ("row", "online", "address"),
    [
        ({}, False, None),
        ({"conferencing": None}, False, None),
        ({"conferencing": {}}, False, None),
        ({"conferencing": {"pending": True}}, True, None),
        ({"conferencing": {"join_url": "https://zoom.example/j/1"}}, True, "https://zoom.example/j/1"),
        ({"meeting_url": " HTTPS://teams.example/l "}, True, "HTTPS://teams.example/l"),
        (
            {"conferencing": {"provider_name": "zoom"}, "meeting_url": "https://a.example"},
            True,
            "https://a.example",
        ),
        ({"meeting_url": "javascript:alert(1)"}, False, None),
        ({"meeting_url": "https://a.example/ <script>"}, False, None),
        ({"meeting_url": 17}, False, None),
    ],
)
def test_where_an_online_meeting_is_joined(row: dict[str, Any], online: bool, address: str | None) -> None:
    """Only a web address becomes a link."""
    event = CronofyEvent.parse({**BARE, **row})
    assert (event.online, event.join_url) == (online, address)
