"""What a section of the benchmark finds: lines for the table, curves for the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json_dict(cls, form: Mapping[str, Any]) -> "Found":
        return cls(
            lines=[Line(**each) for each in form["lines"]],
            curves=[Curve(**each) for each in form["curves"]],
            details=form["details"],
        )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
