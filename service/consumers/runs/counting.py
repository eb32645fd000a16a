"""What the steps of runs come to, in numbers that add up (R27).

Of everything that a run looked at, each thing counts once: as created, changed, deleted or failed, or else
as skipped, which is what agreed already and what was passed over for a reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from contracts.calendar import Code, Link, LinkState, LogAction, LogEntry, Outcome
from service.store.runs.tally import RunTally

_NOTHING_DONE = (Outcome.SKIPPED, Outcome.HELD)
_MADE = {LogAction.CREATE: "created", LogAction.UPDATE: "updated", LogAction.DELETE: "deleted"}
_AGREEING = "agreed"


def tally_of(entries: Sequence[LogEntry], *, found: int, silent: Iterable[Code] = ()) -> RunTally:
    """From what a step logged, and what it passed over without saying so again.

    Of several entries about one item the one that tells most counts. What nothing was logged of agrees.
    """
    told = [_of_one(each) for each in _by_item(entries)]
    made = Counter(what for what in told if isinstance(what, str))
    passed = Counter([*(what for what in told if isinstance(what, Code)), *silent])
    return _tally(found, made, passed)


def _by_item(entries: Sequence[LogEntry]) -> Iterable[Sequence[LogEntry]]:
    of: dict[object, list[LogEntry]] = {}
    for place, entry in enumerate(entries):
        of.setdefault(entry.item_ref or place, []).append(entry)
    return of.values()


def _of_one(entries: Sequence[LogEntry]) -> str | Code:
    if any(entry.outcome is Outcome.FAILED for entry in entries):
        return "failed"
    for entry in entries:
        if entry.outcome is Outcome.DONE and entry.action in _MADE:
            return _MADE[entry.action]
    return next((entry.code for entry in entries if entry.outcome in _NOTHING_DONE), _AGREEING)


def _tally(found: int, made: Mapping[str, int], passed: Mapping[Code, int]) -> RunTally:
    """A reading that began again passes over once more what it has counted: that counts once."""
    counted = {name: made.get(name, 0) for name in ("created", "updated", "deleted", "failed")}
    skipped = max(0, found - sum(counted.values()))
    kept: dict[str, int] = {}
    for code, number in passed.items():
        if (some := min(number, skipped - sum(kept.values()))) > 0:
            kept[code.value] = some
    agreed = skipped - sum(kept.values())
    return RunTally(done=found, found=found, skipped=skipped, agreed=agreed, passed_over=kept, **counted)


def compared(links: Iterable[tuple[Link, Link | None]]) -> RunTally:
    """Of a comparison, from each link as it was and as it is left; None where it stays."""
    made: Counter[str] = Counter()
    passed: Counter[Code] = Counter()
    found = 0
    for before, after in links:
        found += 1
        link = after or before
        if after is not None and after.state is LinkState.BEHIND:
            made["updated" if after.desired is not None else "deleted"] += 1
        elif link.state in {LinkState.LET_GO, LinkState.FROZEN, LinkState.FAILED}:
            passed[link.code or Code.DIFFERS] += 1
    return _tally(found, made, passed)
