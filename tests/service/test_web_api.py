"""Who sees what, paging, and problem details on every route."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.types import ASGIApp

from contracts.ports import Outgoing
from service.relay import relay_routes
from service.web.application import create_web
from tests.support.office import CLIENT_SECRET, Office, form

API = "/api/v1/integrations"
NOBODY = "0192e4c1-7a00-7000-8000-0000000000aa"
ON = {"enabled": True, "past": "1_week", "future": "3_months"}

ROUTES = {
    API: {"get"},
    f"{API}/{{integration_id}}": {"get", "delete"},
    f"{API}/{{integration_id}}/calendars": {"get"},
    f"{API}/{{integration_id}}/settings": {"put"},
    f"{API}/{{integration_id}}/activate": {"post"},
    f"{API}/{{integration_id}}/deactivate": {"post"},
    f"{API}/{{integration_id}}/sync": {"post"},
    f"{API}/{{integration_id}}/held": {"get"},
    f"{API}/{{integration_id}}/held-deletions": {"post"},
    f"{API}/{{integration_id}}/held-imports": {"post"},
    f"{API}/{{integration_id}}/permission": {"post"},
    f"{API}/{{integration_id}}/logs": {"get"},
    f"{API}/{{integration_id}}/runs": {"get"},
    f"{API}/{{integration_id}}/runs/{{run}}": {"get"},
    f"{API}/{{integration_id}}/runs/{{run}}/cancel": {"post"},
    "/api/v1/runs/{run}": {"get"},
    "/api/v1/runs/{run}/cancel": {"post"},
    "/api/v1/runs/{run}/undo": {"post"},
    "/api/v1/my-calendar/items": {"get", "post"},
    "/api/v1/my-calendar/items/{key}": {"put", "delete"},
    "/api/v1/my-calendar/items/{key}/restore": {"post"},
    "/api/v1/dead-letters": {"get"},
    "/api/v1/dead-letters/groups": {"get"},
    "/api/v1/dead-letters/discard": {"post"},
    "/api/v1/dead-letters/undo": {"post"},
    "/api/v1/dead-letters/replay": {"post"},
    "/api/v1/dead-letters/replay/stop": {"post"},
    "/api/v1/dead-letters/{letter_id}": {"get"},
    "/api/v1/dead-letters/{letter_id}/context": {"get"},
    "/api/v1/dead-letters/{letter_id}/discard": {"post"},
    "/api/v1/dead-letters/{letter_id}/undo": {"post"},
    "/api/v1/dead-letters/{letter_id}/edit": {"post"},
    "/api/v1/operations": {"get"},
    "/api/v1/sessions": {"delete"},
    "/api/v1/company-calendar": {"get"},
    "/api/v1/company-calendar/defaults": {"put"},
    "/api/v1/company-calendar/end": {"post"},
    "/api/v1/company-calendar/people": {"get", "post"},
    "/api/v1/company-calendar/people/retry": {"post"},
    f"{API}/{{integration_id}}/agreement": {"get", "post"},
    f"{API}/{{integration_id}}/begin": {"post"},
    f"{API}/{{integration_id}}/watch": {"post"},
    f"{API}/{{integration_id}}/watching": {"get"},
    "/api/v1/leavers": {"get", "post"},
    "/api/v1/leavers/choice": {"get", "put"},
    "/api/v1/leavers/{record_id}": {"get"},
    "/api/v1/questions": {"get"},
    "/api/v1/questions/{question_id}": {"post"},
    "/api/v1/questions/{question_id}/undo": {"post"},
    "/api/v1/weather": {"get"},
}
"""Every address of the API with its verbs."""


class TestWhoSeesWhat:
    """404 for what is not yours."""

    @pytest.mark.parametrize(
        ("method", "rest"),
        [
            ("GET", ""),
            ("GET", "/calendars"),
            ("PUT", "/settings"),
            ("POST", "/activate"),
            ("POST", "/deactivate"),
            ("POST", "/sync"),
            ("GET", "/runs"),
            ("DELETE", ""),
            ("GET", "/logs"),
        ],
    )
    @pytest.mark.parametrize("who", [("u-22", "acme"), ("u-17", "other"), ("u-17", "other", "administrator")])
    async def test_anothers_integration_is_404_on_every_route(
        self, method: str, rest: str, who: tuple[str, ...], office: Office
    ) -> None:
        integration_id = await office.finished()
        role = who[2] if len(who) == 3 else "user"
        headers = office.bearer(who[0], who[1], role=role)
        for one in (integration_id, NOBODY, "nonsense", "%00"):
            body = form("cal_x") if method == "PUT" else None
            path = f"{API}/{one}{rest}"
            answer = await office.client.request(method, path, json=body, headers=headers)
            assert answer.status_code == 404, answer.text
            assert answer.headers["Content-Type"] == "application/problem+json"

    async def test_the_list_holds_ones_own(self, office: Office) -> None:
        mine = await office.finished()
        theirs = await office.finished("u-22")
        listed = (await office.get(API)).json()
        assert [one["id"] for one in listed["items"]] == [mine]
        assert (await office.get(API, tenant="other")).json() == {"items": [], "next": None}
        everyone = (await office.get(API, "boss", role="administrator")).json()
        assert [one["id"] for one in everyone["items"]] == [mine, theirs]

    async def test_r47_an_administrator_sees_and_does_not_settle_for_others(self, office: Office) -> None:
        integration_id = await office.finished()
        path = f"{API}/{integration_id}"
        for role in ("administrator", "operator"):
            assert (await office.get(path, "boss", role=role)).status_code == 200
            assert (await office.get(f"{path}/logs", "boss", role=role)).status_code == 200
            for verb in ("sync", "held-deletions", "permission"):
                body = {"answer": "keep"} if verb == "held-deletions" else None
                headers = office.bearer("boss", role=role)
                answer = await office.client.post(f"{path}/{verb}", json=body, headers=headers)
                assert answer.status_code == 404

    async def test_lists_are_paged_by_cursor(self, office: Office) -> None:
        ids = [await office.finished(user) for user in ("u-1", "u-2", "u-3")]
        seen: list[str] = []
        after = ""
        for _ in range(2):
            page = (await office.get(f"{API}?limit=2{after}", "boss", role="operator")).json()
            seen += [one["id"] for one in page["items"]]
            after = f"&after={page['next']}"
        assert (seen, page["next"]) == (ids, None)

    @pytest.mark.parametrize(
        ("query", "field"),
        [("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("after=x", "after")],
    )
    async def test_wrong_paging_is_422(self, query: str, field: str, office: Office) -> None:
        answer = await office.get(f"{API}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


class TestProblems:
    """RFC 9457 for every error."""

    async def test_unknown_addresses_and_methods_are_problems(self, office: Office) -> None:
        nowhere = await office.get("/api/v1/nowhere")
        wrong = await office.client.patch(API, headers=office.bearer())
        for answer, status in ((nowhere, 404), (wrong, 405)):
            assert answer.status_code == status
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json() | {"detail": ""} == {
                "type": "about:blank",
                "title": answer.json()["title"],
                "status": status,
                "detail": "",
            }

    async def test_a_fault_of_ours_is_500_without_its_text(self, office: Office) -> None:
        @office.app.get("/api/v1/fault")
        async def fault() -> None:
            raise RuntimeError("the secret of a token")

        answer = await office.get("/api/v1/fault")
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "secret" not in answer.text
        assert answer.headers["X-Frame-Options"] == "DENY"

    async def test_cronofy_out_of_reach_is_503_and_changes_nothing(self, office: Office) -> None:
        """R23: it never makes an integration Not Connected."""
        integration_id = await office.finished()
        await office.clock.pass_time(60)
        office.wire.broken.add("GET /v1/calendars")
        answer = await office.get(f"{API}/{integration_id}/calendars")
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        shown = (await office.get(f"{API}/{integration_id}")).json()
        assert shown["status"] == "connected"

    async def test_the_api_describes_itself(self, office: Office) -> None:
        answer = await office.client.get("/api/v1/openapi.json")
        paths = answer.json()["paths"]
        assert {path: set(verbs) for path, verbs in paths.items()} == ROUTES


async def test_one_port_serves_pages_api_and_relay(office: Office) -> None:
    """``up``: the relay's address beside the pages, with its own answers."""
    published: list[Outgoing] = []

    class Taker:
        async def publish(self, message: Outgoing) -> None:
            published.append(message)

    desk = office.app.state.services
    app = create_web(desk, beside=relay_routes(Taker(), [CLIENT_SECRET], clock=desk.clock))
    integration_id = await office.finished()
    office.world.post = poster(app)
    await office.world.settle()
    (message,) = published
    assert message.routing_key == "verification"
    assert integration_id.encode() in message.body
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sync.test") as client:
        assert (await client.get("/readyz")).json()["ready"] is True
        assert (await client.get(API, headers=office.bearer())).status_code == 200
        assert (await client.post(f"/cronofy/notices/{NOBODY}", content=b"{}")).status_code == 401


def poster(app: ASGIApp) -> Callable[[str, bytes, dict[str, str]], Awaitable[int]]:
    async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return (await client.post(url, content=body, headers=headers)).status_code

    return post
