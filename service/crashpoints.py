"""The numbered crash points of the README, where a test may have the process die as by SIGKILL."""

import os
import signal

CRASH_VARIABLE = "CALENDAR_SYNC_TEST_CRASH_AT"
EXIT_KILLED = -signal.SIGKILL
"""The exit code of such a process, as its parent is told."""

_armed, _, _passes = os.environ.get(CRASH_VARIABLE, "").partition("#")  # noqa: TID251 -- no setting: only tests know it
_left = [int(_passes) if _passes.isdigit() else 1]


def crash_point(name: str) -> None:
    """Does nothing, unless the variable names this point; ``outbound.3#7`` means at its 7th pass."""
    if name != _armed:
        return
    _left[0] -= 1
    if _left[0] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
