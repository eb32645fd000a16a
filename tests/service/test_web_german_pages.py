"""Every page of every person in German, and nothing on it in English (R49)."""

import pytest

from tests.support.german import english_said
from tests.support.known_things import known_things
from tests.support.office import Office
from tests.support.pages import BROWSER, ShownPage
from tests.support.route_matrix import API, MAY, PEOPLE, each_place

FEWEST_PAGES = {"owner": 25, "administrator": 12, "operator": 15}
"""So many addresses at least answer each of them with a page."""


@pytest.mark.parametrize("name", FEWEST_PAGES)
async def test_r49_no_page_says_a_word_in_english_that_has_a_german_one(name: str, office: Office) -> None:
    things, who = await known_things(office), PEOPLE[name]
    office.client.cookies.clear()
    await office.sign_in(who.user, who.tenant, role=who.role)
    office.client.headers["Accept-Language"] = "de"
    pages, found = 0, {}
    for verb, path, place in each_place():
        if verb != "GET" or path.startswith(API) or name not in MAY[place]:
            continue
        answer = await office.client.get(things.address(path), headers=BROWSER)
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        pages += 1
        language = next(given.get("lang") for tag, given in ShownPage(answer).tags if tag == "html")
        if language != "de" or english_said(answer.text):
            found[path] = (language, english_said(answer.text))
    assert found == {}
    assert pages >= FEWEST_PAGES[name]


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("<p>Settings</p>", ["Settings"]),
        ('<a title="Settings">Einstellungen</a>', ["Settings"]),
        ("<p>Sam: The sync is being undone.</p>", ["The sync is being undone."]),
        ("<p>Einstellungen</p><article lang='en'>Settings</article><bdi>Settings</bdi>", []),
        ("<article lang='en'><a lang='de' title='Settings'></a></article>", ["Settings"]),
        ("<input><br><p>Google</p><code>Settings</code>", []),
    ],
)
def test_r49_english_on_a_german_page_is_seen(html: str, said: list[str]) -> None:
    assert english_said(html) == said
