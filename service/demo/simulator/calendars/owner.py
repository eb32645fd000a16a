"""What the calendar's owner does in their own calendar program."""

from dataclasses import replace
from typing import Any

from service.demo.simulator.calendars.provider import put_event
from service.demo.simulator.calendars.texts import normalised
from service.demo.simulator.model import EXTERNAL_UID_PREFIX, EventOwner, ProviderCalendar, ProviderEvent
from service.demo.simulator.state import Json, SimulatorState
from service.demo.simulator.times import DAY_SECONDS, EventTime, days_later, iso_time, parse_moment

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


_EXTRA = {
    "conferencing": "conferencing",
    "meeting_url": "url",
    "extended_transparency": "extended_transparency",
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
    fields |= {name: tuple(given[name]) for name in ("attendees", "categories") if name in given}
    if extra := {theirs: given[ours] for ours, theirs in _EXTRA.items() if ours in given}:
        fields["extra"] = extra
    habits = {*state.faults.normalise_text} - {"join"}
    return {
        name: normalised(value, habits) if name in {"summary", "description"} else value
        for name, value in fields.items()
    }


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
    now = _stamp(state)
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
    if "extra" in fields:
        fields["extra"] = {**known.extra, **fields["extra"]}
    event = replace(known, updated=_stamp(state), **fields)
    if "recurrence" in given:
        return _repeat(state, calendar, event, given["recurrence"])
    put_event(state, calendar, event, None)
    return event


def _repeat(
    state: SimulatorState, calendar: ProviderCalendar, event: ProviderEvent, recurrence: Json
) -> ProviderEvent:
    """The event becomes the first occurrence of a series; the further ones are events of the owner."""
    series = f"ser_{state.hex(16)}"
    first = replace(event, series=series)
    put_event(state, calendar, first, None)
    for days in _occurrences(recurrence)[1:]:
        start, end = days_later(event.start, days), days_later(event.end, days)
        uid = f"{EXTERNAL_UID_PREFIX}{state.hex(24)}"
        put_event(state, calendar, replace(first, uid=uid, owner=None, start=start, end=end), None)
    return first


def split(state: SimulatorState, calendar: ProviderCalendar, key: str, given: Json) -> list[ProviderEvent]:
    """The owner changes *this and following*: the series ends, and a new one begins with this occurrence.

    Those that follow get new identities; fields that are given change on all of them, the start and the
    end by as much as they change on the first.
    """
    known = find(calendar, key)
    if known.series is None:
        raise OwnerError(f"not part of a series: {key}")
    fields = _fields(state, calendar, given)
    later = {
        name: fields.pop(name).at - getattr(known, name).at for name in ("start", "end") if name in fields
    }
    following = [
        e for e in calendar.events.values() if e.series == known.series and e.start.at >= known.start.at
    ]
    series, now, made = f"ser_{state.hex(16)}", _stamp(state), []
    for event in sorted(following, key=lambda each: each.start.at):
        put_event(state, calendar, replace(event, deleted=True, updated=now), None)
        moved: Json = {name: _later(getattr(event, name), by) for name, by in later.items()}
        uid = f"{EXTERNAL_UID_PREFIX}{state.hex(24)}"
        changes: Json = {**fields, **moved, "uid": uid, "series": series, "created": now, "updated": now}
        made.append(replace(event, **changes))
        put_event(state, calendar, made[-1], None)
    return made


def _later(moment: EventTime, seconds: int) -> EventTime:
    return (
        days_later(moment, seconds // DAY_SECONDS) if moment.day else replace(moment, at=moment.at + seconds)
    )


def restore(state: SimulatorState, calendar: ProviderCalendar, key: str, given: Json) -> ProviderEvent:
    """An event that was deleted is fetched back from the bin, perhaps changed; it is the same event still."""
    gone = next((event for event in calendar.bin.values() if key in _names(event)), None)
    if gone is None:
        raise OwnerError(f"nothing was deleted under that name: {key}")
    event = replace(gone, deleted=False, updated=_stamp(state), **_fields(state, calendar, given))
    if event.owner is not None and not _managed_again(calendar, event, event.owner):
        event = replace(event, owner=None)
    put_event(state, calendar, event, None)
    return event


def _managed_again(calendar: ProviderCalendar, event: ProviderEvent, whose: EventOwner) -> bool:
    """Whether the application's id means this event again; another may have been written under it since."""
    for binding in calendar.bindings:
        account = binding.profile.account
        if (account.application.client_id, account.account_id) == (whose.client_id, whose.account_id):
            if binding.managed.get(whose.event_id, "") in calendar.events:
                return False
            binding.managed[whose.event_id] = event.uid
    return True


def _names(event: ProviderEvent) -> set[str]:
    return {event.uid, *([event.owner.event_id] if event.owner else [])}


def _stamp(state: SimulatorState) -> float:
    """What the provider's clock says."""
    return state.clock.now() + state.faults.stamp_offset


def delete(
    state: SimulatorState, calendar: ProviderCalendar, key: str, *, series: bool = False
) -> list[ProviderEvent]:
    """One event, or all occurrences of its series."""
    known = find(calendar, key)
    same = [known]
    if series and known.series:
        same = [event for event in calendar.events.values() if event.series == known.series]
    gone = [replace(event, deleted=True, updated=_stamp(state)) for event in same]
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
