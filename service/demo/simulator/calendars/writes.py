"""Accepting writes, and carrying them out at the provider later (CRONOFY.md C20)."""

from dataclasses import replace

from service.demo.simulator.calendars.checks import ErrorsByField, check_event, field_refused
from service.demo.simulator.calendars.provider import put_event
from service.demo.simulator.calendars.scopes import allows
from service.demo.simulator.calendars.texts import PROVIDER_HABITS, kept_place, kept_title, normalised
from service.demo.simulator.model import (
    EXTERNAL_UID_PREFIX,
    AcceptedWrite,
    Account,
    CalendarBinding,
    EventOwner,
    ProviderEvent,
)
from service.demo.simulator.state import ApiAnswer, Json, SimulatorState

_ACCEPTED: ApiAnswer = (202, None)
_LONGEST_ID = 1024


def upsert(state: SimulatorState, account: Account, scope: str, calendar_id: str, data: Json) -> ApiAnswer:
    """Answer 202 and create or change the event later; event_id wins over event_uid."""
    binding = account.bindings.get(calendar_id)
    refusal = _refusal(state, binding, scope, "create_event")
    if refusal or binding is None:
        return refusal or (404, None)
    errors = ErrorsByField()
    key = _key(data, errors)
    changes = check_event(data, errors, state.faults.unknown_zones)
    if errors.found:
        return 422, {"errors": errors.found}
    if data.get("event_id") is not None:
        return _accept(state, "upsert", binding, key, data=data, changes=changes)
    return _external(state, "edit", binding, key, data=data, changes=changes)


def remove(state: SimulatorState, account: Account, scope: str, calendar_id: str, data: Json) -> ApiAnswer:
    """Answer 202 and delete the event later; an unknown event_id is no error."""
    binding = account.bindings.get(calendar_id)
    refusal = _refusal(state, binding, scope, "delete_event")
    if refusal or binding is None:
        return refusal or (404, None)
    errors = ErrorsByField()
    key = _key(data, errors)
    if errors.found:
        return 422, {"errors": errors.found}
    if data.get("event_id") is not None:
        return _accept(state, "delete", binding, key, data=data, changes={})
    return _external(state, "remove", binding, key, data=data, changes={})


def remove_all(
    state: SimulatorState, account: Account, scope: str, calendar_ids: list[str] | None
) -> ApiAnswer:
    """Delete every managed event, of some calendars or of all."""
    if not allows(scope, "delete_event"):
        return 403, None
    if calendar_ids and any(known not in account.bindings for known in calendar_ids):
        return 422, field_refused("calendar_ids", "errors.invalid_calendar_ids")
    for calendar_id in calendar_ids or list(account.bindings):
        binding = account.bindings[calendar_id]
        for event_id in list(binding.managed):
            _accept(state, "delete", binding, event_id, data={"event_id": event_id}, changes={})
    return _ACCEPTED


def participate(
    state: SimulatorState,
    account: Account,
    scope: str,
    calendar_id: str,
    *,
    uid: str,
    data: Json,
) -> ApiAnswer:
    """Answer for the calendar's owner whether they come."""
    binding = account.bindings.get(calendar_id)
    refusal = _refusal(state, binding, scope, "change_participation_status")
    if refusal or binding is None:
        return refusal or (404, None)
    status = data.get("status")
    if status not in {"accepted", "tentative", "declined"}:
        return 422, field_refused("status", "errors.invalid" if status else "errors.required")
    return _accept(
        state,
        "participation",
        binding,
        uid,
        data=data,
        changes={"participation_status": status},
    )


def _refusal(
    state: SimulatorState, binding: CalendarBinding | None, scope: str, privilege: str
) -> ApiAnswer | None:
    if not allows(scope, privilege):
        return 403, None
    if binding is None or binding.calendar.deleted:
        return 404, None
    if binding.calendar.read_only:
        return 403, None
    if not binding.profile.connected and state.faults.disconnected_writes == "refuse":
        return 423, None
    return None


def _key(data: Json, errors: ErrorsByField) -> str:
    value = data.get("event_id")
    name = "event_id" if value is not None else "event_uid"
    value = data.get(name)
    if value is None or value == "":
        errors.add("event_id", "errors.required")
    elif not isinstance(value, str) or len(value) > _LONGEST_ID:
        errors.add(name, "errors.invalid")
    elif name == "event_uid" and not value.startswith(EXTERNAL_UID_PREFIX):
        errors.add(name, "errors.must_be_external_event_uid")
    return str(value)


def _external(
    state: SimulatorState, kind: str, binding: CalendarBinding, uid: str, *, data: Json, changes: Json
) -> ApiAnswer:
    """An external event may be touched on an unrestricted calendar; its options decide in silence."""
    if binding.permission != "unrestricted" and not state.faults.ignore_external_edits:
        return 403, None
    return _accept(state, kind, binding, uid, data=data, changes=changes)


def _accept(
    state: SimulatorState, kind: str, binding: CalendarBinding, key: str, *, data: Json, changes: Json
) -> ApiAnswer:
    write = AcceptedWrite(
        at=state.clock.now(), kind=kind, binding=binding, key=key, data=data, changes=changes
    )
    state.log.writes.append(write)
    if not state.faults.spend("next_lost_writes"):
        delay = (
            state.faults.write_stall
            + state.faults.apply_delay
            + state.faults.slow_providers.get(binding.calendar.mailbox.provider, 0.0)
            + state.faults.write_jitter * state.chance.random()
        )
        state.soon(delay, lambda: apply(state, write))
    return _ACCEPTED


def apply(state: SimulatorState, write: AcceptedWrite) -> None:
    """Do at the provider what was accepted; what is not possible there is dropped without a word."""
    binding = write.binding
    if binding not in binding.calendar.bindings:
        return  # the profile was revoked meanwhile: nobody may write there any more
    if not binding.profile.connected:
        binding.profile.held.append(write)
    elif not binding.calendar.deleted and not binding.calendar.read_only:
        _HOW[write.kind](state, write)


def _client(write: AcceptedWrite) -> str:
    return write.binding.profile.account.application.client_id


def _upsert(state: SimulatorState, write: AcceptedWrite) -> None:
    binding = write.binding
    uid = binding.managed.get(write.key, "")
    known = binding.calendar.events.get(uid)
    event = _changed(state, known, write) if known else _created(state, write)
    binding.managed[write.key] = event.uid
    put_event(state, binding.calendar, event, _client(write))


def _delete(state: SimulatorState, write: AcceptedWrite) -> None:
    uid = write.binding.managed.pop(write.key, "")
    known = write.binding.calendar.events.get(uid)
    if known is not None:
        _bury(state, write, known)


def _edit(state: SimulatorState, write: AcceptedWrite) -> None:
    known = _editable(state, write, "update")
    if known is not None:
        put_event(state, write.binding.calendar, _changed(state, known, write), _client(write))


def _remove(state: SimulatorState, write: AcceptedWrite) -> None:
    known = _editable(state, write, "delete")
    if known is not None:
        _bury(state, write, known)


def _participate(state: SimulatorState, write: AcceptedWrite) -> None:
    known = write.binding.calendar.events.get(write.key)
    if known is None or not options_of(write.binding, known)["change_participation_status"]:
        return
    provider = write.binding.calendar.mailbox.provider
    if write.changes["participation_status"] == "declined" and provider in {"exchange", "office365"}:
        _bury(state, write, known)
    else:
        put_event(state, write.binding.calendar, _changed(state, known, write), _client(write))


def _editable(state: SimulatorState, write: AcceptedWrite, option: str) -> ProviderEvent | None:
    """The event, where it exists, is not ours, and its options allow that much."""
    known = write.binding.calendar.events.get(write.key)
    if known is None or state.faults.ignore_external_edits:
        return None
    own = write.binding.managed.get(known.owner.event_id) == known.uid if known.owner else False
    return known if not own and options_of(write.binding, known)[option] else None


def options_of(binding: CalendarBinding, event: ProviderEvent) -> dict[str, bool]:
    """What may be done to an event; nothing that is part of a series (CRONOFY.md C21)."""
    free = event.series is None and not binding.calendar.read_only
    mine = event.organizer is None or event.organizer.get("email") == binding.calendar.mailbox.email
    invited = bool(event.attendees) and not mine
    options = {"delete": free, "update": free and mine, "change_participation_status": free and invited}
    return {**options, **(event.options or {})} if free else options


def _bury(state: SimulatorState, write: AcceptedWrite, known: ProviderEvent) -> None:
    gone = replace(known, deleted=True, updated=state.clock.now())
    put_event(state, write.binding.calendar, gone, _client(write))


def _created(state: SimulatorState, write: AcceptedWrite) -> ProviderEvent:
    account = write.binding.profile.account
    owner = EventOwner(
        client_id=account.application.client_id,
        account_id=account.account_id,
        event_id=write.key,
    )
    changes = _fields(state, None, write)
    changes.setdefault("transparency", "transparent" if changes["start"].day else "opaque")
    now = state.clock.now()
    uid = f"{EXTERNAL_UID_PREFIX}{state.hex(24)}"
    return ProviderEvent(uid=uid, owner=owner, created=now, updated=now, **changes)


def _changed(state: SimulatorState, known: ProviderEvent, write: AcceptedWrite) -> ProviderEvent:
    return replace(known, updated=state.clock.now(), **_fields(state, known, write))


def _fields(state: SimulatorState, known: ProviderEvent | None, write: AcceptedWrite) -> Json:
    changes = dict(write.changes)
    _take_on(changes, _habits(state, write))
    if known is not None:
        kept = _without_shade(known.extra) if "transparency" in changes else known.extra
        changes["extra"] = {**kept, **changes.get("extra", {})}
    if "attendees" in write.data:
        changes["attendees"] = _invited(known, write.data["attendees"])
    return changes


def _habits(state: SimulatorState, write: AcceptedWrite) -> set[str]:
    faults = state.faults
    own = PROVIDER_HABITS.get(write.binding.calendar.mailbox.provider, frozenset())
    return {*faults.normalise_text, *(own if faults.provider_habits else ())}


def _take_on(changes: Json, habits: set[str]) -> None:
    """The fields as the provider keeps them."""
    if "summary" in changes:
        changes["summary"] = kept_title(changes["summary"], habits)
    if "description" in changes:
        changes["description"] = normalised(changes["description"], habits)
    if changes.get("location", {}).get("description"):
        kept = kept_place(changes["location"]["description"], habits)
        changes["location"] = {**changes["location"], "description": kept}
    if "no_private" in habits:
        changes.pop("private", None)


def _without_shade(extra: Json) -> Json:
    """Busy is busy then: out of office, tentative and working elsewhere are shades of it."""
    return {name: value for name, value in extra.items() if name != "extended_transparency"}


def _invited(known: ProviderEvent | None, deltas: Json) -> tuple[Json, ...]:
    people = {person["email"]: person for person in (known.attendees if known else ())}
    for person in deltas.get("remove", ()):
        people.pop(person.get("email"), None)
    for person in deltas.get("invite", ()):
        invited = {"display_name": None, **person, "status": "needs_action"}
        people.setdefault(person.get("email"), invited)
    return tuple(people.values())


_HOW = {
    "upsert": _upsert,
    "delete": _delete,
    "edit": _edit,
    "remove": _remove,
    "participation": _participate,
}
