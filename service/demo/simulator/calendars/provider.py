"""The calendars at the provider, and how what happens there reaches Cronofy's cache."""

from dataclasses import replace

from service.demo.simulator.calendars import channels
from service.demo.simulator.model import (
    CachedEvent,
    CalendarBinding,
    MailboxProfile,
    ProviderCalendar,
    ProviderEvent,
)
from service.demo.simulator.state import SimulatorState

_REMEMBERED_MOVES = 10


def put_event(
    state: SimulatorState, calendar: ProviderCalendar, event: ProviderEvent, writer: str | None
) -> None:
    """The event now stands like this; every account that sees the calendar learns of it after the lag.

    ``writer`` is the client id of the application that did it, none for the calendar's owner.
    """
    if event.deleted:
        calendar.events.pop(event.uid, None)
        calendar.bin[event.uid] = event
    else:
        calendar.bin.pop(event.uid, None)
        calendar.events[event.uid] = event
    for binding in calendar.bindings:
        _learn_later(state, binding, event, writer)


def _learn_later(
    state: SimulatorState, binding: CalendarBinding, event: ProviderEvent, writer: str | None
) -> None:
    slow = state.faults.slow_providers.get(binding.calendar.mailbox.provider, 0.0)
    state.soon(state.faults.read_lag + slow, lambda: _learn(state, binding, event, writer))


def _learn(state: SimulatorState, binding: CalendarBinding, event: ProviderEvent, writer: str | None) -> None:
    profile, current = binding.profile, binding.calendar.events.get(event.uid)
    if current is None and not event.deleted:
        return  # by now it is gone, or known by another uid
    if profile.connected and not profile.syncing and binding in binding.calendar.bindings:
        _cache(state, binding, current or event, writer)


def _cache(state: SimulatorState, binding: CalendarBinding, event: ProviderEvent, writer: str | None) -> None:
    known = binding.rows.pop(event.uid, None)
    earlier = known.earlier if known else ()
    if known and (known.event.start, known.event.end) != (event.start, event.end):
        earlier = (*earlier[1 - _REMEMBERED_MOVES :], (known.event.start, known.event.end))
    row = CachedEvent(event=event, modified=state.clock.now(), earlier=earlier)
    binding.rows[event.uid] = row
    channels.announce_change(state, binding, row, writer)


def synchronize(state: SimulatorState, binding: CalendarBinding) -> None:
    """Compare the cache with the calendar and take over what differs: first sync, and after reconnecting."""
    events = binding.calendar.events
    for uid, row in list(binding.rows.items()):
        if uid not in events and not row.event.deleted:
            gone = replace(row.event, deleted=True, updated=state.clock.now())
            _cache(state, binding, gone, None)
    for uid, event in list(events.items()):
        known = binding.rows.get(uid)
        if known is None or known.event is not event:
            _cache(state, binding, event, None)


def finish_sync(state: SimulatorState, profile: MailboxProfile) -> None:
    """Cronofy has read the whole profile for the first time."""
    was_syncing, profile.syncing = profile.syncing, False
    for binding in profile.bindings:
        synchronize(state, binding)
    if was_syncing:
        channels.announce_profile(state, profile, "profile_initial_sync_completed")
