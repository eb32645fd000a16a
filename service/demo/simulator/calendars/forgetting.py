"""What Cronofy forgets of a profile that it is not let at for long, and makes anew (CRONOFY.md C14)."""

from dataclasses import replace

from service.demo.simulator.model import EXTERNAL_UID_PREFIX, CalendarBinding, MailboxProfile
from service.demo.simulator.state import SimulatorState
from service.demo.simulator.times import DAY_SECONDS


def note_loss(state: SimulatorState, profile: MailboxProfile) -> None:
    """From now on nothing of the profile is authorised."""
    if profile.lost_at is None:
        profile.lost_at = state.clock.now()


def forget_what_is_old(state: SimulatorState, profile: MailboxProfile) -> None:
    """At linking again: what was cached of others goes after 30 days, of our own events after 90."""
    days = 0.0 if profile.lost_at is None else (state.clock.now() - profile.lost_at) / DAY_SECONDS
    profile.lost_at = None
    faults = state.faults
    purged = days >= faults.cache_days
    if faults.relink_forgets_managed or days >= faults.managed_days:
        forget_managed(profile)
    for binding in profile.bindings:
        if purged or faults.new_event_uids:
            _forget_events(state, binding)
        if purged or faults.new_calendar_ids:
            _renumber(state, binding)


def forget_managed(profile: MailboxProfile) -> None:
    """Our earlier events look external from now on."""
    account_id = profile.account.account_id
    for binding in profile.bindings:
        binding.managed.clear()
    for calendar in profile.mailbox.calendars.values():
        for uid, event in list(calendar.events.items()):
            if event.owner and event.owner.account_id == account_id:
                calendar.events[uid] = replace(event, owner=None)


def _forget_events(state: SimulatorState, binding: CalendarBinding) -> None:
    """The same events under new uids, and the occurrences of a series under a new identifier.

    A calendar that another account sees too keeps them: that account's cache never ended.
    """
    calendar = binding.calendar
    if any(other is not binding for other in calendar.bindings):
        return
    series: dict[str, str] = {}
    binding.rows.clear()
    for uid, event in list(calendar.events.items()):
        del calendar.events[uid]
        fresh = replace(
            event,
            uid=f"{EXTERNAL_UID_PREFIX}{state.hex(24)}",
            series=series.setdefault(event.series, state.hex(24)) if event.series else None,
        )
        calendar.events[fresh.uid] = fresh
        for event_id, known in binding.managed.items():
            if known == uid:
                binding.managed[event_id] = fresh.uid


def _renumber(state: SimulatorState, binding: CalendarBinding) -> None:
    """A calendar that is new to Cronofy: another id, and no permission that was asked for before."""
    account = binding.profile.account
    for known in (state.bindings, account.bindings):
        known.pop(binding.calendar_id, None)
    binding.calendar_id = new_calendar_id(state, binding.profile)
    binding.permission = binding.calendar.permission
    state.bindings[binding.calendar_id] = binding
    account.bindings[binding.calendar_id] = binding


def new_calendar_id(state: SimulatorState, profile: MailboxProfile) -> str:
    return f"cal_{profile.profile_id.removeprefix('pro_')}_{state.hex(24)}"
