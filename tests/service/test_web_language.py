"""Pages in the language of whoever reads them, by Vorex's claim or by the browser's languages (R49)."""

from datetime import UTC, datetime

import pytest

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome, Trigger
from contracts.vorex import ItemType
from service.store.integrations.integrations import change_state
from service.store.logs.logs import log
from service.store.tables import runs
from service.web.catalogue import Texts, gettext, grouped, ngettext, pgettext, speaking, spoken
from service.web.catalogue.told import told, told_with
from tests.support.german import english_said
from tests.support.office import Office
from tests.support.pages import Browser, ShownPage

LIST, DEVICES = "/calendar-sync", "/sessions"
GERMAN, ENGLISH = "Noch ist kein Kalender verknüpft", "No calendar is linked yet"


def language_of(page: ShownPage) -> str:
    return next(given["lang"] for tag, given in page.tags if tag == "html")


@pytest.mark.parametrize(
    ("claim", "browser", "language"),
    [
        (None, "", "en"),
        (None, "de", "de"),
        (None, "de-CH,de;q=0.9,en;q=0.8", "de"),
        (None, "en-GB,de;q=0.9", "en"),
        (None, "fr,de;q=0.5", "de"),
        (None, "fr", "en"),
        ("de-AT", "", "de"),
        ("DE-at", "en-US", "de"),
        ("en-US", "de", "en"),
        ("fr-FR", "", "en"),
        ("tlh", "qq;q=x", "en"),
        ("x-de", "", "en"),
    ],
)
async def test_r49_the_claim_and_then_the_browser_say_the_language(
    claim: str | None, browser: str, language: str, office: Office
) -> None:
    await office.sign_in(**({"locale": claim} if claim else {}))
    office.client.headers["Accept-Language"] = browser
    page = await Browser(client=office.client).open(LIST)
    assert language_of(page) == language
    assert (GERMAN in page.words, ENGLISH in page.words) == (language == "de", language == "en")
    assert page.link("Verbinden" if language == "de" else "Click to Connect") == f"{LIST}/connect"


async def test_r49_texts_dates_and_values_are_of_one_language(office: Office) -> None:
    """Also those that a module keeps, a notice, and the values in a sentence, escaped."""
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        await change_state(connection, integration_id, last_sync_at=datetime(2026, 12, 3, 9, 14, tzinfo=UTC))
    await office.sign_in(locale="de-AT", name="<b>Sam</b>", tz="Europe/Berlin")
    page = await Browser(client=office.client).open(f"{LIST}?notice=activated")
    assert "3. Dez. 2026, 10:14" in page.words
    assert "Der Abgleich ist wieder aktiv." in page.words
    assert page.link("Einstellungen: Calendar") == f"{LIST}/{integration_id}/settings/linked-calendar"
    assert "<b>Sam" not in page.text
    devices = await Browser(client=office.client).open(DEVICES)
    assert "Auf diesen Geräten angemeldet" in devices.words


async def test_r49_errors_are_pages_of_that_language_and_answers_to_programs_are_english(
    office: Office,
) -> None:
    office.client.headers["Accept-Language"] = "de"
    html = {"Accept": "text/html"}
    stranger = await office.client.get(LIST, headers=html)
    assert (stranger.status_code, "Bitte melden Sie sich an" in stranger.text) == (401, True)
    await office.sign_in()
    lost = await office.client.get("/no/such/page", headers=html)
    assert (language_of(ShownPage(lost)), "Diese Seite gibt es nicht." in lost.text) == ("de", True)
    refused = await office.client.get("/operations", headers=html)
    assert "Diese Seite gibt es nicht." in refused.text
    told = await office.client.get("/api/v1/integrations/01a", headers=office.bearer(locale="de"))
    assert told.json()["detail"] == "There is no such integration."


async def test_r49_one_persons_language_is_not_the_nexts(office: Office) -> None:
    await office.sign_in(locale="de")
    assert language_of(await Browser(client=office.client).open(LIST)) == "de"
    assert spoken() == "en"
    office.client.cookies.clear()
    assert language_of(await Browser(client=office.client).open("/signed-out")) == "en"


async def test_r49_whoever_is_signed_in_is_asked_in_their_language(office: Office) -> None:
    await office.sign_in(locale="de")
    token = office.token("u-18", name="<i>Kim</i>")
    answer = await office.client.get("/sign-in", params={"token": token})
    assert "Als jemand anderes anmelden?" in answer.text
    assert "<bdi>&lt;i&gt;Kim&lt;/i&gt;</bdi>" in answer.text


def test_r49_texts_are_read_in_the_language_that_is_spoken() -> None:
    closed = Texts({"deleted": "Deleted", "odd": "In no catalogue"})
    with speaking("de"):
        assert dict(closed) == {"deleted": "Gelöscht", "odd": "In no catalogue"}
        assert closed.get("deleted") == "Gelöscht"
        assert pgettext("button", "End") == "Beenden"
        assert gettext("%(done)s of %(total)s", done=3, total="99 %") == "3 von 99 %"
        waiting = "%(many)s change waits until then.", "%(many)s changes wait until then."
        assert ngettext(*waiting, 1, many=1) == "1 Änderung wartet bis dahin."
        assert ngettext(*waiting, 2, many=2) == "2 Änderungen warten bis dahin."
        assert gettext("") == ""
    assert dict(closed) == {"deleted": "Deleted", "odd": "In no catalogue"}
    assert (closed.get("none"), len(closed)) == (None, 2)


@pytest.mark.parametrize(
    ("kept", "german"),
    [
        ("Sent to the linked calendar.", "In den verknüpften Kalender gesendet."),
        (
            "The calendar refused the event (422: a (b)).",
            "Der Kalender hat das Ereignis abgelehnt (422: a (b)).",
        ),
        (
            "The calendar did not take the event for now (503).",
            "Der Kalender hat das Ereignis vorerst nicht angenommen (503).",
        ),
        ("Paused by Today.", "Pausiert von Today."),
        (
            "The message of its next step was given up: The integration was deactivated.",
            "Die Nachricht seines nächsten Schrittes wurde aufgegeben: Die Verbindung wurde deaktiviert.",
        ),
        (
            "The message of its next step was given up: The work was not done within 60 seconds.",
            (
                "Die Nachricht seines nächsten Schrittes wurde aufgegeben: "
                "Die Arbeit wurde nicht innerhalb von 60 Sekunden fertig."
            ),
        ),
        ("This must lie between the years 1 and 9.", "Das muss zwischen den Jahren 1 und 9 liegen."),
        ("In no catalogue, and {braces} %(and)s 9 %.", "In no catalogue, and {braces} %(and)s 9 %."),
        ("", ""),
    ],
)
def test_r49_sentences_that_are_kept_in_english_are_told_with_their_values(kept: str, german: str) -> None:
    assert told(kept) == kept
    with speaking("de"):
        assert told(kept) == german


def test_r49_what_is_kept_is_found_by_what_is_told() -> None:
    assert told_with("calendar") == ((), ())
    with speaking("de"):
        whole, begins = told_with("Konto und Kalender sind")
        assert (whole, begins) == ((), ("The calendar does not allow this (",))
        assert told_with("IN DEN VERKNÜPFTEN KALENDER GESENDET.")[0] == (
            "Sent to the linked calendar.",
            "Sending to the linked calendar.",
        )


def test_r49_thousands_stand_apart_as_the_language_writes_them() -> None:
    assert grouped(1234567) == "1,234,567"
    with speaking("de"):
        assert (grouped(1234567), grouped(7)) == ("1.234.567", "7")


async def _looked_at(office: Office) -> list[str]:
    """Every page that a person of this office sees, by its address."""
    integration_id = await office.finished(event_types={"create": True, "update": True, "delete": True})
    entry = LogEntry(
        integration_id=IntegrationId(integration_id),
        trigger=Trigger.REAL_TIME,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.UPDATE,
        outcome=Outcome.SKIPPED,
        code=Code.OK,
        reason="The calendar accepted the change and did not carry it out.",
        item_type=ItemType.APPOINTMENT,
        title="Dentist",
    )
    async with office.store.begin() as connection:
        await log(connection, [entry], now=office.clock.now())
    run = (await office.rows(runs))[0]["id"]
    own = {"title": "Own", "start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}
    added = await office.client.post("/api/v1/my-calendar/items", json=own, headers=office.bearer())
    key = f"appointment:{added.json()['id']}"
    at, tabs = (
        f"{LIST}/{integration_id}",
        ("linked-calendar", "your-calendar", "sync-options", "confirmation"),
    )
    return [
        LIST,
        *(f"{at}/settings/{tab}" for tab in tabs),
        f"{at}/settings/confirmation?rehearse=yes",
        *(f"{at}/{page}" for page in ("delete", "held", "permission", "reconnected", "logs")),
        *(f"{at}/logs?{query}" for query in ("trigger=real_time", "q=none", "until=x", "direction=up")),
        f"{at}/runs/{run}",
        f"{at}/runs/{run}/undo",
        f"{LIST}/exchange-help",
        *(f"/my-calendar?{view}" for view in ("", "month=2026-12", "week=2026-12-03", "day=2026-12-03")),
        *(f"/my-calendar?{view}" for view in ("agenda=2026-12-03", "q=nothing", "type=task", "hours=all")),
        "/my-calendar/new?day=2026-12-03&at=09:00",
        f"/my-calendar/item?key={key}",
        f"/my-calendar/item/delete?key={key}",
        "/my-calendar/deleted",
    ]


async def test_r49_a_german_page_says_no_english_sentence(office: Office) -> None:
    """Of all that a person sees: what the pages say, and reasons, rules and values in them."""
    addresses = await _looked_at(office)
    await office.sign_in(locale="de", tz="Europe/London")
    found = {}
    for address in addresses:
        page = ShownPage(await office.client.get(address, headers={"Accept": "text/html"}))
        assert language_of(page) == "de", address
        if said := english_said(page.text):
            found[address] = said
    assert found == {}


async def test_r49_a_form_is_refused_in_the_language_of_who_sent_it(office: Office) -> None:
    await office.sign_in(locale="de")
    browser = Browser(client=office.client)
    await browser.open("/my-calendar/new?day=2026-12-03")
    wrong: dict[str, str | bool | None] = {"title": "", "end_day": "2026-12-01"}
    page = await browser.press("Hinzufügen", changes=wrong)
    assert "Geben Sie dem Termin einen Betreff." in page.words
    assert "Das Ende darf nicht vor dem Beginn liegen." in page.words
    wrong = {"title": "Own", "end_day": "2026-12-03", "location": "a\0b"}
    page = await browser.press("Hinzufügen", changes=wrong)
    assert "Das darf kein U+0000 enthalten." in page.words
    page = await browser.press("Hinzufügen", changes={"title": "x" * 1025, "location": ""})
    assert "Höchstens 1.024 Zeichen." in page.words
