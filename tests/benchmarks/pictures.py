"""Curves as SVG: a small template, so that no library for drawing is needed."""

import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from tests.benchmarks.results import Curve, Point

FOLDER = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 50
COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea")
TICKS = 5

Place = Callable[[float], float]


def draw(curve: Curve) -> Path:
    """Write the picture; where it is."""
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"{curve.name}.svg"
    target.write_text(svg(curve))
    return target


def svg(curve: Curve) -> str:
    points = [point for series in curve.series.values() for point in series]
    across, ups = [point[0] for point in points], [point[1] for point in points]
    right, top = _scale(across, LEFT, WIDTH - RIGHT, logarithmic=curve.logarithmic), _upwards(ups)
    parts = [
        *_frame(curve),
        *(_level(value, top) for value in _levels(max(ups))),
        *(_mark(value, right) for value in _marks(curve)),
    ]
    for number, (name, series) in enumerate(curve.series.items()):
        parts += _line(name, series, number, right, top)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' font-family="sans-serif" font-size="12" role="img" aria-label="{escape(curve.title)}">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _frame(curve: Curve) -> list[str]:
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [
        _text(middle, 20, curve.title, size=14, anchor="middle"),
        _text(middle, HEIGHT - 10, curve.across, anchor="middle"),
        _text(LEFT, TOP - 8, curve.up, anchor="middle"),
    ]


def _scale(values: Sequence[float], low: float, high: float, *, logarithmic: bool) -> Place:
    told = math.log10 if logarithmic else float
    least, most = told(min(values)), told(max(values))
    return lambda value: low + (told(value) - least) / ((most - least) or 1.0) * (high - low)


def _upwards(values: Sequence[float]) -> Place:
    most = _levels(max(values))[-1]
    return lambda value: HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - TOP)


def _levels(most: float) -> list[float]:
    """Round numbers from nothing to a little above the most."""
    rough = (most or 1.0) / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [step * number for number in range(math.ceil(most / step) + 1)] or [0.0, 1.0]


def _marks(curve: Curve) -> list[float]:
    values = sorted({point[0] for series in curve.series.values() for point in series})
    return (
        values
        if len(values) <= TICKS + 1
        else [values[i * (len(values) - 1) // TICKS] for i in range(TICKS + 1)]
    )


def _level(value: float, top: Place) -> str:
    at = top(value)
    line = f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>'
    return line + _text(LEFT - 6, at + 4, f"{value:,g}", anchor="end")


def _mark(value: float, right: Place) -> str:
    return _text(right(value), HEIGHT - BOTTOM + 18, f"{value:,g}", anchor="middle")


def _line(name: str, series: Sequence[Point], number: int, right: Place, top: Place) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    places = [(right(across), top(up)) for across, up in series]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = (
        [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        if len(places) < 20
        else []
    )
    legend = _text(WIDTH - RIGHT - 150, TOP + 4 + 16 * number, f"● {name}", colour=colour)
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots, legend]


def _text(
    x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", colour: str = "#374151"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )
