"""How many notices of one integration are read for at once: whoever repeats one gains nothing (R32)."""

from collections import OrderedDict

from contracts.ports import Clock

NOTICED_READS_AT_ONCE = 10
SECONDS_A_READ = 6.0
"""After which one more is admitted: ten a minute for as long as it goes on."""
MOST_REMEMBERED = 10_000
"""Integrations; the one that was quiet for longest is forgotten first, and has its whole allowance again."""


class NoticePace:
    """An allowance for each integration, in this process; what is beyond it the keeper reads for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spent_until: OrderedDict[str, float] = OrderedDict()

    def admits(self, integration_id: str) -> bool:
        """Whether this notice is acted on at once; asking takes one of the allowance."""
        now = self._clock.monotonic()
        spent_until = max(now, self._spent_until.get(integration_id, now))
        if spent_until + SECONDS_A_READ > now + NOTICED_READS_AT_ONCE * SECONDS_A_READ:
            return False
        self._spent_until[integration_id] = spent_until + SECONDS_A_READ
        self._spent_until.move_to_end(integration_id)
        if len(self._spent_until) > MOST_REMEMBERED:
            self._spent_until.popitem(last=False)
        return True
