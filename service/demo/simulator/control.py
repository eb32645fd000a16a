"""``/_control``, for this machine alone: the switches, the people, their calendars, time, what arrived."""

import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.demo.simulator.calendars.owner import OwnerError
from service.demo.simulator.faults import UnknownFaultError
from service.demo.simulator.model import AcceptedWrite, CalendarBinding, Mailbox
from service.demo.simulator.routing import Endpoint, route
from service.demo.simulator.state import Json
from service.demo.simulator.world import SimulatedWorld

ControlVerb = Callable[[SimulatedWorld, Request, Json], Any]
_NOT_FOUND, _INVALID = 404, 422


def control_routes(world: SimulatedWorld) -> Iterator[Route]:
    """Each verb once; its Python form is a method of SimulatedWorld."""
    endpoints = [(method, path, _endpoint(world, verb)) for method, path, verb in _VERBS]
    for method, path, endpoint in [*endpoints, ("POST", "/advance", _advance(world))]:
        yield route(f"/_control{path}", _for_this_machine(endpoint), methods=(method,))


def _for_this_machine(endpoint: Endpoint) -> Endpoint:
    async def near(request: Request) -> Response:
        _refuse_others(request)
        return await endpoint(request)

    return near


def _refuse_others(request: Request) -> None:
    """404 for others, wherever it listens, and for a page of another site in a browser that runs here.

    Whoever owns a name may have it lead here, so that such a page is of the same site as this one.
    """
    try:
        asked = urlsplit(f"//{request.headers.get('Host', '')}")
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != asked.netloc
        ours = _is_nobodys(asked.hostname or "") and not foreign
    except ValueError:
        ours = False
    if not ours or request.client is None or not _is_loopback(request.client.host):
        raise HTTPException(_NOT_FOUND)


def _is_nobodys(host: str) -> bool:
    """An address of this machine, or a name that nobody on the Internet can own (RFC 6761)."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return bool(host) and ("." not in host or host.endswith((".localhost", ".test")))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _endpoint(world: SimulatedWorld, verb: ControlVerb) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        world.catch_up()
        try:
            given = json.loads(body) if body else {}
            return _shown(verb(world, request, given))
        except (UnknownFaultError, OwnerError, ValueError, TypeError) as error:
            return _shown({"error": str(error)}, _INVALID)
        except LookupError as error:
            return _shown({"error": str(error)}, _NOT_FOUND)

    return endpoint


def _advance(world: SimulatedWorld) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            await world.advance(float((await request.json())["seconds"]))
        except (KeyError, ValueError, LookupError) as error:
            return _shown({"error": str(error)}, _INVALID)
        return _shown({"now": world.clock.now()})

    return endpoint


def _shown(found: Any, status: int = 200) -> Response:
    return Response(json.dumps(found), status, media_type="application/json")


# The switches

_STATES: dict[str, tuple[Callable[[SimulatedWorld, str], None], Callable[[SimulatedWorld, str], None]]] = {
    "disconnected": (SimulatedWorld.disconnect, SimulatedWorld.reconnect),
    "initial_sync_required": (SimulatedWorld.start_initial_sync, SimulatedWorld.finish_initial_sync),
    "read_only": (SimulatedWorld.set_read_only, lambda world, key: world.set_read_only(key, False)),
    "missing": (SimulatedWorld.set_missing, lambda world, key: world.set_missing(key, False)),
}


def _show_faults(world: SimulatedWorld, _: Request, __: Json) -> Json:
    return {**world.faults.as_json(), **_states(world)}


def _states(world: SimulatedWorld) -> Json:
    profiles = [profile for mailbox in world.mailboxes.values() for profile in mailbox.profiles]
    calendars = world.calendars.values()
    return {
        "disconnected": [p.profile_id for p in profiles if not p.connected],
        "initial_sync_required": [p.profile_id for p in profiles if p.syncing],
        "read_only": [calendar.key for calendar in calendars if calendar.read_only],
        "missing": [calendar.key for calendar in calendars if calendar.deleted],
    }


def _set_faults(world: SimulatedWorld, request: Request, given: Json) -> Json:
    """Switches by name; the states as whole lists of ids or e-mail addresses; two verbs."""
    states = {name: given.pop(name) for name in _STATES if name in given}
    revoked = given.pop("revoke", [])
    expire = given.pop("expire_access_tokens", False)
    world.faults.change(**given)
    for name, wanted in states.items():
        _set_state(world, name, wanted)
    for key in revoked:
        world.revoke(key)
    if expire:
        world.expire_access_tokens()
    return _show_faults(world, request, given)


def _set_state(world: SimulatedWorld, name: str, wanted: list[str]) -> None:
    begin, end = _STATES[name]
    now = set(_states(world)[name])
    named = {key: _identities(world, name, key) for key in wanted}
    for known in now - set().union(*named.values()):
        end(world, known)
    for key, identities in named.items():
        if not identities <= now:
            begin(world, key)


def _identities(world: SimulatedWorld, name: str, key: str) -> set[str]:
    if name in {"read_only", "missing"}:
        return {world.calendar(key).key}
    return {profile.profile_id for profile in world.profiles(key)}


def _clear_faults(world: SimulatedWorld, request: Request, given: Json) -> Json:
    """The switches and the states; what was revoked stays revoked."""
    world.faults.clear()
    for name in _STATES:
        _set_state(world, name, [])
    return _show_faults(world, request, given)


# People


def _list_accounts(world: SimulatedWorld, _: Request, __: Json) -> Json:
    return {"accounts": [_person(mailbox) for mailbox in world.mailboxes.values()]}


def _person(mailbox: Mailbox) -> Json:
    return {
        "provider": mailbox.provider,
        "email": mailbox.email,
        "name": mailbox.name,
        "zone": mailbox.zone,
        "calendars": [
            {
                "key": calendar.key,
                "name": calendar.name,
                "primary": calendar.primary,
                "read_only": calendar.read_only,
                "deleted": calendar.deleted,
                "events": len(calendar.events),
                "calendar_ids": [binding.calendar_id for binding in calendar.bindings],
            }
            for calendar in mailbox.calendars.values()
        ],
        "linked": [
            {
                "client_id": profile.account.application.client_id,
                "account_id": profile.account.account_id,
                "profile_id": profile.profile_id,
                "connected": profile.connected,
                "revoked": profile.account.revoked,
                "erased": profile.account.erased,
                "channels": [channel.as_json() for channel in profile.account.channels.values()],
                "calendars": [_bound(binding) for binding in profile.bindings],
            }
            for profile in mailbox.profiles
        ],
    }


def _bound(binding: CalendarBinding) -> Json:
    return {
        "calendar_id": binding.calendar_id,
        "name": binding.calendar.name,
        "permission_level": binding.permission,
    }


def _add_account(world: SimulatedWorld, _: Request, given: Json) -> Json:
    return _person(world.add_mailbox(**given))


def _link(world: SimulatedWorld, request: Request, given: Json) -> Json:
    linked = world.link(request.path_params["email"], **given)
    return {
        "account_id": linked.account.account_id,
        "access_token": linked.access_token,
        "refresh_token": linked.refresh_token,
        "calendar_ids": linked.calendar_ids,
    }


def _to_account(verb: Callable[[SimulatedWorld, str], None]) -> ControlVerb:
    def act(world: SimulatedWorld, request: Request, _: Json) -> Json:
        verb(world, request.path_params["email"])
        return {}

    return act


def _add_application(world: SimulatedWorld, _: Request, given: Json) -> Json:
    application = world.add_application(given["client_id"], given["client_secrets"])
    return {"client_id": application.client_id, "secrets": len(application.secrets)}


# Calendars and events


def _list_events(world: SimulatedWorld, request: Request, _: Json) -> Json:
    return {"events": world.events(request.query_params["calendar_id"])}


def _add_event(world: SimulatedWorld, request: Request, given: Json) -> Json:
    return {"events": world.add_event(request.path_params["calendar_id"], **given)}


def _change_event(world: SimulatedWorld, request: Request, given: Json) -> Json:
    path = request.path_params
    return {"event": world.change_event(path["calendar_id"], path["key"], **given)}


def _delete_event(world: SimulatedWorld, request: Request, _: Json) -> Json:
    path = request.path_params
    series = request.query_params.get("series") == "true"
    world.delete_event(path["calendar_id"], path["key"], series=series)
    return {}


def _split_series(world: SimulatedWorld, request: Request, given: Json) -> Json:
    path = request.path_params
    return {"events": world.split_series(path["calendar_id"], path["key"], **given)}


def _restore_event(world: SimulatedWorld, request: Request, given: Json) -> Json:
    path = request.path_params
    return {"event": world.restore_event(path["calendar_id"], path["key"], **given)}


def _change_calendar(world: SimulatedWorld, request: Request, given: Json) -> Json:
    calendar_id = request.path_params["calendar_id"]
    calendar = world.calendar(calendar_id)
    calendar.name = given.get("name", calendar.name)
    calendar.read_only = given.get("read_only", calendar.read_only)
    calendar.deleted = given.get("deleted", calendar.deleted)
    if "permission_level" in given:
        world.set_permission(calendar_id, given["permission_level"])
    return {"name": calendar.name, "read_only": calendar.read_only, "deleted": calendar.deleted}


def _share_calendar(world: SimulatedWorld, request: Request, given: Json) -> Json:
    world.share_calendar(request.path_params["calendar_id"], given["email"])
    return {}


# What arrived


def _requests(world: SimulatedWorld, _: Request, __: Json) -> Json:
    return {"requests": list(world.log.requests)}


def _writes(world: SimulatedWorld, request: Request, _: Json) -> Json:
    """Accepted writes in the order of their arrival; ``key`` picks one event's."""
    key = request.query_params.get("key")
    return {"writes": [_write(write) for write in world.log.writes if key in {None, write.key}]}


def _write(write: AcceptedWrite) -> Json:
    return {
        "at": write.at,
        "kind": write.kind,
        "account": write.binding.profile.account.account_id,
        "calendar_id": write.binding.calendar_id,
        "key": write.key,
        "data": write.data,
    }


def _notices(world: SimulatedWorld, _: Request, __: Json) -> Json:
    return {"notices": list(world.log.notices)}


def _stats(world: SimulatedWorld, _: Request, __: Json) -> Json:
    return world.stats()


def _forget(world: SimulatedWorld, _: Request, __: Json) -> Json:
    world.log.clear()
    return {}


_EVENT = "/calendars/{calendar_id}/events/{key}"
_VERBS: list[tuple[str, str, ControlVerb]] = [
    ("GET", "/faults", _show_faults),
    ("POST", "/faults", _set_faults),
    ("DELETE", "/faults", _clear_faults),
    ("GET", "/accounts", _list_accounts),
    ("POST", "/accounts", _add_account),
    ("POST", "/accounts/{email}/link", _link),
    ("POST", "/accounts/{email}/disconnect", _to_account(SimulatedWorld.disconnect)),
    ("POST", "/accounts/{email}/reconnect", _to_account(SimulatedWorld.reconnect)),
    ("POST", "/accounts/{email}/revoke", _to_account(SimulatedWorld.revoke)),
    ("POST", "/accounts/{email}/request-erasure", _to_account(SimulatedWorld.request_erasure)),
    ("POST", "/accounts/{email}/expire-access-tokens", _to_account(SimulatedWorld.expire_access_tokens)),
    ("POST", "/applications", _add_application),
    ("GET", "/events", _list_events),
    ("POST", "/calendars/{calendar_id}/events", _add_event),
    ("PUT", _EVENT, _change_event),
    ("DELETE", _EVENT, _delete_event),
    ("POST", f"{_EVENT}/split", _split_series),
    ("POST", f"{_EVENT}/restore", _restore_event),
    ("PUT", "/calendars/{calendar_id}", _change_calendar),
    ("POST", "/calendars/{calendar_id}/share", _share_calendar),
    ("GET", "/requests", _requests),
    ("DELETE", "/requests", _forget),
    ("GET", "/writes", _writes),
    ("GET", "/notices", _notices),
    ("GET", "/stats", _stats),
]
