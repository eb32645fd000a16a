"""Events and calendars in the form in which the API shows them (CRONOFY.md C11, C12, C32)."""

from dataclasses import dataclass

from service.demo.simulator.calendars.linking import provider_names
from service.demo.simulator.calendars.writes import options_of
from service.demo.simulator.model import Account, CachedEvent, CalendarBinding, MailboxProfile, ProviderEvent
from service.demo.simulator.state import Json, SimulatorState, is_managed
from service.demo.simulator.times import iso_time


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFormat:
    """How the reader wants events shown."""

    localized: bool = False
    geo: bool = False
    google_ids: bool = False


def event_row(state: SimulatorState, binding: CalendarBinding, row: CachedEvent, form: EventFormat) -> Json:
    event = row.event
    shown: Json = {
        "calendar_id": binding.calendar_id,
        "event_uid": event.uid,
        "summary": event.summary,
        "description": event.description,
        "start": event.start.localized() if form.localized else event.start.text(),
        "end": event.end.localized() if form.localized else event.end.text(),
        "deleted": event.deleted,
        "created": iso_time(event.created),
        "updated": iso_time(event.updated),
        "participation_status": event.participation_status,
        "attendees": list(event.attendees),
        "transparency": event.transparency,
        "status": event.status,
        "categories": list(event.categories),
        "recurring": event.series is not None,
        "event_private": event.private,
        "options": options_of(binding, event),
    }
    if is_managed(state, binding, row) and event.owner:
        shown["event_id"] = event.owner.event_id
    _add_optional(shown, binding, event, form)
    if event.deleted and state.faults.deleted_without_times:
        del shown["start"], shown["end"]
    return _sparse(shown) if state.faults.sparse_events else shown


def _add_optional(shown: Json, binding: CalendarBinding, event: ProviderEvent, form: EventFormat) -> None:
    if event.location:
        kept = {"description", "lat", "long"} if form.geo else {"description"}
        shown["location"] = {name: part for name, part in event.location.items() if name in kept}
    if event.organizer:
        shown["organizer"] = event.organizer
    if event.series:
        shown["series_identifier"] = event.series
    if event.extra.get("extended_transparency"):
        shown["extended_transparency"] = event.extra["extended_transparency"]
    if event.extra.get("url"):
        shown["meeting_url"] = event.extra["url"]
    if event.extra.get("conferencing"):
        shown["conferencing"] = event.extra["conferencing"]
    if form.google_ids and binding.calendar.mailbox.provider == "google":
        shown["google_event_id"] = event.uid.removeprefix("evt_external_")


_SAYS_NOTHING: Json = {
    "description": "",
    "transparency": "opaque",
    "status": "confirmed",
    "event_private": False,
    "recurring": False,
    "participation_status": "needs_action",
    "attendees": [],
    "categories": [],
}


def _sparse(shown: Json) -> Json:
    """Without the optional fields that say nothing, and with a nonsense date (CRONOFY.md C2, C3)."""
    shown["created"] = "0000-12-29T00:00:00Z"
    return {
        name: value
        for name, value in shown.items()
        if name not in _SAYS_NOTHING or value != _SAYS_NOTHING[name]
    }


def busy_row(
    binding: CalendarBinding, row: CachedEvent, *, localized: bool, ids: bool, managed: bool
) -> Json:
    """One period of a free/busy read."""
    event = row.event
    status = "tentative" if event.status == "tentative" else "busy"
    shown: Json = {
        "calendar_id": binding.calendar_id,
        "start": event.start.localized() if localized else event.start.text(),
        "end": event.end.localized() if localized else event.end.text(),
        "free_busy_status": "free" if event.transparency == "transparent" else status,
    }
    if event.deleted:
        shown["deleted"] = True
    if ids:
        shown["event_uid"] = event.uid
        if managed and event.owner:
            shown["event_id"] = event.owner.event_id
    return shown


def calendar_details(binding: CalendarBinding) -> Json:
    calendar = binding.calendar
    return {
        "calendar_id": binding.calendar_id,
        "calendar_name": calendar.name,
        "calendar_readonly": calendar.read_only,
        "calendar_deleted": calendar.deleted,
        "calendar_primary": calendar.primary and calendar.mailbox is binding.profile.mailbox,
        "calendar_integrated_conferencing_available": calendar.mailbox.provider != "icloud",
        "calendar_attachments_available": calendar.mailbox.provider != "icloud",
        "permission_level": binding.permission,
    }


def calendar_row(binding: CalendarBinding) -> Json:
    profile = binding.profile
    return {
        "provider_name": provider_names(profile.mailbox)[0],
        "profile_id": profile.profile_id,
        "profile_name": profile.mailbox.email,
        **calendar_details(binding),
    }


def profile_row(profile: MailboxProfile, base_url: str) -> Json:
    provider_name, provider_service = provider_names(profile.mailbox)
    shown: Json = {
        "provider_name": provider_name,
        "provider_service": provider_service,
        "profile_id": profile.profile_id,
        "profile_name": profile.mailbox.email,
        "profile_connected": profile.connected,
        "profile_initial_sync_required": profile.syncing,
    }
    if profile.mailbox.legacy:
        shown["provider_protocol"] = "exchange_web_services"
        shown["graph_api_migration_url"] = f"{base_url}/relink/{profile.profile_id}?protocol=graph_api"
    if not profile.connected:
        shown["profile_relink_url"] = f"{base_url}/relink/{profile.profile_id}"
    return shown


def userinfo_row(account: Account, base_url: str) -> Json:
    """OpenID's form, with Cronofy's own parts under keys with dots (CRONOFY.md C11)."""
    profiles = [
        {
            **profile_row(profile, base_url),
            "profile_calendars": [calendar_details(binding) for binding in profile.bindings],
        }
        for profile in account.profiles
    ]
    shown: Json = {
        "sub": account.account_id,
        "email": account.email,
        "name": account.name,
        "zoneinfo": account.zone,
        "cronofy.type": account.kind,
        "cronofy.data": {
            "authorization": {"scope": account.scope, "status": "active"},
            "profiles": profiles,
            "conferencing_profiles": [],
        },
    }
    if account.kind == "service_account":
        shown["cronofy.data"]["authorization"]["delegated_scope"] = account.delegated_scope
        shown["cronofy.data"]["service_account"] = {
            "provider_name": account.provider,
            "domain": account.email,
        }
    if account.application_calendar_id:
        shown["application_calendar_id"] = account.application_calendar_id
    return shown
