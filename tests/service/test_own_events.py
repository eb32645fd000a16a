"""The permission to change events that the person made: asked for after Finish, and from the list (R34)."""

from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest

from contracts.ports import Turn, Urgency
from contracts.vorex import Action
from service.cronofy.gateway import CronofyGateway
from service.cronofy.questions import QUESTIONS_A_MINUTE
from service.demo.simulator.app import create_app
from service.integrations.accounts.own_events import OwnEvents
from service.store.integrations.listing import Owner
from service.store.tables import integrations, links, permission_requests
from tests.support.office import CRONOFY, HERE, Office, form
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

API = "/api/v1/integrations"


class _Gateway:
    """Notes in whose turn it is asked."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    async def request_permission(self, sub: str, calendar_id: str, redirect_uri: str, *, turn: Turn) -> str:
        self.turns.append(turn)
        return f"{CRONOFY}/permissions/{sub}/{calendar_id}?{redirect_uri}"


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


async def _answered(office: Office, page: str, choice: str = "allow") -> str:
    """What the person does on Cronofy's page; where they are sent back to."""
    wire = httpx.ASGITransport(create_app(office.world))
    async with httpx.AsyncClient(transport=wire, base_url=CRONOFY) as browser:
        answer = await browser.post(page, data={"choice": choice})
    back = str(answer.headers["Location"])
    assert back.startswith(f"{HERE}/calendar-sync/permission?state="), back
    return back


async def _asked(office: Office, integration_id: str) -> str:
    answer = await office.post(f"{API}/{integration_id}/permission")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


async def _told(office: Office, integration_id: str) -> str:
    told = (await office.get(f"{API}/{integration_id}")).json()
    return str(told["edits_own_events"])


@pytest.mark.parametrize(("choice", "word"), [("allow", "allowed"), ("refuse", "refused")])
async def test_r34_what_the_person_answers_at_cronofy_is_told_by_the_list(
    office: Office, choice: str, word: str
) -> None:
    """Back on the list; the calendar is looked at again."""
    integration_id = await office.finished()
    assert await _told(office, integration_id) == "not_asked"
    await office.sign_in()

    back = await _answered(office, await _asked(office, integration_id), choice)
    answer = await office.client.get(back)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/calendar-sync")
    assert await _told(office, integration_id) == word
    page = (await office.client.get("/calendar-sync")).text
    assert (f"/calendar-sync/{integration_id}/permission" in page) is (word == "refused")


async def test_r34_a_state_is_good_once_and_for_its_own_person(office: Office) -> None:
    """Another's page cannot be led to one's own calendar."""
    integration_id = await office.finished()
    back = await _answered(office, await _asked(office, integration_id))
    await office.sign_in("u-22")
    assert (await office.client.get(back)).status_code == 400
    await office.sign_in()
    assert (await office.client.get(back)).status_code == 400, "it was shown to somebody else"
    again = await _answered(office, await _asked(office, integration_id), "refuse")
    assert (await office.client.get(again)).status_code == 303
    assert (await office.client.get(again)).status_code == 400
    assert (await office.client.get("/calendar-sync/permission?state=made-up")).status_code == 400


async def test_r34_who_comes_back_while_cronofy_is_silent_can_open_it_again(office: Office) -> None:
    """As the page says; the state is spent once the account could be looked at."""
    integration_id = await office.finished()
    await office.sign_in()
    back = await _answered(office, await _asked(office, integration_id))
    office.wire.broken.add("GET /v1/userinfo")
    assert (await office.client.get(back)).status_code == 503
    office.wire.broken.clear()
    assert (await office.client.get(back)).status_code == 303
    assert await _told(office, integration_id) == "allowed"
    assert (await office.client.get(back)).status_code == 400


async def test_r34_the_question_follows_the_first_finish_and_can_be_put_off(office: Office) -> None:
    """A page of its own with *Not now*; nothing else waits for it."""
    await office.sign_in()
    integration_id = await office.connect()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    await office.put(integration_id, form(calendar_id))
    page = await office.client.get(f"/calendar-sync/{integration_id}/permission")
    assert page.status_code == 200
    assert "events that you made in Calendar" in page.text
    assert 'href="/calendar-sync">Not now</a>' in page.text

    away = await office.client.get(f"/calendar-sync/{integration_id}/permission/ask")

    assert away.status_code == 303
    assert away.headers["Location"].startswith(f"{CRONOFY}/permissions/")
    assert await _told(office, integration_id) == "not_asked"


async def test_r34_nothing_is_asked_where_it_would_change_nothing(office: Office) -> None:
    """No appointment is ever sent to this calendar."""
    boxes = {"crm_activity": True, "service_call": True, "task": True, "todo": True}
    integration_id = await office.finished(item_types={"appointment": False, **boxes})
    await office.sign_in()

    assert await _told(office, integration_id) == "not_needed"
    page = await office.client.get(f"/calendar-sync/{integration_id}/permission")
    assert page.headers["Location"] == "/calendar-sync"


async def test_r34_an_unfinished_or_lost_connection_is_not_asked_about(office: Office) -> None:
    """There is nothing to be permitted yet, or somebody else to be asked first."""
    integration_id = await office.connect()
    answer = await office.post(f"{API}/{integration_id}/permission")
    assert (answer.status_code, answer.json()["code"]) == (409, "setup_unfinished")
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    await office.put(integration_id, form(calendar_id))
    office.world.revoke("sam@contoso.example")
    office.world.expire_access_tokens()

    answer = await office.post(f"{API}/{integration_id}/permission")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_connected")
    (row,) = await office.rows(integrations)
    assert row["status"] == "not_connected"


async def test_r34_what_could_not_be_done_before_is_done_by_one_comparison(ann: TwoPeopleWithRuns) -> None:
    """A change, and a deletion; without the permission each is *not possible*, and nothing else suffers."""
    ann.people.world.set_permission(ann.calendar, "sandbox")
    await ann.home.looker.look(ann.mine, at_once=True)
    ann.add_event("Lunch")
    ann.add_event("Walk", start="2026-12-03T12:00:00Z", end="2026-12-03T13:00:00Z")
    await ann.people.rest()
    await ann.retitle("Lunch", "Dinner")
    (walk,) = [item for item in await ann.home.items() if item.content and item.content.title == "Walk"]
    await ann.say(walk.id, action=Action.DELETED)
    await ann.people.rest()
    assert ann.events() == [("Lunch", False), ("Walk", False)]
    assert {row["code"] for row in await ann.rows(links)} == {"not_possible"}

    ann.people.world.set_permission(ann.calendar, "unrestricted")
    await ann.home.looker.look(ann.mine, at_once=True)
    await ann.rest()

    assert ann.events() == [("Dinner", False)]
    assert await ann.unfinished() == []


async def test_r44_asking_for_the_permission_is_a_question_like_any_other(office: Office) -> None:
    """By a link that may be opened again and again; what was refused left nothing behind."""
    integration_id = await office.finished()
    await office.sign_in()
    await office.clock.pass_time(60)
    office.wire.asked.clear()
    address = f"/calendar-sync/{integration_id}/permission/ask"

    answers = [(await office.client.get(address)).status_code for _ in range(QUESTIONS_A_MINUTE + 5)]

    assert answers == [303] * QUESTIONS_A_MINUTE + [429] * 5
    assert office.wire.asked.count("POST /v1/permissions") == QUESTIONS_A_MINUTE
    assert len(await office.rows(permission_requests)) == QUESTIONS_A_MINUTE
    refused = await office.post(f"{API}/{integration_id}/permission")
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)


async def test_r44_asking_for_the_permission_comes_after_live_changes(office: Office) -> None:
    integration_id = await office.finished()
    gateway = _Gateway()
    asking = OwnEvents(
        store=office.store,
        gateway=cast(CronofyGateway, gateway),
        check=office.parts.looker,
        asking=office.accounts.asking,
        return_address=str,
    )
    await asking.ask(Owner(tenant_id="acme", user_id="u-17"), integration_id)
    assert [turn.urgency for turn in gateway.turns] == [Urgency.PERSON]
