"""Every text is in every catalogue, and every template says its texts through it (R49)."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from jinja2 import nodes

from service.web.catalogue import speaking
from service.web.catalogue.told import told
from service.web.locales import ENGLISH, LANGUAGES, Language
from service.web.rendering import TEMPLATES
from tests.house.texts import (
    A_VALUE,
    KEYWORDS,
    SENTENCE,
    filled,
    found_texts,
    is_translated,
    kept_modules,
    module_tree,
    modules,
    read_catalogue,
    template,
    templates,
    texts_of,
)

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
NAMES = re.compile("Vorex|Cronofy|RabbitMQ")
"""The same in every language."""
CLASSES = frozenset({"width"})
"""Blocks that name a class of the page."""
SHOWN_ATTRIBUTES = frozenset({"title", "placeholder", "aria-label", "aria-description", "alt", "label"})
HOLE = "\ufffc"
"""Where a value stands."""
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|%%|</?[a-z]+[^>]*>")
WORD = re.compile(r"[^\W\d_]{2,}")
ADDRESS = re.compile(r"[/?&]\S*")
ATTRIBUTE = re.compile(r'([a-z-]+)="([^"<>]*)"?')
SAYS = re.compile(r"[A-Z][a-z']* [a-z].*|\S+ [a-z]+ [a-z]+ [a-z].*|[A-Z][^/]*[.?!]")
"""How a text that people read looks in a module beside codes and addresses."""
WORDING = re.compile(r"[A-Z][a-z]+|[a-z]+ [a-z]+ [a-z]+")
"""How a text that people read looks beside codes, classes and addresses."""


@pytest.mark.parametrize("language", OTHERS)
def test_r49_the_head_of_a_catalogue_has_no_address_that_nobody_reads(language: Language) -> None:
    assert "@" not in str(read_catalogue(language).mime_headers)


def _key(text: Message) -> tuple[str | None, str]:
    return text.context, text.id if isinstance(text.id, str) else text.id[0]


@pytest.mark.parametrize("language", OTHERS)
def test_r49_a_catalogue_has_each_text_of_the_sources_and_no_other(language: str) -> None:
    found, kept = found_texts(), read_catalogue(language)  # type: ignore[arg-type]
    wanted = {_key(text): text.id for text in found if text.id}
    assert len(wanted) > 400
    assert {_key(text): text.id for text in kept if text.id} == wanted
    assert not kept.obsolete


@pytest.mark.parametrize("language", OTHERS)
def test_r49_each_text_is_translated_with_its_values_and_marks(language: str) -> None:
    kept = read_catalogue(language)  # type: ignore[arg-type]
    assert [text.id for text in kept if text.id and (text.fuzzy or not is_translated(text))] == []
    assert [text.id for text in kept if text.id and _marks(text.id) != _marks(text.string or "")] == []
    assert kept.num_plurals == 2


def _marks(said: str | list[str] | tuple[str, ...]) -> list[Counter[str]]:
    return [Counter(PLACEHOLDER.findall(one)) for one in ([said] if isinstance(said, str) else said)]


@pytest.mark.parametrize("path", templates(), ids=lambda path: path.name)
def test_r49_a_template_says_nothing_past_the_catalogue(path: Path) -> None:
    said = list(unmarked(path.read_text(encoding="utf-8")))
    assert said == []


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("<p>Some words {{ x }}</p>", ["Some words"]),
        ('<a title="Some words {{ x }}">{{ gettext("Words") }}</a>', ["Some words"]),
        ("{{ 'Some words' if x else gettext('Others') }}", ["Some words"]),
        ("{{ parts.act('/at', 'Discard', 'plain strong') }}", ["Discard"]),
        ("<pre><code>Get-Words -All</code></pre><p>Some words</p>", ["Some words"]),
        ("<p>{% trans name=x %}Some {{ name }} words{% endtrans %} {{ x }}: 3 · Vorex</p>", []),
        ("{% trans n=x %}{{ n }} word{% pluralize %}{{ n }} words{% endtrans %}", []),
        (
            '{% macro a() %} data-x="1" title="Some words"{% endmacro %}<a href=\'/a?b={{ x }}\'></a>',
            ["Some words"],
        ),
        ("<{{ 'a' if x else 'b' }} class='big' title='Vorex'>{% block width %} narrow{% endblock %}", []),
        ("<i class='{% if x %}Big{% endif %}' aria-label='{{ pgettext('button', 'End') }}'></i>", []),
    ],
)
def test_r49_what_stands_past_the_catalogue_is_seen(template: str, said: list[str]) -> None:
    assert list(unmarked(template)) == said


def unmarked(template: str) -> Iterator[str]:
    """Texts of a template that no catalogue is asked for."""
    pieces: list[str] = []
    consts: list[str] = []
    _walk(TEMPLATES.env.parse(template), pieces, consts)
    reader = _Shown()
    reader.feed(re.sub(f"(</?){HOLE}", r"\1x", "".join(pieces)))
    reader.close()
    for text in (*reader.said, *(one for one in consts if WORDING.match(one))):
        plain = " ".join(text.replace(HOLE, " ").strip(" ·\n").split())
        if WORD.search(NAMES.sub("", plain)) and not ADDRESS.fullmatch(plain):
            yield plain


def _walk(node: nodes.Node, pieces: list[str], consts: list[str]) -> None:
    if isinstance(node, nodes.TemplateData):
        pieces.append(node.data)
        return
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in KEYWORDS:
        pieces.append(HOLE)
        for one in node.kwargs:
            _walk(one, pieces, consts)
        return
    if isinstance(node, nodes.Const | nodes.Compare):
        consts.extend([node.value] if isinstance(node, nodes.Const) and isinstance(node.value, str) else [])
        return
    if isinstance(node, nodes.Block) and node.name in CLASSES:
        return
    if isinstance(node, nodes.Expr):
        pieces.append(HOLE)
    for child in node.iter_child_nodes():
        _walk(child, pieces, consts)


def _pages() -> list[Path]:
    return [path for path in modules() if "pages" in path.parts]


@pytest.mark.parametrize("path", _pages(), ids=lambda path: path.name)
def test_r49_a_module_of_pages_says_nothing_past_the_catalogue(path: Path) -> None:
    assert list(past_the_catalogue(module_tree(path))) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('render(title="What nobody found")', ["What nobody found"]),
        ('errors["day"] = "Choose another day."', ["Choose another day."]),
        ('label = "Any."', ["Any."]),
        ('f"{name} is not here any more"', ["7 is not here any more"]),
        ('"Nobody says {}.".format(1)', ["Nobody says 7."]),
        ('"""Says of itself what it is."""', []),
        ('gettext("Nothing was deleted.")', []),
        ('raise Unknown("There is no such run.")', []),
        ('f"A form has at most {MOST_FIELDS} fields."', []),
        ('{"field": "start_day", "at": "/my-calendar/new?day=7", "html": "text/html; charset=utf-8"}', []),
    ],
)
def test_r49_what_a_module_says_past_the_catalogue_is_seen(source: str, said: list[str]) -> None:
    assert list(past_the_catalogue(ast.parse(source))) == said


def past_the_catalogue(module: ast.Module) -> Iterator[str]:
    """Texts of a module of pages, as people read them, that no catalogue has."""
    for node in texts_of(module):
        if SAYS.fullmatch(filled(node)) and not _is_translated(node):
            yield filled(node)


def _is_translated(node: ast.Constant | ast.JoinedStr) -> bool:
    return template(node) in _known_texts()


@cache
def _known_texts() -> frozenset[str]:
    found = (one.id for one in found_texts() if one.id)
    return frozenset(said for one in found for said in ([one] if isinstance(one, str) else one))


@pytest.mark.parametrize("language", OTHERS)
def test_r49_reasons_that_are_kept_in_english_are_told_in_each_language(language: Language) -> None:
    """Of log entries, runs, what an undo leaves, and refusals: with values and without."""
    texts = [node for path in kept_modules() for node in texts_of(module_tree(path))]
    whole = [filled(node) for node in texts if filled(node) == template(node)]
    with_values = [filled(node) for node in texts if filled(node) != template(node)]
    kept, holed = ([one for one in some if SENTENCE.fullmatch(one)] for some in (whole, with_values))
    assert min(len(kept), len(holed)) > 7
    with speaking(language):
        assert [said for said in (*kept, *holed) if told(said) == said] == []
        assert [said for said in holed if A_VALUE not in told(said)] == []


class _Shown(HTMLParser):
    """What a person reads or hears of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._in_commands = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.said += [value for name, value in attrs if value and name in SHOWN_ATTRIBUTES]
        self._in_commands = self._in_commands or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self._in_commands = self._in_commands and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._in_commands:
            return
        self.said += [value for name, value in ATTRIBUTE.findall(data) if name in SHOWN_ATTRIBUTES]
        self.said += ATTRIBUTE.sub("", data).split(HOLE)
