"""The way of a request: its arrival, the switches, who it is from, the limits, its answer, the log."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import httpx
from starlette.requests import Request
from starlette.responses import Response

from service.demo.simulator.api import grants
from service.demo.simulator.api.call import ApiCall, ApiHandler
from service.demo.simulator.api.contrary import belied
from service.demo.simulator.api.grants import GrantError
from service.demo.simulator.calendars.checks import field_refused
from service.demo.simulator.model import Account, Application
from service.demo.simulator.routing import Endpoint
from service.demo.simulator.state import ApiAnswer, Json, SimulatorState

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429
_CHALLENGES = {
    _UNAUTHORIZED: 'Bearer error="invalid_token"',
    _FORBIDDEN: 'Bearer error="insufficient_scope"',
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestTrouble:
    """What a switch does to one request."""

    status: int
    after_applying: bool = False
    headers: dict[str, str] | None = None
    dropped: bool = False


class DroppedConnection(Response):
    """The connection breaks in the middle of the answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """A server closes the connection when this is raised; in process the client sees it itself."""
        del scope, receive
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


def guarded(state: SimulatorState, handler: ApiHandler, *, open_to_all: bool = False) -> Endpoint:
    """The handler behind everything that each request goes through."""

    async def endpoint(request: Request) -> Response:
        call = await _read(state, request)
        if state.faults.latency_ms:
            await state.clock.sleep(state.faults.latency_ms / 1000)
        state.catch_up()
        return _respond(state, call, handler, open_to_all=open_to_all)

    return endpoint


async def _read(state: SimulatorState, request: Request) -> ApiCall:
    at = state.clock.now()
    body = await request.body()
    data = _decoded(body, request.headers.get("content-type", ""))
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return ApiCall(
        at=at,
        method=request.method,
        path=request.url.path,
        params=request.path_params,
        query=parse_qs(request.url.query, keep_blank_values=True),
        data=data if data is not None else {},
        readable=data is not None,
        base_url=state.public_url or str(request.base_url).rstrip("/"),
        token=token if scheme.lower() == "bearer" else "",
    )


def _decoded(body: bytes, content_type: str) -> Json | None:
    """JSON or a form (CRONOFY.md C1); nothing where it is neither."""
    if not body:
        return {}
    try:
        if "x-www-form-urlencoded" in content_type:
            return dict(parse_qsl(body.decode(), keep_blank_values=True))
        data = json.loads(body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _respond(state: SimulatorState, call: ApiCall, handler: ApiHandler, *, open_to_all: bool) -> Response:
    grant = grants.grant_of(state, call.token) if call.token else None
    if grant is not None:
        call.account, call.scope = grant.account, grant.scope
    trouble = _trouble(state, call)
    answer: ApiAnswer = (0, None)
    if trouble is None or trouble.after_applying:
        answer = belied(partial(_admitted, handler=handler, open_to_all=open_to_all))(state, call)
    if trouble is not None:
        answer = (trouble.status, None)
    _record(state, call, answer[0])
    if trouble is not None and trouble.dropped:
        return DroppedConnection()
    return _response(state, call, answer, (trouble and trouble.headers) or {})


def _trouble(state: SimulatorState, call: ApiCall) -> RequestTrouble | None:
    """The switch that hits this request, if any does."""
    faults = state.faults
    if state.chance.random() < _failing(state, call.account):
        return RequestTrouble(status=faults.error_status)
    if faults.only_accounts and not _targeted(faults.only_accounts, call.account):
        return None
    if faults.spend("next_drops") or state.chance.random() < faults.drop_ratio:
        return RequestTrouble(status=0, dropped=True, after_applying=faults.drop_after_applying)
    if faults.spend("next_429"):
        return RequestTrouble(status=_TOO_MANY, headers=_retry_after(state))
    if faults.spend("next_errors") or state.chance.random() < faults.error_ratio:
        return RequestTrouble(status=faults.error_status, after_applying=faults.error_after_applying)
    return None


def _failing(state: SimulatorState, account: Account | None) -> float:
    """The part of this account's requests that its provider lets fail; an account has one as a rule."""
    if account is None or not state.faults.failing_providers:
        return 0.0
    providers = [one.mailbox.provider for one in account.profiles]
    return max((state.faults.failing_providers.get(one, 0.0) for one in providers), default=0.0)


def _targeted(keys: list[str], account: Account | None) -> bool:
    return account is not None and (account.account_id in keys or account.email in keys)


def _retry_after(state: SimulatorState) -> dict[str, str]:
    seconds = state.faults.retry_after
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _admitted(state: SimulatorState, call: ApiCall, handler: ApiHandler, *, open_to_all: bool) -> ApiAnswer:
    if call.account is None and not open_to_all:
        return _UNAUTHORIZED, None
    if not _within_limits(state, call):
        return _TOO_MANY, None
    if not call.readable:
        return (
            (400, {"error": "invalid_request"})
            if open_to_all
            else (422, field_refused("body", "errors.invalid"))
        )
    try:
        return handler(state, call)
    except GrantError as error:
        return 400, {"error": str(error)}


def _application(state: SimulatorState, call: ApiCall) -> Application | None:
    if call.account is not None:
        return call.account.application
    return state.applications.get(str(call.data.get("client_id")))


def _within_limits(state: SimulatorState, call: ApiCall) -> bool:
    """Both limits of the application, over all its accounts; what is refused does not count."""
    application = _application(state, call)
    if application is None:
        return True
    faults, now = state.faults, state.clock.now()
    cost = call.entries if faults.batch_cost == "entry" else 1
    if not application.traffic.room(now, cost, faults.per_second, faults.per_minute):
        return False
    application.traffic.add(now, cost)
    return True


def _record(state: SimulatorState, call: ApiCall, status: int) -> None:
    state.log.statuses[status] = state.log.statuses.get(status, 0) + 1
    state.log.traffic.add(state.clock.now(), 1)
    state.log.requests.append(
        {
            "at": call.at,
            "account": call.account.account_id if call.account else None,
            "method": call.method,
            "path": call.path,
            "entries": call.entries,
            "status": status,
        },
    )


def _response(state: SimulatorState, call: ApiCall, answer: ApiAnswer, headers: dict[str, str]) -> Response:
    status, payload = answer
    if status in _CHALLENGES:
        headers["WWW-Authenticate"] = _CHALLENGES[status]
    if status == _TOO_MANY:
        headers.update(_retry_after(state))
    if call.path.startswith("/oauth/"):
        headers |= {"Cache-Control": "no-store", "Pragma": "no-cache"}
    body = b"" if payload is None else json.dumps(payload, separators=(",", ":")).encode()
    media_type = None if payload is None else "application/json; charset=utf-8"
    return Response(body, status, headers, media_type)
