"""An integration's log over HTTP (G14, R27)."""

from collections.abc import AsyncIterator

import pytest

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome, Trigger
from contracts.vorex import ItemType
from service.store.logs.logs import log
from tests.support.office import Office, open_office


@pytest.fixture(params=["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    """Both engines."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def office(url: str) -> AsyncIterator[Office]:
    async with open_office(url) as opened:
        yield opened


async def fill(office: Office) -> str:
    integration_id = await office.connect()
    triggers = [Trigger.RUN, Trigger.REAL_TIME, Trigger.OPERATOR, Trigger.RUN]
    async with office.store.begin() as connection:
        for number, trigger in enumerate(triggers):
            entry = LogEntry(
                integration_id=IntegrationId(integration_id), trigger=trigger,
                direction=Direction.TO_LINKED_CALENDAR, action=LogAction.CREATE, outcome=Outcome.DONE,
                code=Code.OK, reason="Created.", item_id=str(number), item_type=ItemType.TASK, title="Call",
                message_id="m-1", attempt=1,
            )  # fmt: skip
            await log(connection, [entry], now=office.clock.now())
    return f"/api/v1/integrations/{integration_id}/logs"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["3", "0"]),
        ("?trigger=run", ["3", "0"]),
        ("?trigger=real_time", ["2", "1"]),
        ("?trigger=all", ["3", "2", "1", "0"]),
    ],
)
async def test_the_log_opens_on_runs_and_shows_the_rest_on_demand(
    query: str, expected: list[str], office: Office
) -> None:
    """R27, newest first."""
    path = await fill(office)
    answer = (await office.get(f"{path}{query}")).json()
    assert [entry["item_id"] for entry in answer["items"]] == expected


async def test_an_entry_has_exactly_these_fields(office: Office) -> None:
    """Programs read them by these names."""
    path = await fill(office)
    entry = (await office.get(path)).json()["items"][0]
    assert entry == {
        "at": "2026-12-01T08:00:00Z",
        "trigger": "run",
        "direction": "to_linked_calendar",
        "action": "create",
        "outcome": "done",
        "code": "ok",
        "item_id": "3",
        "item_type": "task",
        "title": "Call",
        "reason": "Created.",
        "message_id": "m-1",
        "attempt": 1,
        "run_id": None,
        "trace_id": None,
    }


async def test_the_log_is_paged_by_cursor(office: Office) -> None:
    path = await fill(office)
    first = (await office.get(f"{path}?trigger=all&limit=3")).json()
    rest = (await office.get(f"{path}?trigger=all&limit=3&after={first['next']}")).json()
    assert [entry["item_id"] for entry in (*first["items"], *rest["items"])] == ["3", "2", "1", "0"]
    assert rest["next"] is None


async def test_an_unknown_filter_is_422(office: Office) -> None:
    path = await fill(office)
    answer = await office.get(f"{path}?trigger=sometimes")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "trigger")
