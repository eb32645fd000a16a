"""Events that look like what is there already: mirrored by another tool, or copied from our own copies.

Pure. What equals a living item of the person is passed over; what keeps resembling itself is braked.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from contracts.calendar import Item
from contracts.cronofy import CronofyEvent
from contracts.times import wire_time
from handlers.edits import MASKED_TITLE, masked_event
from handlers.matching import MatchKey
from handlers.texts.compose import UNTITLED, event_span, summary

MOST_ALIKE = 20
"""So many creations of a minute that resemble each other are brought; then a person is asked."""
ALIKE_SECONDS = 60.0
LONGEST_LOOK = 255

_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_BRACKETS = {")": "(", "]": "[", "}": "{", ">": "<"}
_BEFORE_COPIES = re.compile(r"(?:(?:(?:re|fw|fwd|aw|wg) ?+:|copy of\b|copy ?+[:-]) ?+)++")
_BEHIND_COPIES = re.compile(r"(?: ?+(?:[-:] ?+)?+\bcopy(?: ?+\d++)?+)++$")


def look_of_title(title: str) -> str:
    """The title as a reader sees it: whatever its blanks, dashes and capitals; as far as anybody reads."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", title[:LONGEST_LOOK])).casefold()[:LONGEST_LOOK]
    look = " ".join("".join(" " if _unseen(each) else each for each in plain).split())
    return look or look_of_title(UNTITLED)


def _unseen(character: str) -> bool:
    return unicodedata.category(character)[0] in "ZC"


def bare_look(title: str) -> str:
    """The same without what tools put on copies, however often: two of one kind resemble each other."""
    look = look_of_title(title)
    bare = " ".join(_without_brackets(look).split())
    if begins := _BEFORE_COPIES.match(bare):
        bare = bare[begins.end() :]
    return _BEHIND_COPIES.sub("", bare) or look


def _without_brackets(look: str) -> str:
    """A blank in place of each pair of brackets and what it holds, in one pass."""
    kept: list[str] = []
    opened: dict[str, list[int]] = {opener: [] for opener in _BRACKETS.values()}
    for sign in look:
        if opened.get(_BRACKETS.get(sign, "")):
            at = opened[_BRACKETS[sign]][-1]
            kept[at:] = " "
            for places in opened.values():
                while places and places[-1] >= at:
                    places.pop()
            continue
        if sign in opened:
            opened[sign].append(len(kept))
        kept.append(sign)
    return "".join(kept)


def looks_of_item(item: Item) -> set[MatchKey]:
    """What an event looks like that equals this item, or our copy of it (R13); nothing without a date."""
    times = event_span(item.content) if item.content is not None else None
    if item.content is None or times is None:
        return set()
    titles = {look_of_title(item.content.title), look_of_title(summary(item.content))}
    return {(title, wire_time(times[0]), wire_time(times[1])) for title in titles}


def look_of_event(event: CronofyEvent) -> MatchKey:
    """What the event looks like, to be held against those of items."""
    title = masked_event(event).summary or ""
    return look_of_title(title), wire_time(event.start), wire_time(event.end)


def looks_of_items(items: Iterable[Item]) -> frozenset[MatchKey]:
    """Of all of them."""
    return frozenset(look for item in items for look in looks_of_item(item))


class CreationBrake:
    """Counts what reads have created for a person within a minute, by what it resembles.

    A series counts once (R39), and private events, which all look alike, do not count.
    """

    def __init__(self, recent: Iterable[tuple[str, str | None]]) -> None:
        """``recent``: title and series of what was created already."""
        self._seen: defaultdict[str, list[str | None]] = defaultdict(list)
        for title, series in recent:
            self._count(title, series)

    def lets_through(self, event: CronofyEvent) -> bool:
        """Whether one more may be created, which is then counted."""
        title, series = masked_event(event).summary or "", event.series_identifier
        seen = self._seen[bare_look(title)]
        if len(seen) >= MOST_ALIKE and (series is None or series not in seen):
            return False
        self._count(title, series)
        return True

    def _count(self, title: str, series: str | None) -> None:
        seen = self._seen[bare_look(title)]
        if title != MASKED_TITLE and (series is None or series not in seen):
            seen.append(series)
