"""The gateway against a scripted Cronofy: writes, tokens, refusals and the other calls."""

import asyncio

import httpx
import pytest

from contracts.errors import GrantRefused, Permanent, Transient, Unanswered
from contracts.ports import Turn, Urgency
from contracts.writes import Delete, EventWrite
from tests.support.scripted import ACCESS, GatewayUnderTest, accepted, an_upsert, answered


class Silent(httpx.AsyncBaseTransport):
    """Never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError


async def test_one_write_is_the_plain_call_and_its_202_the_answer() -> None:
    """Our own name goes along, and gzip is welcome."""
    bench = GatewayUnderTest(httpx.Response(202))

    answers = await bench.gateway.write("acc_1", [an_upsert()])

    request = bench.script.requests[0]
    assert [answer.status for answer in answers] == [202]
    assert (request.method, request.url.path) == ("POST", "/v1/calendars/cal_1/events")
    assert bench.script.body()["event_id"] == "vcs-1"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["User-Agent"].startswith("vorex-calendar-sync")
    assert "gzip" in request.headers["Accept-Encoding"]


async def test_a_single_delete_has_a_body() -> None:
    """It is a DELETE with JSON (CRONOFY.md C23)."""
    bench = GatewayUnderTest(httpx.Response(202))

    await bench.gateway.write("acc_1", [Delete(calendar_id="cal_1", event_id="vcs-1")])

    assert bench.script.requests[0].method == "DELETE"
    assert bench.script.body() == {"event_id": "vcs-1"}


async def test_several_writes_are_one_batch_with_an_answer_each_in_order() -> None:
    """Partial success is normal (CRONOFY.md C26)."""
    refused = {"status": 422, "data": {"errors": {"summary": [{"key": "errors.required"}]}}}
    bench = GatewayUnderTest(answered(207, {"batch": [{"status": 202}, refused, {"status": 404}]}))
    writes: list[EventWrite] = [an_upsert("a"), an_upsert("b"), Delete(calendar_id="cal_1", event_id="c")]

    answers = await bench.gateway.write("acc_1", writes)

    assert [answer.status for answer in answers] == [202, 422, 404]
    assert answers[1].errors == {"summary": "required"}
    assert bench.script.requests[0].url.path == "/v1/batch"
    assert [entry["method"] for entry in bench.script.body()["batch"]] == ["POST", "POST", "DELETE"]


async def test_a_request_never_carries_two_writes_to_one_event_nor_more_than_50() -> None:
    """The order within a batch is not promised."""
    bench = GatewayUnderTest()
    twice: list[EventWrite] = [an_upsert(), Delete(calendar_id="cal_1", event_id="vcs-1")]
    many: list[EventWrite] = [an_upsert(str(number)) for number in range(51)]
    for wrong in ([], twice, many):
        with pytest.raises(ValueError, match="one request"):
            await bench.gateway.write("acc_1", wrong)
    assert bench.script.requests == []


@pytest.mark.parametrize("status", [402, 403, 404, 410, 422, 423])
async def test_what_concerns_one_write_is_its_answer_alone_as_in_a_batch(status: int) -> None:
    """So that the lane judges both alike."""
    answers = await GatewayUnderTest(answered(status)).gateway.write("acc_1", [an_upsert()])

    assert [answer.status for answer in answers] == [status]


async def test_a_batch_whose_answers_do_not_match_leaves_the_outcome_unknown() -> None:
    """Guessing which write was accepted would be worse than writing again."""
    for odd in (accepted(1), answered(207, []), httpx.Response(207, text="<html>")):
        with pytest.raises(Unanswered):
            await GatewayUnderTest(odd).gateway.write("acc_1", [an_upsert("a"), an_upsert("b")])


async def test_401_renews_once_and_repeats_once_and_pays_for_both() -> None:
    """The repeat is a request, too."""
    bench = GatewayUnderTest(answered(401), answered(202))

    await bench.gateway.write("acc_1", [an_upsert()], turn=Turn(integration_id="i-1", urgency=Urgency.RUN))

    assert [request.headers["Authorization"] for request in bench.script.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert bench.budget.taken == [("i-1", 1, True)] * 2


async def test_r23_a_second_401_is_transient_and_no_refusal() -> None:
    """Only invalid_grant is one."""
    with pytest.raises(Transient) as refused:
        await GatewayUnderTest(answered(401), answered(401)).gateway.userinfo("acc_1")

    assert refused.value.status == 401


async def test_r22_a_refused_renewal_reaches_the_caller_as_it_is() -> None:
    """Who makes the integration Not Connected of it."""
    bench = GatewayUnderTest(answered(401))
    bench.tokens.revoked = True

    with pytest.raises(GrantRefused):
        await bench.gateway.calendars("acc_1")


async def test_a_call_takes_so_many_seconds_in_all_and_then_its_outcome_is_unknown() -> None:
    """However slowly single bytes arrive."""
    bench = GatewayUnderTest()
    gateway = bench.gateway_over(Silent(), time_limit=0.5)

    with pytest.raises(Unanswered):
        await gateway.write("acc_1", [an_upsert()])
    with pytest.raises(Unanswered):
        await gateway.refresh("r")


async def test_errors_tell_nothing_private() -> None:
    """Neither the token nor a text is in what is raised."""
    with pytest.raises(Permanent) as raised:
        await GatewayUnderTest(answered(400, {"error": "Title token-1"})).gateway.write(
            "acc_1", [an_upsert()]
        )

    assert "token" not in str(raised.value)
    assert "Title" not in str(raised.value)


async def test_a_text_that_cannot_be_sent_is_permanent() -> None:
    """Half a surrogate pair has no UTF-8."""
    bench = GatewayUnderTest()
    wrong = Delete(calendar_id="cal_1", event_id="\ud800")

    with pytest.raises(Permanent):
        await bench.gateway.write("acc_1", [wrong, an_upsert()])


async def test_r21_what_is_gone_already_can_be_ended_again() -> None:
    """Deleting an integration may be repeated after a crash."""
    bench = GatewayUnderTest(answered(404), answered(404))

    await bench.gateway.close_channel("acc_1", "chn_1")
    await bench.gateway.revoke_profile("acc_1", "pro_1")

    assert [request.url.path for request in bench.script.requests] == [
        "/v1/channels/chn_1",
        "/v1/profiles/pro_1/revoke",
    ]


async def test_a_channel_is_asked_for_as_documented() -> None:
    """Its address and its calendars go out, its id comes back."""
    bench = GatewayUnderTest(answered(200, {"channel": {"channel_id": "chn_1", "callback_url": "https://x"}}))
    gateway = bench.gateway

    assert (await gateway.create_channel("a", "https://x", calendar_ids=["cal_1"])).channel_id == "chn_1"
    assert bench.script.body() == {"callback_url": "https://x", "filters": {"calendar_ids": ["cal_1"]}}


VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""The example of RFC 7636, appendix B."""


async def test_g5_the_authorize_address_is_the_documented_one() -> None:
    """As CRONOFY.md C5 says."""
    url = httpx.URL(
        GatewayUnderTest().gateway.authorize_url(
            state="s&1", redirect_uri="https://x/calendar-sync/callback", verifier=VERIFIER
        )
    )

    assert str(url).startswith(
        "https://app.cronofy.test/oauth/authorize?response_type=code&client_id=client&"
    )
    assert "scope=read_account%20list_calendars%20read_events%20create_event%20delete_event" in str(url)
    assert url.params["redirect_uri"] == "https://x/calendar-sync/callback"
    assert (url.params["state"], url.params["avoid_linking"]) == ("s&1", "true")
    assert url.params["code_challenge"] == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert url.params["code_challenge_method"] == "S256"


async def test_the_first_of_several_secrets_signs_in_and_none_is_shown() -> None:
    """The others only verify."""
    bench = GatewayUnderTest(
        answered(200, {"access_token": "a", "refresh_token": "r", "expires_in": 60, "sub": "acc_1"})
    )

    grant = await bench.gateway.exchange_code("code", "https://x", verifier=VERIFIER)

    assert bench.script.body()["client_secret"] == "newest"
    assert bench.script.body()["code_verifier"] == VERIFIER
    assert grant.sub == "acc_1"
    assert "newest" not in repr(ACCESS)


async def test_a_used_code_is_a_refused_grant() -> None:
    """invalid_grant is used for both (CRONOFY.md C9)."""
    with pytest.raises(GrantRefused):
        await GatewayUnderTest(answered(400, {"error": "invalid_grant"})).gateway.exchange_code(
            "code", "https://x", verifier=VERIFIER
        )
