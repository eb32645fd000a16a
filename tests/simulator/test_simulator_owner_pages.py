"""The provider's side: the calendar's owner adds, moves, changes and deletes events (G18)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from service.demo.simulator.app import create_app
from service.demo.simulator.clock import SteppedClock
from service.demo.simulator.world import SimulatedWorld

EMAIL = "sam@example.test"
SCRIPT = "<script>alert(1)</script>"
FORM = {
    "summary": "Lunch", "start_day": "2026-12-03", "start_time": "12:00", "end_day": "2026-12-03",
    "end_time": "13:00", "location": "Café", "description": "Bring\r\ncake",
}  # fmt: skip


@dataclass(kw_only=True)
class Program:
    """Somebody's calendar program."""

    world: SimulatedWorld
    client: httpx.AsyncClient
    key: str

    @property
    def base(self) -> str:
        return f"/owner/{self.key}"

    async def send(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        return await self.client.post(f"{self.base}{path}", data=form, headers=headers)

    def events(self) -> list[dict[str, Any]]:
        return self.world.events(self.key)


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    world = SimulatedWorld(clock=SteppedClock())
    mailbox = world.add_mailbox(email=EMAIL)
    transport = httpx.ASGITransport(create_app(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://provider.test") as client:
        yield Program(world=world, client=client, key=next(iter(mailbox.calendars)))


async def test_every_calendar_is_found_from_the_first_page(program: Program) -> None:
    page = await program.client.get("/")
    assert page.status_code == 200
    assert EMAIL in page.text
    assert f'href="/owner/{program.world.mailbox(EMAIL).calendars[program.key].key}"' in page.text


async def test_an_event_is_added_changed_moved_and_deleted(program: Program) -> None:
    """Each answers with the month of the event."""
    added = await program.send("/event", FORM)
    assert (added.status_code, added.headers["Location"]) == (303, f"{program.base}?month=2026-12")
    (event,) = program.events()
    assert (event["summary"], event["start"], event["end"]) == (
        "Lunch", "2026-12-03T12:00:00Z", "2026-12-03T13:00:00Z",
    )  # fmt: skip
    assert (event["description"], event["location"]) == ("Bring\ncake", {"description": "Café"})
    uid = event["event_uid"]

    await program.send(f"/event?uid={uid}", {**FORM, "summary": "Late lunch", "start_time": "12:30"})
    await program.send(f"/event/move?uid={uid}", {"day": "2026-12-07"})
    (event,) = program.events()
    assert (event["summary"], event["start"], event["end"]) == (
        "Late lunch", "2026-12-07T12:30:00Z", "2026-12-07T13:00:00Z",
    )  # fmt: skip

    await program.send(f"/event/delete?uid={uid}", {})
    assert program.events() == []


async def test_the_enter_key_saves_and_never_deletes(program: Program) -> None:
    """A browser presses the form's first button for it."""
    await program.send("/event", FORM)
    page = await program.client.get(f"{program.base}/event?uid={program.events()[0]['event_uid']}")
    assert "formaction" not in page.text.partition("<button")[2].partition(">")[0]


async def test_a_whole_day_has_its_last_day_included_and_moves_as_a_whole(program: Program) -> None:
    await program.send("/event", {**FORM, "all_day": "on", "end_day": "2026-12-04"})
    (event,) = program.events()
    assert (event["start"], event["end"]) == ("2026-12-03", "2026-12-05")
    form = await program.client.get(f"{program.base}/event?uid={event['event_uid']}")
    assert 'value="2026-12-04"' in form.text

    await program.send(f"/event/move?uid={event['event_uid']}", {"day": "2026-12-31"})

    (event,) = program.events()
    assert (event["start"], event["end"]) == ("2026-12-31", "2027-01-02")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"start_day": ""}, "Start: choose a day."),
        ({"start_time": "noon"}, "Start time: choose a time."),
        ({"end_time": "11:00"}, "The end must not be before the start."),
        ({"start_day": "0001-01-01"}, "Start: choose a day of this age."),
    ],
)
async def test_what_cannot_be_is_told_and_the_form_kept(
    program: Program, wrong: dict[str, str], sentence: str
) -> None:
    answer = await program.send("/event", {**FORM, **wrong})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Bring" in answer.text
    assert program.events() == []


async def test_texts_are_only_ever_texts(program: Program) -> None:
    """And the policy forbids what else they might be."""
    await program.send("/event", {**FORM, "summary": SCRIPT, "description": f"</textarea>{SCRIPT}"})
    (event,) = program.events()
    month = await program.client.get(f"{program.base}?month=2026-12")
    form = await program.client.get(f"{program.base}/event?uid={event['event_uid']}")
    for page in (month, form):
        assert SCRIPT not in page.text
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]


async def test_another_site_changes_nothing(program: Program) -> None:
    answer = await program.send("/event", FORM, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert program.events() == []


@pytest.mark.parametrize("path", ["", "/event?uid=none", "/event/move?uid=none", "/event/delete?uid=none"])
async def test_what_is_not_there_is_said_to_be_missing(program: Program, path: str) -> None:
    """A calendar that nobody has, an event that is gone."""
    unknown = "/owner/nothing" if not path else f"{program.base}{path}"
    method = "POST" if "/event/" in path else "GET"
    answer = await program.client.request(method, unknown, data={"day": "2026-12-03"} if path else None)
    assert answer.status_code in {404, 422}


async def test_copies_of_an_application_are_told_apart(program: Program) -> None:
    """By more than colour."""
    linked = program.world.link(EMAIL)
    (calendar_id,) = linked.calendar_ids.values()
    headers = {"Authorization": f"Bearer {linked.access_token}"}
    event = {
        "event_id": "e-1", "summary": "Firewall", "description": "", "tzid": "Etc/UTC",
        "start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z",
    }  # fmt: skip
    answer = await program.client.post(f"/v1/calendars/{calendar_id}/events", json=event, headers=headers)
    assert answer.status_code == 202, answer.text
    await program.world.advance(60)

    month = await program.client.get(f"/owner/{calendar_id}?month=2026-12")

    assert ", from Vorex" in month.text


async def test_files_of_the_pages_are_served(program: Program) -> None:
    for name in ("provider.css", "provider.js"):
        assert (await program.client.get(f"/provider/{name}")).status_code == 200
