"""What is left of a text when all that a provider may have made of it is taken away (R37).

Two texts with one skeleton say the same. Time stays in proportion to the length, however odd the text is:
no expression here looks at a character twice for one beginning, and none begins inside another's match.
"""

import re
from html import unescape

from contracts.limits import normal_form
from handlers.texts.html_text import html_to_text

_ELEMENTS = (
    "a|b|i|u|p|br|hr|em|li|ol|ul|td|th|tr|div|img|pre|big|sub|sup|font|span|body|head|html|meta|code|small"
    "|style|table|tbody|thead|title|strong|script|center|blockquote|h[1-6]"
)
_ATTRIBUTE = r"""\s++ [a-z][a-z0-9:-]*+ \s*+ = \s*+ (?: "[^"<>]*+" | '[^'<>]*+' | [^\s"'<>]++ )"""
_TAG = re.compile(rf"< /?+ (?:{_ELEMENTS}) (?:{_ATTRIBUTE})*+ \s*+ /?+ >", re.VERBOSE | re.IGNORECASE)
_BLOCK = re.compile(r"<(?:p|div|li|tr|html|body)[\s>/]", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#[0-9]{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
_ENCODED_AGAIN = re.compile(r"&(?:(?:amp|#38|#x26);)++", re.IGNORECASE)
_MOST_ENCODINGS = 4

_BRACKETED = re.compile(r"<((?:https?://|mailto:|tel:)[^<>\s]*+)>", re.IGNORECASE)
_MARKDOWN = re.compile(r"\[([^\[\]\n]*+)\]\((?:https?://|mailto:)[^()\s]*+\)", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s<>\"()\[\]]++", re.IGNORECASE)
_BETWEEN = " \t\r\n<>()[]\u00a0"

_RULE = r"(?:_{10,}+|-::~[:~-]{5,}+)"
_JOIN = re.compile(rf"{_RULE}|microsoft teams meeting|join with google meet|join zoom meeting", re.IGNORECASE)
_JOIN_ENDS = re.compile(_RULE)
_MEETINGS = (
    "meet.google.com",
    "teams.microsoft.com",
    "teams.live.com",
    "zoom.us/",
    "webex.com/",
    "meet.goto.com",
)

_SIGNS = {
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"),
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u02bc"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f"), '"'),
    ord("\u2026"): "...",
}
_UNSEEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202f\u2060-\u2064\u3164\ufe00-\ufe0f\ufeff"
)
BLANK = rf"[\s{_UNSEEN}]"
"""Seen or not: providers fold, widen, drop and insert them."""
_BLANKS = re.compile(f"{BLANK}++")
_ZERO_WIDTH = re.compile(r"[\u00ad\u200b-\u200d\u2060\ufeff]++")
_DOTS = "..."


def skeleton(text: str) -> str:
    """The text without blanks, markup, addresses behind words and join information, its signs unified."""
    seen = text if text.isascii() else _ZERO_WIDTH.sub("", text)
    shown = without_join_information(shown_text(seen))
    if "](" in shown:
        shown = _MARKDOWN.sub(r"\1", shown)
    return _bare(_BRACKETED.sub("", shown))


def shown_text(text: str) -> str:
    """What a reader sees: html and entities as plain text (R12), an address once."""
    if "&" in text or "<" in text:
        text = _plain(text)
    return _with_addresses_once(text) if "://" in text else text


def shown_line(text: str) -> str:
    """What a reader sees of a title or a place. No provider keeps those as html: tags are their author's."""
    line = text
    for _ in range(_MOST_ENCODINGS):
        before, line = line, _entities_decoded(line) if "&" in line else line
        if line == before:
            break
    return _with_addresses_once(line) if "://" in line else line


def is_beginning(text: str, of: str) -> bool:
    """Whether a skeleton is the beginning of another one, dots in place of the rest or not."""
    return of.startswith(text) or (text.endswith(_DOTS) and of.startswith(text.removesuffix(_DOTS)))


def without_dots_of(text: str) -> str:
    """A skeleton without what stands at its end in place of a rest."""
    return text.removesuffix(_DOTS)


def has_dots(text: str) -> bool:
    """Whether a skeleton ends as cut texts do."""
    return text.endswith(_DOTS)


def is_html(text: str) -> bool:
    """Whether it has a tag that providers use; ``a < b`` and ``<https://…>`` are text."""
    return _TAG.search(text) is not None


def without_join_information(text: str) -> str:
    """The text without the block that providers add to meetings: from its first rule or headline on."""
    begins = _JOIN.search(text)
    if begins is None:
        return text
    ends = len(text)
    for ends_here in _JOIN_ENDS.finditer(text, begins.end()):
        ends = ends_here.end()
    block = text[begins.start() : ends].lower()
    if not any(meeting in block for meeting in _MEETINGS):
        return text
    return f"{text[: begins.start()]}\n{text[ends:]}"


def _bare(text: str) -> str:
    if "://" in text:
        text = _ADDRESS.sub(lambda found: found[0].rstrip("/"), text)
    if not text.isascii():
        text = normal_form(text).translate(_SIGNS)
    return _BLANKS.sub("", text)


def _plain(text: str) -> str:
    """What was encoded twice is decoded twice."""
    for _ in range(_MOST_ENCODINGS):
        before = text
        if is_html(text):
            text = html_to_text(_lines_kept(_BRACKETED.sub(r"&lt;\1&gt;", text)))
        if "&" in text:
            text = _entities_decoded(text)
        if text == before:
            break
    return text


def _lines_kept(html: str) -> str:
    """Line ends are blanks in html; where nothing else ends lines, its author meant them."""
    return html if _BLOCK.search(html) else html.replace("\r\n", "\n").replace("\n", "<br>")


def _entities_decoded(text: str) -> str:
    return _ENTITY.sub(_decoded, _ENCODED_AGAIN.sub("&amp;", text))


def _decoded(entity: re.Match[str]) -> str:
    return unescape(entity[0])


def _with_addresses_once(text: str) -> str:
    """``https://x<https://x>`` as ``https://x``, made so twice or oftener too."""
    parts: list[str] = []
    at, last, opened = 0, "", 0
    for found in _ADDRESS.finditer(text):
        between = text[at : found.start()]
        address = found[0].rstrip("/")
        if last and address == last and not between.strip(_BETWEEN) and between.strip():
            at, opened = found.end(), opened + sum(map(between.count, "<(["))
            while opened and text[at : at + 1] in {">", ")", "]"}:
                at, opened = at + 1, opened - 1
            continue
        parts.append(text[at : found.end()])
        at, last, opened = found.end(), address, 0
    parts.append(text[at:])
    return "".join(parts)
