"""Small pictures of what happened, as paths of SVG drawn here: nothing is run in the browser."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.operations.history import HistoryPoint, HistorySpan

PICTURE_WIDTH, PICTURE_HEIGHT = 240, 48
HistoryValue = Callable[[HistoryPoint], float | None]

PICTURES: Mapping[str, tuple[tuple[str, HistoryValue], ...]] = {
    "age": (("age", lambda point: point.age),),
    "outcomes": (
        ("done", lambda point: point.done),
        ("retry", lambda point: point.retry),
        ("dead", lambda point: point.dead),
    ),
    "budget": (("budget", lambda point: point.budget),),
    "latency": (("median", lambda point: point.median), ("late", lambda point: point.late)),
    "letters": (("letters", lambda point: point.letters),),
}
"""Which lines each picture has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Lines over time; a gap is when nobody looked."""

    name: str
    lines: Sequence[tuple[str, str]]
    """The name of each, and its path."""
    highest: float | None
    """The value at the top; None where nothing is known."""
    latest: float | None
    """The newest value of the first line."""


def pictures_of(span: HistorySpan) -> list[Picture]:
    return [_picture(name, lines, span.points) for name, lines in PICTURES.items()]


def _picture(name: str, lines: Sequence[tuple[str, HistoryValue]], points: Sequence[HistoryPoint]) -> Picture:
    values = {line: [value(point) for point in points] for line, value in lines}
    known = [one for each in values.values() for one in each if one is not None]
    first = [one for one in values[lines[0][0]] if one is not None]
    top = max(known, default=0.0) or 1.0
    return Picture(
        name=name,
        lines=[(line, path_of(each, top)) for line, each in values.items()],
        highest=max(known) if known else None,
        latest=first[-1] if first else None,
    )


def path_of(values: Sequence[float | None], top: float) -> str:
    """From left to right, ``top`` at the top; broken where there is no value, a dot where one is alone."""
    step = PICTURE_WIDTH / max(1, len(values) - 1)
    parts: list[str] = []
    drawing = False
    for place, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        at = f"{place * step:.1f} {PICTURE_HEIGHT - 1 - (PICTURE_HEIGHT - 2) * value / top:.1f}"
        parts.append(f"L{at}" if drawing else f"M{at}h.1M{at}")
        drawing = True
    return "".join(parts)
