"""What providers do to texts that are handed to them (CRONOFY.md C24)."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from html import escape, unescape

TITLE_LIMIT = 255
"""Characters of a title at Microsoft, the three dots in place of the rest among them."""
PLACE_LIMIT = 100
JOIN_INFORMATION = (
    "\n\n________________________________________________________________________________\n"
    "Microsoft Teams meeting\nJoin on your computer\n"
    "Click here to join<https://teams.microsoft.com/l/meetup-join/19%3ameeting>\n"
    "________________________________________________________________________________\n"
)
_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
_DECORATED = "<https://"


def normalised(text: str, habits: Collection[str]) -> str:
    """The text as the provider keeps it, which is not always as it was sent."""
    if "nfd" in habits:
        text = unicodedata.normalize("NFD", text)
    if "trailing" in habits:
        text = "\n".join(line.rstrip() for line in text.rstrip().split("\n"))
    if "blank_lines" in habits:
        text = re.sub(r"\n{3,}", "\n\n", text)
    if "final_newline" in habits and text:
        text += "\n"
    text = _remade(text, habits)
    return re.sub(r"\r?\n", "\r\n", text) if "crlf" in habits else text


def _remade(text: str, habits: Collection[str]) -> str:
    for habit, remake in _REMAKE.items():
        if habit in habits:
            text = remake(text)
    return text


def _folded(text: str) -> str:
    return re.sub(r" {2,}", " ", text)


def _unbroken(text: str) -> str:
    """As HTML keeps more than one blank in a row, or one that begins a line."""
    return re.sub(r" (?= )|(?<=\n) ", "\u00a0", text)


def _zero_width(text: str) -> str:
    return re.sub(r"(?<=[-/])(?=\w)", "\u200b", text)


def _doubled_paragraphs(text: str) -> str:
    return re.sub(r"\n+", "\n\n", text)


def _linked(text: str) -> str:
    """As Outlook shows a link in plain text: its words, and the address in angle brackets."""
    return text if _DECORATED in text else _ADDRESS.sub(lambda found: f"{found[0]}<{found[0]}>", text)


def _joined(text: str) -> str:
    return text if "Microsoft Teams meeting" in text else text + JOIN_INFORMATION


def _html(text: str) -> str:
    if not re.search(r"[\n&<>]|https?://", text):
        return text
    words = escape(text, quote=False).replace("\n", "<br>")
    return _ADDRESS.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', words)


_REMAKE: Mapping[str, Callable[[str], str]] = {
    "decode": unescape,
    "folded_blanks": _folded,
    "no_break": _unbroken,
    "zero_width": _zero_width,
    "paragraphs": _doubled_paragraphs,
    "links": _linked,
    "join": _joined,
    "encode": lambda text: escape(text, quote=False),
    "html": _html,
}
_NOT_OF_LINES = frozenset({"join", "html", "paragraphs", "blank_lines", "final_newline", "links"})

PROVIDER_HABITS: Mapping[str, frozenset[str]] = {
    "office365": frozenset({"no_break", "crlf", "trailing", "cut_titles"}),
    "exchange": frozenset({"no_break", "crlf", "trailing", "cut_titles", "links"}),
    "outlook_com": frozenset({"folded_blanks", "crlf", "cut_titles"}),
    "google": frozenset({"html", "trailing"}),
    "icloud": frozenset({"trailing", "no_private"}),
}
"""What each kind of provider does whatever the switches say."""


def kept_title(text: str, habits: Collection[str]) -> str:
    """Titles are one line; Microsoft cuts them."""
    kept = normalised(text, set(habits) - _NOT_OF_LINES)
    cut = "cut_titles" in habits and len(kept) > TITLE_LIMIT
    return f"{kept[: TITLE_LIMIT - 3]}..." if cut else kept


def kept_place(text: str, habits: Collection[str]) -> str:
    """A place is tidied and cut where the habits say so."""
    kept = normalised(text, set(habits) - _NOT_OF_LINES)
    if "tidy_places" in habits:
        kept = re.sub(r"([;,])\s*", r"\1 ", kept).strip()
    return kept[:PLACE_LIMIT] if "cut_places" in habits else kept
