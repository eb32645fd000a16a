"""Sessions: what the cookie and the store hold, how they end, and who may replace whom (R45)."""

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import pytest

from contracts.errors import Unavailable
from service.store.tables import sessions, used_tokens
from service.web.sessions import device_of
from service.web.tokens import SESSION_COOKIE
from tests.support.office import HERE, SECRET, Office, Unwritable, open_office
from tests.support.pages import BROWSER, Browser, ShownPage

LIST = "/api/v1/integrations"
OURS = "/api/v1/sessions"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"


async def enter(office: Office, token: str, **query: str) -> Any:
    return await office.client.get("/sign-in", params={"token": token, **query}, headers=BROWSER)


async def status(office: Office, cookie: str | None = None) -> int:
    headers = {} if cookie is None else {"Cookie": f"{SESSION_COOKIE}={cookie}"}
    if cookie is not None:
        office.client.cookies.clear()
    return (await office.client.get(LIST, headers=headers)).status_code


def cookie(office: Office) -> str:
    return str(office.client.cookies[SESSION_COOKIE])


async def second(office: Office, user: str = "u-17", **more: Any) -> str:
    """Another browser's session."""
    mine = dict(office.client.cookies)
    office.client.cookies.clear()
    await office.sign_in(user, **more)
    theirs = cookie(office)
    office.client.cookies.clear()
    office.client.cookies.update(mine)
    return theirs


class TestTheRow:
    async def test_r45_the_cookie_is_a_random_key_of_which_the_store_keeps_a_print(
        self, office: Office
    ) -> None:
        await office.sign_in(name="Sam", tz="Europe/Berlin", role="operator")
        key, (row,) = cookie(office), await office.rows(sessions)
        assert len(key) == 43
        assert row["key_hash"] == hashlib.sha256(key.encode()).hexdigest()
        assert key not in str(row)
        told = [row[name] for name in ("tenant_id", "user_id", "role", "name", "time_zone")]
        assert told == ["acme", "u-17", "operator", "Sam", "Europe/Berlin"]
        assert row["until"] - row["since"] == 12 * 3600
        assert "@" not in str(row)

    async def test_r45_every_sign_in_has_a_key_of_its_own_and_ends_the_session_that_was_there(
        self, office: Office
    ) -> None:
        """Nobody knows beforehand by which key another comes in."""
        await office.sign_in()
        before = cookie(office)
        await office.sign_in()
        assert cookie(office) != before
        assert len(await office.rows(sessions)) == 1
        assert await status(office, before) == 401

    async def test_a_planted_key_is_not_taken_over(self, office: Office) -> None:
        office.client.cookies.set(SESSION_COOKIE, "A" * 43)
        await office.sign_in()
        assert [one["key_hash"] for one in await office.rows(sessions)] != [
            hashlib.sha256(b"A" * 43).hexdigest()
        ]
        assert await status(office, "A" * 43) == 401

    async def test_last_seen_is_written_once_a_minute_at_most(self, office: Office) -> None:
        await office.sign_in()
        (begun,) = await office.rows(sessions)
        for seconds, later in ((59, 0), (1, 60), (59, 60), (1, 120)):
            await office.clock.pass_time(seconds)
            assert await status(office) == 200
            (row,) = await office.rows(sessions)
            assert row["seen_at"] - begun["since"] == later

    async def test_a_page_that_only_reads_is_shown_while_nothing_can_be_written(self, office: Office) -> None:
        await office.sign_in()
        await office.clock.pass_time(120)
        services = office.app.state.services
        services.sessions._store = Unwritable(office.store)
        assert await status(office) == 200

    async def test_without_a_database_nobody_is_taken_for_signed_out(self, office: Office) -> None:
        """503, as for every other thing that cannot be known now."""
        await office.sign_in()

        class Gone:
            def read(self) -> Any:
                raise Unavailable("the database is away")

        office.app.state.services.sessions._store = Gone()
        assert await status(office) == 503

    @pytest.mark.parametrize("old", ["a.b.c", "x" * 20_000, "A" * 42, "A" * 43, "Ä" * 43, ""])
    async def test_r45_what_is_no_key_of_ours_means_sign_in_again(self, old: str, sqlite_url: str) -> None:
        """Cookies of the version before, too: those were signed texts."""
        async with open_office(sqlite_url, vorex_url="https://vorex.example/") as office:
            laid = f"{SESSION_COOKIE}={old}".encode()
            told = await office.client.get(
                "/calendar-sync", headers=[(b"Accept", b"text/html"), (b"Cookie", laid)]
            )
            assert told.status_code == 401
            assert ShownPage(told).link("Sign in") == "https://vorex.example/"

    async def test_a_session_of_the_version_before_is_none(self, office: Office) -> None:
        claims = {"sub": "u-17", "tenant": "acme", "jti": "x", "exp": office.clock.now().timestamp() + 60}
        key = hashlib.sha256(b"whatever").digest()
        assert await status(office, jwt.encode(claims, key)) == 401

    @pytest.mark.parametrize(
        ("agent", "said"),
        [
            (FIREFOX, "Firefox on Windows"),
            (IPHONE, "Safari on iPhone"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/130 Safari/537", "Chrome on Mac"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/130 Safari/537 Edg/130", "Edge on Windows"),
            ("", "Another browser"),
            ("\x1b[31m<script>" + "x" * 100_000, "Another browser"),
        ],
    )
    def test_a_device_is_told_in_our_own_words(self, agent: str, said: str) -> None:
        assert device_of(agent) == said

    async def test_the_role_of_a_session_is_that_of_its_token(self, office: Office) -> None:
        await office.sign_in(role="operator")
        assert (await office.client.get("/api/v1/dead-letters")).status_code == 200
        await office.sign_in(role="user")
        assert (await office.client.get("/api/v1/dead-letters")).status_code == 404

    async def test_forms_and_drafts_of_another_session_are_worth_nothing(self, office: Office) -> None:
        await office.sign_in()
        sessions_of, passes = office.app.state.services.sessions, office.app.state.services.tokens
        one = await sessions_of.find(cookie(office))
        other = await sessions_of.find(await second(office))
        assert not passes.is_form_token(other.session, passes.form_token(one.session))
        assert not passes.is_draft_mark(other, "draft", passes.draft_mark(one, "draft"))
        assert passes.is_draft_mark(one, "draft", passes.draft_mark(one, "draft"))


class TestTheEnd:
    async def test_r45_signing_out_ends_this_session_alone_for_whoever_has_its_key(
        self, office: Office
    ) -> None:
        await office.sign_in()
        other, mine = await second(office), cookie(office)
        browser = Browser(client=office.client)
        form, _ = (await browser.open("/my-calendar")).form("Sign out")
        assert (form.method, form.action) == ("post", "/sign-out")
        answer = await office.client.post(form.action, data=form.fields)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/signed-out")
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
        assert "You are signed out" in (await browser.open("/signed-out")).words
        assert [await status(office, one) for one in (mine, other)] == [401, 200]

    async def test_the_page_leads_back_to_vorex(self, sqlite_url: str) -> None:
        async with open_office(sqlite_url, vorex_url="https://vorex.example/") as office:
            page = await Browser(client=office.client).open("/signed-out")
            assert page.link("Back to Vorex") == "https://vorex.example/"

    @pytest.mark.parametrize("path", ["/sign-out", "/sessions/end-all", "/sessions/x/end"])
    async def test_no_other_site_signs_anybody_out(self, path: str, office: Office) -> None:
        await office.sign_in()
        for form in ({}, {"csrf_token": "0" * 64}):
            assert (await office.client.post(path, data=form)).status_code == 403
        assert await status(office) == 200

    async def test_r45_everywhere_by_the_api_is_ones_own_everywhere_and_nobody_elses(
        self, office: Office
    ) -> None:
        await office.sign_in()
        mine, again, other = cookie(office), await second(office), await second(office, "u-22")
        foreign = await second(office, "u-17", tenant="other")
        office.client.cookies.clear()
        answer = await office.client.delete(OURS, headers=office.bearer())
        assert (answer.status_code, answer.content) == (204, b"")
        seen = [await status(office, one) for one in (mine, again, other, foreign)]
        assert seen == [401, 401, 200, 200]

    async def test_everywhere_by_the_cookie_needs_to_come_from_here(self, office: Office) -> None:
        await office.sign_in()
        foreign = {"Origin": "https://evil.example"}
        assert (await office.client.delete(OURS, headers=foreign)).status_code == 403
        assert (await office.client.delete(OURS, headers={"Origin": HERE})).status_code == 204
        assert await status(office) == 401
        assert (await office.client.delete(OURS)).status_code == 401

    async def test_the_page_of_devices_ends_one_and_all(self, office: Office) -> None:
        office.client.headers["User-Agent"] = IPHONE
        await office.sign_in()
        phone = cookie(office)
        office.client.cookies.clear()
        office.client.headers["User-Agent"] = FIREFOX
        await office.sign_in()
        mine, stranger = cookie(office), await second(office, "u-22")
        browser = Browser(client=office.client)
        page = await browser.open("/my-calendar")
        page = await browser.follow("Devices")
        assert "Signed in on these devices" in page.words
        assert page.words.count("Safari on iPhone") == page.words.count("Firefox on Windows") == 1
        assert page.words.count("This device") == 1
        (end,) = [one.label for form in page.forms for one in form.buttons if one.label.startswith("End the")]
        page = await browser.press(end)
        assert "That device is signed out." in page.words
        page = await browser.press("Sign out everywhere")
        assert page.path == "/signed-out"
        assert [await status(office, one) for one in (phone, mine, stranger)] == [401, 401, 200]

    async def test_another_persons_session_is_ended_by_nobody_else(self, office: Office) -> None:
        theirs = await second(office, "u-22")
        await office.sign_in(role="operator")
        (row,) = [one for one in await office.rows(sessions) if one["user_id"] == "u-22"]
        page = await Browser(client=office.client).open("/sessions")
        form = {"csrf_token": page.forms[0].fields["csrf_token"]}
        await office.client.post(f"/sessions/{row['id']}/end", data=form)
        assert await status(office, theirs) == 200


class TestSomebodyElse:
    """Finding 3: the attacker's link replaced the victim's session without a word."""

    @pytest.mark.parametrize("who", [{"user": "u-22"}, {"user": "u-17", "tenant": "other"}])
    async def test_r45_a_link_asks_before_it_replaces_somebody_else(
        self, who: dict[str, str], office: Office
    ) -> None:
        await office.sign_in(name="Victim")
        before = cookie(office)
        token = office.token(**who, name="Mallory")
        asked = await enter(office, token, next="/calendar-sync/connect")
        page = ShownPage(asked)
        assert asked.status_code == 200
        assert "signed in as Victim of acme." in page.words
        assert f"signs in Mallory of {who.get('tenant', 'acme')}." in page.words
        assert "Set-Cookie" not in asked.headers
        assert len(await office.rows(used_tokens)) == 1
        assert await status(office) == 200

        browser = Browser(client=office.client)
        await browser.open(urlsplit(str(asked.url))._replace(scheme="", netloc="").geturl())
        await browser.press("Sign in as Mallory")
        assert cookie(office) != before
        assert await status(office, before) == 401
        assert (await enter(office, token)).status_code == 401

    async def test_the_same_person_is_let_through_without_a_word(self, office: Office) -> None:
        await office.sign_in()
        answer = await enter(office, office.token(role="administrator"), next="/my-calendar")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/my-calendar")

    async def test_a_session_that_has_ended_asks_nothing(self, office: Office) -> None:
        await office.sign_in()
        await office.clock.pass_time(12 * 3600)
        assert (await enter(office, office.token("u-22"))).status_code == 303

    async def test_only_the_page_that_asked_can_send_the_answer(self, office: Office) -> None:
        """Login CSRF: another site cannot know the form's token, and its forms bring no session along."""
        await office.sign_in()
        before, token = cookie(office), office.token("u-22")
        for form in ({"token": token}, {"token": token, "csrf_token": "0" * 64}):
            answer = await office.client.post("/sign-in", data=form, headers=BROWSER)
            assert answer.status_code == 403
        assert cookie(office) == before
        office.client.cookies.clear()
        answer = await office.client.post("/sign-in", data={"token": token}, headers=BROWSER)
        assert answer.status_code == 401
        assert (await enter(office, token)).status_code == 303

    async def test_a_used_or_bad_link_asks_nothing(self, office: Office) -> None:
        used = office.token("u-22")
        assert (await enter(office, used)).status_code == 303
        office.client.cookies.clear()
        await office.sign_in()
        for token in (used, office.token("u-22", exp=1), "x"):
            assert (await enter(office, token)).status_code == 401

    @pytest.mark.parametrize(
        "ahead",
        [
            {"Sec-Purpose": "prefetch"},
            {"Sec-Purpose": "prefetch;prerender"},
            {"Purpose": "prefetch"},
            {"X-Moz": "prefetch"},
            {"X-Purpose": "preview"},
        ],
    )
    async def test_r45_fetching_ahead_spends_nothing(self, ahead: dict[str, str], office: Office) -> None:
        token = office.token()
        answer = await office.client.get("/sign-in", params={"token": token}, headers=ahead)
        assert (answer.status_code, answer.headers.get("Set-Cookie")) == (204, None)
        assert (await office.client.head("/sign-in", params={"token": token})).status_code == 405
        assert (await enter(office, token)).status_code == 303


class TestBearer:
    """Finding 10: what a token may be, and when it is none any more."""

    async def test_r45_an_id_that_signed_in_is_no_bearer(self, office: Office) -> None:
        used = uuid4().hex
        token = office.token(jti=used)
        headers = {"Authorization": f"Bearer {token}"}
        assert (await office.client.get(LIST, headers=headers)).status_code == 200
        await enter(office, token)
        office.client.cookies.clear()
        assert (await office.client.get(LIST, headers=headers)).status_code == 401
        longer = office.token(jti=used, exp=_in(office, 86_000))
        await office.clock.pass_time(3600 * 3)
        headers = {"Authorization": f"Bearer {longer}"}
        await office.sign_in("u-22")
        assert (await office.client.get(LIST, headers=headers)).status_code == 401

    @pytest.mark.parametrize(
        ("claims", "allowed"),
        [
            ({"exp": 86_400}, True),
            ({"exp": 86_401}, False),
            ({"exp": "1e308"}, False),
            ({"exp": "1e400"}, False),
            ({"exp": "NaN"}, False),
            ({"exp": "-1"}, False),
            ({"exp": "-Infinity"}, False),
            ({"exp": '"tomorrow"'}, False),
            ({"exp": "1" + "0" * 400}, False),
            ({"exp": "true"}, False),
            ({"exp": "null"}, False),
            ({"exp": "[]"}, False),
            ({"nbf": 60}, True),
            ({"nbf": 61}, False),
            ({"nbf": "NaN"}, False),
            ({"nbf": "1e400"}, False),
            ({"nbf": "-1e400"}, False),
            ({"nbf": '"soon"'}, False),
            ({"nbf": "true"}, False),
            ({"nbf": "null"}, True),
            *(
                ({"iat": odd}, True)
                for odd in ("NaN", "1e400", '"x"', "[]", "true", "null", "-5", "1" + "0" * 400)
            ),
            ({"jti": '""'}, False),
            ({"jti": "7"}, False),
            ({"locale": '"en-GB"'}, True),
            ({"locale": '"zh-Hant-TW"'}, True),
            ({"locale": '"de-CH-1996-u-ca-gregory-x-mine"'}, True),
            ({"locale": "null"}, True),
            ({"locale": '"en_GB"'}, False),
            ({"locale": '"e"'}, False),
            ({"locale": '"en-"'}, False),
            ({"locale": '"' + "en-" * 2000 + '"'}, False),
            ({"locale": "7"}, False),
            ({"hour_cycle": '"h12"'}, True),
            ({"hour_cycle": '"h23"'}, True),
            ({"hour_cycle": '"h24"'}, False),
            ({"week_start": '"saturday"'}, True),
            ({"week_start": '"tuesday"'}, False),
        ],
    )
    async def test_r45_every_claim_is_judged(
        self, claims: dict[str, Any], allowed: bool, office: Office
    ) -> None:
        """Numbers are seconds from now; texts are JSON as it stands, which libraries refuse to sign."""
        ((name, given),) = claims.items()
        whole = {"sub": '"u-17"', "tenant": '"acme"', "exp": str(_in(office, 600))}
        whole[name] = given if isinstance(given, str) else str(_in(office, given))
        body = "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in whole.items()) + "}"
        token = jwt.PyJWS().encode(body.encode(), SECRET, "HS256")
        answer = await office.client.get(LIST, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == (200 if allowed else 401)
        assert allowed or f"The token {name}: " in answer.json()["detail"]


def _in(office: Office, seconds: float) -> float:
    return office.clock.now().timestamp() + seconds
