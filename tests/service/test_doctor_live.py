"""What is assumed of Cronofy is tried on an application calendar, and each line can say otherwise."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app.doctor_live import ALL_TRIALS, LiveFinding, try_everything
from service.app.server import SystemClock
from service.cronofy.live.calendar import EVENT_PREFIX, TrialCalendar
from service.demo.simulator.api.grants import TOKEN_PREFIX
from service.demo.simulator.faults import CONTRARY_WORDS
from service.demo.simulator.world import SimulatedWorld
from service.store.engine.store import Store
from tests.support.processes import SECRETS, run, started
from tests.support.repository import ROOT
from tests.support.servers import free_port
from tests.support.wiring import HERE, simulated_cronofy

OLIVIA = "olivia@example.test"
NAMES = sorted(trial.name for trial in ALL_TRIALS)
LIVE_ROW = re.compile(r'^\| <a id="c\d+"></a>(C\d+) \|.+\| [a-z ]+, live \|', re.MULTILINE)


@dataclass(kw_only=True)
class Visit:
    world: SimulatedWorld
    calendar: TrialCalendar

    async def findings(self, *names: str) -> list[LiveFinding]:
        wanted = [trial for trial in ALL_TRIALS if not names or trial.name in names]
        return [finding async for finding in try_everything(self.calendar, wanted)]

    def events(self) -> list[str]:
        calendars = self.world.calendars.values()
        return [event.uid for calendar in calendars for event in calendar.events.values()]


@pytest.fixture
async def visit(sqlite_url: str) -> AsyncIterator[Visit]:
    world = SimulatedWorld()
    world.faults.change(apply_delay=0.0, read_lag=0.0)
    world.add_mailbox(email=OLIVIA)
    world.link(OLIVIA)
    store = Store(sqlite_url)
    cronofy = simulated_cronofy(store, SystemClock(), world)
    calendar = TrialCalendar(
        transport=cronofy.transport,
        oauth=cronofy.oauth,
        clock=SystemClock(),
        callback_address=lambda one: f"{HERE}/cronofy/notices/{one}",
        patience=0.3,
    )
    yield Visit(world=world, calendar=calendar)
    await cronofy.close()
    await store.close()


async def test_a_cronofy_as_it_is_thought_to_be_differs_nowhere(visit: Visit) -> None:
    """Issue 15.7: each assumption that an application calendar settles is tried and found so."""
    found = await visit.findings()

    assert {one.name: (one.well, one.seen) for one in found if one.well is not True} == {}
    assert {one.name for one in found} == {*NAMES, "application calendar"}


async def test_what_was_written_is_taken_away_however_slow_each_answer_is(visit: Visit) -> None:
    """Patience counts what is waited, so that there is a look behind the deletion."""
    await visit.calendar.open()
    await visit.calendar.put("slow", summary="Slow")
    visit.world.faults.change(latency_ms=1000 * visit.calendar.patience + 100)

    assert await visit.calendar.sweep() == 0
    assert visit.events() == []


@pytest.mark.parametrize("name", NAMES)
async def test_each_line_can_say_otherwise(visit: Visit, name: str) -> None:
    """A Cronofy that differs in one thing is told by that line."""
    visit.world.faults.change(contrary=[name])

    (finding,) = [one for one in await visit.findings(name) if one.name == name]

    assert finding.well is False, finding.seen
    assert finding.line.startswith(f"[different] {finding.number} {name}: ")


def test_the_simulator_can_be_contrary_in_exactly_what_is_tried() -> None:
    assert set(NAMES) == CONTRARY_WORDS
    assert len(NAMES) == len(set(NAMES))


async def test_nothing_is_left_and_nobodys_calendar_is_touched(visit: Visit) -> None:
    """What a visit wrote goes with it, what an earlier one left behind, too; and the tokens end."""
    await visit.calendar.open()
    await visit.calendar.put("left-behind")
    (gone,) = visit.events()

    await visit.findings()

    assert visit.events() == []
    written = {write.binding.calendar.mailbox.email for write in visit.world.log.writes}
    assert OLIVIA not in written
    assert len(written) == 1
    own = [one for one in visit.world.accounts.values() if one.kind == "application_calendar"]
    assert [(one.revoked, one.channels) for one in own] == [(True, {})]
    assert gone not in visit.events()


async def test_an_application_without_such_calendars_is_told_and_nothing_else_is_tried(visit: Visit) -> None:
    visit.world.faults.change(next_errors=1, error_status=402)

    (finding,) = await visit.findings()

    assert finding.well is False
    assert "402" in finding.seen


async def test_what_does_not_arrive_in_time_is_not_settled(visit: Visit) -> None:
    """A write that is late says nothing of how it will look."""
    visit.world.faults.change(write_stall=3600.0)

    found = {one.name: one.well for one in await visit.findings("accepted", "private", "deleted_row")}

    assert {name: found[name] for name in ("accepted", "private", "deleted_row")} == {
        "accepted": None,
        "private": None,
        "deleted_row": None,
    }


def test_the_document_marks_what_is_tried() -> None:
    """CRONOFY.md: the rows marked as live are those that the doctor tries."""
    marked = set(LIVE_ROW.findall((ROOT / "contracts" / "CRONOFY.md").read_text(encoding="utf-8")))
    assert marked == {trial.number for trial in ALL_TRIALS}


def test_the_doctor_tries_them_over_http(tmp_path: Path, new_sqlite_url: str) -> None:
    """``doctor --live``: each line says what was assumed and seen; 1 where something differs; no token."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    whole = {
        **SECRETS,
        "DATABASE_URL": new_sqlite_url,
        "CRONOFY_API_URL": address,
        "SIMULATOR_PORT": str(port),
    }
    assert run("migrate", settings=whole, folder=tmp_path).returncode == 0
    with started("simulator", settings=whole, folder=tmp_path) as simulator:
        simulator.logged("process.started")
        switches = f"{address}/_control/faults"
        httpx.post(switches, json={"apply_delay": 0.0, "read_lag": 0.0}).raise_for_status()
        seen = run("doctor", "--live", settings=whole, folder=tmp_path)
        told = seen.stdout.decode()
        assert seen.returncode == 0, told
        assert "[ok] C15 same_id: Two writes under one event id make one event – 1 event" in told
        httpx.post(switches, json={"contrary": ["created"]}).raise_for_status()
        again = run("doctor", "--live", "--json", settings=whole, folder=tmp_path)
        assert again.returncode == 1
        items: list[dict[str, Any]] = json.loads(again.stdout)["items"]
        wrong = [one for one in items if one["well"] is False]
        assert [(one["number"], one["name"]) for one in wrong] == [("C36", "live created")]
    everything = seen.stdout + seen.stderr + again.stdout + again.stderr
    assert re.search(rf"\b{TOKEN_PREFIX}[0-9a-f]{{20,}}".encode(), everything) is None
    assert EVENT_PREFIX.encode() not in everything
