"""Signing in, the session, and who is let at the API."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from tests.support.office import CRONOFY, HERE, SECRET, Office, open_office

LIST = "/api/v1/integrations"


async def sign_in(office: Office, token: str, **query: str) -> Any:
    return await office.client.get("/sign-in", params={"token": token, **query})


async def test_vorex_signs_a_user_in_with_a_link(office: Office) -> None:
    """A session cookie follows, and the list of integrations is the first page."""
    answer = await sign_in(office, office.token())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/calendar-sync")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("calendar_sync_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie
    assert (await office.client.get("/calendar-sync")).status_code == 200


async def test_under_https_the_cookie_is_secure_and_the_browser_stays(sqlite_url: str) -> None:
    async with open_office(sqlite_url, public_url="https://sync.test") as office:
        answer = await sign_in(office, office.token())
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


async def test_the_link_leads_to_a_page_of_ours(office: Office) -> None:
    answer = await sign_in(office, office.token(), next="/my-calendar?day=2026-12-03")
    assert answer.headers["Location"] == "/my-calendar?day=2026-12-03"


async def test_under_https_no_cookie_is_anybody_elses(sqlite_url: str) -> None:
    """A neighbour of the same domain, or whoever listens where it is not https, can plant none."""
    async with open_office(sqlite_url, public_url="https://sync.test") as office:
        session = (await sign_in(office, office.token())).headers["Set-Cookie"]
        begun = (await office.client.get("/calendar-sync/connect", headers=office.bearer())).headers[
            "Set-Cookie"
        ]
        assert session.startswith("__Host-calendar_sync_session=")
        assert begun.startswith("__Host-calendar_sync_state=")
        for cookie in (session, begun):
            assert "; Path=/;" in cookie
            assert "; Secure" in cookie
            assert "omain" not in cookie
        assert (await office.client.get(LIST)).status_code == 200
        value = office.client.cookies["__Host-calendar_sync_session"]
        office.client.cookies.clear()
        planted = {"Cookie": f"calendar_sync_session={value}"}
        assert (await office.client.get(LIST, headers=planted)).status_code == 401


async def test_every_one_of_several_secrets_signs_in(sqlite_url: str) -> None:
    """A new one is put in front; what the old one signed is good until it is taken out."""
    newer = "another key, which Vorex does not use yet"
    async with open_office(sqlite_url, secrets=[newer, SECRET]) as office:
        assert (await sign_in(office, office.token())).status_code == 303
        assert (await office.client.get(LIST, headers=office.bearer())).status_code == 200
    async with open_office(sqlite_url, secrets=[newer]) as office:
        assert (await sign_in(office, office.token())).status_code == 401
        assert (await office.client.get(LIST, headers=office.bearer())).status_code == 401


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil",
        "/\t/evil.example",
        "/%0a\n/evil.example",
        "",
    ],
)
async def test_the_link_never_leads_to_another_site(elsewhere: str, office: Office) -> None:
    answer = await sign_in(office, office.token(), next=elsewhere)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/calendar-sync")


async def test_a_link_is_good_once(office: Office) -> None:
    """The token's jti is accepted once, also by another process."""
    token = office.token()
    assert (await sign_in(office, token)).status_code == 303
    assert (await sign_in(office, token)).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"tenant": None},
        {"jti": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"sub": ""},
        {"sub": "u\x00"},
        {"role": "king"},
        {"tz": "Mars/Olympus"},
        {"jti": 7},
    ],
)
async def test_a_link_with_a_wrong_claim_is_401(claims: dict[str, Any], office: Office) -> None:
    # the library that signs refuses some of these itself, so they are signed as plain bytes
    whole = {"sub": "u-17", "tenant": "acme", "jti": "one", "exp": office.clock.now().timestamp() + 60}
    given = {name: value for name, value in (whole | claims).items() if value is not None}
    token = jwt.PyJWS().encode(json.dumps(given).encode(), SECRET, "HS256")
    assert (await sign_in(office, token)).status_code == 401


async def test_a_windows_zone_in_a_link_is_its_iana_zone(office: Office) -> None:
    """R37; one that is none is named in the answer."""
    token = office.token(tz="W. Europe Standard Time")
    assert (await sign_in(office, token)).status_code == 303
    refused = await office.client.get(
        "/api/v1/integrations", headers=office.bearer(tz="Middle Earth Standard Time")
    )
    assert refused.status_code == 401


async def test_a_link_lives_for_ten_minutes_at_most(office: Office) -> None:
    now = office.clock.now().timestamp()
    assert (await sign_in(office, office.token(exp=now + 600))).status_code == 303
    assert (await sign_in(office, office.token(exp=now + 601))).status_code == 401
    assert (await sign_in(office, office.token(exp=now))).status_code == 401


@pytest.mark.parametrize(("nbf", "status"), [(60, 303), (61, 401), (-1, 303), ("soon", 401)])
async def test_a_token_is_good_only_from_the_moment_that_it_names(
    office: Office, nbf: Any, status: int
) -> None:
    """nbf of RFC 7519, where Vorex gives one; its clock may be a minute ahead of ours."""
    now = office.clock.now().timestamp()
    named = nbf if isinstance(nbf, str) else now + nbf
    assert (await sign_in(office, office.token(nbf=named))).status_code == status


async def test_only_the_agreed_algorithm_and_key_count(office: Office) -> None:
    claims = {"sub": "u", "tenant": "t", "jti": "j", "exp": office.clock.now().timestamp() + 60}
    other_key = office.token(key="another key that is long enough for HS256")
    longer = jwt.encode(claims, SECRET * 2, "HS512")
    unsigned = jwt.encode(claims, "", "none")
    for token in (other_key, longer, unsigned, "", "a.b.c", "x" * 20_000):
        assert (await sign_in(office, token)).status_code == 401


async def test_a_session_ends(office: Office) -> None:
    await office.sign_in()
    await office.clock.pass_time(12 * 3600 - 1)
    assert (await office.client.get(LIST)).status_code == 200
    await office.clock.pass_time(1)
    assert (await office.client.get(LIST)).status_code == 401


async def test_no_token_passes_for_another(office: Office) -> None:
    """A session is no Bearer token and no link; a link is no session; a state is nothing of them."""
    await office.sign_in()
    session = office.client.cookies["calendar_sync_session"]
    away = await office.client.get("/calendar-sync/connect")
    state = parse_qs(urlsplit(away.headers["Location"]).query)["state"][0]
    office.client.cookies.clear()
    for token in (session, state):
        assert (await sign_in(office, token)).status_code == 401
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await office.client.get(LIST, headers=bearer)).status_code == 401
    for token in (office.token(), state):
        cookie = {"Cookie": f"calendar_sync_session={token}"}
        assert (await office.client.get(LIST, headers=cookie)).status_code == 401


async def test_the_api_takes_vorex_tokens_again_and_again_without_an_id(office: Office) -> None:
    """For Bearer sub, tenant and exp suffice."""
    headers = office.bearer(jti=None, exp=office.clock.now().timestamp() + 86_400)
    for _ in range(2):
        assert (await office.client.get(LIST, headers=headers)).status_code == 200


async def test_without_a_valid_token_the_api_is_401_as_problem_details(office: Office) -> None:
    for headers in ({}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer"}, office.bearer(exp=1)):
        answer = await office.client.get(LIST, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["status"] == 401


async def test_a_bad_bearer_token_is_not_replaced_by_the_cookie(office: Office) -> None:
    await office.sign_in()
    answer = await office.client.get(LIST, headers=office.bearer(exp=1))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": HERE}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": HERE}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://evil.example", "X-CSRF-Token": "guess"}, False),
    ],
)
async def test_another_site_changes_nothing_with_the_cookie(
    headers: dict[str, str], allowed: bool, office: Office
) -> None:
    """State-changing requests by cookie come from our own pages."""
    await office.sign_in()
    answer = await office.client.post("/api/v1/my-calendar/items", json={"title": "x"}, headers=headers)
    assert answer.status_code == (201 if allowed else 403)


async def test_a_form_token_vouches_for_its_own_session_only(office: Office) -> None:
    passes = office.app.state.services.tokens
    await office.sign_in()
    sessions = office.app.state.services.sessions
    visitor = await sessions.find(office.client.cookies["calendar_sync_session"])
    foreign = {"Origin": "https://proxy.example"}
    for session, status in ((visitor.session, 201), ("another", 403)):
        headers = {**foreign, "X-CSRF-Token": passes.form_token(session)}
        answer = await office.client.post("/api/v1/my-calendar/items", json={"title": "x"}, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("path", ["/calendar-sync", "/api/v1/openapi.json", "/nowhere", "/static/style.css"])
async def test_every_answer_carries_strict_headers(path: str, office: Office) -> None:
    answer = await office.client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_a_browser_that_is_not_signed_in_is_told_in_a_page(office: Office) -> None:
    answer = await office.client.get("/calendar-sync", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert "Sign in through Vorex." in answer.text


async def test_connect_sends_the_person_to_cronofy_with_exactly_these_parameters(office: Office) -> None:
    """The authorize address; by cookie or by Bearer token."""
    await office.sign_in()
    for headers in ({}, office.bearer()):
        answer = await office.client.get("/calendar-sync/connect", headers=headers)
        assert answer.status_code == 303
        address = answer.headers["Location"]
        assert address.startswith(f"{CRONOFY}/oauth/authorize?")
        query = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
        assert query.pop("state")
        assert query.pop("code_challenge")
        assert query == {
            "response_type": "code",
            "client_id": "sync",
            "redirect_uri": f"{HERE}/calendar-sync/callback",
            "scope": "read_account list_calendars read_events create_event delete_event",
            "avoid_linking": "true",
            "code_challenge_method": "S256",
        }
    office.client.cookies.clear()
    assert (await office.client.get("/calendar-sync/connect")).status_code == 401
