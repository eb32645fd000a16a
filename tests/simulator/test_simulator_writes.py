"""Accepting writes and carrying them out (CRONOFY.md C15, C20, C26)."""

from typing import Any

import pytest


async def test_a_write_is_accepted_first_and_in_the_calendar_later(world: Any, api: Any) -> None:
    """202 without a body; the provider has it after the delay, the cache after its lag."""
    answer = await api.upsert()
    assert (answer.status_code, answer.content) == (202, b"")
    assert world.events(api.calendar) == []

    await world.advance(0.15)
    assert len(world.events(api.calendar)) == 1
    assert await api.own() == []

    await world.advance(0.1)
    assert [row["event_id"] for row in await api.own()] == ["e-1"]


async def test_the_second_upsert_changes_the_same_event_and_keeps_what_it_omits(world: Any, api: Any) -> None:
    """(calendar_id, event_id) is the key."""
    await api.upsert(location={"description": "HQ"}, transparency="transparent")
    await world.rest()
    await api.upsert(summary="Changed")
    await world.rest()

    (event,) = world.events(api.calendar)
    assert (event["summary"], event["location"]) == ("Changed", {"description": "HQ"})
    assert event["transparency"] == "transparent"


async def test_a_deleted_event_id_makes_a_fresh_event(world: Any, api: Any) -> None:
    """The old one stays readable as a deleted row with its own event_uid."""
    for write in (api.upsert, api.delete, api.upsert):
        await write()
        await world.rest()

    rows = await api.own()
    assert [row["deleted"] for row in rows].count(True) == 1
    assert len({row["event_uid"] for row in rows}) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"summary": None}, "summary"),
        ({"summary": "x" * 1025}, "summary"),
        ({"description": "x" * 4097}, "description"),
        ({"description": 7}, "description"),
        ({"event_id": None}, "event_id"),
        ({"event_id": None, "event_uid": "nonsense"}, "event_uid"),
        ({"start": None}, "start"),
        ({"start": "2026-12-03T09:00:00.5Z"}, "start"),
        ({"start": "2026-12-03T09:00:00"}, "start"),
        ({"start": {"time": "2026-12-03T09:00:00Z", "tzid": "Mars/Base"}}, "start"),
        ({"tzid": "Mars/Base"}, "tzid"),
        ({"start": "2026-12-03"}, "end"),
        ({"start": "2026-12-03", "end": "2026-12-03"}, "end"),
        ({"end": "2026-12-03T08:00:00Z"}, "end"),
        ({"event_private": "yes"}, "event_private"),
        ({"transparency": "busy"}, "transparency"),
        ({"location": "HQ"}, "location"),
        ({"location": {"description": "HQ", "lat": 51.5}}, "location"),
        ({"reminders": [{"minutes": m} for m in range(6)]}, "reminders"),
        ({"attendees": ["a@example.test"]}, "attendees"),
        ({"url": "no address"}, "url"),
    ],
)
async def test_a_wrong_field_is_named(api: Any, changes: dict[str, Any], field: str) -> None:
    """422 with errors.<field>, each with key and description."""
    answer = await api.upsert(**changes)

    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert list(errors) == [field]
    assert set(errors[field][0]) == {"key", "description"}


async def test_the_published_422_of_a_missing_event_id(api: Any) -> None:
    """Exactly the body that Cronofy documents."""
    answer = await api.upsert(event_id=None)

    assert answer.json() == {"errors": {"event_id": [{"key": "errors.required", "description": "required"}]}}


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("2026-12-03 09:00:00Z", "2026-12-03T10:00:00+00:00", "2026-12-03T09:00:00Z"),
        ("2026-12-03T09:00:00.000Z", "2026-12-03T09:00:00UTC", "2026-12-03T09:00:00Z"),
        (
            {"time": "2014-09-13T20:00:00+01:00", "tzid": "Europe/London"},
            "2014-09-13T20:00:00Z",
            "2014-09-13T19:00:00Z",
        ),
        ({"time": "2026-12-03", "tzid": "Europe/London"}, "2026-12-04", "2026-12-03"),
    ],
)
async def test_accepted_forms_of_time(world: Any, api: Any, start: Any, end: Any, shown: str) -> None:
    """A space, an offset, zero fractions, a date inside {time, tzid}."""
    assert (await api.upsert(start=start, end=end)).status_code == 202
    await world.rest()

    assert (await api.own())[0]["start"] == shown


async def test_all_day_events_are_transparent_by_default(world: Any, api: Any) -> None:
    """Timed ones are opaque."""
    await api.upsert(start="2026-12-03", end="2026-12-04")
    await api.upsert(event_id="e-2")
    await world.rest()

    assert {row["event_id"]: row["transparency"] for row in await api.own()} == {
        "e-1": "transparent",
        "e-2": "opaque",
    }


async def test_unknown_deleted_and_read_only_calendars_refuse(world: Any, api: Any) -> None:
    """404, 404 and 403."""
    assert (await api.upsert("cal_unknown")).status_code == 404
    world.set_missing(api.calendar)
    assert (await api.upsert()).status_code == 404
    world.set_missing(api.calendar, False)
    world.set_read_only(api.calendar)
    assert (await api.upsert()).status_code == 403
    assert (await api.delete()).status_code == 403


async def test_deleting_an_unknown_event_is_accepted(api: Any) -> None:
    """202: deleting twice does no harm."""
    assert (await api.delete(event_id="never")).status_code == 202
    assert (await api.delete(nothing="here")).status_code == 422


async def test_writes_are_told_who_for_when_they_ask(api: Any) -> None:
    """include_userinfo."""
    answer = await api.delete(event_id="e-1", include_userinfo=True)

    assert (answer.status_code, answer.json()["userinfo"]["sub"]) == (202, api.linked.account.account_id)


async def an_external(world: Any, api: Any, **fields: Any) -> str:
    given = {"summary": "Lunch", "start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z", **fields}
    event = world.add_event(api.calendar, **given)[0]
    await world.rest()
    return str(event["event_uid"])


async def test_an_external_event_needs_unrestricted_permission(world: Any, api: Any) -> None:
    """403 in a sandbox; afterwards edited and deleted in place."""
    uid = await an_external(world, api)
    assert (await api.upsert(event_id=None, event_uid=uid)).status_code == 403
    assert (await api.delete(event_uid=uid)).status_code == 403

    world.set_permission(api.calendar, "unrestricted")
    assert (await api.upsert(event_id=None, event_uid=uid, summary="Dinner")).status_code == 202
    await world.rest()
    assert [event["summary"] for event in world.events(api.calendar)] == ["Dinner"]
    await api.delete(event_uid=uid)
    await world.rest()
    assert world.events(api.calendar) == []


async def test_a_deleted_external_event_cannot_be_brought_back(world: Any, api: Any) -> None:
    """An external edit is no upsert; nor is it possible on a part of a series."""
    world.set_permission(api.calendar, "unrestricted")
    gone = await an_external(world, api)
    world.delete_event(api.calendar, gone)
    part = await an_external(world, api, recurrence={"frequency": "daily", "count": 2})
    fixed = await an_external(world, api, options={"update": False})
    for uid in (gone, part, fixed):
        assert (await api.upsert(event_id=None, event_uid=uid, summary="No")).status_code == 202
    await world.rest()

    assert {event["summary"] for event in world.events(api.calendar)} == {"Lunch"}


async def test_our_own_event_is_not_reached_by_its_event_uid(world: Any, api: Any) -> None:
    """Accepted, and nothing happens: only external events are written by event_uid."""
    world.set_permission(api.calendar, "unrestricted")
    await api.upsert()
    await world.rest()
    uid = world.events(api.calendar)[0]["event_uid"]
    await api.upsert(event_id=None, event_uid=uid, summary="Changed")
    await api.delete(event_uid=uid)
    await world.rest()

    assert [event["summary"] for event in world.events(api.calendar)] == ["Replace firewall"]


async def test_both_ids_make_a_new_managed_event(world: Any, api: Any) -> None:
    """event_id wins over event_uid."""
    uid = await an_external(world, api)
    await api.upsert(event_uid=uid)
    await world.rest()

    assert len(world.events(api.calendar)) == 2


async def test_bulk_delete_takes_only_our_own(world: Any, api: Any, other: Any) -> None:
    """delete_all and calendar_ids exclude each other; external events stay."""
    await an_external(world, api)
    await api.upsert()
    await other.upsert(event_id="theirs")
    await world.rest()
    both = {"delete_all": True, "calendar_ids": [api.calendar]}
    assert (await api.http.request("DELETE", "/v1/events", json=both)).status_code == 422
    assert (await api.http.request("DELETE", "/v1/events", json={"delete_all": True})).status_code == 202
    await world.rest()

    assert {event["summary"] for event in world.events(api.calendar)} == {"Lunch", "Replace firewall"}
    assert len(world.events(api.calendar)) == 2


async def test_participation_follows_the_options(world: Any, api: Any) -> None:
    """Declining on Office 365 removes the event; one's own event has no such option."""
    boss = {"organizer": {"email": "boss@example.test"}, "attendees": [{"email": "olivia@example.test"}]}
    invited = await an_external(world, api, **boss)
    own = await an_external(world, api)
    for uid in (invited, own):
        url = f"/v1/calendars/{api.calendar}/events/{uid}/participation_status"
        assert (await api.http.post(url, json={"status": "declined"})).status_code == 202
        assert (await api.http.post(url, json={"status": "maybe"})).status_code == 422
    await world.rest()

    assert [event["event_uid"] for event in world.events(api.calendar)] == [own]


async def test_a_batch_succeeds_in_part(world: Any, api: Any) -> None:
    """207, answers in the order of the entries, data only for errors."""
    entries = [
        ("POST", api.event()),
        ("POST", api.event(event_id="e-2", summary="")),
        ("DELETE", {"event_id": "e-3"}),
    ]
    answer = await api.batch(*entries)
    await world.rest()

    assert answer.status_code == 207
    first, second, third = answer.json()["batch"]
    assert (first, third) == ({"status": 202}, {"status": 202})
    assert (second["status"], list(second["data"]["errors"])) == (422, ["summary"])
    assert [event["event_id"] for event in world.events(api.calendar)] == ["e-1"]


async def test_a_batch_names_an_unknown_calendar_and_refuses_what_is_no_write(api: Any) -> None:
    """404 for the entry; reads and nested batches are 422."""
    listed = [
        {"method": "POST", "relative_url": "/v1/calendars/cal_no/events", "data": api.event()},
        {"method": "GET", "relative_url": "/v1/events", "data": {}},
        {"method": "POST", "relative_url": "/v1/batch", "data": {"batch": []}},
    ]
    answer = await api.http.post("/v1/batch", json={"batch": listed})

    assert [entry["status"] for entry in answer.json()["batch"]] == [404, 422, 422]


async def test_a_batch_holds_fifty_entries(api: Any) -> None:
    """51 are refused together."""
    entries = [("POST", api.event(event_id=f"e-{number}")) for number in range(51)]

    assert (await api.batch(*entries[:50])).status_code == 207
    refused = await api.batch(*entries)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["batch"])


async def test_calendars_are_created_where_the_name_is_free(world: Any, api: Any) -> None:
    """200 with the calendar; 422 with errors.duplicate_calendar_name; 423 when not connected."""
    profile = (await api.http.get("/v1/profiles")).json()["profiles"][0]["profile_id"]
    body = {"profile_id": profile, "name": "Projects"}
    created = await api.http.post("/v1/calendars", json=body)
    assert created.json()["calendar"]["calendar_name"] == "Projects"
    again = await api.http.post("/v1/calendars", json=body)
    assert again.json()["errors"]["name"][0]["key"] == "errors.duplicate_calendar_name"
    world.disconnect("olivia@example.test")
    assert (await api.http.post("/v1/calendars", json={**body, "name": "New"})).status_code == 423
