"""Every route and verb against everybody: what is not yours is not there, and stays as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import delete, event
from sqlalchemy.engine import Engine

from service.store.tables import changes_made, metadata
from tests.support.known_things import known_things
from tests.support.office import Office
from tests.support.pages import BROWSER, Browser
from tests.support.route_matrix import (
    API,
    BY_SIGNATURE,
    ITEM,
    LAST,
    MAY,
    NOT_SIGNED_IN,
    OF_ITS_OWN_TOKEN,
    PEOPLE,
    PLACES,
    STANDING,
    KnownThings,
    PersonAtTheDoor,
    each_place,
    routes_of,
    taken_in,
)

PUBLIC = {"{tab}", "{verb}", "{page:path}", "{picture}", "{schema}"}
"""Words of closed sets, which are nobody's."""
REFUSED = {401, 403, 404, 405}
UNKNOWN_VERBS = ("HEAD", "OPTIONS", "TRACE", "CONNECT", "GET", "POST", "PUT", "PATCH", "DELETE", "BREW")
NOT_OURS_TO_KEEP = {"used_tokens", "sessions", "revocations", "leases", "changes_made"}
"""Tables that being signed in and changing nothing change."""


@pytest.fixture
async def things(office: Office) -> KnownThings:
    return await known_things(office)


def elsewhere(things: KnownThings) -> KnownThings:
    """The same with ids that nobody has."""
    letter_id, other = things.ids["{letter_id}"], str(uuid4())
    ids = {name: known if name in PUBLIC else str(uuid4()) for name, known in things.ids.items()}
    ids |= {"{letter_id}": other, "{key:path}": f"appointment:{uuid4()}"}
    moved = {
        end: {name: [other] if value == [letter_id] else other if value == letter_id else value
              for name, value in body.items()}
        for end, body in things.forms.items()
    }  # fmt: skip
    return KnownThings(ids=ids, forms=moved)


class Knocking:
    """One person at every door, by Bearer at the API and by cookie at the pages."""

    def __init__(self, office: Office, who: PersonAtTheDoor) -> None:
        self._office, self._who = office, who
        self._form_token = "0" * 64
        self._client = office.client

    async def sign_in(self) -> None:
        who, office = self._who, self._office
        self._client.cookies.clear()
        if who.credentials == "good":
            await office.sign_in(who.user, who.tenant, role=who.role)
            page = await Browser(client=self._client).open("/my-calendar/new")
            self._form_token = page.forms[0].fields["csrf_token"]
        elif who.credentials != "none":
            self._client.cookies.set("calendar_sync_session", self._token())

    def _token(self) -> str:
        if self._who.credentials == "garbage":
            return "a.b.c"
        ahead = -1 if self._who.credentials == "expired" else 300
        return self._office.token(
            self._who.user, self._who.tenant, role=self._who.role,
            exp=self._office.clock.now().timestamp() + ahead,
        )  # fmt: skip

    async def knock(self, verb: str, path: str, things: KnownThings) -> httpx.Response:
        await self._forget_haste()
        address, body = things.address(path), things.body(path)
        if path.startswith("/api/"):
            kept, headers = self._client.cookies, {}
            self._client.cookies = httpx.Cookies()
            if self._who.credentials != "none":
                headers = {"Authorization": f"Bearer {self._token()}"}
            try:
                return await self._client.request(verb, address, json=body, headers=headers)
            finally:
                self._client.cookies = kept
        sent = {"csrf_token": self._form_token, **(body or {})} if verb == "POST" else None
        return await self._client.request(verb, address, data=sent, headers=BROWSER)

    async def _forget_haste(self) -> None:
        """Nobody is told to slow down here, and each request is a person's first change (R43)."""
        async with self._office.store.begin() as connection:
            await connection.execute(delete(changes_made))


async def everything(office: Office, *but: str) -> dict[str, list[Any]]:
    """All that is kept, of whomever."""
    kept = [table for name, table in metadata.tables.items() if name not in {*NOT_OURS_TO_KEEP, *but}]
    return {table.name: sorted(map(str, await office.rows(table))) for table in kept}


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    said: list[str] = []

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def test_every_route_has_its_place(office: Office) -> None:
    """A new one fails here until somebody has said whom it serves."""
    assert {f"{verb} {path}" for verb, path in routes_of(office.app)} == set(PLACES)


@pytest.mark.parametrize("name", PEOPLE)
async def test_r43_what_is_not_yours_is_not_there_on_any_route(
    name: str, office: Office, things: KnownThings
) -> None:
    """401 without a session, 404 with one; the same words and work as for what does not exist."""
    visitor = Knocking(office, PEOPLE[name])
    await visitor.sign_in()
    nowhere, nonsense = elsewhere(things), KnownThings(ids=dict.fromkeys(things.ids, "x"), forms=things.forms)
    before, asked = await everything(office), len(office.wire.asked)

    for verb, path, place in each_place():
        if name in MAY[place]:
            continue
        with counted_statements() as here:
            answer = await visitor.knock(verb, path, things)
        with counted_statements() as there:
            other = await visitor.knock(verb, path, nowhere)

        assert answer.status_code == (401 if name in NOT_SIGNED_IN else 404), (verb, path, answer.text)
        odd = await visitor.knock(verb, path, nonsense)
        assert answer.status_code == other.status_code, (verb, path)
        assert odd.status_code in {answer.status_code, 404}, (verb, path)
        assert told(answer, things) == told(other, nowhere), (verb, path)
        assert len(here) == len(there), (verb, path, here, there)

    assert await everything(office) == before
    assert len(office.wire.asked) == asked


def told(answer: httpx.Response, things: KnownThings) -> tuple[str, list[str]]:
    """What can be learned from an answer: its text but for the ids that were asked for, and its headers."""
    text = answer.text
    for name in ("{integration_id}", "{run}", "{letter_id}", "{key:path}", "{consent_id}"):
        text = text.replace(things.ids[name], name)
    return text, sorted(name for name in answer.headers if name != "content-length")


@pytest.mark.parametrize("name", ["same id elsewhere", "colleague", "operator elsewhere", "administrator"])
async def test_r43_lists_for_everybody_show_nobody_elses(
    name: str, office: Office, things: KnownThings
) -> None:
    """Where a route serves everybody who is signed in, it serves them their own."""
    visitor = Knocking(office, PEOPLE[name])
    await visitor.sign_in()
    hidden = [ITEM["title"], things.ids["{letter_id}"]]
    if name != "administrator":
        hidden.append(things.ids["{integration_id}"])
    before = await everything(office, "consents", "company_calendars")  # everybody may ask for a permission

    for verb, path, place in each_place():
        if name in MAY[place] and verb == "GET" and "{" not in path:
            answer = await visitor.knock(verb, path, things)
            assert answer.status_code in {200, 303, 400, 401}, (path, answer.text)
            assert not [word for word in hidden if word in answer.text], (path, answer.text)

    assert await everything(office, "consents", "company_calendars") == before


async def test_r46_an_operator_elsewhere_moves_no_letter_by_any_form(
    office: Office, things: KnownThings
) -> None:
    """Forms over many letters answer politely and leave what is another tenant's."""
    visitor = Knocking(office, PEOPLE["operator elsewhere"])
    await visitor.sign_in()
    before = await everything(office)

    for verb, path, place in each_place():
        if place == STANDING and verb == "POST":
            answer = await visitor.knock(verb, path, things)
            assert answer.status_code in {200, 303}, (path, answer.text)

    assert await everything(office) == before


@pytest.mark.parametrize("name", ["owner", "administrator", "operator"])
async def test_r43_whom_a_route_serves_is_let_in(name: str, office: Office, things: KnownThings) -> None:
    """Else the refusals above would prove nothing."""
    visitor = Knocking(office, PEOPLE[name])
    await visitor.sign_in()
    allowed = [(verb, path) for verb, path, place in each_place() if name in MAY[place]]

    for verb, path in sorted(allowed, key=lambda one: _rank(*one)):
        if path in OF_ITS_OWN_TOKEN or verb == "DELETE":
            continue
        if _rank(verb, path):
            await visitor.sign_in()
        answer = await visitor.knock(verb, path, things)
        assert answer.status_code not in REFUSED | {500}, (verb, path, answer.status_code, answer.text)


def _rank(verb: str, path: str) -> int:
    """What ends things comes last."""
    found = [place for place, end in enumerate(LAST, start=1) if verb != "GET" and path.endswith(end)]
    return found[0] if found else 0


@pytest.mark.parametrize("path", [path for verb, path, _ in each_place() if verb == "DELETE"])
async def test_r43_the_owner_deletes(path: str, office: Office, things: KnownThings, owner: Knocking) -> None:
    """By the API; the pages' forms are among the above."""
    assert (await owner.knock("DELETE", path, things)).status_code in {202, 204}


@pytest.fixture
async def owner(office: Office, things: KnownThings) -> Knocking:
    visitor = Knocking(office, PEOPLE["owner"])
    await visitor.sign_in()
    return visitor


async def test_a_verb_that_a_route_does_not_have_does_nothing(
    office: Office, things: KnownThings, owner: Knocking
) -> None:
    """405 for the owner too, with the verbs that there are; nothing is echoed (TRACE)."""
    before = await everything(office)
    there = routes_of(office.app)
    heads = {"/healthz", "/readyz", "/metrics", "/static", f"{API}/openapi.json"}
    for path in sorted({path for _, path in there}):
        for verb in UNKNOWN_VERBS:
            if (verb, path) in there or taken_in(verb, path) in there or (verb == "HEAD" and path in heads):
                continue
            headers = {**BROWSER, "X-Echo": "hush-hush", "Authorization": office.bearer()["Authorization"]}
            answer = await office.client.request(verb, things.address(path), headers=headers)
            assert answer.status_code == 405, (verb, path, answer.status_code)
            assert "hush-hush" not in answer.text
    assert await everything(office) == before


async def test_a_form_from_anywhere_else_does_nothing(
    office: Office, things: KnownThings, owner: Knocking
) -> None:
    """CSRF: without a token, with a guess, with one of another session, or one in the address; by the
    owner's own cookie, on every form there is."""
    await owner.sign_in()
    old = owner._form_token
    await owner.sign_in()
    before = await everything(office)
    wrong: list[tuple[dict[str, str], str]] = [
        ({}, ""), ({"csrf_token": ""}, ""), ({"csrf_token": "0" * 64}, ""), ({"csrf_token": old}, ""),
        ({}, owner._form_token),
    ]  # fmt: skip
    for verb, path, place in each_place():
        if verb == "GET" or path.startswith("/api/") or "owner" not in MAY[place] or path in BY_SIGNATURE:
            continue
        for fields, in_address in wrong:
            address = things.address(path)
            if in_address:
                address += f"{'&' if '?' in address else '?'}csrf_token={in_address}"
            sent = {**(things.body(path) or {"title": "x", "start_day": "2026-12-03"}), **fields}
            answer = await office.client.request(verb, address, data=sent, headers=BROWSER)
            assert answer.status_code == 403, (verb, path, answer.status_code)
    assert await everything(office) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://sync.test.evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
    ],
)
async def test_another_sites_page_changes_nothing_by_the_api_with_the_visitors_cookie(
    office: Office, things: KnownThings, owner: Knocking, headers: dict[str, str]
) -> None:
    """CSRF at the API: a browser brings the cookie along, and says from where."""
    before = await everything(office)
    for verb, path, place in each_place():
        if verb == "GET" or not path.startswith("/api/") or "owner" not in MAY[place]:
            continue
        answer = await office.client.request(
            verb, things.address(path), json=things.body(path), headers=headers
        )
        assert answer.status_code in {403, 422}, (verb, path, answer.status_code)
    assert await everything(office) == before
