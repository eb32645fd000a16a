"""The relay: what is taken, what is refused with which status, and what ends on the broker."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.envelope import NoticeReceived, decode
from contracts.errors import Unavailable
from contracts.ports import Outgoing
from service.broker.memory import MemoryBroker
from service.relay import LARGEST_NOTICE, relay_app
from tests.support.clock import ManualClock

ID = "0192e4c1-7a00-7000-8000-0000000000aa"
DOCS = "CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID"
DOCS_SECOND = "CRN_nGlYDFXwfSXgB9rvGNBJyfE454GGPtWIbNuPwr"
EXAMPLE = b'{"example":"well-known"}'
VECTORS = [
    (DOCS, "5DxentQi5YSXODEzTVv06sRwJ3pULIz1KrYv20qxEK0="),
    (DOCS_SECOND, "BmQmWVuZ70ILWjr1CAt5oC7YOolgnku4WZtlrKfx/6k="),
    ("pDY0Oi7TJSP2hfNmZNkm5", "6r2/HjBkqymGegX0wOfifieeUXbbHwtV/LohHS+jv6c="),
    ("opposable thumbs", "38ArsN7+J/O8joGsgirVEdV16a/+eb+5QgHGIiuv4hk="),
    ("aPPwd-ASDFAsdfasdfasdfsadfasdfASDFSADF_asdfasdfasdf", "0g6bhIumRlRffctPXuASSl3u6AXOxnYRw+hiTp7IvTg="),
]
NEGATIVE = "PNNVJ9J2e8N174koxcKDzktZ9Qkt8YUzP+V+l5lG8F4="
CHANGE = {
    "notification": {"type": "change", "changes_since": "2026-08-26T09:24:16Z"},
    "channel": {"channel_id": "chn_1", "callback_url": "https://sync.example.com", "filters": {}},
}


class Recorder:
    """A publisher that remembers, or that never gets a confirm."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self.down = False

    async def publish(self, message: Outgoing) -> None:
        if self.down:
            raise Unavailable("the broker did not confirm")
        self.published.append(message)


@pytest.fixture
def broker() -> Recorder:
    return Recorder()


def client_of(broker: Recorder | MemoryBroker, *secrets: str) -> httpx.AsyncClient:
    app = relay_app(broker, secrets or ("one", "two"), clock=ManualClock())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://relay")


@pytest.fixture
async def client(broker: Recorder) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(broker) as opened:
        yield opened


def signature(body: bytes, secret: str = "one") -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


async def post(
    client: httpx.AsyncClient, body: bytes | object, *, to: str = ID, signed: str | None = None
) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Cronofy-HMAC-SHA256": signature(raw) if signed is None else signed}
    return await client.post(f"/cronofy/notices/{to}", content=raw, headers=headers)


async def test_a_notice_is_published_as_it_was_received_and_answered_202(
    client: httpx.AsyncClient, broker: Recorder
) -> None:
    """Exchange, routing key, envelope, empty answer."""
    answer = await post(client, CHANGE)
    assert (answer.status_code, answer.content) == (202, b"")
    (message,) = broker.published
    assert (message.exchange, message.routing_key, message.mandatory) == ("cronofy.notices", "change", True)
    notice = decode(message.body, expected=NoticeReceived)
    assert notice.id == message.message_id
    assert notice.source == "/calendar-sync"
    assert notice.data.integration_id == ID
    assert notice.data.notification == CHANGE["notification"]
    assert notice.data.channel == CHANGE["channel"]
    assert notice.data.received_at == ManualClock().now()


async def test_every_delivery_is_a_message_of_its_own(client: httpx.AsyncClient, broker: Recorder) -> None:
    """Two equal notices may announce two changes."""
    await post(client, CHANGE)
    await post(client, CHANGE)
    first, second = broker.published
    assert first.message_id != second.message_id
    traces = [decode(one.body, expected=NoticeReceived).trace_id for one in (first, second)]
    assert traces[0] != traces[1], "each begins a trace of its own"
    assert all(trace in str(one.body) for trace, one in zip(traces, broker.published, strict=True))


@pytest.mark.parametrize(("secret", "header"), VECTORS)
async def test_the_published_vectors_are_accepted(secret: str, header: str, broker: Recorder) -> None:
    """CRONOFY.md C38: a good signature reaches the next check, which the example's body fails."""
    async with client_of(broker, secret) as client:
        assert (await post(client, EXAMPLE, signed=header)).status_code == 400


async def test_any_active_secret_may_have_signed(broker: Recorder) -> None:
    """CRONOFY.md C38: one value per active secret, comma separated; ours may be a list as well."""
    both = ",".join(header for _, header in VECTORS[:2])
    for secrets in ([DOCS], [DOCS_SECOND], ["newer", DOCS_SECOND]):
        async with client_of(broker, *secrets) as client:
            assert (await post(client, EXAMPLE, signed=both)).status_code == 400


async def test_a_wrong_value_fails_alone_and_does_not_spoil_a_right_one(broker: Recorder) -> None:
    """CRONOFY.md C38, the negative vector."""
    secret, right = VECTORS[2]
    async with client_of(broker, secret) as client:
        assert (await post(client, EXAMPLE, signed=NEGATIVE)).status_code == 401
        assert (await post(client, EXAMPLE, signed=f"{NEGATIVE}, {right}")).status_code == 400


@pytest.mark.parametrize("signed", ["", ",", "nonsense", "é"])
async def test_a_missing_or_odd_signature_is_401(
    signed: str, client: httpx.AsyncClient, broker: Recorder
) -> None:
    """Nothing of it reaches the broker."""
    raw = json.dumps(CHANGE).encode()
    headers = httpx.Headers([(b"Cronofy-HMAC-SHA256", signed.encode("latin-1"))])
    assert (await client.post(f"/cronofy/notices/{ID}", content=raw, headers=headers)).status_code == 401
    assert (await client.post(f"/cronofy/notices/{ID}", content=raw)).status_code == 401
    assert broker.published == []


async def test_the_signature_is_over_the_raw_bytes(client: httpx.AsyncClient) -> None:
    """A body that only means the same is not the same."""
    raw = json.dumps(CHANGE).encode()
    assert (await post(client, raw + b" ", signed=signature(raw))).status_code == 401


async def test_a_body_over_64_kib_is_413_before_anything_else(client: httpx.AsyncClient) -> None:
    """The size comes first, told or found."""
    assert (await post(client, b"x" * (LARGEST_NOTICE + 1), to="nonsense", signed="")).status_code == 413
    largest = json.dumps(CHANGE).encode().ljust(LARGEST_NOTICE)
    assert (await post(client, largest)).status_code == 202


async def test_no_more_than_is_allowed_is_read(client: httpx.AsyncClient) -> None:
    """A sender who does not tell the size is stopped at the limit."""
    handed_out = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal handed_out
        for _ in range(64):
            handed_out += 1
            yield b"x" * 8192

    answer = await client.post(f"/cronofy/notices/{ID}", content=endless())
    assert answer.status_code == 413
    assert handed_out <= 10


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[" * 30_000,
        b"[]",
        b"null",
        b"{}",
        b'{"notification":null}',
        b'{"notification":[]}',
        b'{"notification":{}}',
        b'{"notification":{"type":7}}',
        b'{"notification":{"type":""}}',
        b"\xff\xfe",
    ],
)
async def test_what_is_no_notification_is_400(
    body: bytes, client: httpx.AsyncClient, broker: Recorder
) -> None:
    """Signed, and still unreadable."""
    assert (await post(client, body)).status_code == 400
    assert broker.published == []


async def test_r43_a_notice_is_read_or_refused_however_deep_it_is_nested(
    client: httpx.AsyncClient,
) -> None:
    """Also where it can just be read, and its message, which is deeper, could not be written."""
    for depth in range(700, 1000, 1):
        body = b'{"notification":{"type":"change","a":' + b"[" * depth + b"]" * depth + b"}}"
        assert (await post(client, body)).status_code in {202, 400}


async def test_r43_a_length_of_thousands_of_digits_is_413(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        f"/cronofy/notices/{ID}", content=b"{}", headers={"Content-Length": "9" * 5000}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("to", ["1", "not-a-uuid", ID + "0", ID.replace("-", ""), f"{{{ID}}}"])
async def test_an_address_without_an_integration_id_is_404(
    to: str, client: httpx.AsyncClient, broker: Recorder
) -> None:
    """After the form was found right."""
    assert (await post(client, CHANGE, to=to)).status_code == 404
    assert (await post(client, {}, to=to)).status_code == 400
    assert broker.published == []


async def test_a_broker_that_does_not_confirm_is_503(client: httpx.AsyncClient, broker: Recorder) -> None:
    """Cronofy sends it again."""
    broker.down = True
    assert (await post(client, CHANGE)).status_code == 503


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("verification", "verification"),
        ("brand_new", "brand_new"),
        ("Odd.Type", "unknown"),
        ("x" * 65, "unknown"),
    ],
)
async def test_unknown_types_are_acknowledged_and_routed(
    kind: str, key: str, client: httpx.AsyncClient, broker: Recorder
) -> None:
    """CRONOFY.md C41: ignore unknown types and still answer 2xx."""
    assert (await post(client, {"notification": {"type": kind}})).status_code == 202
    assert broker.published[0].routing_key == key


async def test_what_is_odd_inside_is_left_to_the_consumer(
    client: httpx.AsyncClient, broker: Recorder
) -> None:
    """Refusing it would close the channel after a day; as a message it becomes a dead letter to look at."""
    odd = {"notification": {"type": "change", "changes_since": "soon"}, "channel": {"x": "\ud800"}}
    assert (await post(client, odd)).status_code == 202
    assert json.loads(broker.published[0].body)["data"]["notification"] == odd["notification"]


async def test_the_notice_waits_in_the_inbound_queue() -> None:
    """Through the topology that is declared."""
    broker = MemoryBroker(clock=ManualClock())
    await broker.open()
    await broker.declare()
    async with client_of(broker) as client:
        await post(client, CHANGE)
    assert await broker.depth("calendar-sync.inbound") == 1
    await broker.close()


async def test_health_and_readiness_are_served(client: httpx.AsyncClient) -> None:
    """The forms of /healthz and /readyz."""
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).json() == {"ready": True, "because": []}
    assert b"calendar_sync" in (await client.get("/metrics")).content


async def test_a_relay_that_is_not_ready_says_why() -> None:
    async def because() -> list[str]:
        return ["broker"]

    app = relay_app(Recorder(), ["one"], clock=ManualClock(), because=because)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://relay") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "because": ["broker"]})
