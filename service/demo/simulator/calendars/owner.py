"""What the calendar's owner does in their own calendar program."""

from dataclasses import replace
from typing import Any

from service.demo.simulator.calendars.provider import put_event
from service.demo.simulator.calendars.texts import normalised
from service.demo.simulator.calendars.writes import EXTERNAL_UID_PREFIX
from service.demo.simulator.model import ProviderCalendar, ProviderEvent
from service.demo.simulator.state import Json, SimulatorState
from service.demo.simulator.times import EventTime, days_later, iso_time, parse_moment

_EVERY = {"daily": 1, "weekly": 7}
_PLAIN = {
    "summary": "summary",
    "description": "description",
    "transparency": "transparency",
    "status": "status",
    "event_private": "private",
    "organizer": "organizer",
    "participation_status": "participation_status",
    "options": "options",
}


class OwnerError(Exception):
    """The calendar's owner cannot do that, and why."""


def _fields(state: SimulatorState, calendar: ProviderCalendar, given: Json) -> Json:
    fields = {ours: given[theirs] for theirs, ours in _PLAIN.items() if theirs in given}
    tzid = given.get("tzid") or calendar.mailbox.zone
    for name in ("start", "end"):
        if name in given:
            fields[name] = _moment(name, given[name], tzid)
    if "location" in given:
        place = given["location"]
        fields["location"] = {"description": place} if isinstance(place, str) else place
    for name in ("attendees", "categories"):
        if name in given:
            fields[name] = tuple(given[name])
    for name in ("summary", "description"):
        if name in fields and state.faults.normalise_text:
            fields[name] = normalised(fields[name], state.faults.normalise_text)
    return fields


def _moment(name: str, value: Any, tzid: str) -> EventTime:
    moment = parse_moment(value, tzid)
    if moment is None:
        raise OwnerError(f"{name}: not a time or a date: {value!r}")
    return moment


def add(state: SimulatorState, calendar: ProviderCalendar, given: Json) -> list[ProviderEvent]:
    """A new event, or every occurrence of a series (``recurrence``: frequency, interval, count)."""
    fields = _fields(state, calendar, given)
    for name in ("start", "end"):
        if name not in fields:
            raise OwnerError(f"{name}: missing")
    fields.setdefault("summary", "")
    fields.setdefault("transparency", "transparent" if fields["start"].day else "opaque")
    occurrences = _occurrences(given.get("recurrence"))
    series = f"ser_{state.hex(16)}" if "recurrence" in given else None
    return [_add_one(state, calendar, fields, days, series) for days in occurrences]


def _occurrences(recurrence: Json | None) -> list[int]:
    if recurrence is None:
        return [0]
    every = _EVERY.get(recurrence.get("frequency", ""))
    if every is None:
        raise OwnerError("recurrence.frequency: daily or weekly")
    step = every * int(recurrence.get("interval", 1))
    return [step * at for at in range(int(recurrence.get("count", 10)))]


def _add_one(
    state: SimulatorState, calendar: ProviderCalendar, fields: Json, days: int, series: str | None
) -> ProviderEvent:
    now = state.clock.now()
    moved = {name: days_later(fields[name], days) for name in ("start", "end")}
    event = ProviderEvent(
        uid=f"{EXTERNAL_UID_PREFIX}{state.hex(24)}",
        series=series,
        created=now,
        updated=now,
        **{**fields, **moved},
    )
    put_event(state, calendar, event, None)
    return event


def change(state: SimulatorState, calendar: ProviderCalendar, key: str, given: Json) -> ProviderEvent:
    """Some fields of one event; of a series, only this occurrence."""
    known = find(calendar, key)
    fields = _fields(state, calendar, given)
    event = replace(known, updated=state.clock.now(), **fields)
    put_event(state, calendar, event, None)
    return event


def delete(
    state: SimulatorState, calendar: ProviderCalendar, key: str, *, series: bool = False
) -> list[ProviderEvent]:
    """One event, or all occurrences of its series."""
    known = find(calendar, key)
    same = [known]
    if series and known.series:
        same = [event for event in calendar.events.values() if event.series == known.series]
    gone = [replace(event, deleted=True, updated=state.clock.now()) for event in same]
    for event in gone:
        put_event(state, calendar, event, None)
    return gone


def find(calendar: ProviderCalendar, key: str) -> ProviderEvent:
    """By event_uid, or by the event_id of any application."""
    uids = [key, *(binding.managed.get(key, "") for binding in calendar.bindings)]
    for uid in uids:
        if uid in calendar.events:
            return calendar.events[uid]
    raise OwnerError(f"no such event: {key}")


def shown(event: ProviderEvent) -> Json:
    """An event as it stands at the provider, with whose it is."""
    owner = event.owner
    return {
        "event_uid": event.uid,
        "event_id": owner.event_id if owner else None,
        "client_id": owner.client_id if owner else None,
        "account_id": owner.account_id if owner else None,
        "summary": event.summary,
        "description": event.description,
        "start": event.start.text(),
        "end": event.end.text(),
        "tzid": event.start.tzid,
        "all_day": event.start.day is not None,
        "location": event.location,
        "transparency": event.transparency,
        "status": event.status,
        "event_private": event.private,
        "attendees": list(event.attendees),
        "organizer": event.organizer,
        "participation_status": event.participation_status,
        "series_identifier": event.series,
        "options": event.options,
        "created": iso_time(event.created),
        "updated": iso_time(event.updated),
        "deleted": event.deleted,
        **event.extra,
    }
