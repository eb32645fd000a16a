"""Reading through the gateway: what is asked for, page after page, and where a token may go."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import count

import httpx
import pytest

from contracts.cronofy import EventsPage, EventsQuery
from contracts.errors import Permanent, Transient, Unanswered, Unavailable
from contracts.limits import MOST_PAGES
from service.cronofy.page_trail import PageTrail, TrailMark, followed
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


@pytest.mark.parametrize(
    "host", ["api-de.cronofy.test", "api.cronofy.com", "api-uk.cronofy.com", "gateway.cronofy.test"]
)
async def test_a_next_page_on_a_sister_host_is_asked_for_at_our_own(host: str) -> None:
    """The token stays where it belongs, and the read goes on."""
    bench = GatewayUnderTest(answered(200, {"pages": {}, "events": []}))

    await bench.gateway.next_page("acc_1", f"https://{host}/v1/events/pages/abc?x=1")

    assert str(bench.script.requests[0].url) == "https://api.cronofy.test/v1/events/pages/abc?x=1"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.cronofy.com.evil.test/v1/events/pages/a",
        "https://notapi.cronofy.com/v1/events/pages/a",
        "https://api.cronofy.com/v1/userinfo",
        "https://api.cronofy.com:444/v1/events/pages/a",
        "http://api-de.cronofy.test/v1/events/pages/a",
        "https://me:x@api-de.cronofy.test/v1/events/pages/a",
        "https://cronofy.test/v1/events/pages/a",
    ],
)
async def test_what_only_looks_like_a_sister_host_is_refused(url: str) -> None:
    """Nothing is asked for."""
    bench = GatewayUnderTest()
    with pytest.raises(Permanent, match="outside"):
        await bench.gateway.next_page("acc_1", url)
    assert bench.script.requests == []


async def test_a_page_that_names_itself_ends_the_read() -> None:
    """With a sentence."""
    url = "https://api.cronofy.test/v1/events/pages/a"
    bench = GatewayUnderTest(answered(200, {"pages": {"next_page": url}, "events": []}))
    with pytest.raises(Transient, match="names itself"):
        await bench.gateway.next_page("acc_1", url)


async def test_a_range_beyond_the_window_is_read_as_far_as_the_window_goes() -> None:
    """422 for the range: once more without it (CRONOFY.md C29)."""
    bench = GatewayUnderTest(answered(422), answered(200, {"pages": {}, "events": []}))
    query = EventsQuery(from_=date(2026, 12, 1), to=date(2027, 12, 31), include_managed=True)

    await bench.gateway.first_page("acc_1", query)

    asked = [dict(request.url.params) for request in bench.script.requests]
    assert asked[1] == {"tzid": "Etc/UTC", "include_managed": "true"}


async def test_another_422_is_no_question_of_the_window() -> None:
    """Nor is one without a range."""
    bench = GatewayUnderTest(answered(422), answered(422), answered(422))
    for query in (EventsQuery(), EventsQuery(from_=date(2026, 12, 1))):
        with pytest.raises(Permanent):
            await bench.gateway.first_page("acc_1", query)
    assert len(bench.script.requests) == 3


def test_the_pages_of_a_read_lead_on_and_to_an_end() -> None:
    """No circle, and not for ever."""
    trail = PageTrail()
    assert [trail.follow(page) for page in ("a", "b")] == ["a", "b"]
    with pytest.raises(Transient, match="in a circle: it was ended after 2"):
        trail.follow("a")
    for at in range(MOST_PAGES - 2):
        trail.follow(str(at))
    with pytest.raises(Transient, match="5,000 pages"):
        trail.follow("one more")


@pytest.mark.parametrize("length", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("before", [0, 1, 5, 33])
def test_a_read_that_many_processes_go_on_with_finds_any_circle_soon(before: int, length: int) -> None:
    """By what one of them leaves to the next, which is no more for a long read than for a short one."""
    mark: TrailMark = {}
    pages = (str(at if at < before else before + (at - before) % length) for at in count())
    read = 0
    with suppress(Transient):
        for page in pages:
            mark = followed(json.loads(json.dumps(mark)), page)
            read += 1
    assert read <= 4 * (before + length) + 2
    assert len(mark) == 4


def test_a_read_that_many_processes_go_on_with_has_an_end() -> None:
    """And not before it has read as many pages as any other may."""
    mark: TrailMark = {}
    for at in range(MOST_PAGES):
        mark = followed(mark, str(at))
    with pytest.raises(Transient, match="5,000 pages"):
        followed(mark, "one more")


@pytest.mark.parametrize(
    "said", [0, -1, MOST_PAGES + 1, 2**63, 10**400, True, 1.5, "3", None], ids=lambda said: repr(said)[:20]
)
def test_how_many_pages_there_are_is_believed_as_far_as_pages_are_read(said: object) -> None:
    """What a run shows of it goes into a column that holds no number of any length."""
    assert EventsPage.parse({"pages": {"total": said}, "events": []}).pages is None
    assert EventsPage.parse({"pages": {"total": MOST_PAGES}, "events": []}).pages == MOST_PAGES
