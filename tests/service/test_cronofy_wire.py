"""What carries requests to Cronofy does what httpx's own way does, whatever the other side does (R31)."""

import asyncio
import gzip
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from contracts.errors import SyncError, Unanswered, Unavailable
from service.cronofy.statuses import exception_error
from service.cronofy.transport import open_client
from service.cronofy.wire import LONGEST_ANSWER_HEADER, NetworkWire, UnusableWire, proxy_of
from tests.support.http_servers import OK, SERVERS, Heard, Serve, answering, read_request, serving
from tests.support.servers import free_port
from tests.support.tls import sign

WIRES: Mapping[str, Callable[[str], httpx.AsyncBaseTransport]] = {
    "ours": NetworkWire,
    "httpx's own": lambda _: httpx.AsyncHTTPTransport(),
}
BODY = b'{"event_id": "vcs-1"}'
PACKED = gzip.compress(BODY)


async def _closes_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


SOUND_ANSWER = OK + b"Content-Length: 5\r\n\r\nstray"
BROKEN: Mapping[str, Serve] = {
    "closes at once": _closes_at_once,
    "reads and closes": answering(b"", ends=True),
    "resets": _resets,
    "says nothing": _says_nothing,
    "no HTTP": answering(b"hello you\r\n\r\n", ends=True),
    "half a head": answering(OK + b"Content-Le", ends=True),
    "less than was told": answering(OK + b"Content-Length: 50\r\n\r\nhalf", ends=True),
    "chunks that break off": answering(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", ends=True),
    "no chunk": answering(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n", ends=True),
    "a length that is none": answering(OK + b"Content-Length: much\r\n\r\nabc", ends=True),
    "no status": answering(b"HTTP/1.1 OK\r\n\r\n", ends=True),
}
SOUND: Mapping[str, bytes] = {
    "no body": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a length": OK + b"Content-Length: 5\r\n\r\n[1,2]",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n",
    "chunks with a trailer": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\nX-Sum: 1\r\n\r\n",
    "until the end": OK + b"Connection: close\r\n\r\n[1,2]",
    "packed": OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "another place": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "two cookies": OK + b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    "an older HTTP": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]",
    "go on first": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n[]",
    "letters of Latin-1": OK + b"X-Name: Gr\xfc\xdfe\r\nContent-Length: 0\r\n\r\n",
    "a refusal": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    "a status of one's own": b"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n",
}
PATHS = (
    "/v1/calendars/cal_a%2Fb/events",
    "/v1/calendars/cal%20one/events?tzid=Europe%2FBerlin&ids[]=a&ids[]=b+c",
    "/v1/events/pages/eyJh~._-=",
    "/v1/x?q=%E2%82%AC&empty=",
)


@asynccontextmanager
async def client(kind: str, port: int, *, scheme: str = "http") -> AsyncIterator[httpx.AsyncClient]:
    url = f"{scheme}://localhost:{port}"
    async with open_client(url, wire=WIRES[kind](url)) as http:
        http.timeout = httpx.Timeout(0.5)
        yield http


async def error_of(kind: str, port: int, *, scheme: str = "http", method: str = "POST") -> SyncError:
    """What a request there raises, as an error of ours."""
    async with client(kind, port, scheme=scheme) as http:
        with pytest.raises(httpx.HTTPError) as raised:
            await http.request(method, "/v1/batch", content=BODY)
    return exception_error(raised.value)


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
@pytest.mark.parametrize("behaviour", BROKEN)
async def test_what_may_have_arrived_is_unanswered_whatever_went_wrong(behaviour: str, method: str) -> None:
    """To take it for never sent would write an event twice, or forget that it was written (R31)."""
    async with serving(BROKEN[behaviour]) as port:
        errors = {kind: type(await error_of(kind, port, method=method)) for kind in WIRES}

    assert errors == dict.fromkeys(WIRES, Unanswered)


@pytest.mark.parametrize("kind", WIRES)
@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
async def test_a_request_is_sent_once_however_it_ends(method: str, kind: str) -> None:
    """A second sending would not be paid for (R32), and its failure would hide that the first one left."""
    heard = Heard()

    async def reads_and_is_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader, heard)
        SERVERS[writer.get_extra_info("sockname")[1]].close()  # nobody listens when the connection ends

    async with serving(reads_and_is_gone) as port:
        error = await error_of(kind, port, method=method)

    assert (type(error), len(heard.requests)) == (Unanswered, 1)


@pytest.mark.parametrize(
    "stray",
    [
        SOUND_ANSWER,
        b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"\r\n",
        b"x",
    ],
    ids=["another answer", "a farewell", "half a head", "an empty line", "a letter"],
)
@pytest.mark.parametrize("kind", WIRES)
async def test_what_was_not_asked_for_is_no_answer_to_the_next_request(kind: str, stray: bytes) -> None:
    """It may belong to another account, and a write that never happened would count as accepted."""
    heard, said = Heard(), asyncio.Event()

    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        await read_request(reader, heard)
        writer.write(b"HTTP/1.1 422 No\r\nContent-Length: 4\r\n\r\nreal")
        await writer.drain()
        await asyncio.sleep(0.02)  # the answer is read by then, and the connection idle
        writer.write(stray)
        await writer.drain()
        said.set()
        await read_request(reader, heard)
        writer.write(SOUND_ANSWER)

    async with serving(talkative) as port, client(kind, port) as http:
        await http.post("/v1/batch", content=BODY)
        await said.wait()
        await asyncio.sleep(0.05)  # the loop has read it by then
        answer = await http.post("/v1/batch", content=BODY)

    assert (answer.status_code, answer.text, heard.connections) == (422, "real", 2)


async def test_a_connection_that_ended_unheard_costs_no_request() -> None:
    """The other side's end has arrived, and a busy loop has not looked yet."""
    theirs: list[asyncio.StreamWriter] = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs.append(writer)
        await read_request(reader, Heard())
        writer.write(SOUND_ANSWER)
        await reader.read()

    async with serving(kept) as port, client("ours", port) as http:
        await http.post("/v1/batch", content=BODY)
        theirs[0].get_extra_info("socket").shutdown(socket.SHUT_WR)
        time.sleep(0.05)  # noqa: ASYNC251 -- it is the loop that is busy
        answer = await http.post("/v1/batch", content=BODY)

    assert (answer.status_code, len(theirs)) == (200, 2)


@pytest.mark.parametrize("rest", [b"xyz\r\nabc\r\n", b"3\r\nabcdef", b"0\r\nno trailer at all\r\n"])
async def test_a_body_that_turns_into_nonsense_ends_within_the_time_of_a_piece(rest: bytes) -> None:
    """No lane waits longer for it than for an answer."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader, Heard())
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(rest)
        await reader.read()

    async with serving(late) as port:
        async with asyncio.timeout(5):
            assert type(await error_of("ours", port)) is Unanswered


@pytest.mark.parametrize("kind", WIRES)
async def test_what_never_left_is_unavailable(kind: str, tmp_path: Path) -> None:
    """Nobody there, nobody who speaks TLS, and somebody whose certificate nobody trusts."""
    nobody = type(await error_of(kind, free_port()))
    async with serving(_closes_at_once) as port:
        plain = type(await error_of(kind, port, scheme="https"))
    signed = sign(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(signed.certificate, signed.key)
    async with serving(answering(SOUND["no body"]), tls=context) as port:
        stranger = type(await error_of(kind, port, scheme="https"))

    assert [nobody, plain, stranger] == [Unavailable] * 3


@pytest.mark.parametrize("behaviour", SOUND)
async def test_answers_are_read_alike(behaviour: str) -> None:
    """Status, headers in their order and number, and the body as it was before it was packed."""
    answers = {}
    async with serving(answering(SOUND[behaviour], ends=True)) as port:
        for kind in WIRES:
            async with client(kind, port) as http:
                answer = await http.get("/v1/userinfo")
                answers[kind] = (answer.status_code, answer.headers.multi_items(), answer.content)

    assert answers["ours"] == answers["httpx's own"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("method", "content"), [("GET", None), ("POST", BODY), ("POST", None), ("DELETE", BODY)]
)
async def test_the_same_is_asked(method: str, content: bytes | None, path: str) -> None:
    """The path as it was written, the same headers, none added and none doubled."""
    asked = {}
    for kind in WIRES:
        heard = Heard()
        async with serving(answering(SOUND["no body"], heard=heard)) as port, client(kind, port) as http:
            await http.request(method, path, content=content, headers={"Authorization": "Bearer one"})
        (line, headers, body) = heard.requests[0]
        asked[kind] = (line, {**headers, "host": headers["host"].split(":")[0]}, body)

    assert asked["ours"] == asked["httpx's own"]


async def test_connections_are_kept_and_a_closed_one_is_replaced() -> None:
    """Forty people's changes are not forty handshakes; what the other side has closed costs no event."""
    heard = Heard()
    async with serving(answering(SOUND["chunks"], heard=heard)) as port, client("ours", port) as http:
        for _ in range(5):
            await http.post("/v1/batch", content=BODY)
        assert heard.connections == 1

    heard = Heard()
    ending = answering(SOUND["a length"], heard=heard, ends=True)
    async with serving(ending) as port, client("ours", port) as http:
        for _ in range(3):
            await http.post("/v1/batch", content=BODY)
            await asyncio.sleep(0)
        assert heard.connections == 3


async def test_no_cookie_and_no_password_of_this_machine_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in ``~/.netrc`` would take the place of the account's token."""
    (tmp_path / "netrc").write_text("machine localhost login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    heard = Heard()
    url_of = "http://localhost:{}".format
    async with serving(answering(SOUND["two cookies"], heard=heard)) as port:
        wire = NetworkWire(url_of(port))
        for _ in range(2):
            request = httpx.Request("GET", url_of(port), headers={"Authorization": "Bearer one"})
            await (await wire.handle_async_request(request)).aread()
        await wire.aclose()

    assert [headers.get("cookie") for _, headers, _ in heard.requests] == [None, None]
    assert [headers["authorization"] for _, headers, _ in heard.requests] == ["Bearer one"] * 2


async def test_a_head_without_an_end_is_left() -> None:
    """Nobody's headers fill the memory (R43)."""
    endless = OK + b"X-Much: " + b"x" * 4 * LONGEST_ANSWER_HEADER + b"\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(endless, ends=True)) as port:
        assert type(await error_of("ours", port)) is Unanswered


async def test_a_caller_that_gives_up_leaves_no_connection_behind() -> None:
    """The answer to what was given up must not be taken for that to the next request."""
    late = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heard = Heard()
            await read_request(reader, heard)
            await late.wait()
            path = heard.requests[0][0].split()[1].encode()
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(path) + path)

    async with serving(slow) as port, client("ours", port) as http:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await http.get("/first")
        late.set()
        answer = await http.get("/second")

    assert answer.text == "/second"


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its name and password, as httpx's own way does; what is to go without it does (R33)."""
    heard = Heard()
    async with serving(answering(SOUND["no body"], heard=heard)) as port:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "cronofy.direct")
        async with open_client("http://cronofy.test") as http:
            await http.get("/v1/userinfo")

    (line, headers, _) = heard.requests[0]
    assert line == "GET http://cronofy.test/v1/userinfo HTTP/1.1"
    assert headers["proxy-authorization"].startswith("Basic ")
    assert proxy_of("http://cronofy.direct") is None


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("http://proxy.corp:3128", "http://proxy.corp:3128"),
        ("proxy.corp:3128", "http://proxy.corp:3128"),
        ("https://proxy.corp", "https://proxy.corp"),
        ("http://[fe80::1%25eth0]:3128", "http://[fe80::1%25eth0]:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("", None),
    ],
)
def test_a_proxy_is_understood_as_people_write_it(
    named: str, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many write it without a scheme; what is empty is none."""
    monkeypatch.setenv("https_proxy", named)

    assert proxy_of("https://api.cronofy.com") == found


@pytest.mark.parametrize(
    "named",
    [
        "socks5://proxy:1080",
        "ftp://proxy",
        "http://proxy:31x8",
        "http://:3128",
        "http://",
        "https://p:99999",
        "http://[::1",
        "http://proxy:0",
        "http://pro xy:3128",
        "http://a..b:1",
        f"http://{'a' * 300}:1",
        "http://pro%20xy:3128",
        "http://[fe80::1",
        "http://b\u20aczahler@proxy:3128",
    ],
)
def test_a_proxy_that_cannot_be_used_is_said_when_the_process_starts(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the name of the setting, and without the password that may stand in it."""
    monkeypatch.setenv("all_proxy", named.replace("://", "://me:secret@"))

    with pytest.raises(UnusableWire, match="ALL_PROXY must be the address of an HTTP proxy") as raised:
        open_client("https://api.cronofy.com")

    assert "secret" not in str(raised.value)


def test_certificates_that_cannot_be_read_are_said_when_the_process_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with each request, as something that may have been sent."""
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    for named in ("ca.pem", "nowhere.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / named))

        with pytest.raises(UnusableWire, match="SSL_CERT_FILE"):
            open_client("https://api.cronofy.com")


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_is_unavailable(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never let the request through."""
    refusal = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    async with serving(answering(refusal, ends=True)) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        async with open_client("https://cronofy.test") as http:
            with pytest.raises(httpx.ProxyError) as raised:
                await http.get("/v1/userinfo")

    assert type(exception_error(raised.value)) is Unavailable
