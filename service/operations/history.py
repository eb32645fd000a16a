"""How everything stood within the last day and fortnight, for the operations page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.monitoring.samples import LAST_DAY, LAST_FORTNIGHT, SAMPLE_SPANS, SampleSpan, merged
from service.store.engine.store import Store
from service.store.messages import letter_counts
from service.store.operations import samples

ROWS_OF_TABLE = {LAST_DAY.seconds: 6, LAST_FORTNIGHT.seconds: 12}
"""So many samples make a row of the table: an hour of the day, a day of the fortnight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryPoint:
    """One span of time; None is what nobody looked at then."""

    at: datetime
    age: float | None = None
    """Seconds that the oldest message waited at most."""
    done: float | None = None
    """Messages a minute, and those that came again or became dead letters."""
    retry: float | None = None
    dead: float | None = None
    budget: float | None = None
    """Requests to Cronofy in the fullest minute."""
    median: float | None = None
    """Seconds within which half of all changes were accepted, and all but a hundredth."""
    late: float | None = None
    letters: float = 0
    """Dead letters that came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HistorySpan:
    """Points of equal length for pictures, and the same in longer rows for a table; oldest first."""

    seconds: int
    points: Sequence[HistoryPoint]
    rows: Sequence[HistoryPoint]
    alerts: Mapping[str, float]
    """Minutes for which each alert was on, as far as anybody looked."""


class History:
    """Reads what the keeper noted; dead letters are counted as they are now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, tenant_id: str) -> Sequence[HistorySpan]:
        """The last day and the last fortnight; letters of this tenant and of nobody."""
        async with self._store.read() as connection:
            now = int(await self._store.now(connection))
            told = [
                await samples.read(connection, seconds=span.seconds, since=_first(span, now))
                for span in SAMPLE_SPANS
            ]
            letters = await letter_counts.letters_buried(
                connection, seconds=LAST_DAY.seconds, since=_first(LAST_FORTNIGHT, now), tenant=tenant_id
            )
        spans = zip(SAMPLE_SPANS, told, strict=True)
        return [_span(span, now, one, _in_spans(letters, span.seconds)) for span, one in spans]


def _first(span: SampleSpan, now: int) -> int:
    """The first second of the oldest sample that is shown."""
    return now - now % span.seconds - span.kept + span.seconds


def _in_spans(letters: Mapping[int, int], seconds: int) -> Mapping[int, int]:
    """The same numbers in longer spans, by their first second."""
    found: Counter[int] = Counter()
    for at, number in letters.items():
        found[at - at % seconds] += number
    return found


def _span(
    span: SampleSpan, now: int, told: Mapping[int, Mapping[str, Any]], letters: Mapping[int, int]
) -> HistorySpan:
    moments = range(_first(span, now), now + 1, span.seconds)
    points = [_point(at, told.get(at), letters.get(at, 0)) for at in moments]
    size = ROWS_OF_TABLE[span.seconds]
    rows = [_row(moments[place : place + size], told, letters) for place in range(0, len(moments), size)]
    return HistorySpan(seconds=span.seconds, points=points, rows=rows, alerts=_alerts(told.values()))


def _row(
    moments: Sequence[int], told: Mapping[int, Mapping[str, Any]], letters: Mapping[int, int]
) -> HistoryPoint:
    whole: Mapping[str, Any] | None = None
    for at in moments:
        if (one := told.get(at)) is not None:
            whole = merged(whole, one)
    return _point(moments[0], whole, sum(letters.get(at, 0) for at in moments))


def _point(at: int, told: Mapping[str, Any] | None, letters: int) -> HistoryPoint:
    moment = datetime.fromtimestamp(at, UTC)
    if told is None:
        return HistoryPoint(at=moment, letters=letters)
    looks = told["looks"]
    return HistoryPoint(
        at=moment,
        age=told["age"],
        done=told["done"] / looks,
        retry=told["retry"] / looks,
        dead=told["dead"] / looks,
        budget=told["budget"],
        median=within(told["accepted_after"], 0.5),
        late=within(told["accepted_after"], 0.99),
        letters=letters,
    )


def within(counted: Mapping[str, float], part: float) -> float | None:
    """Seconds within which that part of all was accepted, as far as the bounds tell; None of nothing."""
    bounds = sorted((float(bound), number) for bound, number in counted.items())
    if not bounds or not bounds[-1][1]:
        return None
    reached = [bound for bound, number in bounds if number >= part * bounds[-1][1] and bound != float("inf")]
    finite = [bound for bound, _ in bounds if bound != float("inf")]
    return reached[0] if reached else max(finite, default=None)


def _alerts(told: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in told:
        for name, looks in one["alerts"].items():
            found[name] = found.get(name, 0) + looks
    return found
