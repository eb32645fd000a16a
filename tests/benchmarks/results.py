"""What a section of the benchmark finds: lines for the table, curves for the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure beside the number that it has to reach."""

    what: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None
    bar: bool = False
    """Shown beside the others of its section as a bar."""
    each_round: bool = False
    """Every round has to reach it: the worst one counts, not the median."""
    rounds: Sequence[float] = ()
    """What each of several rounds found."""
    there: float | None = None
    """What the other tree found in the same rounds."""

    @property
    def spread(self) -> str:
        """The least and the most of the rounds."""
        return f"{min(self.rounds):,g} to {max(self.rounds):,g}" if len(set(self.rounds)) > 1 else ""

    @property
    def goal(self) -> str:
        if self.least is not None:
            return f"at least {self.least:,g}"
        return f"at most {self.most:,g}" if self.most is not None else ""

    @property
    def reached(self) -> bool | None:
        """None where nothing is to be reached."""
        if self.least is not None:
            return self.value >= self.least
        return self.value <= self.most if self.most is not None else None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How one thing grows with another."""

    name: str
    title: str
    across: str
    up: str
    series: Mapping[str, Sequence[Point]]
    logarithmic: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    lines: Sequence[Line] = ()
    curves: Sequence[Curve] = ()

    def to_json_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json_dict(cls, form: Mapping[str, Any]) -> "Found":
        return cls(
            lines=[Line(**each) for each in form["lines"]],
            curves=[Curve(**each) for each in form["curves"]],
        )


def folded(rounds: Sequence[Found]) -> Found:
    """The medians of the same measurement made several times, figure by figure and point by point."""
    return Found(
        lines=[_line(each) for each in zip(*(one.lines for one in rounds), strict=True)],
        curves=[_curve(each) for each in zip(*(one.curves for one in rounds), strict=True)],
    )


def beside(here: Found, there: Found) -> Found:
    """What was found here, each figure with the one of the same name that another tree found."""
    known = {line.what: line.value for line in there.lines}
    return replace(here, lines=[replace(line, there=known.get(line.what)) for line in here.lines])


def _line(rounds: Sequence[Line]) -> Line:
    first = rounds[0]
    values = [each.value for each in rounds]
    worst = min(values) if first.least is not None else max(values)
    value = worst if first.each_round else round(median(values), 3)
    return replace(first, value=value, rounds=values)


def _curve(rounds: Sequence[Curve]) -> Curve:
    series = {
        name: [(point[0][0], median(up for _, up in point)) for point in zip(*lines, strict=True)]
        for name in rounds[0].series
        for lines in [[each.series[name] for each in rounds]]
    }
    return replace(rounds[0], series=series)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
