"""What an owner does to a calendar that Cronofy tells in its own way: series, the bin, odd stamps."""

from typing import Any

import pytest

NINE, TEN = "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z"


async def added(world: Any, api: Any, **fields: Any) -> list[str]:
    events = world.add_event(api.calendar, **{"summary": "Stand-up", "start": NINE, "end": TEN, **fields})
    await world.rest()
    return [str(event["event_uid"]) for event in events]


async def test_this_and_following_gives_new_identities(world: Any, api: Any) -> None:
    """The old ones are shown as deleted, and the times move by as much as the first one's."""
    uids = await added(world, api, recurrence={"frequency": "weekly", "count": 3})
    world.split_series(api.calendar, uids[1], start="2026-12-10T09:30:00Z", end="2026-12-10T10:30:00Z")
    await world.rest()

    rows = await api.read(include_deleted="true")
    gone = {row["event_uid"] for row in rows if row["deleted"]}
    starts = sorted(row["start"] for row in rows if not row["deleted"])
    assert gone == set(uids[1:])
    assert starts == [NINE, "2026-12-10T09:30:00Z", "2026-12-17T09:30:00Z"]
    assert len({row["series_identifier"] for row in rows if not row["deleted"]}) == 2


async def test_an_owner_restores_what_was_deleted(world: Any, api: Any) -> None:
    """Our own copy is ours again, under its uid, unless another was written under its id since."""
    await api.upsert()
    await world.rest()
    (before,) = await api.read(include_managed="true")
    world.delete_event(api.calendar, "e-1")
    await world.rest()
    world.restore_event(api.calendar, "e-1")
    await world.rest()
    (after,) = await api.read(include_managed="true")
    assert (after["event_uid"], after["event_id"]) == (before["event_uid"], "e-1")

    world.delete_event(api.calendar, "e-1")
    await api.upsert()
    await world.rest()
    world.restore_event(api.calendar, before["event_uid"])
    await world.rest()
    rows = await api.read(include_managed="true")
    assert sorted(row.get("event_id") or "" for row in rows) == ["", "e-1"]


async def test_a_copy_that_its_owner_makes_recurring_stays_ours_once(world: Any, api: Any) -> None:
    """The further occurrences have no event id, and the same series."""
    await api.upsert()
    await world.rest()
    world.change_event(api.calendar, "e-1", recurrence={"frequency": "weekly", "count": 3})
    await world.rest()

    rows = await api.read(include_managed="true")
    assert [row.get("event_id") for row in rows] == ["e-1", None, None]
    assert len({row["series_identifier"] for row in rows}) == 1


async def test_what_is_gone_may_name_no_times_and_what_left_may_show_as_gone(world: Any, api: Any) -> None:
    """Two habits of rows that are deleted; guests and conferencing are shown with the living ones."""
    link = {"provider_name": "zoom", "join_url": "https://zoom.example/j/1"}
    (uid,) = await added(world, api, conferencing=link, attendees=[{"email": "bob@example.test"}])
    (row,) = await api.read()
    assert (row["conferencing"], row["attendees"]) == (link, [{"email": "bob@example.test"}])

    world.faults.change(deleted_without_times=True, left_is_deleted=True)
    world.delete_event(api.calendar, uid)
    await world.rest()
    (row,) = await api.read(include_deleted="true")
    assert row["deleted"]
    assert not {"start", "end"} & row.keys()

    (past,) = await added(world, api, start="2026-09-01T09:00:00Z", end="2026-09-01T10:00:00Z")
    shown = await api.read(include_deleted="true")
    assert {row["event_uid"]: row["deleted"] for row in shown} == {uid: True, past: True}


@pytest.mark.parametrize(
    ("start", "end"),
    [("0001-01-01", "0001-01-02"), ("2026-12-03", "9999-12-31"), ("0099-12-31T09:00:00Z", TEN)],
)
async def test_times_of_any_century_are_shown_as_they_are(world: Any, api: Any, start: str, end: str) -> None:
    """Years have four digits."""
    await added(world, api, start=start, end=end)
    page = await api.page(last_modified="2026-12-01T08:00:00Z")
    rows = page.json()["events"]
    assert all((row["start"], row["end"]) == (start, end) for row in rows)


async def test_the_providers_clock_may_be_wrong(world: Any, api: Any) -> None:
    """Its stamps are, then; what was changed is found all the same."""
    world.faults.change(stamp_offset=-86_400.0)
    await added(world, api)
    (row,) = await api.read(last_modified="2026-12-01T08:00:00Z")
    assert row["updated"] < "2026-12-01"


async def test_further_pages_may_be_named_elsewhere_or_name_themselves(world: Any, api: Any) -> None:
    """Two ways in which a reader may be led astray."""
    for _ in range(3):
        await added(world, api)
    world.faults.change(page_size=1, next_page_host="api.elsewhere.test")
    first = (await api.page()).json()["pages"]["next_page"]
    assert first.startswith("https://api.elsewhere.test/v1/events/pages/")
    world.faults.change(next_page_host="", page_names_itself=True)
    second = (await api.page()).json()["pages"]["next_page"]
    assert (await api.http.get(second)).json()["pages"]["next_page"] == second
