"""Whatever is asked, in whatever form: an answer that says what is wrong, never a fault of ours (R43)."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Scope

from contracts.envelope import LARGEST_BODY
from tests.support.office import HERE, Office, open_office
from tests.support.pages import BROWSER
from tests.support.routes import addresses

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
LONG = "9" * 500
PARAMETERS = (
    "limit", "after", "from", "to", "user_id", "month", "day", "key", "view", "notice", "trigger", "since",
    "code", "queue", "q", "state", "group", "copies", "rehearse", "token", "next", "error", "expect",
    "reconnect", "integration", "reason", "outcome", "letter", "complaint",
)  # fmt: skip
ODD_VALUES = (
    "%00", "%ff", "%ED%A0%80", "%F0%9F%98%80", "%E2%80%AE", "-1", "0", LONG, "1e308", "NaN", "null", "[]",
    "9999-12-31", "0001-01-01", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "2026-13",
    "%D9%A2%D9%A0%D9%A2%D9%A6-%D9%A1%D9%A2", "", "+",
    "9999999999~0192e4c1-7a00-7000-8000-0000000000aa", "%", "%zz",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Oddity:
    """What is odd about a request."""

    query: bytes = b""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


QUERIES = [
    "&".join(f"{name}=1&{name}=2" for name in PARAMETERS),
    *("&".join(f"{name}={value}" for name in PARAMETERS) for value in ODD_VALUES),
    "%ff=%fe&%00=%00", "&&&=;=&", "a" * 4_000, "&".join("a=1" for _ in range(2_000)),
]  # fmt: skip
BODIES = {
    "nothing": Oddity(headers=JSON),
    "no JSON": Oddity(body=b"{", headers=JSON),
    "no object": Oddity(body=b"[1]", headers=JSON),
    "null": Oddity(body=b"null", headers=JSON),
    "nested": Oddity(body=b"[" * 100_000, headers=JSON),
    "nested objects": Oddity(body=b'{"a":' * 40_000, headers=JSON),
    "nested and whole": Oddity(body=b'{"title":' + b"[" * 900 + b"]" * 900 + b"}", headers=JSON),
    "not a number": Oddity(body=b'{"title":NaN,"rate":Infinity,"expect":-Infinity}', headers=JSON),
    "a long number": Oddity(body=b'{"expect":' + b"9" * 5_000 + b',"rate":1e999}', headers=JSON),
    "no text": Oddity(body=b'{"title":"\xff\xfe"}', headers=JSON),
    "half a pair": Oddity(body=rb'{"title":"\ud800","reason":"\udfff","data":{"\ud800":1}}', headers=JSON),
    "zero": Oddity(body=rb'{"title":"\u0000","reason":"\u0000"}', headers=JSON),
    "twice": Oddity(body=b'{"title":"a","title":[],"answer":"keep","answer":1}', headers=JSON),
    "many names": Oddity(body=json.dumps({f"n{n}": n for n in range(9_000)}).encode(), headers=JSON),
    "too large": Oddity(body=b'"' + b"x" * LARGEST_BODY + b'"', headers=JSON),
    "another coding": Oddity(body=b'{"title":"a"}'.decode().encode("utf-16"), headers=JSON),
    "no kind": Oddity(body=b'{"title":"a"}'),
    "an odd kind": Oddity(body=b"{}", headers={"Content-Type": "application/json; charset=klingon"}),
    "packed": Oddity(body=b"\x1f\x8b\x08", headers=JSON | {"Content-Encoding": "gzip"}),
    "form: bad escapes": Oddity(body=b"title=%zz%ff%00&=&&to", headers=FORM),
    "form: many fields": Oddity(body=b"&".join(b"a%d=" % n for n in range(20_000)), headers=FORM),
    "form: no names": Oddity(body=b"&" * 200_000, headers=FORM),
    "form: half a pair": Oddity(body=b"title=%ED%A0%80&description=%00&to=finish&seen=%00", headers=FORM),
    "multipart: no boundary": Oddity(body=b"x", headers={"Content-Type": "multipart/form-data"}),
    "multipart: broken": Oddity(body=b"--x\r\nContent-Disposition: nonsense\r\n\r\n1", headers=MULTIPART),
    "multipart: many": Oddity(
        body=b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(2_000))
        + b"--x--\r\n",
        headers=MULTIPART,
    ),
    "multipart: a file": Oddity(
        body=b'--x\r\nContent-Disposition: form-data; name="title"; filename="\xff"\r\n\r\n\x00\r\n--x--\r\n',
        headers=MULTIPART,
    ),
}
HEADERS = (
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer \xff\xfe"},
    {"Authorization": "Bearer " + "x" * 10_000},
    {"Authorization": "Basic eDp5"},
    {"Authorization": "Bearer a.b.c"},
    {"Cookie": "calendar_sync_session=\xff; =; ;;=" + "x" * 5_000},
    {"Cookie": "; ".join(f"c{n}=1" for n in range(2_000))},
    {"Accept": "\xff/\xff;q=x", "Origin": "null", "Sec-Fetch-Site": "x" * 1_000},
    {"Origin": "http://[::bad", "Cookie": "calendar_sync_session=x"},
    {"Host": "\xff"},
    {"X-CSRF-Token": "\xff"},
)


@pytest.fixture
async def unhurried(sqlite_url: str) -> AsyncIterator[Office]:
    """An operator who is signed in, and whose changes nobody counts."""
    async with open_office(sqlite_url) as office:
        office.count_no_changes()
        await office.sign_in("boss", role="operator")
        yield office


async def _ask(office: Office, method: str, path: str, odd: Oddity) -> httpx.Response:
    raw = path.encode() + (b"?" + odd.query if odd.query else b"")
    url = httpx.URL(HERE).copy_with(raw_path=raw)
    headers = [(name.encode(), value.encode("latin-1")) for name, value in odd.headers.items()]
    if "Accept" not in odd.headers and not path.startswith("/api/"):
        headers.append((b"Accept", b"text/html"))
    return await office.client.request(method, url, content=odd.body, headers=headers)


def _check(answer: httpx.Response, *told: object) -> None:
    assert answer.status_code < 500 or answer.status_code == 503, (*told, answer.status_code, answer.text)
    assert "Traceback" not in answer.text
    if answer.status_code >= 400:
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in {"application/problem+json", "text/html"}, (*told, kind)
        assert kind == "text/html" or answer.json()["detail"], told


async def test_r43_odd_queries_are_answered_on_every_route(unhurried: Office) -> None:
    for one in addresses(unhurried.app):
        if not one.unsafe:
            for query in QUERIES:
                _check(await _ask(unhurried, one.method, one.path, Oddity(query=query.encode())), one, query)


async def test_r43_odd_bodies_are_answered_on_every_route(unhurried: Office) -> None:
    for one in addresses(unhurried.app):
        if one.unsafe:
            for name, odd in BODIES.items():
                _check(await _ask(unhurried, one.method, one.path, odd), one, name)


@pytest.mark.parametrize("where", ["deletion:%00", "%00"])
async def test_r43_the_sign_that_no_database_keeps_is_refused_on_every_route(
    where: str, database_url: str
) -> None:
    """Whoever has what is asked about is asked about it."""
    query = "&".join(f"{name}={where}" for name in PARAMETERS)
    async with open_office(database_url) as office:
        office.count_no_changes()
        mine = await office.finished()
        await office.sign_in(role="operator")
        for one in addresses(office.app, {"integration_id": mine}):
            if not one.unsafe:
                answer = await _ask(office, one.method, one.path, Oddity(query=query.encode()))
                _check(answer, one)
            for odd in one.each_with(where):
                sent = Oddity(body=f"answer=link&to={where}".encode(), headers=FORM)
                _check(await _ask(office, odd.method, odd.path, sent), odd)


async def test_r43_odd_headers_are_answered_on_every_route(unhurried: Office) -> None:
    for one in addresses(unhurried.app):
        for headers in HEADERS:
            _check(await _ask(unhurried, one.method, one.path, Oddity(headers=headers)), one, headers)


@pytest.mark.parametrize(
    "odd", ["%00", "%ff", "%ED%A0%80", "..%2f..", "%2e%2e", "a" * 5_000, "%25", "%0d%0a", "%D9%A3"]
)
async def test_r43_odd_paths_are_answered_on_every_route(odd: str, unhurried: Office) -> None:
    for one in addresses(unhurried.app):
        for odd_one in one.each_with(odd):
            _check(await _ask(unhurried, one.method, odd_one.path, Oddity()), odd_one)


async def test_no_request_is_led_to_the_host_that_it_names(unhurried: Office) -> None:
    """A path with a stroke too many is no path of ours, and leads nowhere."""
    for path in ("/my-calendar/", "/calendar-sync/", "/api/v1/integrations/"):
        answer = await unhurried.client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code in {401, 404}, path
        assert "evil.example" not in answer.headers.get("Location", "")


async def test_r43_a_body_of_any_form_is_read_quickly(unhurried: Office) -> None:
    """A form of nothing but separators, or a message of nothing but brackets, holds nobody else up."""
    unhurried.client.headers.update(BROWSER)
    plain = Oddity(body=b"title=" + b"x" * 200_000, headers=FORM)
    usual = await _longest(unhurried, plain)
    for name, odd in BODIES.items():
        assert await _longest(unhurried, odd) < max(0.5, 20 * usual), name


async def _longest(office: Office, odd: Oddity) -> float:
    """The shortest of three, so that a busy machine does not count."""
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        await _ask(office, "POST", "/my-calendar/new", odd)
        taken.append(time.perf_counter() - began)
    return min(taken)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    body=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
    kind=st.sampled_from([*FORM.values(), *MULTIPART.values(), *JSON.values(), "", "text/plain", "a/b; c"]),
    query=st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), max_size=60).map(str.encode),
)
async def test_r43_any_bytes_are_answered(body: bytes, kind: str, query: bytes, unhurried: Office) -> None:
    """As they come from the wire, past what a client would mend."""
    for method, path in (
        ("POST", "/my-calendar/new"),
        ("GET", "/my-calendar"),
        ("POST", "/api/v1/my-calendar/items"),
    ):
        headers = [(b"content-type", kind.encode()), (b"accept", b"text/html"), (b"host", b"sync.test")]
        headers += [(name.lower().encode(), value.encode()) for name, value in unhurried.bearer().items()]
        told: list[Message] = []
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "path": path, "raw_path": path.encode(), "query_string": query, "headers": headers,
            "scheme": "http", "server": ("sync.test", 80), "client": ("127.0.0.1", 1), "root_path": "",
        }  # fmt: skip
        sent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive(sent: list[Message] = sent) -> Message:
            return sent.pop() if sent else {"type": "http.disconnect"}

        async def send(message: Message, told: list[Message] = told) -> None:
            told.append(message)

        await unhurried.app(scope, receive, send)
        assert told[0]["status"] < 500, (method, path)
