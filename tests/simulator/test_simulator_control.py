"""``/_control`` has every verb of the world."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

import service.demo.simulator
from service.demo.simulator.api.rows import calendar_details
from service.demo.simulator.calendars.channels import open_channel
from service.demo.simulator.server import demo_world, serve_inside
from service.demo.simulator.world import SimulatedWorld

LUNCH = {"summary": "Lunch", "start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z"}
OLIVIA = "olivia@example.test"


async def control(api: Any, method: str, path: str, **body: Any) -> Any:
    answer = await api.http.request(method, f"/_control{path}", json=body or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_switches_are_shown_set_and_cleared(world: Any, api: Any) -> None:
    """GET, POST, DELETE; an unknown name or kind changes nothing."""
    shown = await control(api, "POST", "/faults", next_429=2, read_lag=3)
    assert (shown["next_429"], shown["read_lag"]) == (2, 3)
    for wrong in (
        {"next_429": 5, "nonsense": 1},
        {"next_429": "many"},
        {"batch_cost": "pound"},
        {"normalise_text": ["no"]},
    ):
        assert (await api.http.post("/_control/faults", json=wrong)).status_code == 422
    assert (await control(api, "GET", "/faults"))["next_429"] == 2
    assert (await control(api, "DELETE", "/faults"))["next_429"] == 0
    assert world.faults.read_lag == 0.1


async def test_states_are_set_as_lists_and_end_when_they_are_left_out(world: Any, api: Any) -> None:
    """disconnected, initial_sync_required, read_only, missing; and the verbs revoke and expire."""
    await control(api, "POST", "/faults", disconnected=[OLIVIA], read_only=[api.calendar])
    assert (await api.upsert()).status_code == 403
    assert (await api.http.get("/v1/profiles")).json()["profiles"][0]["profile_connected"] is False
    await control(api, "POST", "/faults", disconnected=[], missing=[api.calendar])
    listed = (await api.http.get("/v1/calendars")).json()["calendars"][0]
    assert (listed["calendar_readonly"], listed["calendar_deleted"]) == (True, True)
    assert world.profiles(OLIVIA)[0].connected
    await control(api, "DELETE", "/faults")
    assert (await api.upsert()).status_code == 202

    await control(api, "POST", "/faults", expire_access_tokens=True)
    assert (await api.upsert()).status_code == 401
    await control(api, "POST", "/faults", revoke=[OLIVIA])
    assert api.linked.account.revoked


async def test_the_owner_adds_changes_and_deletes_events(world: Any, api: Any) -> None:
    """By event_uid, or by the event_id of an application; by either id of the calendar."""
    events = f"/calendars/{api.calendar}/events"
    (added,) = (await control(api, "POST", events, **LUNCH))["events"]
    await control(api, "PUT", f"{events}/{added['event_uid']}", summary="Dinner")
    listed = await control(api, "GET", f"/events?calendar_id={api.calendar}")
    assert [event["summary"] for event in listed["events"]] == ["Dinner"]
    await control(api, "DELETE", f"{events}/{added['event_uid']}")
    await api.upsert()
    await control(api, "POST", "/advance", seconds=5)
    await control(api, "DELETE", f"{events}/e-1")
    assert world.events(api.calendar) == []


async def test_a_whole_series_is_deleted_at_once(world: Any, api: Any) -> None:
    """Or one occurrence of it."""
    events = f"/calendars/{api.calendar}/events"
    recurrence = {"frequency": "daily", "count": 5}
    made = (await control(api, "POST", events, **LUNCH, recurrence=recurrence))["events"]
    await control(api, "DELETE", f"{events}/{made[0]['event_uid']}")
    assert len(world.events(api.calendar)) == 4
    await control(api, "DELETE", f"{events}/{made[1]['event_uid']}?series=true")
    assert world.events(api.calendar) == []


async def test_people_are_added_and_linked(api: Any) -> None:
    """With tokens, for benchmarks that need no consent."""
    body = {"email": "new@example.test", "provider": "icloud", "zone": "UTC", "calendars": ["One"]}
    person = await control(api, "POST", "/accounts", **body)
    assert [calendar["name"] for calendar in person["calendars"]] == ["One"]
    linked = await control(api, "POST", "/accounts/new@example.test/link", scope="read_events")
    assert set(linked["calendar_ids"]) == {"One"}
    listed = (await control(api, "GET", "/accounts"))["accounts"]
    assert listed[-1]["linked"][0]["account_id"] == linked["account_id"]
    assert (await api.http.post("/_control/accounts", json=body)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_control/events?calendar_id=cal_no"),
        ("POST", "/_control/accounts/nobody@example.test/revoke"),
    ],
)
async def test_what_does_not_exist_is_404(api: Any, method: str, path: str) -> None:
    """With a sentence."""
    answer = await api.http.request(method, path)

    assert (answer.status_code, bool(answer.json()["error"])) == (404, True)


async def test_everything_that_arrives_is_remembered(world: Any, api: Any) -> None:
    """Requests with entries and status, accepted writes with their data, counts."""
    await api.batch(("POST", api.event()), ("POST", api.event(summary="")))
    await api.page()
    first, second = (await control(api, "GET", "/requests"))["requests"]
    assert (first["method"], first["path"], first["entries"], first["status"]) == (
        "POST",
        "/v1/batch",
        2,
        207,
    )
    assert (second["path"], second["account"]) == ("/v1/events", api.linked.account.account_id)
    (write,) = (await control(api, "GET", "/writes?key=e-1"))["writes"]
    assert (write["kind"], write["data"]["summary"]) == ("upsert", "Replace firewall")

    stats = await control(api, "GET", "/stats")
    assert (stats["requests"], stats["most_in_a_second"]) == (2, 2)
    await control(api, "DELETE", "/requests")
    assert (await control(api, "GET", "/stats"))["requests"] == 0


async def test_the_same_seed_and_the_same_acts_make_the_same_world() -> None:
    """Hypothesis can repeat what it found."""
    first, second = SimulatedWorld(seed=3), SimulatedWorld(seed=3)
    for world in (first, second):
        world.add_mailbox(email=OLIVIA)

    assert first.link(OLIVIA).calendar_ids == second.link(OLIVIA).calendar_ids


async def test_under_the_computers_clock_things_happen_by_themselves() -> None:
    """A running world applies writes, refreshes its cache and posts notices."""
    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        await told.put(body)
        return 204

    world = SimulatedWorld(post=post)
    world.faults.change(apply_delay=0.01, read_lag=0.01, notice_delay=0.01)
    world.add_mailbox(email=OLIVIA)
    calendar = world.link(OLIVIA).calendar_ids["Calendar"]
    async with world.running():
        open_channel(world, next(iter(world.accounts.values())), "https://app.test", {})
        assert b"verification" in await asyncio.wait_for(told.get(), 60)
        world.add_event(calendar, summary="Now", start="2026-12-03", end="2026-12-04")
        world.faults.change(window_past_days=100_000, window_future_days=100_000)
        assert b"change" in await asyncio.wait_for(told.get(), 60)


async def test_a_shared_calendar_is_seen_by_both_people(world: Any, api: Any) -> None:
    """With an id for each account; it is the primary one of its owner only."""
    world.add_mailbox(email="second@example.test", calendars=())
    second = world.link("second@example.test")
    await control(api, "POST", f"/calendars/{api.calendar}/share", email="second@example.test")
    world.add_event(api.calendar, **LUNCH)
    await world.rest()

    (binding,) = second.account.bindings.values()
    assert binding.calendar_id != api.calendar
    assert len(binding.rows) == 1
    assert calendar_details(binding)["calendar_primary"] is False


async def test_the_demo_has_one_person_at_each_service_and_cronofys_limits() -> None:
    """What `calendar-sync simulator` starts with."""
    world = demo_world(client_id="demo", client_secret="new,old")

    assert len({mailbox.provider for mailbox in world.mailboxes.values()}) == 5
    assert (world.faults.per_second, world.faults.per_minute) == (50, 500)
    assert world.applications["demo"].secrets == ["new", "old"]


async def test_it_serves_inside_another_program(world: Any) -> None:
    """On a free port, until the block is left."""
    async with (
        serve_inside(SimulatedWorld(), host="127.0.0.1", port=0) as address,
        httpx.AsyncClient(timeout=60) as web,
    ):
        assert (await web.get(f"{address}/_control/stats")).json()["requests"] == 0
        await web.post(f"{address}/_control/faults", json={"next_drops": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            await web.post(f"{address}/oauth/token", json={})


async def test_time_moves_only_where_it_is_manual(api: Any) -> None:
    """And the process says so."""
    assert (await api.http.post("/_control/advance", json={"seconds": 1})).status_code == 200
    with pytest.raises(LookupError):
        await SimulatedWorld().advance(1)


def test_the_simulator_knows_nothing_of_this_product() -> None:
    """It imports only itself, the standard library and the web framework."""
    folder = Path(service.demo.simulator.__file__).parent
    named = {
        node.module or ""
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    ours = {name for name in named if name.split(".")[0] in {"service", "handlers", "contracts"}}
    assert all(name.startswith("service.demo.simulator") for name in ours)
