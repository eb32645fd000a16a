"""Sentences that other rooms say or keep in English, told to whoever reads a page (R49)."""

import re
from collections.abc import Sequence

from babel.numbers import format_decimal

from service.web.catalogue import gettext, pgettext, spoken
from service.web.catalogue.files import TOLD, told_patterns, told_sentences
from service.web.locales import ENGLISH

MOST_NESTED = 5
"""So deep may sentences stand in each other; what is deeper stays as it is."""
FEWEST_WORDS = 2
"""Of how a sentence begins before its first value, to know by them what is kept."""
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3}){1,5}", re.ASCII)
_FIELD = re.compile(r"[\w.]{1,100}: ")


def told(said: str) -> str:
    """The sentence in the language that is spoken; as it is where it is none of ours.

    Its values are found again by what stands between them, and told too. ``said``: a text, or nothing, of
    any length.
    """
    if spoken() == ENGLISH:
        return said
    whole = gettext(said)
    return _told(said, MOST_NESTED) if whole == said else whole


def _told(said: str, depth: int) -> str:
    if not said or not depth:
        return said
    if (whole := pgettext(TOLD, said)) != said:
        return whole
    if _THOUSANDS.fullmatch(said):
        return format_decimal(int(said.replace(",", "")), locale=spoken())
    for text, pieces, names in told_patterns(spoken()):
        if (values := _values(said, pieces)) is not None:
            here = {name: _told(one, depth - 1) for name, one in zip(names, values, strict=True)}
            return pgettext(TOLD, text, **here)
    if field := _FIELD.match(said):
        return f"{field[0]}{_told(said[field.end() :], depth - 1)}"
    return _by_clauses(said, depth - 1) if said.endswith(".") else said


def _by_clauses(said: str, depth: int) -> str:
    """Of a sentence that was joined of clauses, each by itself; their first letter was made a capital."""
    first, *others = said[:-1].split("; ")
    small = first[:1].lower() + first[1:]
    begins = next((new for old in (first, small) if (new := _told(old, depth)) != old), None)
    if begins is None:
        return said
    joined = "; ".join([begins, *(_told(one, depth) for one in others)])
    return f"{joined[:1].upper()}{joined[1:]}."


def _values(said: str, pieces: Sequence[str]) -> list[str] | None:
    """What stands between the pieces, in one pass whatever the sentence; None where they do not fit."""
    first, *middle, last = pieces
    end = len(said) - len(last)
    if not said.startswith(first) or not said.endswith(last):
        return None
    values, at = [], len(first)
    for piece in middle:
        find = said.find if piece.strip() else said.rfind
        if (found := find(piece, at, end)) <= at:
            return None
        values.append(said[at:found])
        at = found + len(piece)
    return [*values, said[at:end]] if at < end else None


def told_with(words: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is kept in English and told with these words, in letters of any size: whole, and as it begins.

    Nothing in English, whose sentences are kept as they are told. ``words``: of any length.
    """
    sought, known = words.casefold(), told_sentences(spoken())
    begins = {text: pieces[0] for text, pieces, _ in told_patterns(spoken())}
    said = [one for one, here in known.items() if one.endswith(".") and sought in here.casefold()]
    whole = tuple(one for one in said if one not in begins)
    filled = (begins[one] for one in said if one in begins)
    return whole, tuple(one for one in filled if len(one.split()) >= FEWEST_WORDS)
