"""Questions to the dispatcher by page, API and command: who, what, when, both answers, undo (R52, R50)."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.calendar import Code, IntegrationId, LinkState
from contracts.vorex import ItemType
from handlers.plan import let_go_fingerprint, question_print
from service.integrations.questions.tending import tend_integration
from service.store.items import items
from service.store.links import links
from service.store.tables import integrations, log_entries
from service.store.tables import links as links_table
from tests.builders import a_link, an_item
from tests.support.office import Office
from tests.support.pages import Browser
from tests.support.processes import SECRETS, run

API = "/api/v1/questions"
MOVED = {"start": "2026-12-05T09:00:00Z", "end": "2026-12-05T10:00:00Z"}


async def _question(office: Office, *, moved: bool = False, private: bool = False) -> str:
    """The owner of an integration has deleted, or moved, the copy of a service call; the question's id."""
    mine = IntegrationId(await office.finished())
    (row,) = [one for one in await office.rows(integrations) if one["id"] == mine]
    item = an_item(
        id="5512", type=ItemType.SERVICE_CALL, title="Firewall", account_name="Contoso", private=private,
        assignees=("u-17",), not_after="2026-12-03T18:00:00Z",
    )  # fmt: skip
    link = a_link(item, integration_id=mine, calendar_id=row["calendar_id"], code=Code.QUESTIONED)
    link = replace(link, state=LinkState.LET_GO, exists_there=False)
    link = replace(link, let_go_print=let_go_fingerprint(item.content))
    if moved:
        link = replace(link, state=LinkState.HELD, exists_there=True, last_read=dict(MOVED))
        link = replace(link, let_go_print=question_print(item.content))
    now = office.clock.now()
    async with office.store.begin() as connection:
        await items.add(connection, [(item, None)], now=now)
        await links.add(connection, [link], now=now, touched_at=0.0)
        await tend_integration(connection, mine, now=now)
    answer = await office.client.get(API, headers=office.bearer("boss", role="administrator"))
    (only,) = answer.json()["items"]
    return str(only["id"])


async def _dispatcher(office: Office, role: str) -> Browser:
    office.count_no_changes()
    await office.sign_in("olga", role=role)
    return Browser(client=office.client)


async def _codes(office: Office) -> set[Any]:
    return {(row["state"], row["code"]) for row in await office.rows(links_table)}


@pytest.mark.parametrize("role", ["operator", "administrator"])
async def test_r52_the_page_says_who_did_what_when_and_an_answer_is_taken_back_from_its_note(
    role: str, office: Office
) -> None:
    await _question(office)
    browser = await _dispatcher(office, role)
    page = await browser.open("/operations/questions")
    for word in ("u-17", "Firewall", "Contoso", "Deleted it", "3 Dec 2026, 09:00"):
        assert word in page.words
    assert "To answer 1" in page.words

    page = await browser.press("Leave it: Firewall, u-17")
    assert "Left as the technician has it: Firewall, u-17." in page.words
    assert await _codes(office) == {("let_go", "ok")}
    page = await browser.press("Undo")
    assert "To answer 1" in page.words
    assert await _codes(office) == {("let_go", "questioned")}

    page = await browser.press("Put it back: Firewall, u-17")
    assert "Put back: Firewall, u-17." in page.words
    assert await _codes(office) == {("held", None)}  # until the calendar was read once (R33)
    page = await browser.open("/operations/questions?state=answered")
    assert f"{role} olga" in page.words
    reasons = [row["reason"] for row in await office.rows(log_entries)]
    assert f"Put back by {role} olga." in reasons


async def test_r49_a_question_names_a_day_once(office: Office) -> None:
    await _question(office, moved=True)
    browser = await _dispatcher(office, "administrator")

    assert "5 Dec 2026, 09:00 – 10:00" in (await browser.open("/operations/questions")).words


@pytest.mark.parametrize("role", ["operator", "administrator"])
async def test_r52_the_first_pages_of_both_roles_count_what_is_to_answer(role: str, office: Office) -> None:
    await _question(office)
    browser = await _dispatcher(office, role)
    page = await browser.open("/operations" if role == "operator" else "/administration")
    assert "Questions" in page.words
    assert "/operations/questions" in page.text


async def test_r52_by_the_api_a_move_is_left_and_that_is_taken_back(office: Office) -> None:
    """An answer of no closed set is 422, what is settled otherwise 409."""
    question_id = await _question(office, moved=True)
    boss = office.bearer("boss", role="administrator")
    (shown,) = (await office.client.get(API, headers=boss)).json()["items"]
    assert (shown["kind"], shown["found_start"], shown["title"]) == ("moved", MOVED["start"], "Firewall")

    address = f"{API}/{question_id}"
    bad = await office.client.post(address, json={"answer": "burn"}, headers=boss)
    assert bad.status_code == 422
    done = await office.client.post(address, json={"answer": "leave"}, headers=boss)
    assert (done.status_code, done.json()["state"], done.json()["settled_by"]) == (
        200, "answered", "administrator boss",
    )  # fmt: skip
    other = await office.client.post(address, json={"answer": "put_back"}, headers=boss)
    assert (other.status_code, other.json()["code"]) == (409, "not_editable")
    again = await office.client.post(f"{address}/undo", headers=boss)
    assert (again.status_code, again.json()["state"]) == (200, "open")
    assert await _codes(office) == {("held", "questioned")}


async def test_r52_r27_of_a_private_call_the_dispatcher_sees_no_text(office: Office) -> None:
    await _question(office, private=True)
    browser = await _dispatcher(office, "operator")
    page = await browser.open("/operations/questions")
    assert "Firewall" not in page.text
    assert "Contoso" not in page.text


async def test_r52_at_the_command_line_it_is_listed_answered_and_taken_back(
    office: Office, tmp_path: Path
) -> None:
    question_id = await _question(office)
    settings = {**SECRETS, "DATABASE_URL": office.store.url}

    async def says(*words: str, code: int = 0) -> Any:
        ended = await asyncio.to_thread(
            run, "questions", *words, "--tenant", "acme", "--json", settings=settings, folder=tmp_path
        )
        assert ended.returncode == code, ended.stderr
        return json.loads(ended.stdout) if code == 0 else ended.stderr.decode()

    assert [one["id"] for one in (await says("list"))["items"]] == [question_id]
    assert (await says("answer", question_id, "leave"))["answer"] == "leave"
    assert (await says("undo", question_id))["state"] == "open"
    assert "no such question" in await says("answer", "nobody", "leave", code=1)
