"""Reading events (CRONOFY.md C28, C31, C32)."""

from typing import Any

import pytest


async def an_external(world: Any, api: Any, **fields: Any) -> str:
    given = {"summary": "Lunch", "start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z", **fields}
    event = world.add_event(api.calendar, **given)[0]
    await world.rest()
    return str(event["event_uid"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tzid": ""}, "tzid"),
        ({"tzid": "Mars/Base"}, "tzid"),
        ({"from_": "2026-10-19"}, "from"),
        ({"to": "2027-06-21"}, "to"),
        ({"from_": "soon"}, "from"),
        ({"include_managed": "perhaps"}, "include_managed"),
        ({"last_modified": "2026-12-01T08:00:00.5Z"}, "last_modified"),
        ({"calendar_ids[]": "cal_unknown"}, "calendar_ids"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Any, query: dict[str, str], field: str) -> None:
    """422, also one day outside the window of 42 days back and 201 ahead."""
    answer = await api.page(**query)

    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


async def test_the_whole_window_may_be_asked_for(api: Any) -> None:
    """42 days back, 201 ahead, from and to themselves."""
    assert await api.read(from_="2026-10-20", to="2027-06-20") == []


async def test_a_range_takes_what_starts_before_its_end_and_ends_on_or_after_its_start(
    world: Any,
    api: Any,
) -> None:
    """The match rule of the sheet."""
    await an_external(world, api, start="2026-12-03T23:00:00Z", end="2026-12-04T00:00:00Z")

    assert len(await api.read(from_="2026-12-04", to="2026-12-05")) == 1
    assert len(await api.read(from_="2026-12-03", to="2026-12-04")) == 1
    assert len(await api.read(from_="2026-12-02", to="2026-12-03")) == 0


async def test_own_events_are_left_out_unless_asked_for(world: Any, api: Any, other: Any) -> None:
    """Managed for one application is external for another."""
    await api.upsert()
    await world.rest()

    assert await api.read() == []
    assert (await api.read(include_managed=True))[0]["event_id"] == "e-1"
    assert len(await api.read(only_managed=True)) == 1
    (seen,) = await other.read()
    assert "event_id" not in seen
    assert seen["event_uid"].startswith("evt_external_")
    assert await other.read(only_managed=True) == []


async def test_managed_events_are_exempt_from_the_window_without_a_range(world: Any, api: Any) -> None:
    """For all time without from and to, within the range with one."""
    await api.upsert(start="2030-01-01T09:00:00Z", end="2030-01-01T10:00:00Z")
    await an_external(world, api, start="2030-01-01T09:00:00Z", end="2030-01-01T10:00:00Z")

    assert [row.get("event_id") for row in await api.read(include_managed=True)] == ["e-1"]
    assert await api.read(include_managed=True, from_="2026-12-01") == []


async def test_last_modified_is_inclusive_at_whole_seconds(world: Any, api: Any) -> None:
    """The second itself, not the one after."""
    world.faults.change(read_lag=0)
    await an_external(world, api)

    assert len(await api.read(last_modified="2026-12-01T08:00:00Z")) == 1
    assert len(await api.read(last_modified="2026-12-01T08:00:01Z")) == 0
    await world.advance(5)
    world.change_event(api.calendar, (await api.read())[0]["event_uid"], summary="Dinner")
    assert len(await api.read(last_modified="2026-12-01T08:00:05Z")) == 1


async def test_deleted_rows_come_only_where_they_are_asked_for(world: Any, api: Any) -> None:
    """include_deleted."""
    uid = await an_external(world, api)
    world.delete_event(api.calendar, uid)
    await world.rest()

    assert await api.read() == []
    (row,) = await api.read(include_deleted=True)
    assert (row["event_uid"], row["deleted"]) == (uid, True)


async def test_moved_rows_come_with_their_new_times_where_they_are_asked_for(world: Any, api: Any) -> None:
    """Without include_moved an event that left the range just vanishes."""
    uid = await an_external(world, api)
    window = {"from_": "2026-12-03", "to": "2026-12-04"}
    world.change_event(api.calendar, uid, start="2026-12-20T09:00:00Z", end="2026-12-20T10:00:00Z")
    await world.rest()

    assert await api.read(**window) == []
    (row,) = await api.read(include_moved=True, **window)
    assert row["start"] == "2026-12-20T09:00:00Z"


async def test_pages_are_followed_by_address_until_none_is_named(world: Any, api: Any) -> None:
    """By start, then event_uid; the last page has no next_page, or an empty one."""
    world.faults.change(page_size=2)
    for hour in (15, 9, 12):
        await an_external(world, api, start=f"2026-12-03T{hour:02}:00:00Z", end="2026-12-03T18:00:00Z")
    first = (await api.page()).json()
    assert (first["pages"]["current"], first["pages"]["total"]) == (1, 2)
    world.faults.change(empty_next_page=True)
    last = (await api.http.get(first["pages"]["next_page"])).json()

    assert last["pages"] == {"current": 2, "total": 2, "next_page": ""}
    starts = [row["start"] for row in first["events"] + last["events"]]
    assert starts == sorted(starts)
    world.faults.change(empty_next_page=False)
    last = (await api.http.get(first["pages"]["next_page"])).json()
    assert "next_page" not in last["pages"]


async def test_page_tokens_run_out_and_belong_to_their_account(world: Any, api: Any, other: Any) -> None:
    """404 for another account, and after ten minutes."""
    world.faults.change(page_size=1)
    for _ in range(2):
        await an_external(world, api)
    url = (await api.page()).json()["pages"]["next_page"]

    assert (await other.http.get(url)).status_code == 404
    assert (await api.http.get(url)).status_code == 200
    await world.advance(601)
    assert (await api.http.get(url)).status_code == 404


async def test_a_series_arrives_as_instances_that_nobody_may_edit(world: Any, api: Any) -> None:
    """One series_identifier, an event_uid each, options false, wall-clock time kept over the clock change."""
    await an_external(
        world,
        api,
        start="2027-03-22T09:00:00Z",
        end="2027-03-22T10:00:00Z",
        tzid="Europe/London",
        recurrence={"frequency": "weekly", "count": 2},
    )
    rows = await api.read()

    assert [row["start"] for row in rows] == ["2027-03-22T09:00:00Z", "2027-03-29T08:00:00Z"]
    assert all(row["recurring"] for row in rows)
    assert len({row["series_identifier"] for row in rows}) == 1
    assert len({row["event_uid"] for row in rows}) == 2
    assert not any(any(row["options"].values()) for row in rows)


async def test_an_event_that_slides_into_the_window_appears_without_notice(
    world: Any,
    api: Any,
    receiver: Any,
) -> None:
    """Hence the daily full read."""
    await api.watch()
    await an_external(world, api, start="2027-06-28T09:00:00Z", end="2027-06-28T10:00:00Z")
    assert await api.read() == []
    await world.advance(10 * 86_400)
    world.expire_access_tokens()
    api.http.headers["Authorization"] = f"Bearer {world.link('olivia@example.test').access_token}"

    assert len(await api.read()) == 1
    assert receiver.types() == ["verification"]


async def test_localized_times_carry_their_zone(world: Any, api: Any) -> None:
    """{time, tzid}; a date keeps its form inside."""
    await api.upsert(start={"time": "2026-07-03T09:00:00Z", "tzid": "Europe/London"}, end=SUMMER_END)
    await world.rest()
    (row,) = await api.read(only_managed=True, localized_times=True)

    assert row["start"] == {"time": "2026-07-03T10:00:00+01:00", "tzid": "Europe/London"}


SUMMER_END = {"time": "2026-07-03T10:00:00Z", "tzid": "Europe/London"}


async def test_a_row_has_the_fields_of_the_sheet(world: Any, api: Any) -> None:
    """All of them where there is something to say."""
    people = [{"email": "b@example.test", "display_name": "B", "status": "accepted"}]
    uid = await an_external(
        world,
        api,
        event_private=True,
        status="tentative",
        attendees=people,
        location="HQ",
    )
    (row,) = await api.read()

    assert row["event_uid"] == uid
    assert (row["event_private"], row["status"], row["attendees"]) == (True, "tentative", people)
    assert row["location"] == {"description": "HQ"}
    assert row["created"] == "2026-12-01T08:00:00Z"
    assert set(row["options"]) == {"delete", "update", "change_participation_status"}


async def test_free_busy_shows_free_periods_and_ids_only_where_they_are_asked_for(
    world: Any,
    api: Any,
) -> None:
    """include_free, include_ids."""
    uid = await an_external(world, api)
    await an_external(world, api, transparency="transparent")
    await an_external(world, api, status="tentative")

    query = {"tzid": "Etc/UTC"}
    rows = (await api.http.get("/v1/free_busy", params=query)).json()["free_busy"]
    assert sorted(row["free_busy_status"] for row in rows) == ["busy", "tentative"]
    asked = {**query, "include_free": "True", "include_ids": "True"}
    rows = (await api.http.get("/v1/free_busy", params=asked)).json()["free_busy"]
    assert len(rows) == 3
    assert uid in {row["event_uid"] for row in rows}
