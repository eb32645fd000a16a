"""The gateway against a scripted Cronofy: budget, tokens, time and what goes over the wire (DESIGN 9)."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from contracts.errors import GrantRefused, Permanent, Throttled, Transient, Unanswered, Unavailable
from contracts.ports import Permit
from contracts.writes import Delete, Upsert, Write
from service.cronofy import Access, CronofyGateway, EventsQuery, Turn
from service.cronofy.transport import open_client
from tests.support.clock import ManualClock

ACCESS = Access(
    api_url="https://api.cronofy.test",
    app_url="https://app.cronofy.test",
    client_id="client",
    client_secrets=["newest", "older"],
)
Reply = httpx.Response | Exception | Callable[[], httpx.Response]


class Script(httpx.AsyncBaseTransport):
    """Answers in turn and keeps what was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else reply()

    def body(self, number: int = -1) -> Any:
        return json.loads(self.requests[number].content)


class Silent(httpx.AsyncBaseTransport):
    """Never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError


class Counted:
    """A budget that grants everything and keeps the book."""

    def __init__(self, clock: ManualClock, most: int | None = None) -> None:
        self._clock = clock
        self.most = most
        self.taken: list[tuple[str, int, bool]] = []
        self.penalised: list[str] = []
        self.spent = False
        self.wait = 0.0

    async def take(self, integration_id: str, cost: int = 1, run: bool = False) -> Permit:
        self.taken.append((integration_id, cost, run))
        if self.spent:
            await asyncio.Event().wait()
        await asyncio.sleep(self.wait)
        return Permit(until=self._clock.monotonic() + 0.2)

    async def penalise(self, integration_id: str) -> None:
        self.penalised.append(integration_id)


class Tokens:
    """Hands out token-1, token-2 and so on; a renewal is the next one."""

    def __init__(self, *, revoked: bool = False) -> None:
        self.number = 1
        self.revoked = revoked

    async def current(self, sub: str) -> str:
        return f"token-{self.number}"

    async def renew(self, sub: str, stale: str) -> str:
        if self.revoked:
            raise GrantRefused
        assert stale == f"token-{self.number}"
        self.number += 1
        return f"token-{self.number}"


class Bench:
    """A gateway with everything around it in the test's hand."""

    def __init__(
        self, *replies: Reply, by_entry: bool = False, most: int | None = None, time_limit: float = 10.0
    ) -> None:
        self.clock = ManualClock()
        self.script = Script(*replies)
        self.budget = Counted(self.clock, most)
        self.tokens = Tokens()
        self.gateway = CronofyGateway(
            access=ACCESS,
            http=open_client(ACCESS.api_url, transport=self.script),
            budget=self.budget,
            tokens=self.tokens,
            clock=self.clock,
            batch_cost="entry" if by_entry else "request",
            time_limit=time_limit,
        )


def an_upsert(event_id: str = "vcs-1") -> Upsert:
    return Upsert(
        calendar_id="cal_1",
        event_id=event_id,
        summary="Title",
        description="",
        start=date(2026, 12, 3),
        end=date(2026, 12, 4),
        tzid="Etc/UTC",
        location="",
        transparency="opaque",
        event_private=False,
    )


def answered(status: int, content: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=content, headers=headers)


def accepted(count: int) -> httpx.Response:
    return answered(207, {"batch": [{"status": 202}] * count})


async def test_one_write_is_the_plain_call_and_its_202_the_answer() -> None:
    """DESIGN 6; our own name goes along, and gzip is welcome."""
    bench = Bench(httpx.Response(202))

    answers = await bench.gateway.write("acc_1", [an_upsert()])

    request = bench.script.requests[0]
    assert [answer.status for answer in answers] == [202]
    assert (request.method, request.url.path) == ("POST", "/v1/calendars/cal_1/events")
    assert bench.script.body()["event_id"] == "vcs-1"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["User-Agent"].startswith("vorex-calendar-sync")
    assert "gzip" in request.headers["Accept-Encoding"]


async def test_a_single_delete_has_a_body() -> None:
    """It is a DELETE with JSON (fact sheet 6)."""
    bench = Bench(httpx.Response(202))

    await bench.gateway.write("acc_1", [Delete(calendar_id="cal_1", event_id="vcs-1")])

    assert bench.script.requests[0].method == "DELETE"
    assert bench.script.body() == {"event_id": "vcs-1"}


async def test_several_writes_are_one_batch_with_an_answer_each_in_order() -> None:
    """Partial success is normal (fact sheet 9)."""
    refused = {"status": 422, "data": {"errors": {"summary": [{"key": "errors.required"}]}}}
    bench = Bench(answered(207, {"batch": [{"status": 202}, refused, {"status": 404}]}))
    writes: list[Write] = [an_upsert("a"), an_upsert("b"), Delete(calendar_id="cal_1", event_id="c")]

    answers = await bench.gateway.write("acc_1", writes)

    assert [answer.status for answer in answers] == [202, 422, 404]
    assert answers[1].errors == {"summary": "required"}
    assert bench.script.requests[0].url.path == "/v1/batch"
    assert [entry["method"] for entry in bench.script.body()["batch"]] == ["POST", "POST", "DELETE"]


async def test_a_request_never_carries_two_writes_to_one_event_nor_more_than_50() -> None:
    """The order within a batch is not promised."""
    bench = Bench()
    twice: list[Write] = [an_upsert(), Delete(calendar_id="cal_1", event_id="vcs-1")]
    many: list[Write] = [an_upsert(str(number)) for number in range(51)]
    for wrong in ([], twice, many):
        with pytest.raises(ValueError, match="one request"):
            await bench.gateway.write("acc_1", wrong)
    assert bench.script.requests == []


@pytest.mark.parametrize("status", [402, 403, 404, 410, 422, 423])
async def test_what_concerns_one_write_is_its_answer_alone_as_in_a_batch(status: int) -> None:
    """So that the lane judges both alike."""
    answers = await Bench(answered(status)).gateway.write("acc_1", [an_upsert()])

    assert [answer.status for answer in answers] == [status]


async def test_a_batch_whose_answers_do_not_match_leaves_the_outcome_unknown() -> None:
    """Guessing which write was accepted would be worse than writing again."""
    for odd in (accepted(1), answered(207, []), httpx.Response(207, text="<html>")):
        with pytest.raises(Unanswered):
            await Bench(odd).gateway.write("acc_1", [an_upsert("a"), an_upsert("b")])


async def test_401_renews_once_and_repeats_once_and_pays_for_both() -> None:
    """DESIGN 9."""
    bench = Bench(answered(401), answered(202))

    await bench.gateway.write("acc_1", [an_upsert()], turn=Turn(integration_id="i-1", run=True))

    assert [request.headers["Authorization"] for request in bench.script.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert bench.budget.taken == [("i-1", 1, True)] * 2


async def test_r23_a_second_401_is_transient_and_no_refusal() -> None:
    """Only invalid_grant is one."""
    with pytest.raises(Transient) as refused:
        await Bench(answered(401), answered(401)).gateway.userinfo("acc_1")

    assert refused.value.status == 401


async def test_r22_a_refused_renewal_reaches_the_caller_as_it_is() -> None:
    """Who makes the integration Not Connected of it."""
    bench = Bench(answered(401))
    bench.tokens.revoked = True

    with pytest.raises(GrantRefused):
        await bench.gateway.calendars("acc_1")


async def test_429_names_its_wait_and_is_told_to_the_budget() -> None:
    """DESIGN 9."""
    bench = Bench(answered(429, **{"Retry-After": "7"}))

    with pytest.raises(Throttled) as refused:
        await bench.gateway.write("acc_1", [an_upsert()], turn=Turn(integration_id="i-1"))

    assert refused.value.retry_after == 7
    assert bench.budget.penalised == ["i-1"]


async def test_429_of_one_entry_is_told_to_the_budget_too() -> None:
    """Its neighbours keep their answers."""
    bench = Bench(answered(207, {"batch": [{"status": 202}, {"status": 429}]}))

    answers = await bench.gateway.write("acc_1", [an_upsert("a"), an_upsert("b")])

    assert [answer.status for answer in answers] == [202, 429]
    assert bench.budget.penalised == ["acc_1"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answered(500), Unavailable),
        (httpx.ConnectError("no"), Unavailable),
        (httpx.ReadTimeout("no"), Unanswered),
        (httpx.Response(200, text="<html>"), Transient),
        (answered(200, {"hello": 1}), Transient),
        (answered(403), Permanent),
    ],
)
async def test_failures_of_a_read_are_errors_of_ours(reply: Reply, kind: type[Exception]) -> None:
    """An unreadable answer is never an empty list."""
    with pytest.raises(kind) as raised:
        await Bench(reply).gateway.calendars("acc_1")

    assert type(raised.value) is kind


async def test_a_call_takes_so_many_seconds_in_all_and_then_its_outcome_is_unknown() -> None:
    """However slowly single bytes arrive (DESIGN 6)."""
    bench = Bench()
    http = open_client(ACCESS.api_url, transport=Silent())
    gateway = CronofyGateway(
        access=ACCESS,
        http=http,
        budget=bench.budget,
        tokens=bench.tokens,
        clock=bench.clock,
        time_limit=0.01,
    )

    with pytest.raises(Unanswered):
        await gateway.write("acc_1", [an_upsert()])
    with pytest.raises(Unanswered):
        await gateway.refresh("r")


async def test_errors_tell_nothing_private() -> None:
    """Neither the token nor a text is in what is raised."""
    with pytest.raises(Permanent) as raised:
        await Bench(answered(400, {"error": "Title token-1"})).gateway.write("acc_1", [an_upsert()])

    assert "token" not in str(raised.value)
    assert "Title" not in str(raised.value)


async def test_a_text_that_cannot_be_sent_is_permanent() -> None:
    """Half a surrogate pair has no UTF-8."""
    bench = Bench()
    wrong = Delete(calendar_id="cal_1", event_id="\ud800")

    with pytest.raises(Permanent):
        await bench.gateway.write("acc_1", [wrong, an_upsert()])


async def test_r32_every_call_pays_before_it_is_sent() -> None:
    """The token endpoints too, since Cronofy counts per application."""
    bench = Bench(answered(200, {"calendars": []}), answered(200, {"access_token": "a"}))

    await bench.gateway.calendars("acc_1")
    await bench.gateway.refresh("r")

    assert [(name.split()[0], *rest) for name, *rest in bench.budget.taken] == [
        ("acc_1", 1, False),
        ("oauth", 1, False),
    ]


async def test_r32_a_fresh_permit_is_not_paid_twice_and_a_stale_one_is_taken_again() -> None:
    """The lane takes its budget before its last check (DESIGN 6)."""
    bench = Bench(answered(202), answered(202))
    turn = Turn(integration_id="i-1", permit=await bench.budget.take("i-1"))

    await bench.gateway.write("acc_1", [an_upsert()], turn=turn)
    assert len(bench.budget.taken) == 1
    await bench.clock.pass_time(0.3)
    await bench.gateway.write("acc_1", [an_upsert()], turn=turn)

    assert len(bench.budget.taken) == 2


async def test_r32_a_budget_that_runs_out_within_the_time_limit_is_no_unanswered_request() -> None:
    """The token was refused and its renewal took the permit's life; nothing that counts was sent."""
    bench = Bench(answered(401, {}), time_limit=0.1)
    turn = Turn(integration_id="i-1", permit=await bench.budget.take("i-1"))
    bench.budget.spent = True

    with pytest.raises(Throttled):
        await bench.gateway.write("acc_1", [an_upsert()], turn=turn)
    assert len(bench.script.requests) == 1


async def test_r32_whoever_comes_with_a_lapsed_permit_waits_for_another_as_long_as_it_takes() -> None:
    """Waiting in the budget's line is no time-out of Cronofy's."""
    bench = Bench(answered(202), time_limit=0.05)
    turn = Turn(integration_id="i-1", permit=await bench.budget.take("i-1"))
    await bench.clock.pass_time(0.3)
    bench.budget.wait = 0.2

    (answer,) = await bench.gateway.write("acc_1", [an_upsert()], turn=turn)
    assert answer.accepted


async def test_r32_a_batch_costs_one_request_or_its_entries() -> None:
    """CRONOFY_BATCH_COST; counted by entry, a batch stays within what the budget can pay."""
    writes = [an_upsert(str(number)) for number in range(10)]
    whole, single = Bench(accepted(10)), Bench(accepted(10), by_entry=True, most=45)

    await whole.gateway.write("acc_1", writes)
    await single.gateway.write("acc_1", writes)

    assert (whole.budget.taken[0][1], single.budget.taken[0][1]) == (1, 10)
    assert (whole.gateway.cost(10), single.gateway.cost(10)) == (1, 10)
    assert (whole.gateway.largest_batch, single.gateway.largest_batch) == (50, 45)


async def test_a_read_asks_only_for_what_was_wanted() -> None:
    """Booleans in lower case, times in whole seconds, ids repeated (fact sheet 7)."""
    bench = Bench(answered(200, {"pages": {}, "events": []}))
    query = EventsQuery(
        calendar_ids=["cal_1", "cal_2"],
        from_=date(2026, 12, 1),
        to=date(2026, 12, 31),
        last_modified=datetime(2026, 12, 1, 8, 0, 0, 5, tzinfo=UTC),
        include_deleted=True,
        include_managed=True,
    )

    await bench.gateway.first_page("acc_1", query)

    assert bench.script.requests[0].url.params.multi_items() == [
        ("tzid", "Etc/UTC"),
        ("from", "2026-12-01"),
        ("to", "2026-12-31"),
        ("last_modified", "2026-12-01T08:00:00Z"),
        ("include_deleted", "true"),
        ("include_managed", "true"),
        ("calendar_ids[]", "cal_1"),
        ("calendar_ids[]", "cal_2"),
    ]


async def test_all_pages_are_followed_with_the_token_and_without_parameters() -> None:
    """next_page is an absolute address."""
    following = "https://api.cronofy.test/v1/events/pages/abc"
    bench = Bench(
        answered(200, {"pages": {"next_page": following}, "events": []}),
        answered(200, {"pages": {}, "events": []}),
    )

    pages = [page async for page in bench.gateway.events("acc_1", EventsQuery())]

    assert len(pages) == 2
    assert str(bench.script.requests[1].url) == following
    assert bench.script.requests[1].headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/v1/events/pages/a",
        "http://api.cronofy.test/v1/events/pages/a",
        "https://api.cronofy.test:8443/v1/events/pages/a",
        "https://api.cronofy.test@evil.test/a",
        "https://me:x@api.cronofy.test/a",
        "//evil.test/a",
        "/v1/events/pages/a",
        "https://[",
    ],
)
async def test_a_next_page_elsewhere_is_refused_before_a_token_leaves(url: str) -> None:
    """The token is for the API's origin only."""
    bench = Bench()

    with pytest.raises(Permanent, match="outside"):
        await bench.gateway.next_page("acc_1", url)

    assert bench.script.requests == []


@pytest.mark.parametrize("status", [404, 410, 422])
async def test_an_expired_page_is_transient_so_that_the_read_begins_anew(status: int) -> None:
    """Its address lives for a while only (fact sheet 7)."""
    with pytest.raises(Transient):
        await Bench(answered(status)).gateway.next_page("acc_1", "https://api.cronofy.test/v1/events/pages/a")


async def test_r21_what_is_gone_already_can_be_ended_again() -> None:
    """Deleting an integration may be repeated after a crash."""
    bench = Bench(answered(404), answered(404), answered(200))

    await bench.gateway.close_channel("acc_1", "chn_1")
    await bench.gateway.revoke_profile("acc_1", "pro_1")
    await bench.gateway.revoke_token("refresh")

    assert [request.url.path for request in bench.script.requests] == [
        "/v1/channels/chn_1",
        "/v1/profiles/pro_1/revoke",
        "/oauth/token/revoke",
    ]
    assert bench.script.body()["token"] == "refresh"


async def test_channels_permissions_and_bulk_deletes_are_asked_for_as_documented() -> None:
    """Fact sheet 4, 6 and 8."""
    bench = Bench(
        answered(200, {"channel": {"channel_id": "chn_1", "callback_url": "https://x"}}),
        answered(200, {"permissions_request": {"url": "https://app.cronofy.test/p"}}),
        answered(200, {}),
        answered(202),
        answered(202),
    )
    gateway = bench.gateway

    assert (await gateway.create_channel("a", "https://x", calendar_ids=["cal_1"])).channel_id == "chn_1"
    assert bench.script.body() == {"callback_url": "https://x", "filters": {"calendar_ids": ["cal_1"]}}
    assert await gateway.request_permission("a", ["cal_1"], "https://back") == "https://app.cronofy.test/p"
    assert await gateway.request_permission("a", ["cal_1"], "https://back") is None
    await gateway.delete_everything("a")
    assert bench.script.body() == {"delete_all": True}
    await gateway.delete_everything("a", calendar_ids=["cal_1"])
    assert bench.script.body() == {"calendar_ids": ["cal_1"]}


async def test_g5_the_authorize_address_is_the_documented_one() -> None:
    """DESIGN 11, Sign-in and connect."""
    url = httpx.URL(
        Bench().gateway.authorize_url(state="s&1", redirect_uri="https://x/calendar-sync/callback")
    )

    assert str(url).startswith(
        "https://app.cronofy.test/oauth/authorize?response_type=code&client_id=client&"
    )
    assert "scope=read_account%20list_calendars%20read_events%20create_event%20delete_event" in str(url)
    assert url.params["redirect_uri"] == "https://x/calendar-sync/callback"
    assert (url.params["state"], url.params["avoid_linking"]) == ("s&1", "true")


async def test_the_first_of_several_secrets_signs_in_and_none_is_shown() -> None:
    """The others only verify (DESIGN 4)."""
    bench = Bench(
        answered(200, {"access_token": "a", "refresh_token": "r", "expires_in": 60, "sub": "acc_1"})
    )

    grant = await bench.gateway.exchange_code("code", "https://x")

    assert bench.script.body()["client_secret"] == "newest"
    assert grant.sub == "acc_1"
    assert "newest" not in repr(ACCESS)


async def test_a_used_code_is_a_refused_grant() -> None:
    """invalid_grant is used for both (fact sheet 2)."""
    with pytest.raises(GrantRefused):
        await Bench(answered(400, {"error": "invalid_grant"})).gateway.exchange_code("code", "https://x")
