"""The worst that a text can be for whoever works on it, and how its cost grows."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise

from tests.support.processor_time import counts_of, seconds_of, seconds_once

MIB = 1 << 20
WORST_UNITS: Mapping[str, str] = {
    "letters": "x",
    "marks": "\u0301\u0323",
    "marks decomposed": "\u0f73",
    "marks on letters": "a" + "\u0301\u0323" * 15,
    "decomposing letters": "\u0958\U0001d160",
    "hangul": "\u1112\u1161\u11ab",
    "folding letters": "\ufb03\u0149ß",
    "blanks": " ",
    "odd blanks": "\u00a0\u200b\u3164",
    "lines": "\n",
    "ends of lines": " \r\n\t\x85\u2028",
    "controls": "\x1b[2J\x00",
    "lone surrogates": "\ud800",
    "turned surrogates": "\udc00\ud800",
    "digits": "9",
    "other digits": "\u0663",
    "zeros": "0",
    "tags": "<b>",
    "ends of tags": "</p>",
    "half tags": "<title",
    "half ends": "</title",
    "comments": "<!--",
    "attributes": "<a b='",
    "quotes in attributes": "<a ='x=\"y",
    "ampersands": "&",
    "entities": "&ngE;&amp;",
    "half entities": "&#",
    "entities of digits": "&#9",
    "entities of hex": "&#x9",
    "nesting": "[",
    "nested objects": '{"a":',
    "nested endings": "[]],",
    "escapes": "\\u0061",
    "backslashes": "\\",
    "single quotes": "'",
    "double quotes": '"',
    "open quotes": "“",
    "names": '"tenant_id":',
    "names and blanks": '"tenant_id" ',
    "names and values": '"tenant_id":"x",',
    "addresses": "://a:",
    "addresses of somebody": "://a:b@",
    "brackets": "http://[",
    "parameters": "?key",
    "half parameters": ";x.key-",
    "tokens": "eyJ-",
    "dotted tokens": "eyJ.",
    "sealed": "gAAAA-",
    "bearers": "Bearer ",
    "codes": "code ",
    "formulas": ";=",
    "formulas and blanks": "; \u200b",
    "words": "a.",
    "hashes": "#.",
    "percents": "%41",
    "paths": "../",
    "commas": "a,",
    "identifiers": "0a1b2c3d-",
    "places": "\n  at a line 1 in b",
    "copies": "copy ",
    "dashed copies": " - copy 1",
    "lines of ours": "Vorex: moving, renaming or deleting this here changes only this copy. ",
}
WORST_BEGINNINGS: Mapping[str, tuple[str, str]] = {
    "unseen half ends": ("<title>", "</title"),
    "unseen tags": ("<script>", "<script>"),
    "one letter's marks": ("a", "\u0301\u0323"),
    "an entity's digits": ("&#", "9"),
    "an entity's zeros": ("&#", "0"),
    "an entity's hex": ("&#x", "f"),
    "a number": ('{"data":{"version":', "9"),
    "a fraction": ('{"data":{"version":0.', "9"),
    "a list": ('{"data":[', "0,"),
    "an unclosed text": ('{"data":"', "\\u0061"),
    "a claim": ('"tenant_id":"', "x"),
    "a token's parts": ("eyJ", "a."),
    "beginnings of our lines, and dots": ("Vorex:" * 1350, "."),
}
BEGINNINGS = {**{name: ("", unit) for name, unit in WORST_UNITS.items()}, **WORST_BEGINNINGS}
MOST_GROWTH = 3.0
"""Of the work for a text twice as long: twice is linear, four times quadratic."""
MEASURABLE_SECONDS = 0.002
SMALLEST = 4096
ENOUGH_TRIES = 5
TOO_LONG_SECONDS = 4.0
"""After which nothing longer is tried: what is quadratic has shown it by then."""


def worst_text(kind: str, length: int) -> str:
    beginning, unit = BEGINNINGS[kind]
    return (beginning + unit * (length // len(unit) + 1))[:length]


def steeper_than_linear(feed: Callable[[str], object], kind: str, *, most: int) -> list[tuple[int, float]]:
    """Where the work for a text grew more than threefold when it was doubled, and did so again.

    Twice in a row, for one step may be a table that outgrows the processor's memory; what is steep in the
    last step alone has not taken longer than a few of the shortest times that can be measured.
    """
    if _grows_in_proportion(feed, kind, most=most):
        return []
    steps = [*_growth(feed, kind, most=most)]
    pairs = pairwise(steps)
    return [later for earlier, later in pairs if min(earlier[1], later[1]) >= MOST_GROWTH]


def _grows_in_proportion(feed: Callable[[str], object], kind: str, *, most: int) -> bool:
    """Whether a sixteenth of the text shows it already, so that no step between needs to be tried.

    Two steep steps and two others multiply the work by 36 at least, where no part of it is the same for any
    text; what is linear multiplies it by 16. What is done at the first time alone does not count.
    """
    part = seconds_of(partial(feed, worst_text(kind, most // 16)))
    return _work(feed, worst_text(kind, most)) < max(2 * 16 * part, MEASURABLE_SECONDS)


def _growth(feed: Callable[[str], object], kind: str, *, most: int) -> Iterator[tuple[int, float]]:
    """For each length whose work can be measured, how much more it is than for half of it.

    Processor time of this process, so that others on the machine do not count; the least of several
    tries, for nothing makes work less than it is.
    """
    length, before = SMALLEST, _work(feed, worst_text(kind, SMALLEST))
    while length < most:
        length = min(2 * length, most)
        text = worst_text(kind, length)
        now = _work(feed, text)
        if before >= MEASURABLE_SECONDS and now >= MOST_GROWTH * before:
            half = worst_text(kind, length // 2)
            before = min(before, seconds_of(partial(feed, half), tries=ENOUGH_TRIES))
            now = min(now, seconds_of(partial(feed, text), tries=ENOUGH_TRIES))
        if before >= MEASURABLE_SECONDS:
            yield length, round(now / before, 1)
        if now >= TOO_LONG_SECONDS:
            return
        before = now


def longest_work(feed: Callable[[str], object], *, most: int, tried: int) -> tuple[float, str]:
    """How far one counts during the work for ``most`` of the kind that costs most at ``tried``; its name."""
    tried = min(tried, most)
    costs = {kind: _work(feed, worst_text(kind, tried)) for kind in BEGINNINGS}
    worst = max(costs, key=lambda kind: costs[kind])
    text = worst_text(worst, most)
    return counts_of(lambda: feed(text), tries=ENOUGH_TRIES), worst


def _work(feed: Callable[[str], object], text: str) -> float:
    return seconds_once(lambda: feed(text))
