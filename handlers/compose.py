"""What an item looks like as an event (R4, R12–R15; DESIGN 6, "What is written")."""

import hashlib
import json
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

from contracts.calendar import Moment, Payload
from contracts.vorex import DescriptionFormat, ItemContent, ShowAs

LONGEST_TITLE = 1024
LONGEST_DESCRIPTION = 4096
HALF_HOUR = timedelta(minutes=30)
ONE_DAY = timedelta(days=1)

_LINE_ENDERS = frozenset({"p", "div", "li", "tr"})
_UNSEEN = frozenset({"script", "style", "head", "title"})
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


class _Plain(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag in _UNSEEN:
            self._hidden += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag in _LINE_ENDERS:
            self._end_line()
            if tag == "li":
                self.parts.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _LINE_ENDERS:
            self._end_line()

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        text = _BLANKS.sub(" ", data)
        if not self.parts or self.parts[-1].endswith(("\n", " ")):
            text = text.removeprefix(" ")
        if text:
            self.parts.append(text)

    def _end_line(self) -> None:
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")


def plain(html: str) -> str:
    """Html as text: ends of blocks become ends of lines, list items begin with ``- `` (R12)."""
    parser = _Plain()
    parser.feed(html)
    parser.close()
    return tidy("".join(parser.parts))


def tidy(text: str) -> str:
    """Lines without trailing blanks, never more than one empty line in a row, none at the ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _EMPTY_LINES.sub("\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def canonical(text: str) -> str:
    """The form in which two texts are compared: what providers do to white space does not count."""
    return tidy(unicodedata.normalize("NFC", text))


def cut(text: str, longest: int) -> str:
    """At most ``longest`` characters, an ellipsis in place of the rest (R12)."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def prefix(item: ItemContent) -> str:
    """What stands before the title of an item that has an account (R13)."""
    return f"{item.account_name} – " if item.account_name else ""


def reference(item: ItemContent) -> str:
    """The line that ends the description of an item that has a record behind it (R13)."""
    return f"{item.reference.label}: {item.reference.url}" if item.reference else ""


def summary(item: ItemContent) -> str:
    return cut(prefix(item) + item.title, LONGEST_TITLE)


def description(item: ItemContent) -> str:
    """The item's text, an empty line, its reference; of both only the text is ever cut (R12, R13)."""
    html = item.description_format is DescriptionFormat.HTML
    text = plain(item.description) if html else item.description.replace("\r\n", "\n").replace("\r", "\n")
    last = cut(reference(item), LONGEST_DESCRIPTION)
    if not last:
        return cut(text, LONGEST_DESCRIPTION)
    room = LONGEST_DESCRIPTION - len(last) - 2
    return f"{cut(text, room)}\n\n{last}" if text and room > 0 else last


def span(item: ItemContent) -> tuple[Moment, Moment] | None:
    """When the event begins and ends; None for an item without a date, which is on no calendar (R14)."""
    if item.start is None:
        return None
    length = ONE_DAY if item.all_day else HALF_HOUR
    return item.start, item.end if item.end is not None else item.start + length


def transparent(item: ItemContent) -> bool:
    """Free, completed, or a date without a time (R14, R15)."""
    return item.show_as is ShowAs.FREE or item.completed or (item.all_day and item.end is None)


def wire_time(moment: Moment) -> str:
    """A date as it is, an instant in UTC with whole seconds and ``Z`` (R12)."""
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.isoformat()


def read_time(text: str) -> Moment:
    """The inverse of ``wire_time``."""
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def compose(item: ItemContent) -> Payload | None:
    """The whole event but its id, exactly the fields of DESIGN 6; None without a date (R14)."""
    times = span(item)
    if times is None:
        return None
    start, end = (_edge(moment, item.time_zone) for moment in times)
    return {
        "summary": summary(item),
        "description": description(item),
        "start": start,
        "end": end,
        "tzid": item.time_zone,
        "location": {"description": item.location},
        "transparency": "transparent" if transparent(item) else "opaque",
        "event_private": item.private,
    }


def _edge(moment: Moment, zone: str) -> str | dict[str, str]:
    text = wire_time(moment)
    return {"time": text, "tzid": zone} if isinstance(moment, datetime) else text


def payload_hash(payload: Payload | None) -> str:
    """Equal for equal payloads."""
    form = json.dumps(payload, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(form.encode()).hexdigest()[:32]
