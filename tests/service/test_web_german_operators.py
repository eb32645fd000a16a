"""What operators, administrators and readers of the documentation see in German (R47, R49)."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from service.operations.consequences import THINGS
from service.store.messages.burying import bury
from service.store.tables import integrations
from service.web.catalogue import speaking
from service.web.catalogue.told import MOST_NESTED, told
from tests.support.letters import a_letter
from tests.support.office import Office
from tests.support.pages import Browser


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "2 service calls before noon are not on the technician's calendar",
            "2 Serviceeinsätze vor Mittag fehlen im Kalender des Technikers",
        ),
        (
            "1 to-do tomorrow is still on the user's calendar, though gone from My Calendar",
            "1 To-do morgen steht noch im Kalender der Person, aber nicht mehr in Mein Kalender",
        ),
        (
            "1 change could not be written; 2 changes wait. 2 more in the next 7 days.",
            "1 Änderung ließ sich nicht schreiben; 2 Änderungen warten. 2 weitere in den nächsten 7 Tagen.",
        ),
        (
            "The calendar's provider delays what is sent; 1,240 changes wait.",
            "Der Anbieter des Kalenders verzögert, was gesendet wird; 1.240 Änderungen warten.",
        ),
        (
            "The calendar of sam@contoso.example is not connected. The run would fail.",
            "Der Kalender von sam@contoso.example ist nicht verbunden. Der Lauf schlüge fehl.",
        ),
        (
            "Still malformed: data.item.title: must have at most 200 characters.",
            "Immer noch nicht lesbar: data.item.title: darf höchstens 200 Zeichen haben.",
        ),
        ("Something that nobody has translated.", "Something that nobody has translated."),
        ("data.item.end: surprising", "data.item.end: surprising"),
        ("", ""),
    ],
)
def test_r49_what_was_said_in_english_is_told(english: str, german: str) -> None:
    """Whole, clause by clause, with its values found again; what is unknown stays as it is."""
    with speaking("de"):
        assert told(english) == german
    assert told(english) == english


def test_r49_what_stands_in_itself_without_end_is_told_as_deep_as_sentences_go() -> None:
    with speaking("de"):
        assert told("data: " * 20_000) == "data: " * 20_000
        assert told("The run would fail. " * 9 + "The run would fail.").count("schlüge") <= MOST_NESTED


def test_r49_every_kind_of_thing_is_told() -> None:
    with speaking("de"):
        for one, many in THINGS.values():
            for text, number in ((one, 1), (many, 7)):
                assert told(text.format(number=number, when="today")).endswith(" heute")


async def test_r49_operators_read_german_and_programs_english(office: Office) -> None:
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        lost = {"status": "not_connected", "reason": "permission_withdrawn"}
        await connection.execute(update(integrations).values(**lost))
        await bury(connection, [a_letter(1)], now=office.clock.now() - timedelta(hours=1))
    await office.sign_in("op", role="operator", locale="de")
    browser = Browser(client=office.client)
    page = await browser.open("/operations")
    assert "1 Nachricht ließ sich nicht verarbeiten" in page.words
    assert "Ein verknüpfter Kalender ist nicht verbunden" in page.words
    assert "Nicht verbunden: Die Erlaubnis wurde zurückgezogen" in page.words
    page = await browser.open(f"/operations/integrations/{integration_id}")
    assert "Wie es steht" in page.words
    page = await browser.open("/operations/dead-letters")
    assert "Unzustellbare Nachrichten" in page.words
    assert page.link("Alle 1 wiederholen …")
    answer = await office.client.get(
        "/api/v1/operations", headers=office.bearer("op", role="operator", locale="de")
    )
    assert "1 message could not be processed" in [one["said"] for one in answer.json()["findings"]]


async def test_r49_administrators_read_german(office: Office) -> None:
    for who in ("u-17", "u-22"):
        await office.finished(who)
    await office.sign_in("boss", role="administrator", locale="de")
    browser = Browser(client=office.client)
    page = await browser.open("/administration")
    assert "2 Verbindungen" in page.words
    page = await browser.open("/administration/confirm?every=1&verb=pause")
    assert "2 Verbindungen pausieren?" in page.words
    page = await browser.press("2 Verbindungen pausieren")
    assert "2 Verbindungen wurden pausiert" in page.words
    page = await browser.open("/administration/person?who=u-17")
    assert "Verknüpfte Kalender" in page.words


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/docs", "Wo Sie anfangen"),
        ("/docs/search?q=calendar", "Abschnitte zu „calendar“"),
        ("/docs/api", "Als OpenAPI 3.1 herunterladen"),
        ("/docs/messages", "Warteschlangen"),
        ("/docs/no-such-page", "Diese Seite gibt es nicht"),
    ],
)
async def test_r49_the_documentation_has_its_frame_in_german(address: str, said: str, office: Office) -> None:
    office.client.headers["Accept-Language"] = "de"
    assert said in (await Browser(client=office.client).open(address)).words


async def test_r49_an_article_of_the_handbook_says_that_it_is_english(office: Office) -> None:
    office.client.headers["Accept-Language"] = "de"
    page = await Browser(client=office.client).open("/docs/user-guide")
    given = {tag: one.get("lang") for tag, one in page.tags if tag in ("html", "article")}
    assert given == {"html": "de", "article": "en"}


async def test_r49_a_field_that_breaks_a_rule_is_told_in_german(office: Office) -> None:
    await office.sign_in("boss", role="administrator", locale="de")
    answer = await office.client.get("/administration?after=%F0%9F%98%80", headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert "after: muss der Cursor einer früheren Antwort sein" in answer.text
