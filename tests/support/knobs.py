"""Knobs of the tests that a person may turn."""

import os


def examples(name: str, usual: int) -> int:
    """How many examples to try: as the environment says, else the usual number."""
    return int(os.environ.get(name, str(usual)))
