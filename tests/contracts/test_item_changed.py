"""What an item-changed message may say, and what it is told when it says something else."""

import json
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import LARGEST_BODY, ItemChanged, decode, encode
from contracts.errors import Malformed
from contracts.vorex import ItemContent

GONE = object()

MESSAGE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "m-1",
    "type": "com.vorex.calendar.item.changed.v1",
    "source": "/vorex/acme",
    "time": "2026-12-01T08:00:00Z",
    "data": {
        "tenant_id": "acme",
        "action": "created",
        "version": 1,
        "actor": {"kind": "user", "id": "u-17"},
        "item": {
            "id": "5512",
            "type": "service_call",
            "title": "Replace firewall",
            "start": "2026-12-03T09:00:00Z",
            "end": "2026-12-03T11:00:00Z",
            "assignees": ["u-17"],
        },
    },
}


def body(changes: dict[str, Any]) -> bytes:
    message = deepcopy(MESSAGE)
    for path, value in changes.items():
        *parents, name = path.split(".")
        place = reduce(lambda at, key: at[key], parents, message)
        if value is GONE:
            place.pop(name, None)
        else:
            place[name] = value
    return json.dumps(message).encode()


def changed(**item: Any) -> ItemContent:
    return decode(
        body({f"data.item.{name}": value for name, value in item.items()}), expected=ItemChanged
    ).data.item


def complaint(text: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        decode(text, expected=ItemChanged)
    return str(caught.value)


REQUIRED = [
    "specversion", "id", "type", "source", "time", "data", "data.tenant_id", "data.action", "data.version",
    "data.actor", "data.actor.kind", "data.item", "data.item.id", "data.item.type",
]  # fmt: skip
LIVING = ["data.item.title", "data.item.assignees"]


@pytest.mark.parametrize("field", [*REQUIRED, *LIVING])
def test_a_missing_required_field_is_named(field: str) -> None:
    """Leaving out what must be there is told with the field's whole path."""
    assert complaint(body({field: GONE})).startswith(f"{field}: is required")


@pytest.mark.parametrize("field", [*REQUIRED, *LIVING])
def test_null_does_not_stand_for_a_required_field(field: str) -> None:
    """Null is no value."""
    assert complaint(body({field: None})).startswith(f"{field}: ")


TIME_RULE = "must be a time with an offset, such as 2026-12-03T09:00:00Z"
DATE_RULE = "must be a date, such as 2026-12-03"
WRONG = [
    ("specversion", "0.3", "must be '1.0'"),
    ("type", "com.vorex.calendar.item.renamed.v1", "must be 'com.vorex.calendar.item.changed.v1'"),
    ("id", "", "must not be empty"),
    ("id", "m" * 201, "must have at most 200 characters"),
    ("source", 7, "must be a text"),
    ("time", "yesterday", TIME_RULE),
    ("time", 1764576000, TIME_RULE),
    ("data", [], "must be an object"),
    ("data.tenant_id", "ac\u001fme", "must not contain U+0000 or another control character"),
    ("data.version", 0, "must be at least 1"),
    ("data.version", "1", "must be a whole number"),
    ("data.version", True, "must be a whole number"),
    ("data.version", 1.5, "must be a whole number"),
    ("data.version", 2**53, "must be at most 9007199254740991"),
    ("data.version", 10**40, "must be at most 9007199254740991"),
    ("data.seen_version", -1, "must be at least 0"),
    ("data.action", "moved", "must be one of 'created', 'updated' or 'deleted'"),
    ("data.actor.kind", "robot", "must be one of 'user', 'system' or 'calendar_sync'"),
    ("data.item.type", 7, "must be one of 'appointment', 'crm_activity', 'service_call', 'task' or 'todo'"),
    ("data.item.show_as", "away", "must be one of 'busy' or 'free'"),
    ("data.item.description_format", "rtf", "must be one of 'text' or 'html'"),
    ("data.item.title", " \u200b\u3164", "must have a visible character"),
    ("data.item.title", "a\u0000b", "must not contain U+0000"),
    ("data.item.description", "\u0000", "must not contain U+0000"),
    ("data.item.location", 3, "must be a text"),
    ("data.item.account_name", "\u0000", "must not contain U+0000"),
    ("data.item.reference", "T1", "must be an object"),
    ("data.item.private", 1, "must be true or false"),
    ("data.item.all_day", "false", "must be true or false"),
    ("data.item.completed", "yes", "must be true or false"),
    ("data.item.assignees", "u-17", "must be a list"),
    ("data.item.time_zone", "Mars/Olympus", "must be an IANA time zone, such as Europe/London"),
    ("data.item.time_zone", "+01:00", "must be an IANA time zone, such as Europe/London"),
    ("data.item.start", "2026-12-03", TIME_RULE),
    ("data.item.start", "2026-12-03T09:00:00", TIME_RULE),
    ("data.item.start", "2026-12-03T25:00:00Z", TIME_RULE),
    ("data.item.start", "2026-02-30T09:00:00Z", TIME_RULE),
    ("data.item.start", "0001-01-01T00:00:00+10:00", "must lie between the years 2 and 9998"),
    ("data.item.start", "9999-12-31T23:59:00-10:00", "must lie between the years 2 and 9998"),
    ("data.item.end", "2026-12-03T08:59:59Z", "must not be before start"),
    ("data.item.end", 5, TIME_RULE),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "rule"), WRONG)
def test_a_wrong_value_is_told_its_field_and_rule(field: str, value: object, rule: str) -> None:
    """No lookalike passes, and the publisher learns what to change."""
    assert complaint(body({field: value})) == f"{field}: {rule}"


def test_an_error_deep_inside_is_named_by_its_whole_path() -> None:
    """Elements of lists count from 0."""
    assert complaint(body({"data.item.assignees": ["u-1", ""]})) == "data.item.assignees.1: must not be empty"
    assert complaint(body({"data.item.reference": {"label": "T1"}})) == "data.item.reference.url: is required"


def test_an_all_day_item_takes_dates_only() -> None:
    """A time in an all-day item is a mistake, not something to be cut."""
    assert complaint(body({"data.item.all_day": True})) == f"data.item.start: {DATE_RULE}"


def test_an_end_needs_a_start() -> None:
    """An end alone says nothing."""
    assert (
        complaint(body({"data.item.start": None}))
        == "data.item.end: must be left out where there is no start"
    )


def test_calendar_sync_as_actor_names_the_integration() -> None:
    """Without it an echo could not be told from a change."""
    assert complaint(body({"data.actor": {"kind": "calendar_sync"}})).startswith("data.actor.id: is required")


@pytest.mark.parametrize("text", [b"", b"nonsense", b"{", b"\xff\xfe", b'{"id":"\\ud800"}', b"[" * 9999])
def test_what_is_not_json_is_told_so(text: bytes) -> None:
    """The reader survives any bytes, lone surrogates and endless nesting among them."""
    assert complaint(text).startswith("body: is not JSON: ")


@pytest.mark.parametrize("text", [b"[]", b"1", b"null", b'"x"'])
def test_json_that_is_no_object_is_told_so(text: bytes) -> None:
    """A CloudEvent is an object."""
    assert complaint(text) == "body: must be an object"


def test_an_over_large_body_is_refused_before_it_is_read() -> None:
    """256 KiB are enough for any item."""
    assert complaint(b" " * (LARGEST_BODY + 1)) == "body: must be at most 262144 bytes"


def test_unknown_fields_are_overlooked() -> None:
    """Vorex may say more one day."""
    told = body({"invented": 1, "data.invented": {}, "data.item.invented": [None]})

    assert decode(told, expected=ItemChanged) == decode(body({}), expected=ItemChanged)


def test_offsets_become_utc_and_fractions_are_cut() -> None:
    """Two spellings of one moment are one value (R12)."""
    item = changed(start="2026-12-03T10:00:00.999+01:00", end="2026-12-03t10:30:00.1z")

    assert item.start == datetime(2026, 12, 3, 9, tzinfo=UTC)
    assert item.to_json_dict()["start"] == "2026-12-03T09:00:00Z"
    assert item.to_json_dict()["end"] == "2026-12-03T10:30:00Z"


def test_an_end_equal_to_its_start_gets_the_default_length() -> None:
    """Timed items 30 minutes, all-day items one day."""
    timed = changed(end="2026-12-03T09:00:00.4Z")
    whole = changed(all_day=True, start="2026-12-03", end="2026-12-03")

    assert isinstance(timed.start, datetime)
    assert timed.end == timed.start + timedelta(minutes=30)
    assert whole.end == date(2026, 12, 4)


def test_r14_no_end_and_no_date_stay_so() -> None:
    """What a missing end or date means is the plan's judgement, not the reader's."""
    assert changed(end=None).end is None
    assert changed(start=None, end=None).start is None
    assert changed(all_day=True, start="2026-12-03", end=GONE).start == date(2026, 12, 3)


def test_null_means_the_default_where_there_is_one() -> None:
    """Explicit nulls for optional fields are as good as leaving them out."""
    names = ["description", "description_format", "location", "time_zone", "all_day", "private", "show_as"]

    assert changed(**dict.fromkeys(names)) == changed()


def test_repeated_assignees_count_once_in_the_first_order() -> None:
    """One event each (R2)."""
    assert changed(assignees=["u-2", "u-1", "u-2"]).assignees == ("u-2", "u-1")


@pytest.mark.parametrize("bare", [GONE, None])
def test_a_deleted_item_needs_neither_title_nor_assignees(bare: object) -> None:
    """Its id and type are enough."""
    told = body({"data.action": "deleted", "data.item.title": bare, "data.item.assignees": bare})

    data = decode(told, expected=ItemChanged).data

    assert data.deleted
    assert data.item.assignees == ()


def test_an_absent_seen_version_means_the_one_before() -> None:
    """An author who says nothing knew the version just before their own."""
    assert decode(body({"data.version": 5}), expected=ItemChanged).data.last_seen == 4
    assert decode(body({"data.version": 5, "data.seen_version": 2}), expected=ItemChanged).data.last_seen == 2


def test_a_message_survives_being_encoded() -> None:
    """What is published is read as the same value."""
    message = decode(body({"data.seen_version": 0}), expected=ItemChanged)

    again = decode(encode(message), expected=ItemChanged)

    assert again == message
    assert again.routing_key == "service_call.created"


moments = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(title=st.text().map(lambda text: "x" + text.replace("\0", "")), start=moments, busy=st.booleans())
def test_an_item_survives_storing(*, title: str, start: datetime, busy: bool) -> None:
    """What was cleaned once stays as it is."""
    item = ItemContent.from_json_dict(
        {"id": "1", "type": "task", "title": title, "start": start, "show_as": "busy" if busy else "free"}
    )

    assert ItemContent.from_json_dict(json.loads(json.dumps(item.to_json_dict()))) == item


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
        lambda form: json.dumps(form).encode()
    )
)
def test_any_bytes_get_an_answer_and_nothing_else_escapes(text: bytes) -> None:
    """Reading never fails in any other way than by naming a fault."""
    assert complaint(text)
