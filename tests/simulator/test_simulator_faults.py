"""Every switch does what it says."""

import unicodedata
from typing import Any

import httpx
import pytest

from service.demo.simulator.clock import ComputerClock
from service.demo.simulator.faults import UnknownFaultError

LUNCH = {"summary": "Lunch", "start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z"}
OLIVIA = "olivia@example.test"


async def test_429_for_some_requests_with_or_without_a_time_to_wait(world: Any, api: Any) -> None:
    """next_429, retry_after."""
    world.faults.change(next_429=2, retry_after=7)
    answers = [await api.page() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"

    world.faults.change(next_429=-1, retry_after=None)
    answers = [await api.page() for _ in range(3)]
    assert {answer.status_code for answer in answers} == {429}
    assert "retry-after" not in answers[0].headers


async def test_trouble_for_one_account_leaves_the_others_alone(world: Any, api: Any, other: Any) -> None:
    """only_accounts."""
    world.faults.change(next_429=-1, only_accounts=[api.linked.account.account_id])

    assert (await api.page()).status_code == 429
    assert (await other.page()).status_code == 200


async def test_a_provider_fails_and_the_others_do_not(world: Any, api: Any) -> None:
    """failing_providers, error_status; the accounts of these tests are at Office 365."""
    world.faults.change(failing_providers={"icloud": 1.0}, error_status=503)
    assert (await api.page()).status_code == 200

    world.faults.change(failing_providers={"office365": 1.0})
    assert (await api.page()).status_code == 503


async def test_a_provider_is_slow_in_both_directions(world: Any, api: Any) -> None:
    """slow_providers: what is written arrives late, and what happens there is seen late."""
    world.faults.change(slow_providers={"office365": 90.0})
    await api.upsert()
    await world.advance(80)
    assert world.events(api.calendar) == []
    await world.advance(20)
    assert len(world.events(api.calendar)) == 1
    world.add_event(api.calendar, **LUNCH)
    await world.advance(80)
    assert (await api.page()).json()["events"] == []
    await world.advance(60)
    assert [one["summary"] for one in (await api.page()).json()["events"]] == ["Lunch"]


@pytest.mark.parametrize("given", [{"google": "much"}, {"google": -1}, ["google"]])
async def test_a_switch_by_provider_takes_numbers_alone(world: Any, given: Any) -> None:
    with pytest.raises(UnknownFaultError):
        world.faults.change(slow_providers=given)


@pytest.mark.parametrize("applied", [False, True])
async def test_an_error_hides_whether_the_write_was_taken(world: Any, api: Any, applied: bool) -> None:
    """next_errors, error_status, error_after_applying."""
    world.faults.change(next_errors=1, error_status=503, error_after_applying=applied)
    assert (await api.upsert()).status_code == 503
    await world.rest()

    assert len(world.events(api.calendar)) == int(applied)


@pytest.mark.parametrize("applied", [False, True])
async def test_a_dropped_connection_hides_whether_the_write_was_taken(
    world: Any,
    api: Any,
    applied: bool,
) -> None:
    """next_drops, drop_after_applying: the client sees a transport error."""
    world.faults.change(next_drops=1, drop_after_applying=applied)
    with pytest.raises(httpx.TransportError):
        await api.upsert()
    await world.rest()

    assert len(world.events(api.calendar)) == int(applied)


async def test_ratios_hit_by_chance(world: Any, api: Any) -> None:
    """error_ratio and drop_ratio, repeatable by seed."""
    world.faults.change(error_ratio=0.5)
    statuses = [(await api.page()).status_code for _ in range(40)]
    assert 5 < statuses.count(500) < 35
    world.faults.change(error_ratio=0, drop_ratio=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await api.page()


async def test_single_entries_of_a_batch_fail(world: Any, api: Any) -> None:
    """next_entry_errors."""
    world.faults.change(next_entry_errors=1, error_status=502)
    answer = await api.batch(("POST", api.event()), ("POST", api.event(event_id="e-2")))

    assert [entry["status"] for entry in answer.json()["batch"]] == [502, 202]


async def test_answers_are_slow(world: Any, api: Any) -> None:
    """latency_ms, by the world's clock."""

    class Stopwatch(ComputerClock):
        waited = 0.0

        async def sleep(self, seconds: float) -> None:
            self.waited += seconds

    world.clock = Stopwatch()
    api.http.headers["Authorization"] = f"Bearer {world.link(OLIVIA).access_token}"
    world.faults.change(latency_ms=200)
    await api.page()
    assert world.clock.waited == 0.2


async def test_a_withdrawn_permission_is_invalid_grant(world: Any, api: Any) -> None:
    """revoke: 401, and nothing to refresh with."""
    world.revoke(OLIVIA)
    assert (await api.page()).status_code == 401
    body = {
        "client_id": "simulated",
        "client_secret": "simulated-secret",
        "grant_type": "refresh_token",
        "refresh_token": api.linked.refresh_token,
    }
    answer = await api.http.post("/oauth/token", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


async def test_access_tokens_expire_on_command(world: Any, api: Any) -> None:
    """expire_access_tokens."""
    world.expire_access_tokens(OLIVIA)

    assert (await api.page()).status_code == 401


async def test_writes_to_a_lost_profile_are_held_or_refused(world: Any, api: Any, receiver: Any) -> None:
    """disconnected_writes: 202 and held until it is linked again, or 423; no echo afterwards."""
    await api.watch()
    world.disconnect(OLIVIA)
    assert (await api.upsert()).status_code == 202
    await world.rest()
    assert world.events(api.calendar) == []
    world.faults.change(disconnected_writes="refuse")
    assert (await api.upsert()).status_code == 423

    world.reconnect(OLIVIA)
    await world.rest()
    assert len(world.events(api.calendar)) == 1
    assert receiver.changes() == []


async def test_linking_again_gives_new_calendar_ids(world: Any, api: Any) -> None:
    """new_calendar_ids: the old id is 404, the events are still ours under the new one."""
    await api.upsert()
    await world.rest()
    world.faults.change(new_calendar_ids=True)
    fresh = world.link(OLIVIA).calendar_ids["Work"]

    assert fresh != api.calendar
    assert (await api.upsert()).status_code == 404
    assert [row["calendar_id"] for row in await api.read(only_managed=True)] == [fresh]
    await api.upsert(fresh, summary="Changed")
    await world.rest()
    assert [event["summary"] for event in world.events(fresh)] == ["Changed"]


async def test_linking_again_may_forget_what_was_ours(world: Any, api: Any) -> None:
    """relink_forgets_managed: the same event id then makes a second event."""
    await api.upsert()
    await world.rest()
    world.faults.change(relink_forgets_managed=True)
    world.link(OLIVIA)
    await world.rest()
    assert len(await api.read()) == 1
    await api.upsert()
    await world.rest()

    assert len(world.events(api.calendar)) == 2


async def test_our_events_look_external_to_another_account_of_ours(
    world: Any,
    api: Any,
    transport: httpx.ASGITransport,
) -> None:
    """managed_per_account: two users of one application who both see a shared calendar."""
    world.add_mailbox(email="second@example.test", calendars=())
    world.share_calendar(api.calendar, "second@example.test")
    second = world.link("second@example.test")
    assert second.account is not api.linked.account
    await api.upsert()
    await world.rest()
    async with httpx.AsyncClient(transport=transport, base_url="http://cronofy.test") as web:
        web.headers["Authorization"] = f"Bearer {second.access_token}"
        assert (await web.get("/v1/events?tzid=Etc/UTC")).json()["events"] == []
        world.faults.change(managed_per_account=True)
        (row,) = (await web.get("/v1/events?tzid=Etc/UTC")).json()["events"]
    assert "event_id" not in row


async def test_a_read_may_come_back_empty_or_cut_short(world: Any, api: Any) -> None:
    """next_empty_reads; next_truncated_reads loses all pages but the first."""
    world.faults.change(page_size=1)
    for _ in range(3):
        world.add_event(api.calendar, **LUNCH)
    await world.rest()
    world.faults.change(next_empty_reads=1)
    assert await api.read() == []
    world.faults.change(next_truncated_reads=1)
    answer = (await api.page()).json()
    assert (answer["pages"], len(answer["events"])) == ({"current": 1, "total": 1}, 1)
    assert (await api.page()).json()["pages"]["total"] == 3


async def test_reads_lag_behind_the_calendar(world: Any, api: Any) -> None:
    """read_lag."""
    world.faults.change(read_lag=30)
    world.add_event(api.calendar, **LUNCH)
    await world.advance(29)
    assert await api.read() == []
    await world.advance(1)
    assert len(await api.read()) == 1


async def test_accepted_writes_overtake_each_other(world: Any, api: Any) -> None:
    """write_jitter: among many pairs of writes some end with the older value."""
    world.faults.change(write_jitter=5)
    for number in range(20):
        await api.upsert(event_id=f"e-{number}", summary="older")
        await api.upsert(event_id=f"e-{number}", summary="newer")
    await world.rest()

    ends = [event["summary"] for event in world.events(api.calendar)]
    assert set(ends) == {"older", "newer"}
    assert len(ends) == 20


async def test_an_accepted_write_may_never_arrive(world: Any, api: Any) -> None:
    """next_lost_writes."""
    world.faults.change(next_lost_writes=1)
    assert (await api.upsert()).status_code == 202
    await world.rest()

    assert world.events(api.calendar) == []


async def test_external_edits_are_accepted_and_ignored(world: Any, api: Any) -> None:
    """ignore_external_edits: 202 whatever the permission, and nothing happens."""
    (event,) = world.add_event(api.calendar, **LUNCH)
    world.faults.change(ignore_external_edits=True)
    assert (await api.upsert(event_id=None, event_uid=event["event_uid"])).status_code == 202
    assert (await api.delete(event_uid=event["event_uid"])).status_code == 202
    await world.rest()

    assert [each["summary"] for each in world.events(api.calendar)] == ["Lunch"]


async def test_the_provider_normalises_texts(world: Any, api: Any) -> None:
    """normalise_text: CRLF, trailing blanks gone, decomposed letters, one empty line at most."""
    world.faults.change(normalise_text=True)
    await api.upsert(summary="Café ", description="one  \n\n\n\ntwo\n")
    await world.rest()
    (event,) = world.events(api.calendar)

    assert event["summary"] == unicodedata.normalize("NFD", "Café")
    assert event["description"] == "one\r\n\r\ntwo"


async def test_times_are_never_rounded(world: Any, api: Any) -> None:
    """Whole seconds stay."""
    await api.upsert(start="2026-12-03T09:00:07Z", end="2026-12-03T09:00:08Z")
    await world.rest()

    assert world.events(api.calendar)[0]["start"] == "2026-12-03T09:00:07Z"


async def test_sparse_rows_leave_out_what_says_nothing(world: Any, api: Any) -> None:
    """sparse_events, with a nonsense year 0; what says something stays."""
    world.faults.change(sparse_events=True)
    world.add_event(api.calendar, **LUNCH, description="Pizza")
    await world.rest()
    (row,) = await api.read()

    assert row["created"] == "0000-12-29T00:00:00Z"
    assert row["description"] == "Pizza"
    assert not {"status", "transparency", "attendees", "event_private"} & set(row)


@pytest.mark.parametrize(
    ("switches", "told"),
    [
        ({"notice_duplicates": 2}, 3),
        ({"next_lost_notices": 1}, 0),
        ({"notice_loss": 1.0}, 0),
    ],
)
async def test_notices_are_repeated_or_lost(
    world: Any,
    api: Any,
    receiver: Any,
    switches: dict[str, Any],
    told: int,
) -> None:
    """notice_duplicates, next_lost_notices, notice_loss; verification always arrives."""
    world.faults.change(**switches)
    await api.watch()
    world.add_event(api.calendar, **LUNCH)
    await world.rest()

    assert len(receiver.changes()) == told
    assert receiver.types().count("verification") == 1


async def test_notices_come_late_and_out_of_order(world: Any, api: Any, receiver: Any) -> None:
    """notice_delay, notice_jitter."""
    await api.watch()
    world.faults.change(notice_delay=10, notice_jitter=600)
    for _ in range(10):
        world.add_event(api.calendar, **LUNCH)
        await world.advance(11)
    await world.rest()

    since = [change["changes_since"] for change in receiver.changes()]
    assert len(since) == 10
    assert since != sorted(since)


async def test_both_limits_are_sliding_windows_over_the_whole_application(world: Any, api: Any) -> None:
    """per_second, per_minute; what is refused does not count; room comes back as time passes."""
    world.faults.change(per_second=3, per_minute=5)
    statuses = [(await api.page()).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    await world.advance(1)
    assert [(await api.page()).status_code for _ in range(3)] == [200, 200, 429]
    await world.advance(1)
    assert (await api.page()).status_code == 429
    await world.advance(58)
    assert (await api.page()).status_code == 200
    assert world.stats()["refused_429"] == 3


async def test_a_batch_may_be_counted_by_its_entries(world: Any, api: Any) -> None:
    """batch_cost."""
    world.faults.change(per_second=3)
    entries = [("POST", api.event(event_id=f"e-{number}")) for number in range(4)]
    assert (await api.batch(*entries)).status_code == 207
    world.faults.change(batch_cost="entry")
    assert (await api.batch(*entries)).status_code == 429
