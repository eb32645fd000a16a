"""What a write must look like to be accepted (CRONOFY.md C15, C17, C23)."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from service.demo.simulator.state import Json
from service.demo.simulator.times import EventTime, find_zone, parse_moment

SUMMARY_LIMIT = 1024
DESCRIPTION_LIMIT = 4096
_MOST_REMINDERS = 5
_KEPT = (
    "url",
    "color",
    "reminders",
    "conferencing",
    "subscriptions",
    "attachments",
    "recurrence",
    "extended_transparency",
)
_TEXTS = {
    "errors.required": "required",
    "errors.must_be_boolean": "must be true or false",
    "errors.too_long": "is too long",
    "errors.invalid": "is not valid",
    "errors.tzid_unrecognized": "is not a known time zone",
    "errors.must_be_external_event_uid": "must be the event_uid of an external event",
    "errors.invalid_calendar_ids": "contains an unknown calendar",
    "errors.duplicate_calendar_name": "is taken",
    "errors.too_many": "are too many",
}


class ErrorsByField:
    """Collects what is wrong, by field."""

    def __init__(self) -> None:
        self.found: dict[str, list[Json]] = {}

    def add(self, name: str, key: str) -> None:
        self.found.setdefault(name, []).append({"key": key, "description": _TEXTS[key]})


def field_refused(name: str, key: str) -> Json:
    """The body of a 422 about one field."""
    errors = ErrorsByField()
    errors.add(name, key)
    return {"errors": errors.found}


def check_event(data: Json, errors: ErrorsByField, unknown_zones: Collection[str] = ()) -> Json:
    """The sent fields as fields of Event; what is wrong goes to ``errors``."""
    changes: Json = {}
    _summary(data, errors, changes)
    _description(data, errors, changes)
    _times(data, errors, changes)
    _zones(data, errors, unknown_zones)
    _location(data, errors, changes)
    _private(data, errors, changes)
    _transparency(data, errors, changes)
    _lists(data, errors)
    _address(data, errors)
    extra = {name: data[name] for name in _KEPT if name in data}
    if extra:
        changes["extra"] = extra
    return changes


def _summary(data: Json, errors: ErrorsByField, changes: Json) -> None:
    value = data.get("summary")
    if value is None or value == "":
        errors.add("summary", "errors.required")
    elif not isinstance(value, str):
        errors.add("summary", "errors.invalid")
    elif len(value) > SUMMARY_LIMIT:
        errors.add("summary", "errors.too_long")
    else:
        changes["summary"] = value


def _description(data: Json, errors: ErrorsByField, changes: Json) -> None:
    value = data.get("description")
    if value is None:
        return
    if not isinstance(value, str):
        errors.add("description", "errors.invalid")
    elif len(value) > DESCRIPTION_LIMIT:
        errors.add("description", "errors.too_long")
    else:
        changes["description"] = value


def _times(data: Json, errors: ErrorsByField, changes: Json) -> None:
    tzid = data.get("tzid") or "Etc/UTC"
    if not isinstance(tzid, str) or find_zone(tzid) is None:
        errors.add("tzid", "errors.invalid")
        return
    for name in ("start", "end"):
        value = data.get(name)
        moment = parse_moment(value, tzid)
        if value is None or value == "":
            errors.add(name, "errors.required")
        elif moment is None:
            errors.add(name, "errors.invalid")
        else:
            changes[name] = moment
    if "start" in changes and "end" in changes and not _in_order(changes["start"], changes["end"]):
        errors.add("end", "errors.invalid")


def _zones(data: Json, errors: ErrorsByField, unknown: Collection[str]) -> None:
    """Names of zones that Cronofy has not heard of yet, or any more."""
    named = [
        data.get("tzid"),
        *(data[name].get("tzid") for name in ("start", "end") if _has_parts(data, name)),
    ]
    if any(zone in unknown for zone in named if zone is not None):
        errors.add("tzid", "errors.tzid_unrecognized")


def _has_parts(data: Json, name: str) -> bool:
    return isinstance(data.get(name), dict)


def _in_order(start: EventTime, end: EventTime) -> bool:
    """A day ends on a later day; a date and a time do not mix."""
    if bool(start.day) != bool(end.day):
        return False
    return end.at > start.at if start.day else end.at >= start.at


def _location(data: Json, errors: ErrorsByField, changes: Json) -> None:
    value = data.get("location")
    if value is None:
        return
    if not isinstance(value, dict) or not all(isinstance(part, str | None) for part in value.values()):
        errors.add("location", "errors.invalid")
    else:
        changes["location"] = dict(value)


def _private(data: Json, errors: ErrorsByField, changes: Json) -> None:
    value = data.get("event_private")
    if isinstance(value, bool):
        changes["private"] = value
    elif value is not None:
        errors.add("event_private", "errors.must_be_boolean")


def _transparency(data: Json, errors: ErrorsByField, changes: Json) -> None:
    value = data.get("transparency")
    if value in {"opaque", "transparent"}:
        changes["transparency"] = value
    elif value is not None:
        errors.add("transparency", "errors.invalid")


def _lists(data: Json, errors: ErrorsByField) -> None:
    for name in ("reminders", "subscriptions", "attachments"):
        if not isinstance(data.get(name, []), list):
            errors.add(name, "errors.invalid")
        elif name == "reminders" and len(data.get(name, [])) > _MOST_REMINDERS:
            errors.add(name, "errors.too_many")
    if not _are_deltas(data.get("attendees", {})):
        errors.add("attendees", "errors.invalid")


def _are_deltas(value: Any) -> bool:
    if not isinstance(value, dict) or not all(isinstance(people, list) for people in value.values()):
        return False
    everyone = [person for people in value.values() for person in people]
    return all(isinstance(person, dict) and isinstance(person.get("email"), str) for person in everyone)


def _address(data: Json, errors: ErrorsByField) -> None:
    value: Any = data.get("url")
    if value is not None and not (isinstance(value, str) and _is_address(value)):
        errors.add("url", "errors.invalid")


def _is_address(value: str) -> bool:
    try:
        return bool(urlsplit(value).scheme)
    except ValueError:
        return False
