"""Html as plain text (R12), in one pass however odd the html is."""

import re
from html import unescape

_LINE_ENDERS = frozenset({"p", "div", "li", "tr"})
_ITEM = "- "
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_NUMBER = re.compile(r"&#(?=[0-9])0*+([0-9]*+)")
_LONGEST_NUMBER = 8
"""One digit more than the largest character has: beyond it all numbers name none."""

_ATTRIBUTES = r"""(?: [^=>]++ | =\s*+ (?: "[^"]*+" | '[^']*+' | [^\s>]*+ ) )*+"""
_MARKUP = re.compile(
    rf"""
      <!-- (?: -?> | .*? (?: --!?> | \Z ) )
    | <[!?] [^>]*+ >?
    | < (?P<unseen> script | style | title ) (?=[\s/>]) {_ATTRIBUTES} (?<!/)>
      .*? (?: </(?P=unseen) (?=[\s/>]) [^>]*+ >? | \Z )
    | < (?P<closing> /? ) (?P<name> [a-z] [^\s/>]*+ ) {_ATTRIBUTES} (?: (?P<ended> > ) | \Z )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,
)
"""Not ``html.parser``: its patch releases read odd html differently, and the text, which is stored and
compared, must be the same on every Python.

Time stays in proportion to the length: a branch that has begun runs at most to the end of the text, and
the next begins where it ended.
"""


def html_to_text(html: str) -> str:
    """Html as text: ends of blocks become ends of lines, list items begin with ``- `` (R12).

    A ``<`` that begins no markup is text; markup that has no end runs to the end of the text.
    """
    parts: list[str] = []
    at = 0
    for markup in _MARKUP.finditer(html):
        _add_text(parts, html[at : markup.start()])
        if markup["ended"]:
            _add_tag(parts, markup["name"].lower(), opens=not markup["closing"])
        at = markup.end()
    _add_text(parts, html[at:])
    return tidy_lines("".join(parts))


def tidy_lines(text: str) -> str:
    """Lines without trailing blanks, never more than one empty line in a row, none at the ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _EMPTY_LINES.sub("\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def _add_text(parts: list[str], html: str) -> None:
    """Entities become characters after blanks are folded, so that a no-break one stays."""
    text = _BLANKS.sub(" ", html)
    if not parts or parts[-1].endswith(("\n", " ")):
        text = text.removeprefix(" ")
    if text:
        parts.append(_decoded(text))


def _add_tag(parts: list[str], name: str, *, opens: bool) -> None:
    if name == "br":
        parts.append("\n")
    elif name in _LINE_ENDERS:
        _end_line(parts)
    if name == "li" and opens:
        parts.append(_ITEM)


def _end_line(parts: list[str]) -> None:
    if parts and parts[-1] != _ITEM and not parts[-1].endswith("\n"):
        parts.append("\n")


def _decoded(text: str) -> str:
    """Entities as characters; of a number only as many digits as tell that it names none."""
    return unescape(_NUMBER.sub(lambda number: f"&#{number[1][:_LONGEST_NUMBER] or '0'}", text))
