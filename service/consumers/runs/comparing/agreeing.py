"""With what a comparison ends: how many pairs agree, which do not, and why (R51).

It asks Cronofy for nothing: what the whole reading showed stands on the links.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from contracts.calendar import Integration, Item, Link, LogEntry, Trigger
from handlers.agreement import (
    Check,
    Difference,
    Why,
    is_counted,
    tried_words,
    why_different,
    written_once_more,
)
from handlers.judgement import Reading
from handlers.log_entries import RowLog
from service.store.engine.store import AsyncConnection
from service.store.links import agreement
from service.store.links.agreement import FoundDifference
from service.store.logs import logs

MOST_LISTED = 1000
"""Pairs of one integration that are listed with a reason, and as many without; the counts are of all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedPair:
    """A pair as the comparison met it, and as it leaves it; None where it stays."""

    before: Link
    after: Link | None
    item: Item

    @property
    def link(self) -> Link:
        return self.after or self.before


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementCount:
    """How far the counting has come, from step to step of the run."""

    read_since: float
    agree: int = 0
    of: int = 0
    listed: int = 0
    unexplained: int = 0

    @classmethod
    def of_cursor(cls, cursor: Mapping[str, Any]) -> "AgreementCount | None":
        """None where the calendar was not read whole: then nobody can say."""
        told = cursor.get("agreement")
        return cls(**told) if told is not None else None

    @property
    def told(self) -> dict[str, Any]:
        """As the run's cursor carries it."""
        names = ("read_since", "agree", "of", "listed", "unexplained")
        return {"agreement": {name: getattr(self, name) for name in names}}


@dataclass(kw_only=True, slots=True)
class _Weighed:
    """What a few hundred pairs come to."""

    room: int
    """So many pairs without a reason may still be listed."""
    agree: int = 0
    of: int = 0
    found: list[FoundDifference] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)
    tried: list[Link] = field(default_factory=list)


async def count_pairs(
    connection: AsyncConnection,
    integration: Integration,
    run_id: str,
    count: AgreementCount,
    pairs: Sequence[ComparedPair],
    *,
    now: float,
) -> tuple[AgreementCount, Sequence[Link]]:
    """Weigh these; note and log those that differ. The count with them, and links to be written once more.

    Nothing is tried or told of a pair that is not listed: nobody would know that it was tried before.
    """
    check = Check(read_since=count.read_since, now=now)
    before = await agreement.times_found(connection, [pair.before.id for pair in pairs])
    reading = Reading(asked_at=count.read_since, now=now, trigger=Trigger.RUN, run_id=run_id)
    weighed = _Weighed(room=MOST_LISTED - count.unexplained)
    for pair in pairs:
        if is_counted(pair.item, integration, pair.link, check):
            _weigh(weighed, pair, integration, check, reading, before=before.get(pair.before.id, 0))
    listed = [one for one in weighed.found if not one.times][: MOST_LISTED - count.listed]
    unexplained = [one for one in weighed.found if one.times]
    await agreement.note(connection, integration.id, run_id, [*listed, *unexplained])
    await logs.log(connection, weighed.entries, now=datetime.fromtimestamp(now, UTC))
    following = replace(
        count,
        agree=count.agree + weighed.agree,
        of=count.of + weighed.of,
        listed=count.listed + len(listed),
        unexplained=count.unexplained + len(unexplained),
    )
    return following, weighed.tried


def _weigh(
    weighed: _Weighed,
    pair: ComparedPair,
    integration: Integration,
    check: Check,
    reading: Reading,
    *,
    before: int,
) -> None:
    weighed.of += 1
    different = why_different(pair.item, integration, pair.link, check)
    if different is None:
        weighed.agree += 1
        return
    times = before + 1 if different.why is Why.UNEXPLAINED else 0
    if times and not weighed.room:
        return
    weighed.found.append(_found(pair, different, times))
    if times:
        weighed.room -= 1
        again = None if before else written_once_more(pair.item, integration, pair.link, check)
        if again is not None:
            weighed.tried.append(again)
        said = tried_words(again=before > 0, tried=again is not None)
        weighed.entries.append(RowLog(pair.item, integration, reading).disagrees(said))


def _found(pair: ComparedPair, different: Difference, times: int) -> FoundDifference:
    return FoundDifference(
        link_id=pair.before.id, item_ref=pair.item.ref, why=different.why.value, times=times
    )
