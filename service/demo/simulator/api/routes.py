"""What an application asks with an access token, except writes in batches."""

from service.demo.simulator.api import delegated, events, grants, rows
from service.demo.simulator.api.call import ApiCall
from service.demo.simulator.calendars import channels, linking, writes
from service.demo.simulator.calendars.checks import field_refused
from service.demo.simulator.calendars.scopes import allows
from service.demo.simulator.state import ApiAnswer, Json, PermissionRequest, SimulatorState

_NO_DUPLICATE_NAMES = {"exchange", "office365", "outlook_com"}
_LEVELS = {"sandbox", "unrestricted"}
_LONGEST_CALLBACK = 2048


def account(_: SimulatorState, call: ApiCall) -> ApiAnswer:
    who = call.who
    shown = {
        "account_id": who.account_id,
        "email": who.email,
        "name": who.name,
        "scope": who.scope,
        "default_tzid": who.zone,
    }
    return 200, {"account": shown}


def userinfo(_: SimulatorState, call: ApiCall) -> ApiAnswer:
    return 200, rows.userinfo_row(call.who, call.base_url)


def profiles(_: SimulatorState, call: ApiCall) -> ApiAnswer:
    return 200, {"profiles": [rows.profile_row(profile, call.base_url) for profile in call.who.profiles]}


def revoke_profile(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    for profile in call.who.profiles:
        if profile.profile_id == call.params["profile_id"]:
            linking.revoke_profile(state, profile)
            return 202, None
    return 404, None


def calendars(_: SimulatorState, call: ApiCall) -> ApiAnswer:
    """All calendars of all profiles; deleted ones stay listed."""
    listed = [rows.calendar_row(binding) for binding in call.who.bindings.values()]
    return 200, {"sub": call.who.account_id, "calendars": listed}


def create_calendar(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    if not allows(call.scope, "create_calendar"):
        return 403, None
    profile = next((p for p in call.who.profiles if p.profile_id == call.data.get("profile_id")), None)
    name = call.data.get("name")
    if profile is None:
        return 422, field_refused("profile_id", "errors.required")
    if not isinstance(name, str) or not name:
        return 422, field_refused("name", "errors.required")
    if not profile.connected:
        return 423, None
    taken = {calendar.name for calendar in profile.mailbox.calendars.values() if not calendar.deleted}
    if name in taken and profile.mailbox.provider in _NO_DUPLICATE_NAMES:
        return 422, field_refused("name", "errors.duplicate_calendar_name")
    calendar = linking.add_calendar(state, profile.mailbox, {"name": name, "primary": False})
    shown = rows.calendar_row(next(b for b in calendar.bindings if b.profile is profile))
    kept = list(shown)[: list(shown).index("calendar_deleted") + 1]
    return 200, {"calendar": {key: shown[key] for key in kept}}


def permissions(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    """Ask for elevated permission: the address to which the person is sent."""
    asked = call.data.get("permissions")
    known = call.who.bindings
    if not isinstance(asked, list) or not asked:
        return 422, field_refused("permissions", "errors.required")
    wanted = [(each.get("calendar_id"), each.get("permission_level")) for each in asked]
    if any(calendar_id not in known or level not in _LEVELS for calendar_id, level in wanted):
        return 422, field_refused("permissions", "errors.invalid")
    company = call.who.granted_by
    if company is not None and delegated.elevates(company):
        for calendar_id, level in wanted:
            known[calendar_id].permission = level
        return 200, {"permissions_request": {}}
    token = state.hex(32)
    state.permission_requests[token] = PermissionRequest(
        bindings=[(known[calendar_id], level) for calendar_id, level in wanted],
        redirect_uri=str(call.data.get("redirect_uri") or ""),
    )
    return 200, {"permissions_request": {"url": f"{call.base_url}/permissions/{token}"}}


def upsert(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    answer = writes.upsert(state, call.who, call.scope, call.params["calendar_id"], call.data)
    return _with_userinfo(call, answer)


def delete(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    answer = writes.remove(state, call.who, call.scope, call.params["calendar_id"], call.data)
    return _with_userinfo(call, answer)


def _with_userinfo(call: ApiCall, answer: ApiAnswer) -> ApiAnswer:
    if answer == (202, None) and call.data.get("include_userinfo") is True:
        return 202, {"userinfo": rows.userinfo_row(call.who, call.base_url)}
    return answer


def delete_all(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    """Everything, or some calendars; by the body or by the query, exactly one of the two."""
    everything = call.data.get("delete_all") is True or _asked(call, "delete_all").lower() == "true"
    calendar_ids = call.data.get("calendar_ids") or call.query.get("calendar_ids[]")
    if everything == bool(calendar_ids):
        return 422, field_refused("delete_all", "errors.invalid" if everything else "errors.required")
    return writes.remove_all(state, call.who, call.scope, calendar_ids)


def _asked(call: ApiCall, name: str) -> str:
    return call.query.get(name, [""])[-1]


def participate(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    calendar_id, uid = call.params["calendar_id"], call.params["event_uid"]
    return writes.participate(state, call.who, call.scope, calendar_id, uid=uid, data=call.data)


def read_events(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    return events.read_events(state, call.who, call.scope, call.query, call.base_url)


def read_free_busy(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    return events.read_free_busy(state, call.who, call.scope, call.query, call.base_url)


def next_page(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    return events.next_page(state, call.who, call.params["token"], call.base_url)


def create_channel(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    """The channel of exactly this form, old or new."""
    callback_url = call.data.get("callback_url")
    if not isinstance(callback_url, str) or not callback_url:
        return 422, field_refused("callback_url", "errors.required")
    if not callback_url.startswith(("http://", "https://")) or len(callback_url) > _LONGEST_CALLBACK:
        return 422, field_refused("callback_url", "errors.invalid")
    asked = call.data.get("filters") or {}
    calendar_ids = asked.get("calendar_ids")
    if calendar_ids is not None and not (calendar_ids and set(calendar_ids) <= set(call.who.bindings)):
        return 422, field_refused("filters.calendar_ids", "errors.invalid_calendar_ids")
    if len(call.who.channels) >= channels.MOST_CHANNELS:
        return 422, field_refused("callback_url", "errors.too_many")
    channel = channels.open_channel(state, call.who, callback_url, _told(asked))
    return 200, {"channel": channel.as_json()}


def _told(filters: Json) -> Json:
    """Only what is not the default (CRONOFY.md C40)."""
    return {name: filters[name] for name in ("calendar_ids", "only_managed") if filters.get(name)}


def list_channels(_: SimulatorState, call: ApiCall) -> ApiAnswer:
    return 200, {"channels": [channel.as_json() for channel in call.who.channels.values()]}


def close_channel(_: SimulatorState, call: ApiCall) -> ApiAnswer:
    channel = call.who.channels.get(call.params["channel_id"])
    if channel is None:
        return 404, None
    channels.close_channel(channel)
    return 202, None


def link_token(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    token = state.hex(32)
    state.link_tokens[token] = call.who
    return 200, {"link_token": token}


def application_calendar(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    application = grants.application_of(state, call.data)
    name = call.data.get("application_calendar_id")
    if not isinstance(name, str) or not name:
        return 422, field_refused("application_calendar_id", "errors.required")
    return 200, grants.application_calendar(state, application, name)


def service_account_authorizations(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    return delegated.authorise(state, call.who, call.data)


def token(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    """A code or a refresh token for an access token (CRONOFY.md C7, C8)."""
    application = grants.application_of(state, call.data)
    kind = call.data.get("grant_type")
    if kind == "authorization_code":
        return 200, grants.exchange_code(state, application, call.data)
    if kind == "refresh_token":
        return 200, grants.refresh(state, application, call.data)
    return 400, {"error": "unsupported_grant_type"}


def revoke_token(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    grants.revoke(state, grants.application_of(state, call.data), call.data)
    return 200, None
