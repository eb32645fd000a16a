"""Channels and notices (CRONOFY.md C39, C40, C43)."""

import itertools
from typing import Any

import pytest

from service.demo.simulator.calendars.signing import sign

LUNCH = {"summary": "Lunch", "start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z"}


async def test_a_channel_is_verified_once_and_reused_when_asked_again(api: Any, receiver: Any) -> None:
    """The same request is the same channel; filters in answers hold only what is not the default."""
    first = await api.watch()
    assert await api.watch() == first
    other_form = await api.watch(only_managed=True)

    assert first["filters"] == {}
    assert other_form["channel_id"] != first["channel_id"]
    assert receiver.types() == ["verification", "verification"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "callback_url"),
        ({"callback_url": "no address"}, "callback_url"),
        ({"callback_url": "https://a.test", "filters": {"calendar_ids": []}}, "filters.calendar_ids"),
        ({"callback_url": "https://a.test", "filters": {"calendar_ids": ["cal_x"]}}, "filters.calendar_ids"),
    ],
)
async def test_a_wrong_channel_is_refused(api: Any, body: dict[str, Any], field: str) -> None:
    """422 with the field."""
    answer = await api.http.post("/v1/channels", json=body)

    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


async def test_there_are_at_most_128_channels(api: Any) -> None:
    """The next one is refused."""
    for number in range(128):
        url = f"https://app.test/{number}"
        assert (await api.http.post("/v1/channels", json={"callback_url": url})).status_code == 200
    refused = await api.http.post("/v1/channels", json={"callback_url": "https://app.test/more"})
    assert refused.status_code == 422


async def test_channels_are_listed_and_closed(api: Any) -> None:
    """202, then 404."""
    channel = await api.watch()
    url = f"/v1/channels/{channel['channel_id']}"

    assert (await api.http.get("/v1/channels")).json() == {"channels": [channel]}
    assert (await api.http.delete(url)).status_code == 202
    assert (await api.http.delete(url)).status_code == 404


async def test_changes_at_the_calendar_are_gathered_into_one_notice(
    world: Any,
    api: Any,
    receiver: Any,
) -> None:
    """changes_since is the second of the oldest; a delta read from there finds all."""
    world.faults.change(notice_delay=2)
    channel = await api.watch()
    world.add_event(api.calendar, **LUNCH)
    await world.advance(1.5)
    world.add_event(api.calendar, **LUNCH)
    await world.rest()

    (change,) = receiver.changes()
    assert change == {"type": "change", "changes_since": "2026-12-01T08:00:00Z"}
    assert receiver.got[-1]["channel"] == channel
    assert len(await api.read(last_modified=change["changes_since"])) == 2


async def test_nobody_is_told_of_their_own_writes_but_others_are(
    world: Any,
    api: Any,
    other: Any,
    receiver: Any,
) -> None:
    """Upsert, delete, external edit by the application: no notice for it on any of its channels."""
    mine, theirs = await api.watch(), await other.watch()
    await api.upsert()
    await world.rest()
    await api.delete()
    await world.rest()

    told = {d["channel"]["channel_id"] for d in receiver.got if d["notification"]["type"] == "change"}
    assert told == {theirs["channel_id"]}
    assert mine["channel_id"] not in told


async def test_a_person_who_changes_our_event_is_told_of(world: Any, api: Any, receiver: Any) -> None:
    """Edits and deletions of managed events by the owner do notify."""
    await api.upsert()
    await api.watch()
    world.change_event(api.calendar, "e-1", summary="Moved by hand")
    await world.rest()
    world.delete_event(api.calendar, "e-1")
    await world.rest()

    assert len(receiver.changes()) == 2


async def test_filters_limit_what_is_told(world: Any, api: Any, receiver: Any) -> None:
    """only_managed and calendar_ids."""
    home = api.linked.calendar_ids["Home"]
    await api.watch(only_managed=True)
    await api.watch(calendar_ids=[home])
    world.add_event(api.calendar, **LUNCH)
    await world.rest()
    assert receiver.changes() == []

    world.add_event(home, **LUNCH)
    await world.rest()
    assert receiver.got[-1]["channel"]["filters"] == {"calendar_ids": [home]}
    assert len(receiver.changes()) == 1


async def test_a_notice_is_signed_with_every_active_secret(world: Any, api: Any, receiver: Any) -> None:
    """Over the raw bytes, comma separated."""
    world.add_application("simulated", ["new", "old"])
    await api.watch()
    _, body, headers = receiver.raw[0]

    assert headers["Cronofy-HMAC-SHA256"] == sign(body, ["new", "old"])
    assert headers["Content-Type"] == "application/json; charset=utf-8"


async def test_a_failed_notice_is_tried_again_with_growing_gaps(
    world: Any,
    api: Any,
    receiver: Any,
) -> None:
    """The same bytes each time, until one is taken."""
    await api.watch()
    receiver.status = 503
    world.add_event(api.calendar, **LUNCH)
    await world.advance(60)
    receiver.status = 202
    await world.rest()
    times = [notice["at"] for notice in world.log.notices if notice["type"] == "change"]

    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert [round(gap) for gap in gaps] == [5, 10, 20, 40]
    assert len({body for _, body, _ in receiver.raw[1:]}) == 1


async def test_a_day_of_failures_closes_the_channel_in_silence(world: Any, api: Any, receiver: Any) -> None:
    """It must then be created again."""
    await api.watch()
    receiver.status = 500
    world.add_event(api.calendar, **LUNCH)
    await world.rest()

    assert api.linked.account.channels == {}


async def test_410_closes_at_once_only_by_switch(world: Any, api: Any, receiver: Any) -> None:
    """What 410 means to the real service is not established."""
    world.faults.change(close_on_410=True)
    await api.watch()
    receiver.status = 410
    world.add_event(api.calendar, **LUNCH)
    await world.advance(1)

    assert api.linked.account.channels == {}


async def test_a_lost_profile_is_told_once_and_its_return_not_at_all(
    world: Any,
    api: Any,
    receiver: Any,
) -> None:
    """profile_disconnected; afterwards only what changed meanwhile is a change."""
    await api.watch()
    world.disconnect("olivia@example.test")
    world.disconnect("olivia@example.test")
    await world.rest()
    (profile,) = (await api.http.get("/v1/profiles")).json()["profiles"]
    assert profile["profile_connected"] is False
    assert profile["profile_relink_url"].endswith(f"/relink/{profile['profile_id']}")
    world.add_event(api.calendar, **LUNCH)
    await world.rest()
    assert await api.read() == []

    assert (await api.http.post(profile["profile_relink_url"])).status_code == 200
    await world.rest()
    assert receiver.types() == ["verification", "profile_disconnected", "change"]
    assert len(await api.read()) == 1


async def test_the_first_sync_ends_with_a_notice(world: Any, api: Any, receiver: Any) -> None:
    """Reads are empty until then; profile_initial_sync_required says so."""
    await api.watch()
    world.add_event(api.calendar, **LUNCH)
    await world.rest()
    world.start_initial_sync("olivia@example.test")
    assert await api.read() == []
    info = (await api.http.get("/v1/userinfo")).json()
    assert info["cronofy.data"]["profiles"][0]["profile_initial_sync_required"] is True

    world.finish_initial_sync("olivia@example.test")
    await world.rest()
    assert len(await api.read()) == 1
    assert receiver.types()[-1] == "profile_initial_sync_completed"
