"""Finds each text that is marked for translation, and brings it into the catalogues (R49)."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from service.web.catalogue.files import TOLD, catalogue_file
from service.web.locales import ENGLISH, LANGUAGES, Language
from tests.support.repository import ROOT

KEYWORDS: Mapping[str, tuple[int | None, tuple[int, ...]]] = {
    "gettext": (None, (0,)),
    "_": (None, (0,)),
    "ngettext": (None, (0, 1)),
    "pgettext": (0, (1,)),
    "npgettext": (0, (1, 2)),
}
"""Where each function is given the meaning and the text, and the text for many."""
SAID = {"Unknown": 0, "Conflict": 1, "HTTPException": 1, "NoEntry": 0, "form_to": 0, "_come_again": 0}
"""What is translated where it is shown: by the place at which the sentence is given."""
RULES = {"Invalid.one": 1, "BadToken": 0, "told": 0}
"""The same of what is told, whole or with values."""
JINJA = {
    "trimmed": "true",
    "newstyle_gettext": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "silent": "false",
}
KEPT = ("handlers", "service/consumers", "service/integrations", "service/store")
"""Rooms whose sentences are kept, and translated where they are shown."""
A_VALUE = "7"
SENTENCE = re.compile(rf"[A-Z][^{{}}]* [^{{}}]*(\.|: {A_VALUE})")
APART = frozenset({"demo"})
"""The demonstration speaks English: it is no part of the product."""
MADE_ELSEWHERE = (
    "contracts/cronofy.py",
    "contracts/envelope.py",
    "contracts/fields.py",
    "contracts/framing.py",
    "contracts/tolerant.py",
    "contracts/vorex.py",
    "handlers/outbound_message.py",
    "handlers/replays/forecast.py",
    "service/consumers/failures.py",
    "service/consumers/parked.py",
    "service/cronofy/questions.py",
    "service/cronofy/statuses.py",
    "service/integrations/sign_outs.py",
    "service/operations/consequences.py",
    "service/operations/dead_letters.py",
    "service/operations/findings.py",
    "service/operations/letters/letter_filter.py",
    "service/operations/mending.py",
    "service/operations/overview.py",
    "service/operations/replay_forecast.py",
    "service/operations/sources.py",
    "service/operations/weather_words.py",
)
"""Modules whose sentences are English for programs, and told where a page shows them."""
QUIET = frozenset({"Field", "StringConstraints", "compile", "debug", "error", "fullmatch", "info", "warning"})
"""Calls that are given no sentence for people."""
TOLD_WORDS = re.compile(
    r"^[^ ].*[A-Za-z']{2,}[,;:]? [A-Za-z]|^% [a-z-]{4,} %|^% (seconds|minutes|hours)$|^a (second|minute)$"
    r"|^(today|tomorrow)$"
)
"""How a sentence looks beside names and codes, once its values are gone."""
Text = tuple[str | None, str, str | None]
"""The meaning, the text, and the text for many."""


def found_in_template(path: Path) -> Iterator[Text]:
    with path.open("rb") as file:
        for _, function, given, _ in babel_extract(file, tuple(KEYWORDS), (), JINJA):
            texts: list[str | None] = [given] if isinstance(given, str) else list(given or ())
            if (text := _of_call(function or "", texts)) is not None:
                yield text


def found_in_module(path: Path) -> Iterator[Text]:
    for node in ast.walk(module_tree(path)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in KEYWORDS and (text := _of_call(name, [_constant(one) for one in node.args])) is not None:
            yield text
        if name == "Texts" and node.args and (words := _words(node.args[0])) is not None:
            yield from ((_meaning(node), one, None) for one in map(_constant, words.values) if one)
        yield from _said(node, name)


def _said(call: ast.Call, name: str) -> Iterator[Text]:
    """What is translated where it is shown, with values as what is told."""
    rule = ast.unparse(call.func) in RULES
    place = RULES.get(ast.unparse(call.func), SAID.get(name))
    given = call.args[place] if place is not None and len(call.args) > place else None
    if isinstance(given, ast.JoinedStr):
        yield TOLD, template(given), None
    elif given is not None and (said := _constant(given)):
        yield (TOLD if rule else None), said, None


def kept_sentences(path: Path) -> Iterator[Text]:
    """Those that a room below the pages says: of a message, a log entry, a run or a refusal."""
    for node in texts_of(module_tree(path)):
        if SENTENCE.fullmatch(filled(node)):
            yield TOLD, template(node), None


def found_made(path: Path) -> Iterator[Text]:
    """Each sentence of the module, its values named, whole or as a word that stands in one."""
    for node in texts_of(module_tree(path), quiet=QUIET):
        text = template(node)
        if TOLD_WORDS.search(re.sub(r"%\(\w+\)s", "%", text)):
            yield TOLD, text, None


def texts_of(node: ast.AST, quiet: frozenset[str] = frozenset()) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Every text but docstrings, and what the quiet calls are given."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield node
        return
    silent = isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in quiet
    if not silent and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        for one in ast.iter_child_nodes(node):
            yield from texts_of(one, quiet)


def template(node: ast.Constant | ast.JoinedStr) -> str:
    """The sentence with its values named as in the source; also where ``format`` fills it."""
    if isinstance(node, ast.Constant):
        return re.sub(r"\{(\w*)[^{}]*\}", lambda hole: f"%({hole[1] or 'value'})s", str(node.value))
    parts: list[str] = []
    for place, one in enumerate(node.values):
        if isinstance(one, ast.Constant):
            parts.append(str(one.value))
        elif isinstance(one, ast.FormattedValue):
            parts.append(_constant(one.value) or _hole(one.value, place, parts))
    return "".join(parts)


def _hole(value: ast.expr, place: int, before: list[str]) -> str:
    """The name of the value; with its place where another has that name."""
    hole = f"%({getattr(value, 'attr', getattr(value, 'id', f'value{place}'))})s"
    return f"{hole[:-2]}{place})s" if hole in before else hole


def filled(node: ast.Constant | ast.JoinedStr) -> str:
    """The sentence with something in the place of each value."""
    return re.sub(r"%\(\w+\)s", A_VALUE, template(node))


def _words(given: ast.expr) -> ast.Dict | None:
    """The closed set itself, or the one that a module gives that name."""
    name = given.attr if isinstance(given, ast.Attribute) else getattr(given, "id", "")
    return given if isinstance(given, ast.Dict) else _named_sets().get(name)


def _of_call(name: str, given: list[str | None]) -> Text | None:
    meaning, texts = KEYWORDS[name]
    if len(given) <= texts[-1] or any(given[place] is None for place in texts):
        return None
    many = given[texts[1]] if len(texts) > 1 else None
    return (None if meaning is None else given[meaning], given[texts[0]] or "", many)


def _meaning(call: ast.Call) -> str | None:
    return next((_constant(one.value) for one in call.keywords if one.arg == "meaning"), None)


def _constant(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return _named_sentences().get(node.id)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@cache
def module_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _named_sentences() -> Mapping[str, str]:
    """Sentences that modules give a name, which others say."""
    assigned = (
        (target.id, node.value.value)
        for path in modules()
        for node in module_tree(path).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    )
    return {name: text for name, text in assigned if re.search(r"\w \w", text)}


@cache
def _named_sets() -> Mapping[str, ast.Dict]:
    """Closed sets of words that rooms below the pages give a name."""
    return {
        node.target.id: node.value
        for path in kept_modules()
        for node in module_tree(path).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(node.value, ast.Dict)
    }


def kept_modules() -> list[Path]:
    """Not what a replay would do, told to operators alone, nor what copies say, each in its own language."""
    found = sorted(path for room in KEPT for path in (ROOT / room).rglob("*.py"))
    return [path for path in found if not {"replays", "texts"} & set(path.parts)]


def modules() -> list[Path]:
    found = sorted((ROOT / "service").rglob("*.py"))
    return [path for path in found if not APART & set(path.relative_to(ROOT).parts)]


def templates() -> list[Path]:
    return sorted((ROOT / "service" / "web" / "templates").glob("*.html"))


def found_texts() -> Catalog:
    """Every marked text of the product, with the files that it stands in."""
    catalogue = Catalog(fuzzy=False)
    sources = [(path, found_in_template) for path in templates()]
    sources += [(path, found_in_module) for path in modules()]
    sources += [(path, kept_sentences) for path in kept_modules()]
    sources += [(ROOT / path, found_made) for path in MADE_ELSEWHERE]
    for path, found in sources:
        for meaning, text, many in found(path):
            place = (path.relative_to(ROOT).as_posix(), 1)
            catalogue.add((text, many) if many else text, locations=[place], context=meaning)
    return catalogue


def read_catalogue(language: Language) -> Catalog:
    with catalogue_file(language).open("rb") as file:
        return read_po(file, locale=language)


def is_translated(text: Message) -> bool:
    said = text.string
    return bool(said) if said is None or isinstance(said, str) else all(said)


def main() -> None:
    """What is new stands there untranslated, and what nothing says any more is gone."""
    found = found_texts()
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        catalogue = read_catalogue(language)
        catalogue.update(found, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.msgid_bugs_address = ""
        with catalogue_file(language).open("wb") as file:
            write_po(
                file, catalogue, width=110, sort_by_file=True, ignore_obsolete=True, include_lineno=False
            )
        missing = sum(1 for one in catalogue if one.id and not is_translated(one))
        print(f"{language}: {len(catalogue)} texts, {missing} to translate")  # noqa: T201


if __name__ == "__main__":
    main()
