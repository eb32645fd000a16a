"""How a person's calendars come to an application, go away and come back."""

from service.demo.simulator.calendars import channels, forgetting, writes
from service.demo.simulator.calendars.provider import finish_sync, synchronize
from service.demo.simulator.model import (
    PROVIDER_KINDS,
    Account,
    Application,
    CalendarBinding,
    Mailbox,
    MailboxProfile,
    ProviderCalendar,
)
from service.demo.simulator.state import Json, SimulatorState


def add_mailbox(state: SimulatorState, *, provider: str, email: str, name: str, zone: str) -> Mailbox:
    mailbox = Mailbox(provider=provider, email=email, name=name, zone=zone)
    state.mailboxes[email.lower()] = mailbox
    return mailbox


def add_calendar(state: SimulatorState, mailbox: Mailbox, details: Json) -> ProviderCalendar:
    """A calendar that its owner adds; accounts that are linked see it at once."""
    calendar = ProviderCalendar(
        key=f"pcal_{state.hex(16)}",
        mailbox=mailbox,
        name=details["name"],
        primary=bool(details.get("primary", not mailbox.calendars)),
        read_only=bool(details.get("read_only", False)),
        permission=details.get("permission_level", "sandbox"),
    )
    mailbox.calendars[calendar.key] = calendar
    state.calendars[calendar.key] = calendar
    for profile in mailbox.profiles:
        bind(state, profile, calendar)
    return calendar


def share_calendar(state: SimulatorState, calendar: ProviderCalendar, mailbox: Mailbox) -> None:
    """One calendar in two people's lists: each account has an id and a cache of its own for it."""
    mailbox.calendars[calendar.key] = calendar
    for profile in mailbox.profiles:
        synchronize(state, bind(state, profile, calendar))


def bind(state: SimulatorState, profile: MailboxProfile, calendar: ProviderCalendar) -> CalendarBinding:
    binding = CalendarBinding(
        calendar_id=forgetting.new_calendar_id(state, profile),
        calendar=calendar,
        profile=profile,
        permission=calendar.permission,
    )
    calendar.bindings.append(binding)
    profile.bindings.append(binding)
    profile.account.bindings[binding.calendar_id] = binding
    state.bindings[binding.calendar_id] = binding
    _remember_managed(binding)
    return binding


def _remember_managed(binding: CalendarBinding) -> None:
    account = binding.profile.account
    for event in binding.calendar.events.values():
        owner = event.owner
        if owner and (owner.client_id, owner.account_id) == (
            account.application.client_id,
            account.account_id,
        ):
            binding.managed[owner.event_id] = event.uid


def link(
    state: SimulatorState,
    application: Application,
    mailbox: Mailbox,
    scope: str,
    into: Account | None = None,
) -> MailboxProfile:
    """Let the application at a mailbox; the same mailbox is the same account each time."""
    profile = next((p for p in mailbox.profiles if p.account.application is application), None)
    if profile is None:
        known = state.linked.get((application.client_id, mailbox.email.lower()))
        account = known or into or _new_account(state, application, mailbox, scope)
        profile = _new_profile(state, mailbox, account)
    else:
        _link_again(state, profile)
    profile.account.scope = scope
    profile.account.revoked = False
    return profile


def _new_account(state: SimulatorState, application: Application, mailbox: Mailbox, scope: str) -> Account:
    account = Account(
        account_id=f"acc_{state.hex(24)}",
        application=application,
        email=mailbox.email,
        name=mailbox.name,
        zone=mailbox.zone,
        scope=scope,
    )
    return enter_account(state, account, mailbox.email)


def enter_account(state: SimulatorState, account: Account, known_by: str) -> Account:
    state.accounts[account.account_id] = account
    state.linked[account.application.client_id, known_by.lower()] = account
    return account


def _new_profile(state: SimulatorState, mailbox: Mailbox, account: Account) -> MailboxProfile:
    profile = MailboxProfile(profile_id=f"pro_{state.hex(22)}", mailbox=mailbox, account=account)
    mailbox.profiles.append(profile)
    account.profiles.append(profile)
    state.linked[account.application.client_id, mailbox.email.lower()] = account
    if state.faults.relink_forgets_managed:
        forgetting.forget_managed(profile)
    for calendar in mailbox.calendars.values():
        bind(state, profile, calendar)
    begin_sync(state, profile)
    return profile


def begin_sync(state: SimulatorState, profile: MailboxProfile) -> None:
    """Cronofy reads the profile for the first time; until then reads are empty."""
    profile.syncing = state.faults.initial_sync_seconds > 0
    state.soon(state.faults.initial_sync_seconds, lambda: finish_sync(state, profile))


def _link_again(state: SimulatorState, profile: MailboxProfile) -> None:
    forgetting.forget_what_is_old(state, profile)
    reconnect(state, profile)


def disconnect(state: SimulatorState, profile: MailboxProfile) -> None:
    """The provider no longer lets Cronofy in; the application is told once."""
    if profile.connected:
        profile.connected = False
        forgetting.note_loss(state, profile)
        channels.announce_profile(state, profile, "profile_disconnected")


def reconnect(state: SimulatorState, profile: MailboxProfile) -> None:
    """Cronofy is let in again, by whatever way: held writes go out, the cache catches up, nobody is told.

    What happens on the calendar from then on comes by the old channels again (CRONOFY.md C44).
    """
    profile.connected = True
    if not profile.syncing:
        finish_sync(state, profile)
    held, profile.held = profile.held, []
    for write in held:
        writes.apply(state, write)


def revoke_profile(state: SimulatorState, profile: MailboxProfile) -> None:
    """The application gave up this profile: its calendars are gone from the account."""
    profile.mailbox.profiles.remove(profile)
    profile.account.profiles.remove(profile)
    for binding in profile.bindings:
        binding.calendar.bindings.remove(binding)
        state.bindings.pop(binding.calendar_id, None)
        profile.account.bindings.pop(binding.calendar_id, None)


def provider_names(mailbox: Mailbox) -> tuple[str, str]:
    """provider_name and provider_service (CRONOFY.md C11)."""
    return PROVIDER_KINDS[mailbox.provider][:2]
