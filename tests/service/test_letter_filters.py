"""Filters of dead letters: none is dropped silently, and acts carry the one that is shown (R30)."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from service.operations.letters.letter_filter import LETTER_FILTER_WORDS
from service.store.messages.burying import NewDeadLetter, bury
from service.store.tables import dead_letters
from tests.support.letters import a_body, a_letter
from tests.support.office import Office
from tests.support.pages import Browser

LETTERS = "/operations/dead-letters"
API = "/api/v1/dead-letters"
WRONG_WORDS = {
    "queue": "nonsense",
    "code": "nonsense",
    "since": "yesterday",
    "integration": "sam@contoso.example",
    "state": "gone",
    "reason": "x" * 201,
    "reasons": "refused",
}


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in("olga", role="operator", tz="UTC")
    return Browser(client=office.client)


async def buried(office: Office, *letters: NewDeadLetter) -> list[str]:
    """Their ids, oldest first."""
    async with office.store.begin() as connection:
        await bury(connection, letters, now=office.clock.now())
    return sorted(row["id"] for row in await office.rows(dead_letters))


async def states(office: Office) -> Counter[str]:
    return Counter(row["state"] for row in await office.rows(dead_letters))


def refused(number: int, reason: str = "Cronofy refused the event (422)", **more: Any) -> NewDeadLetter:
    return a_letter(number, code="refused", reason=reason, body=a_body(number, version=1), **more)


async def ask(office: Office, method: str, path: str, form: Any = None) -> Any:
    headers = office.bearer("olga", role="operator")
    return await office.client.request(method, f"{API}{path}", json=form, headers=headers)


@pytest.mark.parametrize("name", WRONG_WORDS)
@pytest.mark.parametrize("page", ["", "/replay", "/discard"])
async def test_r30_a_filter_that_says_nothing_is_said_and_nothing_can_be_done(
    page: str, name: str, browser: Browser, office: Office
) -> None:
    await buried(office, refused(1))
    shown = await browser.open(f"{LETTERS}{page}?{name}={WRONG_WORDS[name]}")
    assert (shown.path, shown.status) == (LETTERS, 422)
    assert "This filter says nothing that can be looked for" in shown.words
    assert "e-1" not in shown.words
    assert {"Replay all 1…", "Discard all 1…"}.isdisjoint(one.label for one in shown.links)


@pytest.mark.parametrize("name", WRONG_WORDS)
@pytest.mark.parametrize("verb", ["replay", "discard"])
async def test_r30_no_form_acts_under_a_filter_that_says_nothing(
    verb: str, name: str, browser: Browser, office: Office
) -> None:
    """Whatever its page had shown: a filter that was tampered with is not taken for none."""
    await buried(office, refused(1))
    await browser.open(f"{LETTERS}/{verb}")
    button = "Replay 1" if verb == "replay" else "Discard"
    shown = await browser.press(
        button, changes={"filter": f"state=open&{name}={WRONG_WORDS[name]}", "reason": "x"}
    )
    assert (shown.path, shown.status) == (LETTERS, 422)
    assert await states(office) == {"open": 1}


async def test_r30_no_field_of_a_form_becomes_a_part_of_the_filter(browser: Browser, office: Office) -> None:
    """What is typed as a reason for discarding looked like the filter of that name."""
    await buried(office, *(refused(number) for number in range(3)), a_letter(9))
    await browser.open(f"{LETTERS}?code=refused")
    page = await browser.follow("Discard all 3 that match…")
    assert "Discard 3 messages?" in page.words
    assert "Refused" in page.words
    form, _ = page.form("Discard 3")
    others = dict.fromkeys(LETTER_FILTER_WORDS, "calendar-sync.inbound")
    page = await browser.press("Discard 3", changes=others | {"reason": "Sent by mistake"})
    asked = parse_qs(urlsplit(page.address).query)
    assert set(asked) == {"code", "state", "batch"}
    assert "3 messages are discarded." in page.words
    assert await states(office) == {"discarded": 3, "open": 1}
    assert "filter" in form.fields


async def test_r50_what_was_discarded_together_is_taken_back_from_the_note(
    browser: Browser, office: Office
) -> None:
    await buried(office, *(refused(number) for number in range(3)))
    await browser.open(f"{LETTERS}?code=refused")
    await browser.follow("Discard all 3 that match…")
    await browser.press("Discard 3", changes={"reason": "Sent by mistake"})
    page = await browser.press("Undo")
    assert "Open again." in page.words
    assert await states(office) == {"open": 3}
    assert "Undo" not in page.words


async def test_r50_and_later_from_each_letter_but_not_what_was_dealt_with_since(
    browser: Browser, office: Office
) -> None:
    ids = await buried(office, *(refused(number) for number in range(4)))
    done = await ask(office, "POST", "/discard", {"ids": ids, "reason": "Sent by mistake"})
    assert done.json()["count"] == 4
    await ask(office, "POST", f"/{ids[0]}/undo")
    await ask(office, "POST", f"/{ids[0]}/discard", {"reason": "Once more"})
    page = await browser.open(f"{LETTERS}/{ids[1]}")
    assert "Take back all 3 that were discarded together" in page.words
    await browser.press("Take back all 3 that were discarded together")
    assert await states(office) == {"open": 3, "discarded": 1}
    again = await ask(office, "POST", "/undo", {"batch": done.json()["batch"]})
    assert again.json() == {"count": 0}


async def test_r30_a_discard_of_more_than_was_seen_is_refused(browser: Browser, office: Office) -> None:
    await buried(office, refused(1))
    await browser.open(f"{LETTERS}/discard?code=refused")
    await buried(office, refused(2))
    page = await browser.press("Discard", changes={"reason": "x"})
    assert "More messages match by now." in page.words
    assert await states(office) == {"open": 2}


async def test_r30_all_that_match_can_be_ticked_on_the_list(browser: Browser, office: Office) -> None:
    await buried(office, *(refused(number) for number in range(3)), a_letter(9))
    await browser.open(f"{LETTERS}?code=refused")
    form, button = browser.page.form("Discard chosen…")
    asked = urlencode(form.fields | {"all": "1"})
    page = await browser.open(f"{button.attributes['formaction']}?{asked}")
    assert "Discard 3 messages?" in page.words
    assert "KindRefused" in page.words


async def test_r30_letters_are_found_and_named_by_people_and_calendars(
    browser: Browser, office: Office
) -> None:
    """A title is shown where it may be read; nobody is found in another tenant."""
    known = await office.finished("sam")
    strange = a_letter(3, tenant_id="globex", integration_id=known)
    await buried(office, refused(1, integration_id=known), refused(2), strange)
    page = await browser.open(f"{LETTERS}?who=SAM%40contoso")
    assert "Call" in page.words
    assert "sam · Calendar · sam@contoso.example" in page.words
    assert ("e-2" in page.words, "e-3" in page.words) == (False, False)


class TestApi:
    """The same words, the same refusals."""

    @pytest.mark.parametrize("name", WRONG_WORDS)
    @pytest.mark.parametrize("path", ["", "/groups"])
    async def test_r30_a_wrong_word_is_422(self, path: str, name: str, office: Office) -> None:
        answer = await ask(office, "GET", f"{path}?{name}={WRONG_WORDS[name]}")
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == name

    @pytest.mark.parametrize("name", [name for name in WRONG_WORDS if name != "state"])
    @pytest.mark.parametrize("verb", ["replay", "discard"])
    async def test_r30_a_wrong_word_in_a_filter_is_422(self, verb: str, name: str, office: Office) -> None:
        await buried(office, refused(1))
        form = {"filter": {name: WRONG_WORDS[name]}, "expect": 9}
        answer = await ask(office, "POST", f"/{verb}", form | ({"reason": "x"} if verb == "discard" else {}))
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == f"filter.{name}"
        assert await states(office) == {"open": 1}

    async def test_r30_many_are_discarded_by_a_filter(self, office: Office) -> None:
        await buried(office, *(refused(number) for number in range(3)), a_letter(9))
        by = {"filter": {"code": "refused"}, "reason": "Sent by mistake"}
        assert (await ask(office, "POST", "/discard", by)).status_code == 422
        assert (await ask(office, "POST", "/discard", by | {"expect": 2})).status_code == 409
        dry = await ask(office, "POST", "/discard", by | {"dry_run": True})
        assert dry.json() == {"count": 3, "batch": None}
        assert (await ask(office, "POST", "/discard", by | {"expect": 3})).json()["count"] == 3
        assert await states(office) == {"discarded": 3, "open": 1}
