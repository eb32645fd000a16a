"""My Calendar's items over HTTP: what is changed here is published as Vorex would (G17)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Item, item_ref
from contracts.envelope import ItemChanged, decode
from contracts.vorex import ItemContent, ItemType
from handlers.versions import VersionVerdict, judge_version
from service.store.items import items as items_store
from tests.support.office import Office, open_office

API = "/api/v1/my-calendar/items"
VISIT = {
    "title": "Replace firewall",
    "description": "Bring the spare.",
    "location": "Contoso HQ",
    "start": "2026-12-03T10:00:00+01:00",
    "end": "2026-12-03T11:00:00Z",
    "time_zone": "Europe/London",
}


@pytest.fixture(params=["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    """Both engines."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def office(url: str) -> AsyncIterator[Office]:
    async with open_office(url) as opened:
        yield opened


async def call(office: Office, method: str, path: str = "", body: Any = None, **who: Any) -> Any:
    headers = office.bearer(**who)
    return await office.client.request(method, f"{API}{path}", json=body, headers=headers)


async def keep(office: Office, item_type: ItemType, item_id: str, **changes: Any) -> None:
    """An item that came from elsewhere."""
    names = {"title", "start", "end", "all_day", "private", "assignees"}
    given = {"title": item_id, "start": "2026-12-03T09:00:00Z", "assignees": ["u-17"]} | changes
    content = ItemContent.from_json_dict(
        {"id": item_id, "type": item_type} | {name: given[name] for name in names if name in given}
    )
    item = Item(
        ref=item_ref("acme", item_type, item_id), tenant_id="acme", type=item_type, id=item_id, version=4,
        vorex_version=2, sync_version=4, revision=3, deleted=False, content=content,
        changed_at=office.clock.now(),
    )  # fmt: skip
    item = replace(item, **{name: value for name, value in changes.items() if name not in names})
    async with office.store.begin() as connection:
        await items_store.save(connection, [(item, None)], now=office.clock.now())


async def messages(office: Office) -> list[ItemChanged]:
    return [decode(one.body, expected=ItemChanged) for one in await office.sent("vorex.items")]


async def test_an_appointment_is_added_published_and_shown_at_once(office: Office) -> None:
    """201 with the item; version 1, by this user, for this user alone."""
    answer = await call(office, "POST", body=VISIT | {"id": "9", "type": "task", "assignees": ["u-1"]})
    assert answer.status_code == 201
    item = answer.json()
    assert {name: item[name] for name in ("type", "version", "read_only", "read_only_reason")} == {
        "type": "appointment",
        "version": 1,
        "read_only": False,
        "read_only_reason": None,
    }
    assert (item["start"], item["end"]) == ("2026-12-03T09:00:00Z", "2026-12-03T11:00:00Z")
    assert (await call(office, "GET")).json()["items"] == [item]
    (sent,) = await office.sent("vorex.items")
    assert (sent.routing_key, sent.mandatory) == ("appointment.created", True)
    (message,) = await messages(office)
    assert (message.source, message.subject) == ("/vorex/acme", f"appointment/{item['id']}")
    assert (message.data.actor.kind, message.data.actor.id) == ("user", "u-17")
    assert (message.data.version, message.data.last_seen) == (1, 0)
    assert message.data.item.assignees == ("u-17",)
    assert office.woken


async def test_the_message_that_comes_back_is_equal_and_goes_on_to_its_links(office: Office) -> None:
    """It was judged on the very same path."""
    created = (await call(office, "POST", body=VISIT)).json()
    (message,) = await messages(office)
    ref = item_ref("acme", "appointment", created["id"])
    async with office.store.read() as connection:
        stored = (await items_store.load(connection, [ref]))[ref]
    judged = judge_version(stored, message.data, time=message.time, source=message.source)
    assert judged.verdict is VersionVerdict.EQUAL


async def test_an_appointment_is_replaced_and_removed(office: Office) -> None:
    """Versions go up by one, whoever made the last one; what was seen of the sync's own is said."""
    await keep(office, ItemType.APPOINTMENT, "a:/ü", assignees=["u-17", "u-22"])
    answer = await call(office, "PUT", "/appointment:a:/ü", VISIT | {"title": "Later"})
    assert answer.status_code == 200
    assert (answer.json()["title"], answer.json()["version"]) == ("Later", 5)
    assert answer.json()["assignees"] == ["u-17", "u-22"]
    assert answer.json()["location"] == "Contoso HQ"
    assert (await call(office, "DELETE", "/appointment:a:/ü")).status_code == 204
    assert (await call(office, "GET")).json()["items"] == []
    assert (await call(office, "DELETE", "/appointment:a:/ü")).status_code == 404
    told = [
        (one.data.action.value, one.data.version, one.data.seen_version) for one in await messages(office)
    ]
    assert told == [("updated", 5, 4), ("deleted", 6, 4)]


@pytest.mark.parametrize("item_type", ["crm_activity", "service_call", "task", "todo"])
async def test_other_types_are_not_edited_here(item_type: str, office: Office) -> None:
    """409 not_editable."""
    await keep(office, ItemType(item_type), "1")
    for method in ("PUT", "DELETE"):
        answer = await call(office, method, f"/{item_type}:1", VISIT)
        assert (answer.status_code, answer.json()["code"]) == (409, "not_editable")
    assert await messages(office) == []


async def test_a_read_only_appointment_says_so_and_why(office: Office) -> None:
    """R8, R9: part of a series, or private there."""
    await keep(office, ItemType.APPOINTMENT, "1", read_only_reason="part of a series")
    (item,) = (await call(office, "GET")).json()["items"]
    assert (item["read_only"], item["read_only_reason"]) == (True, "part of a series")
    answer = await call(office, "PUT", "/appointment:1", VISIT)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_editable")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": None}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "2026-12-03"}, "start"),
        ({"end": "2026-12-03T08:00:00Z"}, "end"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"show_as": "away"}, "show_as"),
        ({"all_day": "yes"}, "all_day"),
        ({"description": "x" * 300_000}, "body"),
    ],
)
async def test_a_wrong_field_is_422_and_nothing_is_published(
    changes: dict[str, Any], field: str, office: Office
) -> None:
    """The rules are those of Vorex's own messages."""
    answer = await call(office, "POST", body=VISIT | changes)
    if field == "body":
        assert answer.status_code == 413
    else:
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert await messages(office) == []


async def test_half_a_surrogate_pair_is_422(office: Office) -> None:
    headers = office.bearer() | {"Content-Type": "application/json"}
    answer = await office.client.post(API, content=b'{"title":"\\ud800"}', headers=headers)
    assert answer.status_code == 422


async def test_a_body_nested_beyond_reading_is_422(office: Office) -> None:
    """Like any other body that is no JSON."""
    headers = office.bearer() | {"Content-Type": "application/json"}
    answer = await office.client.post(API, content=b"[" * 100_000, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


async def test_the_range_counts_days_in_the_persons_zone(office: Office) -> None:
    """Timed items by the instant, all-day ones by the day; the end of the range is outside of it."""
    await keep(office, ItemType.TASK, "late", start="2026-12-03T23:30:00Z")
    await keep(office, ItemType.TASK, "day", all_day=True, start="2026-12-03")
    await keep(office, ItemType.TASK, "early", start="2026-12-02T23:30:00Z")
    await keep(office, ItemType.TASK, "undated", start=None)
    ranges = {
        ("from=2026-12-03&to=2026-12-04", "UTC"): ["day", "late"],
        ("from=2026-12-03&to=2026-12-03", "UTC"): ["day", "late"],
        ("from=2026-12-03&to=2026-12-04", "Europe/Berlin"): ["early", "day"],
        ("from=2026-12-04&to=2026-12-05", "Europe/Berlin"): ["late"],
        ("from=2026-12-03T23:00:00Z&to=2026-12-03T23:30:00Z", "UTC"): ["day"],
        ("from=2026-12-03T12:00:00Z", "UTC"): ["day", "late"],
        ("to=2026-12-03", "UTC"): ["early"],
        ("", "UTC"): ["early", "day", "late"],
    }
    for (query, zone), expected in ranges.items():
        answer = (await call(office, "GET", f"?{query}", tz=zone)).json()
        assert [item["id"] for item in answer["items"]] == expected, (query, zone)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=x", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-12-03&to=2026-12-02", "to"),
        ("after=x", "after"),
    ],
)
async def test_a_wrong_range_is_422(query: str, field: str, office: Office) -> None:
    answer = await call(office, "GET", f"?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_items_are_paged_by_start(office: Office) -> None:
    for number in range(5):
        await keep(office, ItemType.TASK, str(number), start=f"2026-12-03T0{number // 2}:00:00Z")
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await call(office, "GET", f"?limit=2{after and '&after=' + after}")).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
    assert sorted(seen) == ["0", "1", "2", "3", "4"]
    assert len(seen) == 5


async def test_anothers_item_is_404(office: Office) -> None:
    """Another user's and another tenant's, and what does not exist."""
    created = (await call(office, "POST", body=VISIT)).json()
    for who in ({"user": "u-22"}, {"tenant": "other"}, {"user": "boss", "role": "administrator"}):
        assert (await call(office, "GET", **who)).json()["items"] == []
        for method in ("PUT", "DELETE"):
            for key in (f"appointment:{created['id']}", "appointment:1", "nonsense", "x:y"):
                assert (await call(office, method, f"/{key}", VISIT, **who)).status_code == 404


async def test_an_administrator_sees_private_items_masked(office: Office) -> None:
    """Without titles of private events; a user sees no one else's at all."""
    await keep(office, ItemType.APPOINTMENT, "1", title="Doctor", private=True)
    answer = await call(office, "GET", "?user_id=u-17", user="boss", role="administrator")
    assert "Doctor" not in answer.text
    assert [item["id"] for item in answer.json()["items"]] == ["1"]
    assert (await call(office, "GET", "?user_id=u-17", user="u-22")).status_code == 404
    assert (await call(office, "GET")).json()["items"][0]["title"] == "Doctor"
