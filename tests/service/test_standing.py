"""Since when an integration stands as it does, and how many changes wait (R20, R22, R36)."""

from datetime import datetime
from typing import Any

from tests.support.office import EMAIL, Office

API = "/api/v1/integrations"


async def _shown(office: Office, integration_id: str) -> dict[str, Any]:
    return dict((await office.get(f"{API}/{integration_id}")).json())


async def _since(office: Office, integration_id: str) -> datetime:
    return datetime.fromisoformat((await _shown(office, integration_id))["status_since"])


async def test_r22_it_is_told_since_when_it_stands_so(office: Office) -> None:
    """From its making on; only another status moves it, not a look or a deactivation."""
    integration_id = await office.connect()
    made = await _since(office, integration_id)
    await office.clock.pass_time(100)
    await office.finish(integration_id)
    connected = await _since(office, integration_id)
    assert (connected - made).total_seconds() >= 100

    await office.clock.pass_time(100)
    await office.finish(integration_id)
    await office.post(f"{API}/{integration_id}/deactivate")
    assert await office.accounts.look(integration_id) == "fine"
    assert await _since(office, integration_id) == connected

    office.world.disconnect(EMAIL)
    await office.clock.pass_time(100)
    assert await office.accounts.look(integration_id) == "not_connected"
    lost = await _since(office, integration_id)
    assert (lost - connected).total_seconds() >= 200
    await office.clock.pass_time(100)
    assert await office.accounts.look(integration_id) == "not_connected"
    assert await _since(office, integration_id) == lost


async def test_r22_what_has_not_reached_the_calendar_is_counted(office: Office) -> None:
    """Late or kept; not what was refused, needs an answer, is in agreement, or was on another calendar."""
    integration_id = await office.finished()
    calendar_id = (await _shown(office, integration_id))["calendar_id"]
    assert (await _shown(office, integration_id))["waiting_changes"] == 0
    states = {
        "behind": None, "retrying": None, "held": "not_connected", "failed": None, "agreed": None,
        "frozen": "type_off", "let_go": "ok",
    }  # fmt: skip
    for state, code in states.items():
        await office.add_link(integration_id, calendar_id, state, code=code, item=state)
    await office.add_link(integration_id, calendar_id, "held", code="held_deletion", item="asked")
    await office.add_link(integration_id, calendar_id, "held", item="no code")
    await office.add_link(integration_id, "cal_elsewhere", "behind", item="elsewhere")

    shown = await _shown(office, integration_id)

    assert (shown["waiting_changes"], shown["held_deletions"]) == (4, 1)
