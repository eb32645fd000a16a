"""What an item looks like as an event (R4, R12–R15)."""

import re

from contracts.event_fields import EventFields
from contracts.fields import is_visible
from contracts.limits import normal_form
from contracts.times import InstantOrDay, usual_length
from contracts.vorex import DescriptionFormat, ItemContent, ShowAs
from handlers.texts.html_text import html_to_text, tidy_lines

LONGEST_TITLE = 1024
LONGEST_DESCRIPTION = 4096
UNTITLED = "(No title)"
"""What an item is called whose event has no title; never written over that."""

_LINE_BREAKS = re.compile(r"[\t\r\n\f\v]+")


def canonical_text(text: str) -> str:
    """The form in which two texts are compared: what providers do to white space does not count."""
    return tidy_lines(normal_form(text))


def truncate(text: str, longest: int) -> str:
    """At most ``longest`` characters, an ellipsis in place of the rest (R12)."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def on_one_line(text: str) -> str:
    """Titles have one line."""
    return _LINE_BREAKS.sub(" ", text)


def title_prefix(item: ItemContent) -> str:
    """What stands before the title of an item that has an account (R13)."""
    named = item.account_name is not None and is_visible(item.account_name)
    return on_one_line(f"{item.account_name} – ") if named else ""


def reference_line(item: ItemContent) -> str:
    """The line that ends the description of an item that has a record behind it (R13)."""
    return f"{item.reference.label}: {item.reference.url}" if item.reference else ""


def summary(item: ItemContent) -> str:
    return truncate(title_prefix(item) + on_one_line(item.title), LONGEST_TITLE)


def description(item: ItemContent) -> str:
    """The item's text, an empty line, its reference; of both only the text is ever cut (R12, R13)."""
    text, last = plain_description(item), reference_line(item)
    if not last:
        return truncate(text, LONGEST_DESCRIPTION)
    room = LONGEST_DESCRIPTION - len(last) - 2
    return f"{truncate(text, room)}\n\n{last}" if text else last


def crossing_title(item: ItemContent) -> str:
    """What of the item's title is written."""
    room = LONGEST_TITLE - len(title_prefix(item))
    return _crossing(on_one_line(item.title), max(room, 1))


def crossing_description(item: ItemContent) -> str:
    """What of the item's text is written."""
    last = truncate(reference_line(item), LONGEST_DESCRIPTION)
    return _crossing(plain_description(item), max(LONGEST_DESCRIPTION - (len(last) + 2 if last else 0), 1))


def _crossing(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1]


def plain_description(item: ItemContent) -> str:
    """The item's whole text, without its reference (R12)."""
    if item.description_format is DescriptionFormat.HTML:
        return html_to_text(item.description)
    return item.description.replace("\r\n", "\n").replace("\r", "\n")


def event_span(item: ItemContent) -> tuple[InstantOrDay, InstantOrDay] | None:
    """When the event begins and ends; None for an item without a date, which is on no calendar (R14)."""
    if item.start is None:
        return None
    return item.start, item.end if item.end is not None else item.start + usual_length(all_day=item.all_day)


def is_transparent(item: ItemContent) -> bool:
    """Free, completed, or a date without a time (R14, R15)."""
    return item.show_as is ShowAs.FREE or item.completed or (item.all_day and item.end is None)


def compose(item: ItemContent) -> EventFields | None:
    """The whole event; None without a date (R14)."""
    times = event_span(item)
    if times is None:
        return None
    return EventFields(
        summary=summary(item),
        description=description(item),
        start=times[0],
        end=times[1],
        tzid=item.time_zone,
        location=item.location,
        transparency="transparent" if is_transparent(item) else "opaque",
        event_private=item.private,
    )
