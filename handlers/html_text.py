"""Html as plain text (R12; DESIGN 6), in one pass however odd the html is."""

import re
from collections.abc import Iterator
from html import unescape

_LINE_ENDERS = frozenset({"p", "div", "li", "tr"})
_UNSEEN = frozenset({"script", "style", "title"})
_ITEM = "- "
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_OPENING = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)")
_REST_OF_TAG = re.compile(r"(?:[^\"'>]++|\"[^\"]*+\"|'[^']*+')*+>")

_LONGEST_QUOTED_TAG = 2048
"""Beyond this a tag ends at its first ``>``, quoted or not: the time spent stays in proportion."""

Token = tuple[str, str]
"""What it is (text, start or end), and the text or the tag's name."""


def plain(html: str) -> str:
    """Html as text: ends of blocks become ends of lines, list items begin with ``- `` (R12)."""
    parts: list[str] = []
    for kind, value in _tokens(html):
        if kind == "text":
            _add_text(parts, unescape(_BLANKS.sub(" ", value)))
        elif value == "br":
            parts.append("\n")
        elif value in _LINE_ENDERS:
            _end_line(parts)
            if (kind, value) == ("start", "li"):
                parts.append(_ITEM)
    return tidy("".join(parts))


def tidy(text: str) -> str:
    """Lines without trailing blanks, never more than one empty line in a row, none at the ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _EMPTY_LINES.sub("\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def _add_text(parts: list[str], text: str) -> None:
    if not parts or parts[-1].endswith(("\n", " ")):
        text = text.removeprefix(" ")
    if text:
        parts.append(text)


def _end_line(parts: list[str]) -> None:
    if parts and parts[-1] != _ITEM and not parts[-1].endswith("\n"):
        parts.append("\n")


def _tokens(html: str) -> Iterator[Token]:
    """A ``<`` that begins nothing is text; what has no end runs to the end of the text."""
    at = 0
    while (begin := html.find("<", at)) >= 0:
        yield "text", html[at:begin]
        token, at = _markup(html, begin)
        if token is not None:
            yield token
    yield "text", html[at:]


def _markup(html: str, begin: int) -> tuple[Token | None, int]:
    """What the ``<`` here begins, and where the text goes on."""
    if html.startswith("<!--", begin):
        return None, _after(html, "-->", begin + len("<!--"))
    if html.startswith(("<!", "<?"), begin):
        return None, _after(html, ">", begin)
    opening = _OPENING.match(html, begin)
    if opening is None:
        return ("text", "<"), begin + 1
    name, closing = opening[2].lower(), bool(opening[1])
    rest = _REST_OF_TAG.match(html, opening.end(), opening.end() + _LONGEST_QUOTED_TAG)
    end = rest.end() if rest else _after(html, ">", opening.end())
    if name in _UNSEEN and not closing:
        return None, _after_unseen(html, name, end)
    return ("end" if closing else "start", name), end


def _after(html: str, mark: str, begin: int) -> int:
    found = html.find(mark, begin)
    return found + len(mark) if found >= 0 else len(html)


def _after_unseen(html: str, name: str, begin: int) -> int:
    closing = re.compile(rf"</{name}[^>]*+>", re.IGNORECASE).search(html, begin)
    return closing.end() if closing else len(html)
