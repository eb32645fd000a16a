"""As much of PromQL as is needed to see of which metrics and labels an expression speaks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.metrics import MetricWrapperBase

from service.telemetry import metrics

_TOKEN = re.compile(
    r"(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<range>\[[^\]]*\])|(?P<number>\d[\w.]*)"
    r"|(?P<word>[A-Za-z_:][\w:]*)|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},])|(?P<blank>\s+)"
)
_GROUPING = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "offset", "bool"})
_OF_PROMETHEUS: Mapping[str, frozenset[str]] = {"ALERTS": frozenset({"alertname", "alertstate", "severity"})}
OF_EVERY_SERIES = frozenset({"job", "instance"})
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


class NotPromQL(Exception):
    """Something that stands in no expression."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken:
    """What an expression speaks of."""

    matched: Mapping[str, frozenset[str]]
    """Each metric, and the labels by which series of it are chosen."""
    grouped: frozenset[str]
    """The labels by which results are grouped or joined."""


def measured() -> dict[str, frozenset[str]]:
    """Each series that Prometheus can have of this service, by name, with its labels."""
    known = dict(_OF_PROMETHEUS)
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            for suffix in _SUFFIXES[str(metric._type)]:
                own = {"le"} if suffix == "_bucket" else set()
                known[f"{metric._name}{suffix}"] = frozenset({*metric._labelnames, *own})
    return known


def tokens(expression: str) -> list[tuple[str, str]]:
    """Kind and text of each, blanks left out. Raises NotPromQL at the first that is none."""
    found, at = [], 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None:
            raise NotPromQL(f"{expression[at:]!r} in {expression!r}")
        if token.lastgroup != "blank":
            found.append((str(token.lastgroup), token.group()))
        at = token.end()
    return found


def spoken(expression: str) -> Spoken:
    """The metrics and labels of an expression."""
    rest = iter([*tokens(expression), ("end", "")])
    matched: dict[str, frozenset[str]] = {}
    grouped: set[str] = set()
    kind, text = next(rest)
    while kind != "end":
        word, (kind, text) = (kind, text), next(rest)
        if word[0] != "word" or word[1] in _OPERATORS:
            continue
        if word[1] in _GROUPING:
            grouped |= set(_words(rest))
            kind, text = next(rest)
        elif text == "{":
            matched[word[1]] = matched.get(word[1], frozenset()) | set(_words(rest, "}"))
            kind, text = next(rest)
        elif text != "(":  # which a function has, or an aggregation, unless its labels come first
            matched[word[1]] = matched.get(word[1], frozenset())
        if word[1] in matched and (kind, text) in {("word", one) for one in _GROUPING}:
            matched.pop(word[1])
    return Spoken(matched=matched, grouped=frozenset(grouped))


def _words(rest: Iterator[tuple[str, str]], end: str = ")") -> Iterator[str]:
    for kind, text in rest:
        if text == end:
            return
        if kind == "word":
            yield text


def mistakes(expression: str) -> list[str]:
    """Each metric and label that is not measured."""
    known, said = measured(), spoken(expression)
    if not said.matched:
        return [f"{expression!r} speaks of no metric"]
    unknown = [f"no metric {name}" for name in said.matched if name not in known]
    labels = frozenset().union(OF_EVERY_SERIES, *(known.get(name, frozenset()) for name in said.matched))
    strange = [
        f"{name} has no label {label}"
        for name, chosen in said.matched.items()
        for label in sorted(chosen - known.get(name, chosen) - OF_EVERY_SERIES)
    ]
    return [*unknown, *strange, *(f"nothing has a label {label}" for label in sorted(said.grouped - labels))]
