"""How long what others send may be (R43), and how texts are cut and normalised in linear time."""

import re
import unicodedata
from functools import lru_cache

LONGEST_LINE = 1024
"""Characters of a title or a place."""
LONGEST_TEXT = 32_768
"""Characters of a description: a fact with all of them, each escaped as six bytes, still fits a message."""
LONGEST_NAME = 255
"""Characters of a name that people read, of a message's source, and of an id that was stored before R43."""
LONGEST_ADDRESS = 2048
LONGEST_TIME = 64
"""Characters of an instant, with more fractions of its second than any clock tells."""
LONGEST_ID = 200
MOST_ASSIGNEES = 200
LONGEST_EVENT_ID = 512
"""Characters of an event's or calendar's id; both together fit an index's row."""
MOST_PAGES = 5_000
"""Further pages of one read of Cronofy's."""
MOST_DIGITS = 18
"""Of a number in a header or a form: what is longer counts nothing that there is."""

MOST_MARKS = 30
"""Marks in a row that some language may need, by Unicode's stream-safe text format (UAX 15)."""
_DIVIDER = "\u034f"
_JOINER = "\u200d"
_SIGNS = re.compile(r"[^\w\s\x00-\x7f]{10,}+")
"""Where many marks may be: they are never letters, and none is more than two of them decomposed."""


def cut(text: str, longest: int) -> str:
    """At most ``longest`` characters, an ellipsis in place of the rest, no letter without its marks (R43)."""
    if len(text) <= longest:
        return text
    end = longest - 1
    whole = next(
        (at for at in range(end, max(end - MOST_MARKS, 0), -1) if not _belongs_before(text, at)), end
    )
    return f"{text[:whole]}…"


def _belongs_before(text: str, at: int) -> bool:
    return unicodedata.category(text[at])[0] == "M" or _JOINER in text[at - 1 : at + 1]


def normal_form(text: str) -> str:
    """The text in NFC; runs of more marks than any language needs are divided, not sorted as one."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _SIGNS.sub(_divided, text))


def _divided(signs: re.Match[str]) -> str:
    parts: list[str] = []
    run, began, marks = signs[0], 0, max(_marks_of(signs.string[signs.start() - 1 : signs.start()]))
    for at, (added, after) in enumerate(map(_marks_of, run)):
        marks = marks + added if added else after
        if marks > MOST_MARKS:
            parts.append(run[began:at])
            began, marks = at, added
    return _DIVIDER.join([*parts, run[began:]]) if parts else run


@lru_cache(maxsize=4096)
def _marks_of(sign: str) -> tuple[int, int]:
    """How many marks it adds to those before it; where it is no mark, how many it ends in itself."""
    form = unicodedata.normalize("NFD", sign)
    after = next((at for at, one in enumerate(reversed(form)) if not unicodedata.combining(one)), len(form))
    return (after, 0) if after == len(form) else (0, after)
