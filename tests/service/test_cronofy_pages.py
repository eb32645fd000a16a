"""Reading through the gateway: what is asked for, page after page, and where a token may go."""

from datetime import UTC, date, datetime

import httpx
import pytest

from contracts.cronofy import EventsQuery
from contracts.errors import Permanent, Transient, Unanswered, Unavailable
from tests.support.scripted import GatewayUnderTest, Reply, all_pages, answered


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
        await GatewayUnderTest(reply).gateway.calendars("acc_1")

    assert type(raised.value) is kind


async def test_a_read_asks_only_for_what_was_wanted() -> None:
    """Booleans in lower case, times in whole seconds, ids repeated (CRONOFY.md C28, C31)."""
    bench = GatewayUnderTest(answered(200, {"pages": {}, "events": []}))
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
    bench = GatewayUnderTest(
        answered(200, {"pages": {"next_page": following}, "events": []}),
        answered(200, {"pages": {}, "events": []}),
    )

    pages = await all_pages(bench.gateway, "acc_1", EventsQuery())

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
    bench = GatewayUnderTest()

    with pytest.raises(Permanent, match="outside"):
        await bench.gateway.next_page("acc_1", url)

    assert bench.script.requests == []


@pytest.mark.parametrize("status", [404, 410, 422])
async def test_an_expired_page_is_transient_so_that_the_read_begins_anew(status: int) -> None:
    """Its address lives for a while only (CRONOFY.md C30)."""
    with pytest.raises(Transient):
        await GatewayUnderTest(answered(status)).gateway.next_page(
            "acc_1", "https://api.cronofy.test/v1/events/pages/a"
        )
