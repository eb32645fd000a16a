"""What a page for a German reader says in English (R49)."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser

from tests.house.texts import read_catalogue

SHOWN_ATTRIBUTES = frozenset({"title", "placeholder", "aria-label", "aria-description", "alt", "data-label"})
WITHOUT_END = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
NOT_OURS = frozenset({"bdi", "code", "pre", "script", "style"})
"""Elements whose text is a value, or no text."""
GIVEN_NAMES = frozenset({"Calendar"})
"""What people call theirs, as the linked calendar of every test is called."""
FEWEST_WORDS = 3
"""Of a piece of a sentence that no German sentence has by chance."""
_BETWEEN = re.compile(r"%\(\w+\)s|\{\w+\}|</?[a-z][^>]*>")
_SPACE = re.compile(r"\s+")


def english_said(html: str) -> list[str]:
    """Each text of the catalogue that the page says in English, though it has a German one."""
    whole, pieces = _english()
    reader = _Reader()
    reader.feed(html)
    reader.close()
    said = [_SPACE.sub(" ", one).strip(" \n·:,;") for one in reader.said]
    found = [one for one in said if one in whole]
    return found + [piece for one in said for piece in pieces if piece in one]


@cache
def _english() -> tuple[frozenset[str], tuple[str, ...]]:
    """Texts that are English alone: whole, and the pieces between their values that are long enough."""
    pairs = list(_pairs())
    german = {here for _, here in pairs}
    spoken = "\n".join(german)
    whole = frozenset(text for text, here in pairs if text != here and text not in german | GIVEN_NAMES)
    parts = {part.strip() for text in whole for part in _BETWEEN.split(text)}
    long = (part for part in parts if len(part.split()) >= FEWEST_WORDS and part not in spoken)
    return whole, tuple(sorted(long))


def _pairs() -> Iterator[tuple[str, str]]:
    for one in read_catalogue("de"):
        if one.id and one.string:
            yield from zip(_forms(one.id), _forms(one.string), strict=True)


def _forms(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


class _Reader(HTMLParser):
    """What is read or heard of a page, but for what says itself that it is English."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._within: list[tuple[str, bool]] = []

    def _is_ours(self, tag: str, given: Mapping[str, str | None]) -> bool:
        before = not self._within or self._within[-1][1]
        return (before or given.get("lang") == "de") and tag not in NOT_OURS and given.get("lang") != "en"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        ours = self._is_ours(tag, given)
        if tag not in WITHOUT_END:
            self._within.append((tag, ours))
        if ours:
            self.said += [value for name, value in attrs if value and name in SHOWN_ATTRIBUTES]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in WITHOUT_END:
            self._within.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._within or self._within[-1][1]:
            self.said.append(data)
