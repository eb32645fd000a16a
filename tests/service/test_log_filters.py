"""Logs filtered and taken away as CSV: found by index, paged by key, harmless in spreadsheets (G14, R27)."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert

from contracts.calendar import Trigger
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.logs import logs
from service.store.logs.logs import FILTER_SEARCH_ENTRIES, LogQuery
from service.store.messages.burying import bury
from service.store.tables import items, log_entries, runs
from tests.support.letters import a_letter
from tests.support.office import Office, open_office
from tests.support.pages import BROWSER, Browser
from tests.support.route_matrix import ITEM

LIST = "/calendar-sync"
MORNING = datetime(2026, 12, 1, 8, tzinfo=UTC)
REAL_TIME = (Trigger.REAL_TIME, Trigger.OPERATOR)


async def write(office: Office, integration_id: str, *given: dict[str, Any]) -> None:
    """Entries of the log, in this order, each as said and otherwise well."""
    usual = {
        "integration_id": integration_id, "at": office.clock.now(), "trigger": "real_time",
        "direction": "to_linked_calendar", "action": "create", "outcome": "done", "code": "ok",
        "item_type": "task", "reason": "Sent to the linked calendar.", "attempt": 1, "item_ref": None,
        "item_id": None, "message_id": None, "run_id": None, "title": None,
    }  # fmt: skip
    async with office.store.begin() as connection:
        await connection.execute(insert(log_entries), [usual | one | {"id": new_id()} for one in given])


MANY = (
    {"title": "Alpha", "direction": "to_my_calendar"},
    {"title": "Beta", "outcome": "failed", "reason": "The calendar refused the event."},
    {"title": "100% sure", "item_type": "todo"},
    {"title": "Gamma", "trigger": "operator"},
    {"title": "Delta", "trigger": "run"},
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("trigger=real_time", ["Gamma", "100% sure", "Beta", "Alpha"]),
        ("trigger=real_time&direction=to_my_calendar", ["Alpha"]),
        ("trigger=real_time&outcome=failed", ["Beta"]),
        ("trigger=real_time&item_type=todo", ["100% sure"]),
        ("trigger=real_time&q=ALPHA", ["Alpha"]),
        ("trigger=real_time&q=refused", ["Beta"]),
        ("trigger=real_time&q=0%25", ["100% sure"]),
        ("trigger=real_time&q=_", []),
        ("trigger=run&q=delta", ["Delta"]),
        ("trigger=all&outcome=done&item_type=task", ["Delta", "Gamma", "Alpha"]),
    ],
)
async def test_the_api_filters(query: str, found: list[str], office: Office) -> None:
    """By direction, outcome, type and words of title or reason; wildcards mean themselves."""
    integration_id = await office.finished()
    await write(office, integration_id, *MANY)
    answer = await office.get(f"/api/v1/integrations/{integration_id}/logs?{query}")
    assert [one["title"] for one in answer.json()["items"]] == found


@pytest.mark.parametrize("query", ["outcome=good", "direction=up", "item_type=x", "q=%00", "q=" + "x" * 201])
async def test_the_api_refuses_words_that_it_does_not_know(query: str, office: Office) -> None:
    integration_id = await office.finished()
    answer = await office.get(f"/api/v1/integrations/{integration_id}/logs?{query}")
    assert answer.status_code == 422


async def test_the_page_filters_and_keeps_the_filter(office: Office) -> None:
    """On the first tab a filter asks for what syncs did, item by item."""
    integration_id = await office.finished()
    await write(
        office, integration_id, *MANY, *({"title": f"<{each:02}>", "outcome": "failed"} for each in range(60))
    )
    await office.sign_in()
    browser = Browser(client=office.client)
    page = await browser.open(f"{LIST}/{integration_id}/logs?trigger=real_time&outcome=failed&q=%3C")
    assert ("<59>" in page.words, "<09>" in page.words, "Alpha" in page.words) == (True, False, False)
    page = await browser.follow("Older")
    assert ("<09>" in page.words, "<10>" in page.words, "Beta" in page.words) == (True, False, False)
    assert page.forms[0].fields["outcome"] == "failed"
    assert page.forms[0].fields["q"] == "<"
    page = await browser.open(f"{LIST}/{integration_id}/logs?outcome=done")
    assert ("Delta" in page.words, "Alpha" in page.words) == (True, False)
    page = await browser.open(f"{LIST}/{integration_id}/logs?q=nowhere")
    assert "No entry matches." in page.words


@pytest.mark.parametrize(
    ("words", "found"),
    [("ABGELEHNT", True), ("gesendet", False), ("refused", True), ("100", False), ("Bestellung", False)],
)
async def test_r49_a_reason_is_found_by_the_words_in_which_it_is_shown(
    words: str, found: bool, office: Office
) -> None:
    integration_id = await office.finished()
    refused = "The calendar refused the event (422: end: must lie after start)."
    await write(office, integration_id, {"title": "Beta", "reason": refused}, {"title": "Rest", "reason": ""})
    await office.sign_in(locale="de")
    at = f"{LIST}/{integration_id}/logs"
    page = await Browser(client=office.client).open(f"{at}?trigger=real_time&q={words}")
    assert ("Beta" in page.words, "Rest" in page.words) == (found, False)
    if found:
        assert "Der Kalender hat das Ereignis abgelehnt (422: end: must lie after start)." in page.words
    csv_rows = (await office.client.get(f"{at}.csv?trigger=real_time&q={words}")).text.splitlines()
    assert (len(csv_rows) == 2, refused in csv_rows[-1]) == (found, found)


WRONG = {
    "direction": "up", "outcome": "good", "item_type": "x", "q": "x" * 201, "kind": "weekly",
    "from": "yesterday", "to": "2026-02-30", "until": "2026-12-03",
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
async def test_r27_a_filter_that_says_nothing_is_said_on_the_page_and_422_in_the_api(
    name: str, office: Office
) -> None:
    """Neither shows entries under a filter that was not applied, nor does the CSV."""
    integration_id = await office.finished()
    await write(office, integration_id, *MANY)
    await office.sign_in()
    browser = Browser(client=office.client)
    for path in ("logs", "logs.csv"):
        page = await browser.open(f"{LIST}/{integration_id}/{path}?trigger=real_time&{name}={WRONG[name]}")
        assert (page.status, "Alpha" in page.words) == (422, False)
        assert "This filter says nothing that can be looked for" in page.words
    answer = await office.get(f"/api/v1/integrations/{integration_id}/logs?{name}={WRONG[name]}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)


async def test_r27_days_and_kinds_of_sync_narrow_runs_entries_and_csv_alike(office: Office) -> None:
    """Days are those of the person's zone: what was written at 23:30 in London stands on that day."""
    integration_id = await office.finished()
    late = datetime(2026, 12, 3, 23, 30, tzinfo=UTC)
    ids = {"daily": new_id(), "sync_now": new_id()}
    async with office.store.begin() as connection:
        for kind, run_id in ids.items():
            await connection.execute(
                insert(runs).values(
                    id=run_id,
                    integration_id=integration_id,
                    started_by="u-17",
                    kind=kind,
                    state="done",
                    step="over",
                    requested_at=late,
                    found=3,
                    agreed=3,
                    skipped=3,
                )
            )
    entries = (
        {"title": kind, "trigger": "run", "run_id": run_id, "at": late} for kind, run_id in ids.items()
    )
    await write(office, integration_id, {"title": "early", "trigger": "run", "at": MORNING}, *entries)
    await office.sign_in(tz="Europe/London")
    browser = Browser(client=office.client)
    at = f"{LIST}/{integration_id}/logs"
    asked = {
        "kind=daily&item_type=task": {"daily"},
        "from=2026-12-03&to=2026-12-03&item_type=task": {"daily", "sync_now"},
        "to=2026-12-02&item_type=task": {"early"},
        "from=2026-12-04&item_type=task": set[str](),
    }
    for query, found in asked.items():
        page = await browser.open(f"{at}?{query}")
        table = (await office.client.get(f"{at}.csv?{query}", headers=BROWSER)).text
        for title in ("early", "daily", "sync_now"):
            assert ((title in _titles(page)), (f",{title}," in table)) == ((title in found),) * 2, (
                query,
                title,
            )
    page = await browser.open(f"{at}?kind=daily&from=2026-12-03")
    rows = [given["href"] for tag, given in page.tags if tag == "a" and "/runs/" in given.get("href", "")]
    assert rows == [f"{LIST}/{integration_id}/runs/{ids['daily']}"]


def _titles(page: Any) -> set[str]:
    """What the rows of the log say, not the choices above them."""
    return {line.strip() for line in page.words.partition("What syncs did, item by item.")[2].splitlines()}


async def test_r27_an_entry_leads_to_its_item_its_sync_and_its_letter(office: Office) -> None:
    """The letter only for operators."""
    integration_id = await office.finished()
    await office.client.post("/api/v1/my-calendar/items", json=ITEM, headers=office.bearer())
    (item,) = await office.rows(items)
    run_id = new_id()
    await write(
        office, integration_id,
        {
            "title": "Visit", "item_id": item["item_id"], "item_ref": item["ref"], "item_type": "appointment",
            "message_id": "e-1", "run_id": run_id, "trigger": "real_time",
        },
    )  # fmt: skip
    async with office.store.begin() as connection:
        await bury(connection, [a_letter(1)], now=office.clock.now())
    for role in ("user", "operator"):
        await office.sign_in(role=role)
        page = await Browser(client=office.client).open(f"{LIST}/{integration_id}/logs?trigger=real_time")
        led = {one.label: one.attributes["href"] for one in page.links}
        assert led["Visit"] == f"/my-calendar/item?key=appointment%3A{item['item_id']}"
        assert led["The sync that did it"] == f"{LIST}/{integration_id}/runs/{run_id}"
        assert ("Its dead letter" in led) is (role == "operator")


async def test_what_became_private_is_neither_shown_to_others_nor_found(database_url: str) -> None:
    """An administrator sees that something crossed, and cannot search for its title; its owner can (R27)."""
    async with open_office(database_url) as office:
        integration_id = await office.finished()
        now = office.clock.now()
        async with office.store.begin() as connection:
            await connection.execute(
                insert(items).values(
                    ref="secret", tenant_id="acme", item_type="appointment", item_id="1", version=2,
                    vorex_version=2, sync_version=0, revision=2, deleted=False, changed_at=now, stored_at=now,
                    content={"private": True},
                )
            )  # fmt: skip
        await write(office, integration_id, {"title": "Surgeon", "item_ref": "secret"}, {"title": "Dinner"})
        address = f"/api/v1/integrations/{integration_id}/logs?trigger=all"
        for query, found in (
            ("", ["Dinner", "Private appointment"]),
            ("&q=surg", []),
            ("&q=din", ["Dinner"]),
        ):
            answer = await office.get(f"{address}{query}", "boss", role="administrator")
            assert [one["title"] for one in answer.json()["items"]] == found
        answer = await office.get(f"{address}&q=surg")
        assert [one["title"] for one in answer.json()["items"]] == ["Surgeon"]


async def test_what_was_private_then_is_not_found_by_others_either(database_url: str) -> None:
    """Nobody learns a hidden title letter by letter, though its item is public now (R27)."""
    async with open_office(database_url) as office:
        integration_id = await office.finished()
        then = {"title": "Surgeon", "item_ref": "gone", "detail": {"private": True, "kept": {}, "lost": {}}}
        told = {"title": "Surgery hours", "detail": {"kept": {}, "lost": {}}}
        await write(office, integration_id, then, told)
        address = f"/api/v1/integrations/{integration_id}/logs?trigger=all"
        for query, found in (("", ["Surgery hours", "Private appointment"]), ("&q=surge", ["Surgery hours"])):
            answer = await office.get(f"{address}{query}", "boss", role="administrator")
            assert [one["title"] for one in answer.json()["items"]] == found
        answer = await office.get(f"{address}&q=surge")
        assert [one["title"] for one in answer.json()["items"]] == ["Surgery hours", "Surgeon"]


async def test_a_word_that_is_rare_is_looked_for_piece_by_piece(store: Store) -> None:
    """A page costs the same however long the log is, and says where to go on."""
    async with store.begin() as connection:
        rows = [_plain(place) for place in range(FILTER_SEARCH_ENTRIES + 10)]
        for at in range(0, len(rows), 1000):
            await connection.execute(insert(log_entries), rows[at : at + 1000])
    wanted = LogQuery(q="needle")
    async with store.read() as connection:
        first = await logs.page(connection, "i", triggers=REAL_TIME, limit=5, wanted=wanted)
        assert (first.rows, first.ended_early) == ([], True)
        second = await logs.page(
            connection, "i", triggers=REAL_TIME, limit=5, wanted=wanted, before=first.following
        )
    assert [one["title"] for one in second.rows] == ["The needle"]
    assert second.following is None


def _plain(place: int) -> dict[str, Any]:
    return {
        "id": f"{place:036}", "integration_id": "i", "trigger": "real_time", "direction": "d",
        "action": "create", "outcome": "done", "code": "ok", "reason": "Sent.",
        "title": "The needle" if place == 3 else "Hay", "at": MORNING,
    }  # fmt: skip


async def test_the_log_is_exported_whole_and_in_order(office: Office) -> None:
    """Filters hold for the export as well; more than one page of keys."""
    integration_id = await office.finished()
    await write(
        office, integration_id, *({"title": f"{each:04}"} for each in range(1200)), {"outcome": "failed"}
    )
    await office.sign_in()
    address = f"{LIST}/{integration_id}/logs.csv?trigger=real_time"
    answer = await office.client.get(f"{address}&outcome=done", headers=BROWSER)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["title"] for row in rows] == [f"{each:04}" for each in reversed(range(1200))]
    assert rows[0]["at"] == "2026-12-01T08:00:00Z"


async def test_the_export_names_each_entrys_message_and_trace(office: Office) -> None:
    """By which what became of a change is found elsewhere."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    integration_id = await office.finished()
    await write(
        office,
        integration_id,
        {"message_id": "m-1", "trace_id": trace},
        {"message_id": None, "trace_id": None},
    )
    await office.sign_in()
    answer = await office.client.get(f"{LIST}/{integration_id}/logs.csv?trigger=real_time", headers=BROWSER)
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [(row["message_id"], row["trace_id"]) for row in rows] == [("", ""), ("m-1", trace)]


@pytest.mark.parametrize(
    "title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil")', "＝1"]
)
async def test_no_cell_of_the_export_is_a_formula(title: str, office: Office) -> None:
    """What begins like one is quoted, commas and quotation marks stay inside their cell.

    So is what begins like one after a tab or a line's end, at which a careless reader divides.
    """
    integration_id = await office.finished()
    await write(
        office, integration_id, {"title": title, "reason": 'a, "b"\nc', "message_id": "=cmd|' /C calc'!A0"}
    )
    await office.sign_in()
    answer = await office.client.get(f"{LIST}/{integration_id}/logs.csv?trigger=real_time", headers=BROWSER)
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""))
    assert row["title"] == (f"'{title[0]}'{title[1:]}" if title[0] in "\t\r" else f"'{title}")
    assert row["message_id"].startswith("'=")
    assert row["reason"] == 'a, "b"\nc'


async def test_the_export_is_its_owners_alone(office: Office) -> None:
    integration_id = await office.finished()
    address = f"{LIST}/{integration_id}/logs.csv"
    assert (await office.client.get(address)).status_code == 401
    for who in ({"user": "u-22"}, {"tenant": "other"}, {"user": "boss", "role": "administrator"}):
        office.client.cookies.clear()
        await office.sign_in(**who)
        assert (await office.client.get(address, headers=BROWSER)).status_code == 404
