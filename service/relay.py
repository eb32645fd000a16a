"""Where Cronofy pushes its notices: checked, put on the broker, answered; nothing else."""

import asyncio
import json
import re
import secrets
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.envelope import OWN_SOURCE, NoticeReceived
from contracts.errors import SyncError
from contracts.fields import rfc3339
from contracts.messages import NOTICES_PATH
from contracts.ports import Clock, Outgoing, Publisher
from service.cronofy.callbacks import SIGNATURE_HEADER, BodyTooLarge, bounded_body, is_signed
from service.store.engine.ids import new_id
from service.telemetry.endpoints import ReadinessProbe, health_routes, nothing_wrong
from service.telemetry.logs import EventName
from service.telemetry.spans import SpanKind, doing, goes_on

LARGEST_NOTICE = 64 * 1024

CONFIRM_SECONDS = 4.0
"""Seconds for the broker's confirm; Cronofy counts five for the whole answer (CRONOFY.md C39)."""

RELAY_REFUSED: EventName = "relay.refused"
_ROUTE = f"{NOTICES_PATH}{{integration_id}}"
_WORD = re.compile(r"[a-z_]{1,64}")
log = structlog.get_logger(__name__)


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, because: str) -> None:
        super().__init__(because)
        self.status = status


class Relay:
    """Answers one notice after its message is confirmed; knows neither the store nor Cronofy."""

    def __init__(self, publisher: Publisher, secrets: Sequence[str], *, clock: Clock) -> None:
        if not secrets:
            raise ValueError("a relay without a secret would believe everyone")
        self._publisher = publisher
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._clock = clock

    async def receive(self, request: Request) -> Response:
        """Size, signature, form, address, publish: the first that fails is the answer."""
        with doing(f"POST {_ROUTE}", SpanKind.SERVE, method="POST", route=_ROUTE) as span:
            response = await self._answer(request, span.trace_id or secrets.token_hex(16))
            span.note(status=response.status_code)
        return response

    async def _answer(self, request: Request, trace_id: str) -> Response:
        try:
            body = await _body(request)
            self._verify(body, request.headers.getlist(SIGNATURE_HEADER))
            kind, notice = _notice(body)
            integration_id = _integration_id(request.path_params["integration_id"])
            await self._publish(self._message(integration_id, kind, notice, trace_id))
        except _Refused as refused:
            log.warning(RELAY_REFUSED, status=refused.status.value, reason=str(refused))
            return Response(status_code=refused.status, headers={"Connection": "close"})
        return Response(status_code=HTTPStatus.ACCEPTED)

    def _verify(self, body: bytes, headers: Sequence[str]) -> None:
        if not is_signed(self._secrets, body, headers):
            raise _Refused(HTTPStatus.UNAUTHORIZED, "the signature fits no active secret")

    def _message(self, integration_id: str, kind: str, notice: dict[str, Any], trace_id: str) -> Outgoing:
        """As received: what is odd inside is the consumer's to judge, where it can be kept and shown."""
        message_id, now = new_id(), rfc3339(self._clock.now())
        envelope = {
            "specversion": "1.0",
            "type": NoticeReceived.type_word(),
            "id": message_id,
            "source": OWN_SOURCE,
            "time": now,
            "datacontenttype": "application/json",
            "traceparent": goes_on(trace_id, message_id, kind="notice"),
            "data": {
                "integration_id": integration_id,
                "received_at": now,
                "notification": notice["notification"],
                "channel": notice.get("channel") or {},
            },
        }
        return Outgoing(
            exchange=NoticeReceived.exchange,
            routing_key=kind if _WORD.fullmatch(kind) else "unknown",
            body=_encoded(envelope),
            message_id=message_id,
        )

    async def _publish(self, message: Outgoing) -> None:
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._publisher.publish(message)
        except (SyncError, TimeoutError) as error:
            because = f"the broker did not confirm: {type(error).__name__}"
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, because) from error


def relay_routes(publisher: Publisher, secrets: Sequence[str], *, clock: Clock) -> list[Route]:
    """The notices' address, to stand alone or beside the pages."""
    relay = Relay(publisher, secrets, clock=clock)
    return [Route(_ROUTE, relay.receive, methods=["POST"])]


def relay_app(
    publisher: Publisher,
    secrets: Sequence[str],
    *,
    clock: Clock,
    because: ReadinessProbe = nothing_wrong,
    private: bool = True,
) -> Starlette:
    """The relay as a process of its own; ``because`` names what keeps it from being ready.

    ``private``: that, and metrics, may be shown to whoever reaches it.
    """
    health = health_routes(because, private=private)
    return Starlette(routes=[*relay_routes(publisher, secrets, clock=clock), *health])


async def _body(request: Request) -> bytes:
    try:
        return await bounded_body(request, LARGEST_NOTICE)
    except BodyTooLarge as error:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large") from error
    except ClientDisconnect as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body broke off") from error


def _notice(body: bytes) -> tuple[str, dict[str, Any]]:
    """The notification's type and the whole object; unknown types are as good as known ones."""
    try:
        notice = json.loads(body)
        kind = notice["notification"]["type"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body is no notification") from error
    if not isinstance(kind, str) or not kind:
        raise _Refused(HTTPStatus.BAD_REQUEST, "notification.type is no text")
    return kind, notice


def _encoded(envelope: dict[str, Any]) -> bytes:
    """The envelope is deeper than the notice in it, which could just be read."""
    try:
        return json.dumps(envelope).encode()
    except RecursionError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body is nested too deeply") from error


def _integration_id(text: str) -> str:
    try:
        known = str(uuid.UUID(text))
    except ValueError:
        known = ""
    if known != text.lower():
        raise _Refused(HTTPStatus.NOT_FOUND, "the address names no integration")
    return known
