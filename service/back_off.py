"""How long to wait before the next attempt: the one back-off of the service."""

from collections.abc import Iterator
from itertools import count
from random import SystemRandom

FIRST_RETRY_SECONDS = 0.1
MOST_DOUBLINGS = 30
"""Enough for any longest pause, and far from where a float ends."""
_random = SystemRandom()


def back_off(failures: int, *, first: float, longest: float) -> float:
    """The seconds to wait after so many failures before this one: the first pause, each time doubled."""
    return min(longest, first * 2.0 ** min(failures, MOST_DOUBLINGS))


def back_off_pauses(*, longest: float) -> Iterator[float]:
    """Back-off from a tenth of a second on, without end; the halves of chance keep processes apart."""
    steps = (back_off(failures, first=FIRST_RETRY_SECONDS, longest=longest) for failures in count())
    return (seconds * _random.uniform(0.5, 1.0) for seconds in steps)
