"""Html as plain text (R12), in one pass however odd the html is."""

import re
from html import unescape
from html.parser import HTMLParser

_LINE_ENDERS = frozenset({"p", "div", "li", "tr"})
_UNSEEN = frozenset({"script", "style", "title"})
_ITEM = "- "
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_NUMBER = re.compile(r"&#(?=[0-9])0*+([0-9]*+)")
_LONGEST_NUMBER = 8
"""One digit more than the largest character has: beyond it all numbers name none."""


def html_to_text(html: str) -> str:
    """Html as text: ends of blocks become ends of lines, list items begin with ``- `` (R12).

    What has no end runs to the end of the text.
    """
    reader = _Reader()
    reader.feed(_prepared(html))
    return tidy_lines("".join(reader.parts))


def tidy_lines(text: str) -> str:
    """Lines without trailing blanks, never more than one empty line in a row, none at the ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _EMPTY_LINES.sub("\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def _prepared(html: str) -> str:
    """Entities stay as they are until blanks are folded, and ``<![`` opens a comment like any other ``<!``.

    The parser would decode entities first, and raises at a number of thousands of digits and at marked
    sections that it does not know. The blank at the end makes it give out what stands before.
    """
    return html.replace("&", "&amp;").replace("<![", "<! [") + " "


class _Reader(HTMLParser):
    """Collects the text; never closed, as closing reads again, from every later ``<``, what has no end."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen: str | None = None
        """The element that is being passed over."""

    def handle_data(self, data: str) -> None:
        if self._unseen is None:
            self._add(_decoded(_BLANKS.sub(" ", data)))

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser's signature
        if self._unseen is not None:
            return
        if tag in _UNSEEN:
            self._unseen = tag
        self._break(tag)
        if tag == "li":
            self.parts.append(_ITEM)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen is None:
            self._break(tag)
        elif self._unseen == tag:
            self._unseen = None

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def _add(self, text: str) -> None:
        if not self.parts or self.parts[-1].endswith(("\n", " ")):
            text = text.removeprefix(" ")
        if text:
            self.parts.append(text)

    def _break(self, tag: str) -> None:
        if tag == "br":
            self.parts.append("\n")
        elif tag in _LINE_ENDERS:
            self._end_line()

    def _end_line(self) -> None:
        if self.parts and self.parts[-1] != _ITEM and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")


def _decoded(text: str) -> str:
    """Entities as characters; of a number only as many digits as tell that it names none."""
    return unescape(_NUMBER.sub(lambda number: f"&#{number[1][:_LONGEST_NUMBER] or '0'}", text))
