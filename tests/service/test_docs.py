"""The documentation under /docs: every page, for everybody, without script, and every link of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import cast
from urllib.parse import urljoin, urlsplit

import pytest

from contracts.errors import Unavailable
from service.web.help_links import DOCS_PATH, HELP_SECTIONS, help_address
from service.web.pages.docs.book import HANDBOOK_FOLDER, PICTURES_FOLDER, READING_ORDER, handbook
from service.web.pages.docs.finding import LONGEST_QUESTION, MOST_PLACES, SearchedText, find_places, words_of
from service.web.pages.docs.markdown import render_text
from service.web.sessions import Sessions
from service.web.tokens import Visitor
from tests.house.test_links import anchors_of
from tests.support.office import Office
from tests.support.pages import BROWSER, Browser, ShownPage
from tests.support.route_matrix import PLACES

LARGEST_PICTURES = 400_000
NAMES = sorted(path.stem for path in HANDBOOK_FOLDER.glob("*.md"))
REFERENCES = (
    "/docs",
    "/docs/api",
    "/docs/messages",
    "/docs/search",
    "/docs/search?q=dead+letters",
    "/docs/no-such",
)
ADDRESSES = (*REFERENCES, *(f"/docs/{name}" for name in NAMES))
EXPLAINS_ITSELF = {"/", "/healthz", "/readyz", "/metrics", "/static"}
"""No page, or one that only leads on."""


@pytest.fixture
async def browser(office: Office) -> Browser:
    return Browser(client=office.client)


def ids(page: ShownPage) -> list[str]:
    return [given["id"] for _, given in page.tags if "id" in given]


@pytest.mark.parametrize("name", NAMES)
def test_every_page_has_its_place_in_the_book(name: str) -> None:
    assert name in READING_ORDER


@pytest.mark.parametrize("address", ADDRESSES)
async def test_every_link_of_every_page_leads_somewhere(
    address: str, browser: Browser, office: Office
) -> None:
    """To a page, a picture or a download that is there, and to a place on it; to nothing outside."""
    page = await browser.open(address)
    assert page.status == (404 if address == "/docs/no-such" else 200)
    shown: dict[str, ShownPage] = {}
    for tag, given in page.tags:
        link = given.get("href") or given.get("src") or given.get("action")
        if link is None or (tag == "form" and given.get("method") == "post"):
            continue
        target = urlsplit(urljoin(page.address, link))
        assert (target.scheme, target.netloc) == tuple(urlsplit(page.address)[:2]), link
        if target.path not in shown:
            answer = await office.client.get(f"{target.path}?{target.query}", headers=BROWSER)
            assert answer.status_code in ({200, 404} if target.path == page.path else {200, 401}), link
            shown[target.path] = ShownPage(answer)
        if target.fragment:
            assert target.fragment in ids(shown[target.path]), link


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_page_is_whole_without_script_and_style_of_its_own(address: str, browser: Browser) -> None:
    """One title, levels that skip none, no id twice, a description of each picture, words in each head."""
    page = await browser.open(address)
    assert len(ids(page)) == len(set(ids(page)))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    for tag, given in page.tags:
        assert tag != "style"
        assert "style" not in given
        assert tag != "img" or given["alt"]
        assert tag != "script" or given["src"].startswith("/static/")
    assert re.findall(r"<th\b[^>]*>\s*</th>", page.text) == []


@pytest.mark.parametrize("name", NAMES)
def test_headings_are_called_as_elsewhere(name: str) -> None:
    """A link with # leads to the same place in the repository and here."""
    path = HANDBOOK_FOLDER / f"{name}.md"
    assert {section.anchor for section in handbook()[name].sections} <= anchors_of(path)


async def test_pages_follow_each_other(browser: Browser) -> None:
    page = await browser.open(f"/docs/{READING_ORDER[0]}")
    visited = [page.path]
    while following := [one for one in page.links if one.attributes.get("rel") == "next"]:
        page = await browser.open(following[0].attributes["href"])
        visited.append(page.path)
    assert visited == [f"/docs/{name}" for name in READING_ORDER]
    (before,) = [one for one in page.links if one.attributes.get("rel") == "prev"]
    assert before.attributes["href"] == visited[-2]


async def test_four_kinds_of_people_find_where_to_begin(browser: Browser) -> None:
    page = await browser.open(DOCS_PATH)
    assert {"person", "developer", "operator", "administrator"} <= set(ids(page))


async def test_the_search_finds_by_words(browser: Browser) -> None:
    """Of a heading first; in the handbook, the API and the messages."""
    for question, first in (
        ("undo sync", "/docs/user-guide#undoing-a-sync"),
        ("brake_on", "/docs/operating#metrics"),
        ("held-deletions", "/docs/api#"),
        ("traceparent", "/docs/messages#schema-ItemChanged"),
    ):
        page = await browser.open(f"/docs/search?q={question.replace(' ', '+')}")
        found = [one.attributes["href"] for one in page.links if "#" in one.attributes["href"]][1:]
        assert any(link.startswith(first) for link in found[:4]), (question, found)
        assert "mark" in {tag for tag, _ in page.tags}


async def test_what_is_found_nowhere_is_said(browser: Browser) -> None:
    page = await browser.open("/docs/search?q=%3Cxyzzy%3E+plugh")
    assert "Nothing here has the words" in page.words
    assert "<xyzzy" not in page.text


def test_a_question_is_bounded() -> None:
    """In length, in words and in what is found."""
    texts = [
        SearchedText(page="p", title=f"t{number}", address="/docs", text="word " * 50) for number in range(99)
    ]
    assert len(find_places("word", texts)) == MOST_PLACES
    assert len(words_of(" ".join(map(str, range(10_000))))) <= 8
    assert words_of("a" * 10_000) == ("a" * LONGEST_QUESTION,)
    assert find_places(" ./ ", texts) == []


async def test_a_page_that_is_not_there_helps(browser: Browser) -> None:
    """With what its name may have meant, and the way of somebody who typed a file's name."""
    page = await browser.open("/docs/rotating-keys")
    assert page.status == 404
    assert any(one.attributes["href"].startswith("/docs/keys#") for one in page.links)
    for typed, meant in (
        ("/docs/operating.md", "/docs/operating"),
        ("/docs/keys/", "/docs/keys"),
        ("/docs/", "/docs"),
    ):
        assert (await browser.open(typed)).path == meant


async def test_the_descriptions_are_shown_whole(browser: Browser, office: Office) -> None:
    """Every route of the API, every channel and message, and every object that one of them leads to."""
    document = (await office.client.get("/api/v1/openapi.json")).json()
    page = await browser.open("/docs/api")
    for path, verbs in document["paths"].items():
        for verb, form in verbs.items():
            assert form["operationId"] in ids(page)
            assert f"{verb.upper()} {path}" in page.words
    missing = {name for name in document["components"]["schemas"] if f"schema-{name}" not in ids(page)}
    assert missing == set()
    messages = (await office.client.get("/docs/schemas/asyncapi.json")).json()
    page = await browser.open("/docs/messages")
    for name in messages["channels"]:
        assert f"channel-{name}" in ids(page)
    for name, form in messages["components"]["messages"].items():
        assert f"message-{name}" in ids(page)
        assert form["name"] in page.words
    assert {name for name in messages["components"]["schemas"] if f"schema-{name}" not in ids(page)} == set()


async def test_the_raw_documents_and_pictures_may_be_kept(office: Office) -> None:
    """They are the same for everybody; what is not among them is not there, whatever it is called."""
    kept = await office.client.get("/docs/schemas/item-changed.json")
    assert (kept.status_code, kept.headers["Cache-Control"]) == (200, "public, max-age=3600")
    assert json.loads(kept.text)["title"] == "ItemChanged"
    picture = await office.client.get("/docs/pictures/list.webp")
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/webp")
    for path in (
        "schemas/..%2fgenerate.py",
        "schemas/__init__.py",
        "pictures/..%2fstyle.css",
        "pictures/no.webp",
    ):
        answer = await office.client.get(f"/docs/{path}", headers=BROWSER)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store"), path


def test_the_pictures_are_all_shown_and_small() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in HANDBOOK_FOLDER.glob("*.md"))
    found = {path.name for path in PICTURES_FOLDER.iterdir()}
    assert found == set(re.findall(r"\]\(pictures/([^)]+)\)", text))
    assert sum(path.stat().st_size for path in PICTURES_FOLDER.iterdir()) <= LARGEST_PICTURES


def test_markup_in_a_page_is_text_and_columns_of_numbers_have_no_style() -> None:
    rendered = render_text(
        "# A `b` *c*\n\n<b onclick=x>\n\nContents: [x](#y)\n\n## Same\n\n## Same\n\n|a|b|\n|-|-:|\n|1|2|\n"
    )
    assert "<b onclick" not in rendered.html
    assert "Contents" not in rendered.html
    assert "style=" not in rendered.html
    assert '<td class="number" role="cell">2</td>' in rendered.html or 'class="number"' in rendered.html
    assert [section.anchor for section in rendered.sections] == ["a-b-c", "same", "same-1"]


@pytest.mark.parametrize("section", sorted({*HELP_SECTIONS.values()}))
async def test_help_leads_to_a_section_that_is_there(section: str, browser: Browser) -> None:
    page = await browser.open(section)
    assert (page.status, section.partition("#")[2] in ids(page)) == (200, True)


def test_every_page_of_the_product_has_its_help() -> None:
    """More than the first page of the documentation."""
    pages = [route.partition(" ")[2] for route in PLACES if route.startswith("GET ")]
    pages = [
        path for path in pages if not path.startswith(("/api/", DOCS_PATH)) and path not in EXPLAINS_ITSELF
    ]
    assert [path for path in pages if help_address(path) == DOCS_PATH] == []


async def test_help_is_on_every_page_that_somebody_sees(browser: Browser, office: Office) -> None:
    """Signed in or not."""
    expected: Mapping[str, str] = {
        "/my-calendar": "/docs/user-guide#my-calendar",
        "/calendar-sync": "/docs/user-guide#the-list",
        "/sessions": "/docs/user-guide#signing-in-and-out",
    }
    assert (await browser.open("/calendar-sync")).link("Help") == "/docs/user-guide#the-list"
    await office.sign_in()
    for address, section in expected.items():
        assert (await browser.open(address)).link("Help") == section


class AwaySessions:
    """Sessions of a store that does not answer."""

    async def find(self, _: str) -> Visitor:
        raise Unavailable("the database does not answer")


async def test_it_is_shown_while_the_store_is_away(browser: Browser, office: Office) -> None:
    """Whoever has to mend it reads there how."""
    await office.sign_in()
    away = cast("Sessions", AwaySessions())
    office.app.state.services = replace(office.app.state.services, sessions=away)
    page = await browser.open("/docs/operating")
    assert page.status == 200
    assert "Sign out" not in page.words
