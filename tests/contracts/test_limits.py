"""R43: how long what others send may be, how a longer text is cut, and that what was stored before stays."""

import json
import unicodedata
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cronofy import Calendar, CronofyEvent
from contracts.cronofy_accounts import Profile, TokenGrant
from contracts.envelope import ItemChanged, decode
from contracts.errors import Malformed
from contracts.generate import SCHEMAS_FOLDER
from contracts.limits import MOST_MARKS, cut, normal_form
from contracts.messages import IntegrationChange, IntegrationData
from contracts.vorex import ItemContent
from tests.contracts.test_item_changed import MESSAGE, body, complaint

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((SCHEMAS_FOLDER / "item-changed.json").read_text(encoding="utf-8"))
)
REFERENCE = {"label": "T7", "url": "https://vorex.example/t/7"}
ADDRESS = "https://vorex.example/"
TEXT_LIMITS = [
    ("id", 200), ("source", 255), ("subject", 1024), ("datacontenttype", 255),
    ("data.tenant_id", 200), ("data.actor.id", 200), ("data.item.id", 200),
    ("data.item.title", 1024), ("data.item.location", 1024), ("data.item.description", 32_768),
    ("data.item.account_name", 255), ("data.item.reference.label", 255),
]  # fmt: skip
LETTERS = ["x", "é", "😀"]
NO_ADDRESS = "must be a web address, such as https://vorex.example/t/7, without control characters"


def message(field: str, value: object) -> bytes:
    return body({"data.item.reference": dict(REFERENCE), field: value})


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize(("field", "longest"), TEXT_LIMITS)
def test_r43_a_text_at_its_limit_passes_and_one_character_more_names_field_and_rule(
    field: str, longest: int, letter: str
) -> None:
    """Characters are counted, not bytes; the schema draws the very same line."""
    fits, too_long = (
        json.dumps(json.loads(message(field, letter * length)), ensure_ascii=False).encode()
        for length in (longest, longest + 1)
    )

    assert decode(fits, expected=ItemChanged)
    assert complaint(too_long) == f"{field}: must have at most {longest} characters"
    assert (SCHEMA.is_valid(json.loads(fits)), SCHEMA.is_valid(json.loads(too_long))) == (True, False)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (ADDRESS + "x" * (2048 - len(ADDRESS)), None),
        (ADDRESS + "x" * (2049 - len(ADDRESS)), "must have at most 2048 characters"),
        ("HTTP://vorex.example/Straße?q=a b", None),
        ("javascript:alert(1)", NO_ADDRESS),
        ("/t/7", NO_ADDRESS),
        ("https://", NO_ADDRESS),
        ("", NO_ADDRESS),
        ("https://vorex.example/\nx", NO_ADDRESS),
        ("https://vorex.example/\x7f", NO_ADDRESS),
        (" https://vorex.example", NO_ADDRESS),
    ],
)
def test_r43_a_reference_leads_to_a_web_address_of_bounded_length(url: str, rule: str | None) -> None:
    whole = message("data.item.reference.url", url)

    assert SCHEMA.is_valid(json.loads(whole)) is (rule is None)
    if rule is None:
        assert decode(whole, expected=ItemChanged)
    else:
        assert complaint(whole) == f"data.item.reference.url: {rule}"


def test_r43_an_item_has_at_most_200_assignees_each_with_an_id_of_at_most_200_characters() -> None:
    whole = message("data.item.assignees", [f"u-{number}" for number in range(200)])
    assert len(decode(whole, expected=ItemChanged).data.item.assignees) == 200
    crowded = message("data.item.assignees", [f"u-{number}" for number in range(201)])
    assert complaint(crowded) == "data.item.assignees: must have at most 200 entries"
    assert not SCHEMA.is_valid(json.loads(crowded))
    long = message("data.item.assignees", ["u" * 201])
    assert complaint(long) == "data.item.assignees.0: must have at most 200 characters"


def every_text(schema: Any, place: str, known: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        return [found for one in schema for found in every_text(one, place, known)]
    if not isinstance(schema, dict):
        return []
    if "$ref" in schema:
        return every_text(known[schema["$ref"].rpartition("/")[2]], place, known)
    if schema.get("type") == "string":
        return [(place, schema)]
    return [
        found
        for name, one in schema.items()
        if name not in {"$defs", "if", "then", "else", "dependentSchemas"}
        for found in every_text(one, f"{place}.{name}", known)
    ]


@pytest.mark.parametrize("name", ["item-changed", "integration-changed", "notice-received", "run-requested"])
def test_r43_every_text_of_every_message_is_bounded_by_its_schema(name: str) -> None:
    """By length, by a closed set of words, or by being a time."""
    schema = json.loads((SCHEMAS_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    bounds = {"maxLength", "enum", "const", "format"}

    texts = every_text(schema, name, schema["$defs"])

    assert len(texts) > 3
    assert [place for place, text in texts if not bounds & text.keys()] == []


# -- cutting ---------------------------------------------------------------------------------------

FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("text", "longest", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("😀" * 4, 3, "😀😀…"),
        ("abe\u0301\u0323cd", 4, "ab…"),
        ("abe\u0301cd", 5, "abe\u0301…"),
        (f"a{FAMILY}b", 4, "a…"),
        (f"a{FAMILY}bc", 7, f"a{FAMILY}…"),
        ("a" + "\u0301" * 99, 50, "a" + "\u0301" * 48 + "…"),
        ("\u0301" * 5, 3, "\u0301\u0301…"),
        ("", 0, ""),
    ],
)
def test_r43_a_text_is_cut_between_what_readers_take_for_letters(text: str, longest: int, shown: str) -> None:
    """Unless it has more marks than any language needs."""
    assert cut(text, longest) == shown


@given(st.text(max_size=80), st.integers(1, 60))
def test_r43_a_cut_text_is_never_too_long_and_cut_once(text: str, longest: int) -> None:
    short = cut(text, longest)
    assert len(short) <= longest
    assert cut(short, longest) == short
    assert short == text or text.startswith(short.removesuffix("…"))


def test_r43_what_a_calendar_says_is_cut_or_where_it_is_an_id_unreadable() -> None:
    row = {"calendar_id": "c", "event_uid": "e", "start": "2026-12-03", "end": "2026-12-04"}
    event = CronofyEvent.parse(
        {**row, "status": "s" * 999, "event_id": "i" * 513, "series_identifier": "i" * 513}
    )
    assert (len(event.status or ""), event.event_id, event.series_identifier) == (255, None, None)
    for name in ("calendar_id", "event_uid"):
        with pytest.raises(Malformed, match=f"{name}: must have at most 512 characters"):
            CronofyEvent.parse({**row, name: "x" * 513})
    assert len(Calendar.parse({"calendar_id": "c", "calendar_name": "n" * 999}).name) == 255
    profile = Profile.parse({"profile_id": "p", "profile_name": "n" * 999, "provider_name": "o" * 999})
    assert (len(profile.profile_name), len(profile.provider_name)) == (255, 255)


@pytest.mark.parametrize("said", [10**400, -1, 0, 1e308, float("nan"), "600", None, [600]])
def test_a_token_whose_lifetime_is_no_sane_number_is_trusted_for_ten_minutes(said: object) -> None:
    assert TokenGrant.parse({"access_token": "t", "expires_in": said}).expires_in == 600.0


@pytest.mark.parametrize(
    "moment", ["9999-12-31", "0001-01-01", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"]
)
def test_an_event_beyond_the_years_that_every_zone_can_tell_is_unreadable(moment: str) -> None:
    row = {"calendar_id": "c", "event_uid": "e", "start": "2026-12-03", "end": moment}
    with pytest.raises(Malformed, match="end: must be a time or a date"):
        CronofyEvent.parse(row)


# -- normal form -----------------------------------------------------------------------------------

MARKS = st.sampled_from("\u0301\u0323\u0327\u0f71\u0f72\u0f73\u0f75\u0f81\u0344")
BEFORE = ["", "a", "é", "가", "…", "\u0958", "≠", "ΐ"]


@given(st.text(alphabet=st.one_of(st.characters(codec="utf-8"), MARKS), max_size=15))
def test_r43_the_normal_form_of_what_any_language_writes_is_nfc(text: str) -> None:
    assert normal_form(text) == unicodedata.normalize("NFC", text)


@given(st.text(alphabet=MARKS, max_size=200), st.sampled_from(BEFORE))
def test_r43_of_endless_marks_no_run_is_sorted_as_one(marks: str, before: str) -> None:
    """Divided where Unicode's stream-safe text format divides; nothing is lost, and once is enough."""
    form = normal_form(f"{before}{marks}")

    runs = form.split("\u034f")
    assert all(len(unicodedata.normalize("NFD", run)) <= MOST_MARKS + 3 for run in runs)
    assert normal_form(form) == form
    lost = sorted(unicodedata.normalize("NFD", form.replace("\u034f", "")))
    assert lost == sorted(unicodedata.normalize("NFD", f"{before}{marks}"))


def test_r43_thirty_marks_stay_one_run_and_the_next_begins_another() -> None:
    assert normal_form("a" + "\u0323" * 30) == "\u1ea1" + "\u0323" * 29
    assert normal_form("…" + "\u0323" * 31) == "…" + "\u0323" * 30 + "\u034f\u0323"
    assert normal_form("é" + "\u0323" * 30).count("\u034f") == 1
    assert normal_form("…" + "\u0f73" * 15).count("\u034f") == 0
    assert normal_form("…" + "\u0f73" * 16).count("\u034f") == 1


# -- what was stored before ------------------------------------------------------------------------

OLDER: dict[str, Any] = MESSAGE["data"]["item"] | {
    "id": "i" * 255,
    "title": "t" * 5000,
    "description": "d" * 90_000,
    "location": "l" * 5000,
    "account_name": "a" * 999,
    "reference": {"label": "r" * 999, "url": "https://vorex.example"},
    "assignees": [f"u-{number}" for number in range(300)],
}


def test_r43_what_was_stored_before_the_limits_is_read_with_its_texts_cut_and_its_ids_whole() -> None:
    read = ItemContent.from_json_dict(OLDER)

    assert type(read) is ItemContent
    assert read.title == "t" * 1023 + "…"
    assert read.description == "d" * 32_767 + "…"
    assert read.location == "l" * 1023 + "…"
    assert read.account_name == "a" * 254 + "…"
    assert read.reference is not None
    assert read.reference.label == "r" * 254 + "…"
    assert read.id == "i" * 255
    assert len(read.assignees) == 300
    assert read.start is not None


def test_r43_what_was_stored_before_the_limits_can_be_stored_sent_and_told_again() -> None:
    read = ItemContent.from_json_dict(OLDER)

    assert ItemContent.from_json_dict(read.to_json_dict()) == read
    fits = read.model_copy(update={"id": "5512", "assignees": ("u-17",)})
    assert ItemContent.model_validate(fits.to_json_dict()) == fits
    older = IntegrationData(
        tenant_id="t" * 255, user_id="u" * 255, integration_id="i", change=IntegrationChange.DELETED
    )
    assert older.user_id == "u" * 255


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/t/7", "https://" + "u" * 4000])
def test_r43_an_address_stored_before_that_leads_nowhere_is_no_reference(url: str) -> None:
    read = ItemContent.from_json_dict(OLDER | {"reference": {"label": "T7", "url": url}})
    assert read.reference is None


def test_a_stored_item_that_was_never_right_is_still_refused() -> None:
    with pytest.raises(ValueError, match="time_zone"):
        ItemContent.from_json_dict(OLDER | {"time_zone": "Mars/Olympus"})
