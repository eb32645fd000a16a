"""Series: occurrences that come back under new identities, and copies that their owner made recurring (R39).

Pure. "This and following" ends a series and begins another, whose occurrences are new to everybody: those
that are gone and those that came, in one read, are one and the same.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timedelta

from contracts.calendar import Item, Link
from contracts.cronofy import CronofyEvent
from contracts.times import InstantOrDay, as_day, as_instant, wire_time
from handlers.edits import masked_event
from handlers.judgement import content_of
from handlers.texts.compose import canonical_text

LARGEST_SHIFT = timedelta(days=4)
"""An occurrence of a weekly series that is further away is nearer to another one."""

LostOccurrence = tuple[Link, Item]
PairedOccurrence = tuple[Link, Item, CronofyEvent]


def belongs_to_series(event: CronofyEvent) -> bool:
    """Whether the event is one of several that are made and deleted together."""
    return event.recurring or event.series_identifier is not None


def series_detail(event: CronofyEvent) -> dict[str, object]:
    """What a log entry of an event that is not brought keeps, so that its series shows as one row."""
    if event.series_identifier is None:
        return {}
    return {"series": event.series_identifier, "start": wire_time(event.start)}


def count_once(links: Iterable[tuple[str | None, str]]) -> int:
    """How many deletions these are, each by its series and its own key: a series is one (R11)."""
    return len({series or key for series, key in links})


def pair_occurrences(
    arrived: Sequence[CronofyEvent], lost: Sequence[LostOccurrence]
) -> list[PairedOccurrence]:
    """Which of those that came are which of those that are gone; each is paired once.

    By title and start; else by title and day, or by title in their order; else, where the title was changed
    too, by start alone where exactly one fits.
    """
    pairing = _Pairing(arrived, lost)
    pairing.pair_equals(lambda start: start)
    pairing.pair_equals(as_day)
    pairing.pair_in_order()
    pairing.pair_equals(lambda start: start, titled=False)
    return pairing.found


def prior_series(arrived: Iterable[CronofyEvent], gone: Iterable[CronofyEvent]) -> set[str]:
    """Series that go on where occurrences went that are not brought, which they are not either (R33)."""
    names = {(_title_of_event(event), as_day(event.start)) for event in gone if event.names_its_times}
    return {
        event.series_identifier
        for event in arrived
        if event.series_identifier and (_title_of_event(event), as_day(event.start)) in names
    }


class _Pairing:
    """What is left on either side, each with its title, in the order of time; and what has been found."""

    def __init__(self, arrived: Sequence[CronofyEvent], lost: Sequence[LostOccurrence]) -> None:
        came = sorted(arrived, key=lambda event: as_instant(event.start))
        went = sorted((each for each in lost if _start(each[1])), key=_lost_at)
        self._arrived = dict(enumerate((_title_of_event(event), event) for event in came))
        self._lost = dict(enumerate((_title_of_item(each[1]), each) for each in went))
        self.found: list[PairedOccurrence] = []

    def pair_equals(self, when: Callable[[InstantOrDay], Hashable], *, titled: bool = True) -> None:
        """Those of equal title and moment, where there is exactly one of each."""
        there: defaultdict[Hashable, list[int]] = defaultdict(list)
        here: defaultdict[Hashable, list[int]] = defaultdict(list)
        for at, (title, event) in self._arrived.items():
            there[titled and title, when(event.start)].append(at)
        for at, (title, each) in self._lost.items():
            here[titled and title, when(_began(each[1]))].append(at)
        for key, events in there.items():
            if len(events) == 1 and len(here[key]) == 1:
                self._take(here[key][0], events[0])

    def pair_in_order(self) -> None:
        """Of each title the first that is gone with the first that came, and so on, where they are near."""
        there: defaultdict[str, list[int]] = defaultdict(list)
        here: defaultdict[str, list[int]] = defaultdict(list)
        for at, (title, _) in self._arrived.items():
            there[title].append(at)
        for at, (title, _) in self._lost.items():
            here[title].append(at)
        for title, events in there.items():
            for gone, come in zip(here[title], events, strict=False):
                apart = as_instant(self._arrived[come][1].start) - _lost_at(self._lost[gone][1])
                if abs(apart) < LARGEST_SHIFT:
                    self._take(gone, come)

    def _take(self, gone: int, come: int) -> None:
        (_, each), (_, event) = self._lost.pop(gone), self._arrived.pop(come)
        self.found.append((*each, event))


def _start(item: Item) -> InstantOrDay | None:
    return item.content.start if item.content is not None else None


def _began(item: Item) -> InstantOrDay:
    start = content_of(item).start
    assert start is not None
    return start


def _lost_at(each: LostOccurrence) -> datetime:
    return as_instant(_began(each[1]))


def _title_of_event(event: CronofyEvent) -> str:
    return canonical_text(masked_event(event).summary or "")


def _title_of_item(item: Item) -> str:
    return canonical_text(content_of(item).title)
