"""Dead letters as pages: find, read, replay, mend, discard, undo (R30); for operators alone."""

import json
from itertools import pairwise
from typing import Any

import pytest

from contracts.tracing import trace_id_of
from service.operations import PRIVATE_MASK
from service.store.engine.ids import new_id
from service.store.messages.burying import NewDeadLetter, bury, resolve
from service.store.tables import dead_letters, outbox
from tests.support.letters import DATA, ITEM, a_body, a_letter
from tests.support.office import Office
from tests.support.pages import BROWSER, Browser

LETTERS = "/operations/dead-letters"
SCRIPT = "\"><script>alert(1)</script>'{{7*7}}"


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in("olga", role="operator", tz="UTC")
    return Browser(client=office.client)


async def buried(office: Office, *letters: NewDeadLetter) -> list[str]:
    """Their ids, oldest first."""
    async with office.store.begin() as connection:
        await bury(connection, letters, now=office.clock.now())
    return sorted(row["id"] for row in await office.rows(dead_letters))


async def states(office: Office) -> dict[str, str]:
    return {row["message_id"]: row["state"] for row in await office.rows(dead_letters)}


def refused(number: int, reason: str = "Cronofy refused the event (422)", **more: Any) -> NewDeadLetter:
    return a_letter(number, code="refused", reason=reason, body=a_body(number, version=1), **more)


async def test_letters_are_grouped_by_their_cause_and_listed_newest_first(
    browser: Browser, office: Office
) -> None:
    """R30: the most frequent cause comes first; a cause leads to its letters."""
    await buried(office, *(a_letter(number) for number in range(3)), refused(9, item_key="task/9"))
    page = await browser.open(LETTERS)
    assert page.words.index("data.version: must be at least 1") < page.words.index("Cronofy refused")
    assert page.words.index("task/9") < page.words.index("e-2") < page.words.index("e-0")
    page = await browser.follow("Show: Cronofy refused the event (422)")
    assert "task/9" in page.words
    assert "e-0" not in page.words


async def test_the_page_of_a_letter_names_its_trace(browser: Browser, office: Office) -> None:
    """By which log lines, log entries and `calendar-sync trace` are found."""
    (letter_id,) = await buried(office, a_letter(1))
    page = await browser.open(f"{LETTERS}/{letter_id}")
    assert f"Trace{trace_id_of('/vorex/acme', 'e-1')}" in page.words


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("code=refused", {"e-2"}),
        ("queue=calendar-sync.inbound", {"e-3"}),
        ("reason=EVENT", {"e-2"}),
        ("since=1h", {"e-1", "e-2", "e-3"}),
        ("since=2h&who=", {"e-1", "e-2", "e-3"}),
        ("integration=0192e4c1-7a00-7000-8000-0000000000aa", {"e-3"}),
        ("state=discarded", set[str]()),
    ],
)
async def test_letters_are_filtered(query: str, found: set[str], browser: Browser, office: Office) -> None:
    """By queue, kind, reason, time, integration and state."""
    other = {"queue": "calendar-sync.inbound", "integration_id": "0192e4c1-7a00-7000-8000-0000000000aa"}
    await buried(office, a_letter(1), refused(2), a_letter(3, **other))
    page = await browser.open(f"{LETTERS}?{query}")
    assert {name for name in ("e-1", "e-2", "e-3") if name in page.words} == found


async def test_a_letter_tells_everything_but_private_texts(browser: Browser, office: Office) -> None:
    """Message, headers, exception, attempts, acts, and what would happen now."""
    private = json.loads(a_body(7)) | {"data": DATA | {"item": ITEM | {"private": True, "title": "Surgeon"}}}
    (letter,) = await buried(
        office,
        a_letter(
            7, body=json.dumps(private).encode(), headers={"calendar-sync-attempt": 4}, exception="Boom"
        ),
    )
    page = await browser.open(f"{LETTERS}/{letter}")
    for words in (
        "What would happen now",
        "Still malformed",
        "calendar-sync-attempt",
        "Boom",
        PRIVATE_MASK,
        "/vorex/acme",
    ):
        assert words in page.words, words
    assert "Surgeon" not in page.text
    page = await browser.open(f"{LETTERS}/{letter}/edit")
    assert PRIVATE_MASK in page.words
    assert "Surgeon" not in page.text


async def test_one_is_replayed_from_its_page(browser: Browser, office: Office) -> None:
    (letter,) = await buried(office, refused(1))
    await browser.open(f"{LETTERS}/{letter}")
    page = await browser.press("Replay")
    assert page.path == f"{LETTERS}/replaying"
    assert "1 is under way." in page.words
    assert await states(office) == {"e-1": "replaying"}
    (row,) = await office.rows(outbox)
    assert row["letter_id"] == letter
    async with office.store.begin() as connection:
        await connection.execute(outbox.update().values(sent_at=office.clock.now().timestamp()))
        await resolve(connection, [letter], now=office.clock.now())
    page = await browser.open(page.address)
    assert "All 1 are done with." in page.words
    assert "Went well1" in page.words


async def test_many_are_replayed_at_a_rate_after_a_dry_run_and_stopped(
    browser: Browser, office: Office
) -> None:
    """Dry run, rate, progress, stop: what had not gone out is open again."""
    await buried(office, *(refused(number) for number in range(8)), a_letter(99))
    page = await browser.open(f"{LETTERS}/replay?code=refused")
    assert "Replay 8 messages?" in page.words
    assert "Asked for the 5 oldest of them." in page.words
    assert len(await office.rows(outbox)) == 0
    page = await browser.press("Replay 8", changes={"rate": "0.5"})
    assert "8 are under way." in page.words
    moments = sorted(row["due_at"] for row in await office.rows(outbox))
    assert [later - earlier for earlier, later in pairwise(moments)] == [2.0] * 7
    page = await browser.press("Stop the 8 that wait")
    assert "Stopped." in page.words
    assert sorted(set((await states(office)).values())) == ["open", "replaying"]
    assert (await states(office))["e-99"] == "open"


async def test_a_replay_of_more_than_was_seen_is_refused(browser: Browser, office: Office) -> None:
    await buried(office, refused(1))
    await browser.open(f"{LETTERS}/replay")
    await buried(office, refused(2))
    page = await browser.press("Replay 1")
    assert "More messages match by now." in page.words
    assert set((await states(office)).values()) == {"open"}


@pytest.mark.parametrize("rate", ["0", "nan", "fast", "1001", "-1", "1e9"])
async def test_a_rate_that_is_none_replays_nothing(rate: str, browser: Browser, office: Office) -> None:
    await buried(office, refused(1))
    await browser.open(f"{LETTERS}/replay")
    page = await browser.press("Replay 1", changes={"rate": rate})
    assert "Give a rate" in page.words
    assert await states(office) == {"e-1": "open"}


async def test_chosen_ones_are_replayed_and_nothing_chosen_replays_nothing(
    browser: Browser, office: Office
) -> None:
    """An empty choice must not mean all that match."""
    first, _, third = await buried(office, *(refused(number) for number in range(3)))
    page = await browser.open(f"{LETTERS}/replay?chosen=1")
    assert "Choose at least one message first." in page.words
    page = await browser.open(f"{LETTERS}/replay?chosen=1&letter=x")
    assert "Choose at least one message first." in page.words
    page = await browser.open(f"{LETTERS}/replay?chosen=1&letter={first}&letter={third}")
    assert "Replay 2 messages?" in page.words
    form = page.forms[0].fields | {"letter": [first, third]}
    await office.client.post(f"{LETTERS}/replay", data=form, headers=BROWSER)
    assert await states(office) == {"e-0": "replaying", "e-1": "open", "e-2": "replaying"}


async def test_a_letter_is_discarded_with_a_reason_and_taken_back(browser: Browser, office: Office) -> None:
    (letter,) = await buried(office, refused(1))
    await browser.open(f"{LETTERS}/discard?letter={letter}")
    page = await browser.press("Discard", changes={"reason": "  "})
    assert page.status == 422
    assert "Give a reason" in page.words
    page = await browser.press("Discard", changes={"reason": "Sent by mistake"})
    assert page.path == f"{LETTERS}/{letter}"
    assert "Sent by mistake" in page.words
    assert await states(office) == {"e-1": "discarded"}
    page = await browser.press("Take back")
    assert "Open again." in page.words
    assert await states(office) == {"e-1": "open"}


async def test_a_malformed_message_is_mended(browser: Browser, office: Office) -> None:
    """What is still wrong is told beside the text; the original stays and the copy names it."""
    (letter,) = await buried(office, a_letter(1))
    await browser.open(f"{LETTERS}/{letter}")
    page = await browser.follow("Edit…")
    wrong = page.forms[0].fields["data"]
    page = await browser.press("Replay the mended copy", changes={"data": "["})
    assert (page.status, "This is no JSON object." in page.words) == (422, True)
    page = await browser.press("Replay the mended copy", changes={"data": wrong})
    assert (page.status, "Still wrong: data.version: must be at least 1" in page.words) == (422, True)
    mended = json.dumps(json.loads(wrong) | {"version": 3})
    page = await browser.press("Replay the mended copy", changes={"data": mended})
    assert "The mended message is on its way." in page.words
    page = await browser.follow("the original")
    assert page.path == f"{LETTERS}/{letter}"
    assert "version: 0 → 3" in page.words
    assert sorted((await states(office)).values()) == ["edited", "replaying"]
    page = await browser.open(f"{LETTERS}/{letter}/edit")
    assert "somebody else has just dealt with it" in page.words


def addresses(letter: str) -> tuple[list[str], list[str]]:
    pages = [
        "/operations", LETTERS, f"{LETTERS}/replay", f"{LETTERS}/replaying", f"{LETTERS}/{letter}",
        f"{LETTERS}/{letter}/edit", f"{LETTERS}/discard?letter={letter}", "/api/v1/operations",
    ]  # fmt: skip
    verbs = ("replay", "replay/stop", "discard", "undo", f"{letter}/edit")
    return pages, [f"{LETTERS}/{verb}" for verb in verbs]


async def token(office: Office) -> str:
    page = await Browser(client=office.client).open("/my-calendar/new")
    return page.forms[0].fields["csrf_token"]


FORM = {"rate": "5", "expect": "9", "reason": "x", "data": json.dumps(DATA | {"version": 1})}


@pytest.mark.parametrize("role", ["user", "administrator"])
async def test_to_whoever_is_no_operator_nothing_is_here(role: str, office: Office) -> None:
    """404 on every page and form."""
    (letter,) = await buried(office, a_letter(1))
    await office.sign_in("boss", role=role)
    mine = await token(office)
    pages, forms = addresses(letter)
    for address in pages:
        assert (await office.client.get(address, headers=BROWSER)).status_code == 404, address
    for address in forms:
        form = FORM | {"csrf_token": mine, "letter": letter}
        assert (await office.client.post(address, data=form, headers=BROWSER)).status_code == 404, address
    assert await states(office) == {"e-1": "open"}
    answer = await office.client.get("/my-calendar", headers=BROWSER)
    assert "/operations" not in answer.text


async def test_another_tenants_letters_are_neither_shown_nor_touched(office: Office) -> None:
    """Those of nobody are everybody's: a letter that nobody sees is lost."""
    (letter,) = await buried(office, refused(1))
    await office.sign_in("omar", "other", role="operator")
    browser = Browser(client=office.client)
    assert "e-1" not in (await browser.open(LETTERS)).text
    mine = await token(office)
    for address in (f"{LETTERS}/{letter}", f"{LETTERS}/{letter}/edit"):
        assert (await browser.open(address)).status == 404
    for verb in ("replay", "discard", "undo", f"{letter}/edit"):
        form = FORM | {"csrf_token": mine, "letter": letter}
        await office.client.post(f"{LETTERS}/{verb}", data=form, headers=BROWSER)
    page = await browser.open(f"{LETTERS}/replay?chosen=1&letter={letter}")
    assert page.status == 404
    assert await states(office) == {"e-1": "open"}


async def test_a_form_without_its_token_is_refused(browser: Browser, office: Office) -> None:
    """CSRF: none, and that of another session."""
    (letter,) = await buried(office, refused(1))
    old = await token(office)
    office.client.cookies.clear()
    await office.sign_in("olga", role="operator")
    for given in ({}, {"csrf_token": old}):
        for address in addresses(letter)[1]:
            answer = await office.client.post(
                address, data=FORM | given | {"letter": letter}, headers=BROWSER
            )
            assert answer.status_code == 403, address
    assert await states(office) == {"e-1": "open"}


async def test_script_in_every_text_of_a_letter_is_shown_and_never_run(
    browser: Browser, office: Office
) -> None:
    """Reason, exception, source, ids, headers, body and the filter's own words."""
    (letter,) = await buried(
        office,
        a_letter(
            1, reason=SCRIPT, field=SCRIPT, exception=SCRIPT, source=SCRIPT, message_id=SCRIPT,
            item_key=SCRIPT, routing_key=SCRIPT, headers={SCRIPT: SCRIPT}, body=SCRIPT.encode(),
        ),
    )  # fmt: skip
    quoted = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    more = [
        f"{LETTERS}?reason={quoted}&group={quoted}&notice={quoted}",
        f"{LETTERS}/replaying?since={quoted}&of=3",
    ]
    for address in (*addresses(letter)[0][:-1], *more):
        page = await browser.open(address)
        assert page.status == 200, address
        assert "<script>" not in page.text, address
        assert not any(name.startswith("on") for _, given in page.tags for name in given)
        assert all("style" not in given for _, given in page.tags)


async def test_what_names_no_letter_is_not_there(browser: Browser) -> None:
    for name in ("x", new_id()):
        assert (await browser.open(f"{LETTERS}/{name}")).status == 404
        assert (await browser.open(f"{LETTERS}/{name}/edit")).status == 404
