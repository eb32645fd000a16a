"""What Cronofy sends is read tolerantly, and what is sent is exact."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.cronofy import Calendar, Channel, CronofyEvent, EventsPage
from contracts.cronofy_accounts import Profile, TokenGrant, UserInfo
from contracts.errors import Malformed
from contracts.event_fields import EventFields
from contracts.times import wire_time
from contracts.writes import Answer, Delete, ForeignEdit, Upsert, batch_entry
from tests.support.processor_time import counts_of

BARE = {
    "calendar_id": "cal_1_a@b",
    "event_uid": "evt_external_1",
    "start": "2026-12-03T09:00:00Z",
    "end": "2026-12-03T10:00:00Z",
    "deleted": False,
}
FULL = {
    **BARE,
    "event_id": "vcs-1",
    "summary": "Dentist",
    "description": "",
    "location": {"description": "High Street", "lat": "1.0"},
    "created": "0000-12-29T00:00:00Z",
    "updated": "2026-12-01T08:00:00Z",
    "transparency": "transparent",
    "status": "tentative",
    "participation_status": "needs_action",
    "event_private": True,
    "recurring": True,
    "series_identifier": "series",
    "options": {"delete": True, "update": False},
    "attendees": [{"email": "a@b", "status": "accepted"}],
    "something_new": {"deep": [1]},
}


def an_upsert(**different: Any) -> Upsert:
    given: dict[str, Any] = {
        "summary": "Replace firewall",
        "description": "",
        "start": datetime(2026, 12, 3, 9, tzinfo=UTC),
        "end": datetime(2026, 12, 3, 11, tzinfo=UTC),
        "tzid": "Europe/London",
        "location": "",
        "transparency": "opaque",
        "event_private": False,
    }
    return Upsert(calendar_id="cal_1", event_id="vcs-1", fields=EventFields(**{**given, **different}))


def test_an_event_with_only_what_is_always_there_is_read() -> None:
    """Everything else is optional (CRONOFY.md C2): an absent text is an empty one."""
    event = CronofyEvent.parse(BARE)

    assert event.start == datetime(2026, 12, 3, 9, tzinfo=UTC)
    assert (event.summary, event.description, event.location, event.transparency) == ("", "", "", "opaque")
    assert (event.event_id, event.created, event.updated, event.event_private) == (None, None, None, None)
    assert not event.options.update


@pytest.mark.parametrize("name", ["summary", "description", "location", "transparency"])
@pytest.mark.parametrize("nothing", [None, "absent"])
def test_an_absent_attribute_is_an_empty_one(name: str, nothing: str | None) -> None:
    """Left out or null; a copy of ours always has a title, so its row does not say one."""
    row = {**FULL, "event_id": None} | ({name: None} if nothing is None else {})
    if nothing:
        row.pop(name)
    empty = "opaque" if name == "transparency" else ""

    assert getattr(CronofyEvent.parse(row), name) == empty
    ours = getattr(CronofyEvent.parse({**row, "event_id": "vcs-1"}), name)
    assert ours == (None if name == "summary" else empty)


def test_a_full_event_is_read_and_unknown_attributes_are_ignored() -> None:
    """The year 0 is no time."""
    event = CronofyEvent.parse(FULL)

    assert (event.summary, event.description, event.location) == ("Dentist", "", "High Street")
    assert event.created is None
    assert event.updated == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert (event.options.delete, event.options.update) == (True, False)
    assert event.event_private
    assert event.recurring


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-03", date(2026, 12, 3)),
        ("2026-12-03 09:00:00Z", datetime(2026, 12, 3, 9, tzinfo=UTC)),
        ("2026-12-03T09:00:00.999Z", datetime(2026, 12, 3, 9, tzinfo=UTC)),
        (
            {"time": "2014-09-13T20:00:00+01:00", "tzid": "Europe/London"},
            datetime(2014, 9, 13, 19, tzinfo=UTC),
        ),
        ({"time": "2026-12-03", "tzid": "Etc/UTC"}, date(2026, 12, 3)),
    ],
)
def test_times_and_days_are_read_in_every_documented_form(written: Any, meant: date) -> None:
    """UTC, with an offset, with a zone beside it, or a day (CRONOFY.md C17)."""
    event = CronofyEvent.parse({**BARE, "start": written})

    assert event.start == meant
    assert type(event.start) is type(meant)


@pytest.mark.parametrize("nonsense", ["0000-12-29T00:00:00Z", "yesterday", "", 17, None, {"time": 1}])
def test_a_nonsense_stamp_is_no_stamp(nonsense: Any) -> None:
    """created and updated are parsed defensively."""
    assert CronofyEvent.parse({**BARE, "updated": nonsense}).updated is None


def test_one_unreadable_row_does_not_hide_its_neighbours() -> None:
    """It is left out and counted by field and rule."""
    page = EventsPage.parse(
        {"pages": {"next_page": ""}, "events": [BARE, {**BARE, "start": "soon"}, {"event_uid": "x"}, FULL]}
    )

    assert len(page.events) == 2
    assert page.unreadable == ("start: must be a time or a date", "calendar_id: must be a non-empty text")
    assert page.next_page is None


def test_a_text_that_neither_store_nor_wire_can_hold_is_read_without_what_ails_it() -> None:
    """Half a surrogate pair and U+0000: the event comes in, and no read ends because of it (R30)."""
    odd = {
        **BARE,
        "summary": "a\ud800b",
        "description": "\ud83d\ude00\udc00",
        "location": {"description": "\0c"},
    }
    event = CronofyEvent.parse(odd)

    assert (event.summary, event.description, event.location) == ("a\ufffdb", "\U0001f600\ufffd", "c")


@pytest.mark.parametrize("odd", ["evt_\ud800", "evt_\0"])
def test_a_row_whose_id_cannot_be_held_is_unreadable(odd: str) -> None:
    """A mended id would be another event's."""
    page = EventsPage.parse({"events": [BARE, {**BARE, "event_uid": odd}]})

    assert len(page.events) == 1
    assert page.unreadable == ("event_uid: must be a text of whole characters",)


@pytest.mark.parametrize(
    ("pages", "following"),
    [({}, None), ({"next_page": ""}, None), ({"next_page": "https://x/p"}, "https://x/p"), (None, None)],
)
def test_the_last_page_has_no_next_one_or_an_empty_one(pages: Any, following: str | None) -> None:
    """Both are the end (CRONOFY.md C30)."""
    assert EventsPage.parse({"pages": pages, "events": []}).next_page == following


def test_a_page_without_a_list_is_malformed() -> None:
    """An error page in JSON is not an empty calendar (R11)."""
    with pytest.raises(Malformed, match="events"):
        EventsPage.parse({"message": "later"})


def test_thousands_of_rows_are_read_while_one_counts_to_some_millions() -> None:
    """A full read must not hold up the loop; the bound is a generous one."""
    text = json.dumps({"events": [FULL] * 3_000})

    assert counts_of(lambda: EventsPage.parse(json.loads(text)), tries=3) < 20_000_000


def test_r23_only_a_plain_false_says_that_a_profile_is_not_connected() -> None:
    """An absent attribute is no refusal."""
    named = {"profile_id": "pro_1", "profile_name": "me@example.test"}

    assert Profile.parse(named).connected
    assert not Profile.parse({**named, "profile_connected": False}).connected
    assert Profile.parse({**named, "profile_initial_sync_required": True}).initial_sync_required


def test_userinfo_lists_profiles_with_their_calendars() -> None:
    """Keys contain dots (CRONOFY.md C11)."""
    calendar = {"calendar_id": "cal_1", "calendar_name": "Home", "permission_level": "unrestricted"}
    profile = {"profile_id": "pro_1", "provider_name": "google", "profile_calendars": [calendar]}
    raw = {"sub": "acc_1", "zoneinfo": "Europe/London", "cronofy.data": {"profiles": [profile]}}

    info = UserInfo.parse(raw)

    assert info.profile("pro_1") == info.profiles[0]
    assert info.profile("pro_2") is None
    assert info.profiles[0].calendars[0].permission_level == "unrestricted"
    assert info.profiles[0].calendars[0].profile_id == "pro_1"
    with pytest.raises(Malformed, match="profiles"):
        UserInfo.parse({"sub": "acc_1"})


def test_a_calendar_says_whether_it_is_read_only_deleted_and_primary() -> None:
    """Deleted ones stay listed (CRONOFY.md C12)."""
    calendar = Calendar.parse({"calendar_id": "cal_1", "calendar_deleted": True, "calendar_readonly": True})

    assert (calendar.deleted, calendar.read_only, calendar.primary) == (True, True, False)
    assert calendar.permission_level == "sandbox"


def test_a_grant_keeps_its_tokens_out_of_sight() -> None:
    """repr is what lands in logs and tracebacks."""
    grant = TokenGrant.parse({"access_token": "secret-a", "refresh_token": "secret-r", "expires_in": 3600})

    assert "secret" not in repr(grant)
    assert (grant.access_token, grant.refresh_token, grant.expires_in) == ("secret-a", "secret-r", 3600)
    assert TokenGrant.parse({"access_token": "a"}).expires_in > 0


def test_channels_are_read() -> None:
    """filters may be missing (CRONOFY.md C40)."""
    assert Channel.parse({"channel_id": "chn_1"}).calendar_ids == ()
    assert Channel.parse({"channel_id": "c", "filters": {"calendar_ids": ["x"]}}).calendar_ids == ("x",)


def test_an_upsert_carries_exactly_its_nine_fields() -> None:
    """Nothing omitted, nothing else; empty text as an empty text."""
    assert an_upsert().body() == {
        "event_id": "vcs-1",
        "summary": "Replace firewall",
        "description": "",
        "start": {"time": "2026-12-03T09:00:00Z", "tzid": "Europe/London"},
        "end": {"time": "2026-12-03T11:00:00Z", "tzid": "Europe/London"},
        "tzid": "Europe/London",
        "location": {"description": ""},
        "transparency": "opaque",
        "event_private": False,
    }


def test_r12_whole_days_go_as_dates_and_times_as_whole_seconds() -> None:
    """Cronofy refuses fractions."""
    days = an_upsert(start=date(2026, 12, 3), end=date(2026, 12, 4)).body()
    timed = an_upsert(start=datetime(2026, 12, 3, 9, 0, 0, 999_999, tzinfo=UTC)).body()

    assert (days["start"], days["end"]) == ("2026-12-03", "2026-12-04")
    assert timed["start"]["time"] == "2026-12-03T09:00:00Z"


def test_r10_a_foreign_edit_carries_title_and_time_and_what_changed() -> None:
    """Of the rest only what Vorex changed."""
    edit = ForeignEdit(
        calendar_id="cal_1",
        event_uid="evt_external_1",
        fields=EventFields(
            summary="Moved",
            start=date(2026, 12, 3),
            end=date(2026, 12, 4),
            tzid="Europe/London",
            location="",
        ),
    )

    assert edit.body() == {
        "event_uid": "evt_external_1",
        "summary": "Moved",
        "start": "2026-12-03",
        "end": "2026-12-04",
        "location": {"description": ""},
    }


def test_a_delete_names_one_event_and_its_batch_entry_the_calendar() -> None:
    """Never both ids."""
    assert batch_entry(Delete(calendar_id="cal_1_a@b/c", event_id="vcs-1")) == {
        "method": "DELETE",
        "relative_url": "/v1/calendars/cal_1_a@b%2Fc/events",
        "data": {"event_id": "vcs-1"},
    }
    assert Delete(calendar_id="cal_1", event_uid="evt_1").body() == {"event_uid": "evt_1"}
    for both in ({}, {"event_id": "a", "event_uid": "b"}):
        with pytest.raises(ValueError, match="one of them"):
            Delete(calendar_id="cal_1", **both)


def test_no_text_of_an_event_is_shown_by_repr() -> None:
    """What is written and read may be private."""
    upsert = an_upsert(summary="secret title", description="secret text", location="secret place")

    assert "secret" not in repr(upsert)
    assert "Dentist" not in repr(CronofyEvent.parse(FULL))


@pytest.mark.parametrize(("status", "accepted"), [(199, False), (200, True), (202, True), (300, False)])
def test_an_answer_is_accepted_from_200_to_299(status: int, accepted: bool) -> None:
    """402 and 502 are no success, whatever other clients think (CRONOFY.md C47)."""
    assert Answer(status=status).accepted is accepted


def test_the_errors_of_an_answer_are_rules_without_values() -> None:
    """A description may quote a private text."""
    data = {"errors": {"summary": [{"key": "errors.required", "description": "secret"}], "end": ["odd"]}}

    assert Answer.parse(422, data).errors == {"summary": "required", "end": "invalid"}
    assert Answer.parse(202, None).errors == {}


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(14, 5, 1, tzinfo=UTC), "0014-05-01T00:00:00Z"),
        (datetime(2026, 12, 3, 9, 0, 0, 999_999, tzinfo=UTC), "2026-12-03T09:00:00Z"),
    ],
)
def test_moments_have_four_digits_for_the_year_and_whole_seconds(moment: datetime, text: str) -> None:
    """RFC 3339; a mistyped year is the person's own."""
    assert wire_time(moment) == text
