"""What work takes of the processor, so that neither a slow machine nor a busy one counts.

The least of some tries, for nothing makes work less than it is; and beside it what counting takes, try by
try in turns, for the speed of a machine that others share changes from second to second.
"""

import gc
import time
from collections.abc import Callable

COUNTED = 250_000
"""Counting so far takes 6 to 12 ms on a processor that nobody else uses."""


def seconds_once(work: Callable[[], object]) -> float:
    gc.disable()
    try:
        began = time.process_time()
        work()
        return time.process_time() - began
    finally:
        gc.enable()


def seconds_of(work: Callable[[], object], *, tries: int = 3) -> float:
    """The least processor time of some tries."""
    return min(seconds_once(work) for _ in range(tries))


def count() -> None:
    sum(1 for _ in range(COUNTED))


def counts_of(work: Callable[[], object], *, tries: int = 5) -> float:
    """How far one counts in the processor time that the work takes."""
    return counts_of_measured(lambda: seconds_once(work), tries=tries)


def counts_of_measured(measure: Callable[[], float], *, tries: int) -> float:
    """The same for seconds of processor time that were measured otherwise."""
    turns = [(measure(), seconds_once(count)) for _ in range(tries)]
    return COUNTED * min(took for took, _ in turns) / min(counted for _, counted in turns)
