"""Knobs of the tests that a person may turn."""

import os


def examples(name: str, usual: int) -> int:
    """How many examples to try: as the environment says, else the usual number."""
    return int(os.environ.get(name, str(usual)))


FULL = os.environ.get("FAULTS") == "full"
"""Whether the tests of faults run in their full size (``make faults``)."""


def sized(short: int, full: int) -> int:
    """The number for continuous integration, or the one of ``make faults``."""
    return full if FULL else short
