"""The budget's arithmetic: what was sent, who waits, and who may send now. Pure; times in milliseconds.

A grant counts as sent SLACK after it was given at the latest, so every window is longer by that
much: then no window of the sendings themselves can hold more than its limit (R32).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Self

SECOND_SPAN, MINUTE_SPAN = 1_000, 60_000
GRANT_SLACK_MILLISECONDS = 250
SHARE_OF_SECOND, SHARE_OF_MINUTE = 0.9, 0.95
SHARE_OF_RUNS = 0.95
"""Runs leave the last part of each window to live changes."""

TURN_MILLISECONDS = 30
"""How long to leave what is free to a process that has waited longer."""
ASK_AGAIN_MILLISECONDS = 1_000
LATE_PROCESS_MILLISECONDS = 500
"""A process that does not come back within this is no longer counted as waiting."""
SERVED_MEMORY_MILLISECONDS = 60_000

REFUSALS_WITHIN_MILLISECONDS = 10_000
LEVEL_FACTOR, LEAST_LEVEL = 0.5, 0.125
LEVEL_STEP, LEVEL_STEP_MILLISECONDS = 0.1, 30_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestLimit:
    """At most so many requests within any such span."""

    requests: int
    span: int


def limits_of(per_second: int, per_minute: int) -> tuple[RequestLimit, ...]:
    """The limits that we keep, a little under Cronofy's own; 0 is no limit."""
    second = RequestLimit(requests=max(1, int(per_second * SHARE_OF_SECOND)), span=SECOND_SPAN)
    minute = RequestLimit(requests=max(1, int(per_minute * SHARE_OF_MINUTE)), span=MINUTE_SPAN)
    return tuple(limit for limit, given in ((second, per_second), (minute, per_minute)) if given)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessDemand:
    """What one process wants for live changes or for runs."""

    costs: Sequence[int] = ()
    """In the order in which they are to be served."""
    integrations: int = 0


NO_DEMAND = ProcessDemand()


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessPresence:
    """What others know of a process: how many integrations wait there, and when it was last served."""

    live: int = 0
    runs: int = 0
    served: int = 0
    until: int = 0

    def waits(self, now: int, *, runs: bool) -> int:
        return (self.runs if runs else self.live) if self.until > now else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """How many of the live wants and of the runs' may be sent now, and when to ask again."""

    live: int = 0
    runs: int = 0
    pause: int = 0


@dataclass(kw_only=True, slots=True)
class Allowance:
    """Everything that the processes share."""

    sent: list[tuple[int, int]] = field(default_factory=list)
    """When and at what cost, oldest first."""
    level: float = 1.0
    level_at: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ProcessPresence] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        raw = json.loads(text or "{}")
        flat = raw.get("sent", [])
        processes = raw.get("processes", {}).items()
        return cls(
            sent=list(zip(accumulate(flat[::2]), flat[1::2], strict=True)),
            level=raw.get("level", 1.0),
            level_at=raw.get("level_at", 0),
            refused=raw.get("refused", {}),
            processes={
                name: ProcessPresence(live=live, runs=runs, served=served, until=until)
                for name, (live, runs, served, until) in processes
            },
        )

    def text(self) -> str:
        moments = [at for at, _ in self.sent]
        gaps = [later - earlier for earlier, later in pairwise([0, *moments])]
        raw = {
            "sent": [
                number for gap, (_, cost) in zip(gaps, self.sent, strict=True) for number in (gap, cost)
            ],
            "level": self.level,
            "level_at": self.level_at,
            "refused": self.refused,
            "processes": {
                name: (one.live, one.runs, one.served, one.until) for name, one in self.processes.items()
            },
        }
        return json.dumps(raw, separators=(",", ":"))

    def rule(
        self,
        now: int,
        limits: Sequence[RequestLimit],
        process: str,
        *,
        live: ProcessDemand = NO_DEMAND,
        runs: ProcessDemand = NO_DEMAND,
    ) -> Ruling:
        """Grant what may be sent now, live changes first, and note who is left waiting."""
        self._tidy(now)
        caps = self._caps(limits, now)
        granted, pause = self._grant(now, caps, process, live, runs=False)
        started = 0
        if granted == len(live.costs) and runs.costs:
            if self._others(now, process, runs=False):
                pause = TURN_MILLISECONDS
            else:
                fewer = [replace(cap, requests=_part(cap.requests, SHARE_OF_RUNS)) for cap in caps]
                started, pause = self._grant(now, fewer, process, runs, runs=True)
        ruling = Ruling(live=granted, runs=started, pause=min(pause, ASK_AGAIN_MILLISECONDS))
        self._note(now, process, ruling, live, runs)
        return ruling

    def refuse(self, now: int, integration_id: str) -> bool:
        """Note a 429; True where it was the second integration's within 10 s, so that the budget halves.

        The refusals of one burst halve it once.
        """
        recent = {
            name: at for name, at in self.refused.items() if now - REFUSALS_WITHIN_MILLISECONDS < at <= now
        }
        self.refused = {**recent, integration_id: now}
        lately = self.level < 1.0 and now - self.level_at < REFUSALS_WITHIN_MILLISECONDS
        if len(self.refused) == 1 or lately:
            return False
        self.level, self.level_at = max(LEAST_LEVEL, self.present_level(now) * LEVEL_FACTOR), now
        self.refused = {}
        return True

    def present_level(self, now: int) -> float:
        """The share of the limits that is used, recovered step by step."""
        steps = max(0, now - self.level_at) // LEVEL_STEP_MILLISECONDS
        return min(1.0, self.level + LEVEL_STEP * steps)

    def used(self, now: int, span: int) -> int:
        """What was sent within the last so many milliseconds."""
        return sum(cost for at, cost in self.sent if at + span > now)

    def _caps(self, limits: Sequence[RequestLimit], now: int) -> list[RequestLimit]:
        level = self.present_level(now)
        return [
            RequestLimit(requests=_part(one.requests, level), span=one.span + GRANT_SLACK_MILLISECONDS)
            for one in limits
        ]

    def _tidy(self, now: int) -> None:
        """Forget what no window reaches; a clock that was set back must not stop us for long."""
        oldest = now - MINUTE_SPAN - GRANT_SLACK_MILLISECONDS
        self.sent = [(min(at, now + 1), cost) for at, cost in self.sent if at > oldest]
        self.processes = {
            name: replace(one, until=min(one.until, now + ASK_AGAIN_MILLISECONDS + LATE_PROCESS_MILLISECONDS))
            for name, one in self.processes.items()
            if max(one.until, one.served) > now - SERVED_MEMORY_MILLISECONDS
        }

    def _others(self, now: int, process: str, *, runs: bool) -> dict[str, tuple[int, int]]:
        """For each other process that waits: when it was last served, and its number of integrations."""
        return {
            name: (one.served, one.waits(now, runs=runs))
            for name, one in self.processes.items()
            if name != process and one.waits(now, runs=runs)
        }

    def _grant(
        self, now: int, caps: Sequence[RequestLimit], process: str, queue: ProcessDemand, *, runs: bool
    ) -> tuple[int, int]:
        """How many of the queue are granted, and how long the next one has to wait."""
        share, first = self._share(now, caps, process, queue, runs=runs)
        spent = 0
        for granted, cost in enumerate(queue.costs):
            free = self._free_at(caps, cost, now)
            if free > now:
                return granted, free - now
            if share is not None and spent + cost > share and not (first and granted == 0):
                return granted, TURN_MILLISECONDS
            self._send(now + 1, cost)  # rounded up to the next whole millisecond
            spent += cost
        return len(queue.costs), 0

    def _share(
        self, now: int, caps: Sequence[RequestLimit], process: str, queue: ProcessDemand, *, runs: bool
    ) -> tuple[int | None, bool]:
        """The part of what is free that falls to the process, in proportion to the integrations that wait.

        Whoever was served longest ago comes first. None: nobody else waits.
        """
        others = self._others(now, process, runs=runs)
        if not others:
            return None, True
        room = min(cap.requests - self.used(now, cap.span) for cap in caps)
        total = queue.integrations + sum(weight for _, weight in others.values())
        served = self.processes[process].served if process in self.processes else 0
        ahead = [
            max(1, room * weight // total)
            for name, (at, weight) in others.items()
            if (at, name) < (served, process)
        ]
        mine = max(1, room * queue.integrations // total)
        return max(0, min(mine, room - sum(ahead))), not ahead

    def _free_at(self, caps: Iterable[RequestLimit], cost: int, now: int) -> int:
        """When that cost fits all windows; what is larger than a window needs it empty."""
        return max((self._fits_at(cap, cost) for cap in caps), default=now)

    def _fits_at(self, cap: RequestLimit, cost: int) -> int:
        used = cost
        for at, earlier in reversed(self.sent):
            used += earlier
            if used > cap.requests:
                return at + cap.span
        return 0

    def _send(self, at: int, cost: int) -> None:
        if self.sent and self.sent[-1][0] == at:
            cost += self.sent.pop()[1]
        self.sent.append((at, cost))

    def _note(self, now: int, process: str, ruling: Ruling, live: ProcessDemand, runs: ProcessDemand) -> None:
        before = self.processes.get(process, ProcessPresence())
        left = (ruling.live < len(live.costs), ruling.runs < len(runs.costs))
        self.processes[process] = ProcessPresence(
            live=live.integrations if left[0] else 0,
            runs=runs.integrations if left[1] else 0,
            served=now if ruling.live or ruling.runs else before.served,
            until=now + ruling.pause + LATE_PROCESS_MILLISECONDS if any(left) else 0,
        )


def _part(requests: int, share: float) -> int:
    return max(1, int(requests * share))
