"""What the schema allows the service takes, and the other way round, with values made for it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import ItemChanged, decode, encode, faults_of
from contracts.errors import Malformed
from contracts.generate import SCHEMAS_FOLDER

SCHEMA = json.loads((SCHEMAS_FOLDER / "item-changed.json").read_text(encoding="utf-8"))
EXAMPLES = 400


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[jsonschema.ValidationError]:
    """As ECMA reads a pattern: its end is the end, not the last line break before it."""
    if isinstance(value, str) and not re.search(pattern.removesuffix("$") + r"\Z", value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


READER = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
CHECKER = jsonschema.FormatChecker(formats=())


def is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


CHECKER.checks("date", raises=ValueError)(is_date)


VALIDATOR = READER(SCHEMA, format_checker=CHECKER)

TEXTS = st.sampled_from(["", "x", "Répair\n", "a\u0000b", "x" * 201, "x" * 1025, None, 7, True, ["x"]])
IDS = st.sampled_from(["u-17", "", "a\u001fb", "x" * 200, "x" * 201, None, 1])
SWITCHES = st.sampled_from([True, False, None, "true", 1])
TIMES = st.sampled_from(
    [
        "2026-12-03T09:00:00Z",
        "2026-12-03t11:00:00.25z",
        "2026-12-03T12:00:00+02:00",
        "2026-12-03 13:00:00Z",
        "2026-12-03T09:00:00",
        "2026-12-03T24:00:00Z",
        "2026-12-03T09:00:60Z",
        "2026-12-03T09:00:00+24:00",
        f"2026-12-03T09:00:00.{'1' * 60}Z",
        "2026-12-03",
        "2026-12-04",
        "2026-13-03",
        "0001-01-01",
        "9999-12-03T09:00:00Z",
        "",
        None,
        20261203,
    ]
)
DAYS = st.sampled_from(["2026-12-03", "2026-12-05", "2026-02-30", "2026-12-03T09:00:00Z", "", None, 3])
VERSIONS = st.sampled_from([1, 1.0, 2**53 - 1, 2**53, 0, 1.5, "1", None, True, 3e0])
REFERENCES = st.one_of(
    st.none(),
    st.just("x"),
    st.fixed_dictionaries(
        {},
        optional={
            "label": TEXTS,
            "url": st.sampled_from(["https://vorex.example/t/7", "HTTP://x", "ftp://x", "https://", None]),
        },
    ),
)
ITEM_FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["task", "appointment", "meeting", None]),
    "id": IDS,
    "title": TEXTS,
    "description": TEXTS,
    "description_format": st.sampled_from(["text", "html", "rtf", None]),
    "location": TEXTS,
    "all_day": SWITCHES,
    "start": TIMES,
    "end": TIMES,
    "start_date": DAYS,
    "end_date": DAYS,
    "time_zone": st.sampled_from(["Europe/London", "UTC", None, "x" * 256, 1]),
    "private": SWITCHES,
    "show_as": st.sampled_from(["busy", "free", "away", None]),
    "completed": SWITCHES,
    "account_name": TEXTS,
    "reference": REFERENCES,
    "assignees": st.sampled_from([[], ["dana"], ["dana", ""], ["x"] * 201, [1], None, "dana"]),
    "of_tomorrow": st.just({"x": 1}),
}
TIME_FIELDS = ("all_day", "start", "end", "start_date", "end_date")
GOOD = {
    "specversion": "1.0",
    "id": "m-1",
    "type": "com.vorex.calendar.item.changed.v1",
    "source": "/vorex/demo",
    "time": "2026-12-01T08:00:00Z",
}
GOOD_DATA = {"tenant_id": "demo", "action": "created", "version": 1, "actor": {"kind": "user", "id": "dana"}}
GOOD_ITEM = {"id": "1", "type": "task", "title": "Call", "assignees": ["dana"]}
ENVELOPE_FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "specversion": st.sampled_from(["1.0", "1.1", 1.0]),
    "id": IDS,
    "source": TEXTS,
    "subject": TEXTS,
    "time": TIMES,
    "datacontenttype": TEXTS,
    "of_tomorrow": st.just("anything"),
}
DATA_FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "tenant_id": IDS,
    "action": st.sampled_from(["created", "updated", "deleted", "moved", None]),
    "version": VERSIONS,
    "seen_version": VERSIONS,
    "actor": st.fixed_dictionaries(
        {"kind": st.sampled_from(["user", "system", "calendar_sync", "cat"])}, optional={"id": IDS}
    ),
}
GONE = ("title", "assignees", "id", "type")


@st.composite
def messages(draw: st.DrawFn) -> Mapping[str, Any]:
    """A good message of which a field or two, or some of the times, are drawn: both verdicts are frequent."""

    def drawn(fields: Mapping[str, st.SearchStrategy[Any]], names: Sequence[str]) -> dict[str, Any]:
        return {name: draw(fields[name]) for name in names}

    def some(fields: Mapping[str, st.SearchStrategy[Any]], most: int) -> dict[str, Any]:
        return drawn(fields, draw(st.lists(st.sampled_from(sorted(fields)), max_size=most, unique=True)))

    where = draw(st.sampled_from(["envelope", "data", "data", "item", "item", "times", "gone"]))
    times = draw(st.lists(st.sampled_from(TIME_FIELDS), max_size=4, unique=True)) if where == "times" else ()
    item = GOOD_ITEM | (some(ITEM_FIELDS, 2) if where == "item" else {}) | drawn(ITEM_FIELDS, times)
    data = GOOD_DATA | (some(DATA_FIELDS, 2) if where in {"data", "gone"} else {})
    if where == "gone":
        del item[draw(st.sampled_from(GONE))]
    envelope = some(ENVELOPE_FIELDS, 2) if where == "envelope" else {}
    return GOOD | envelope | {"data": data | {"item": item}}


SAID_BY_THE_SERVICE_ALONE = (
    ("data.item.end", "must not be before start"),
    ("data.item.title", "must have a visible character"),
    ("data.item.start", "must be a date, such as"),
    ("data.item.time_zone", "must be an IANA time zone"),
)
"""What no schema can say: how two values compare, what is visible, which zones there are, long months."""


@given(message=messages())
@settings(max_examples=EXAMPLES, deadline=None)
def test_schema_and_service_take_the_same(message: Mapping[str, Any]) -> None:
    """In both directions; what the service alone says is one of a short list."""
    allowed = VALIDATOR.is_valid(message)
    faults = faults_of(json.dumps(message).encode(), expected=ItemChanged)
    alone = all(
        any(fault.field == field and fault.rule.startswith(rule) for field, rule in SAID_BY_THE_SERVICE_ALONE)
        for fault in faults
    )

    assert allowed == (not faults) or (allowed and alone), (faults, message)


@given(message=messages())
@settings(max_examples=EXAMPLES // 2, deadline=None)
def test_what_is_taken_is_published_again_by_the_same_schema(message: Mapping[str, Any]) -> None:
    """Facts are what publishers are told to write."""
    body = json.dumps(message).encode()
    if faults_of(body, expected=ItemChanged):
        return
    told = encode(decode(body, expected=ItemChanged))

    VALIDATOR.validate(json.loads(told))
    assert decode(told, expected=ItemChanged) == decode(body, expected=ItemChanged)


def an_item(**item: Any) -> bytes:
    return json.dumps(GOOD | {"data": GOOD_DATA | {"item": GOOD_ITEM | item}}).encode()


def test_an_all_day_item_may_be_said_with_dates_of_their_own() -> None:
    """Types made from the schema have no field that is an instant or a day."""
    beside = decode(an_item(start_date="2026-12-03", end_date="2026-12-05"), expected=ItemChanged)
    inside = decode(an_item(start="2026-12-03", end="2026-12-05", all_day=True), expected=ItemChanged)

    assert beside == inside
    assert json.loads(encode(beside))["data"]["item"]["start"] == "2026-12-03"


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"end_date": "2026-12-03"}, "end_date: must be left out where there is no start_date"),
        (
            {"start_date": "2026-12-03", "start": "2026-12-03T09:00:00Z"},
            "start: must be left out where there is a start_date",
        ),
        (
            {"start_date": "2026-12-03", "all_day": False},
            "all_day: must be true or left out where there is a start_date",
        ),
        ({"start_date": "2026-02-30"}, "start_date: must be a date, such as 2026-12-03"),
        ({"start_date": "2026-12-03", "end_date": "2026-12-01"}, "end: must not be before start"),
    ],
)
def test_dates_that_contradict_are_named(item: Mapping[str, Any], said: str) -> None:
    """Field and rule, as everywhere."""
    with pytest.raises(Malformed) as caught:
        decode(an_item(**item), expected=ItemChanged)
    assert str(caught.value) == f"data.item.{said}"


def test_a_whole_number_is_taken_however_it_is_written() -> None:
    """JSON has one kind of number: 1.0 is 1."""
    for version in (b"1.0", b"1e0", b"10e-1"):
        body = an_item().replace(b'"version": 1', b'"version": ' + version)
        assert decode(body, expected=ItemChanged).data.version == 1


def test_a_byte_order_mark_is_taken() -> None:
    """As files and libraries of Windows write it."""
    assert decode(b"\xef\xbb\xbf" + an_item(), expected=ItemChanged).id == "m-1"


def test_every_fault_is_told_at_once() -> None:
    """For whoever checks a message before publishing it."""
    body = an_item(title=7, show_as="away", time_zone="Mars/Base")

    told = [str(fault) for fault in faults_of(body, expected=ItemChanged)]

    assert [line.partition(":")[0] for line in told] == [
        "data.item.title",
        "data.item.time_zone",
        "data.item.show_as",
    ]
