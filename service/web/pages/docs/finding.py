"""Where in the documentation the words of a question stand."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST_QUESTION, MOST_WORDS, MOST_PLACES = 100, 8, 20
TITLE_WEIGHT, PAGE_WEIGHT, MOST_COUNTED = 12, 4, 5
EXCERPT_BEFORE, EXCERPT_LENGTH = 60, 220
_WORD = re.compile(r"[\w@/.-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchedText:
    """A section of some page, as it is looked through."""

    page: str
    title: str
    address: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPlace:
    """A section with these words, and the words around the first of them."""

    place: SearchedText
    excerpt: Sequence[tuple[str, bool]]
    """Pieces of its text in order; True where a piece is one of the words."""


def words_of(question: str) -> Sequence[str]:
    """What is looked for: the first eight words of the first hundred characters."""
    found = (word.strip("./-") for word in _WORD.findall(question[:LONGEST_QUESTION].lower()))
    return tuple(dict.fromkeys(word for word in found if word))[:MOST_WORDS]


def find_places(question: str, texts: Iterable[SearchedText]) -> Sequence[FoundPlace]:
    """The best twenty sections, those with all of the words first."""
    words = words_of(question)
    judged = [(_weight(words, text), -number, text) for number, text in enumerate(texts)] if words else []
    best = sorted((one for one in judged if one[0] > (0, 0)), key=lambda one: one[:2], reverse=True)
    whole = [one for one in best if one[0][0] == len(words)]
    return [
        FoundPlace(place=text, excerpt=_excerpt(words, text.text))
        for *_, text in (whole or best)[:MOST_PLACES]
    ]


def _weight(words: Sequence[str], text: SearchedText) -> tuple[int, int]:
    """How many of the words are there, and how much the section is about them."""
    title, page, body = text.title.lower(), text.page.lower(), text.text.lower()
    weights = [
        TITLE_WEIGHT * (word in title) + PAGE_WEIGHT * (word in page) + min(body.count(word), MOST_COUNTED)
        for word in words
    ]
    return sum(map(bool, weights)), sum(weights)


def _excerpt(words: Sequence[str], text: str) -> Sequence[tuple[str, bool]]:
    wanted = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    found = wanted.search(text)
    begin = max(0, found.start() - EXCERPT_BEFORE) if found else 0
    begin = text.rfind(" ", 0, begin) + 1
    cut = text[begin : begin + EXCERPT_LENGTH]
    pieces, at = [("… " if begin else "", False)], 0
    for one in wanted.finditer(cut):
        pieces += [(cut[at : one.start()], False), (one.group(), True)]
        at = one.end()
    return [*pieces, (cut[at:], False), (" …" if begin + EXCERPT_LENGTH < len(text) else "", False)]
