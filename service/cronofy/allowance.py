"""The budget's arithmetic: what was sent, who waits, and who may send now. Pure; times in milliseconds.

A grant counts as sent SLACK after it was given at the latest, so every window is longer by that
much: then no window of the sendings themselves can hold more than its limit (R32).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain, islice, pairwise, repeat
from typing import Self

import orjson

from contracts.ports import Urgency

SentRequest = tuple[int, int, str]

SECOND_SPAN, MINUTE_SPAN = 1_000, 60_000
GRANT_SLACK_MILLISECONDS = 250
SHARE_OF_SECOND, SHARE_OF_MINUTE = 0.9, 0.95
SHARES = (1.0, 0.975, 0.95)
"""Persons leave the last part of each window to live changes, and runs leave one to both."""
SHARE_OF_TENANT = 0.75
"""Of what others leave of a window, one tenant leaves a quarter to whoever comes: unless there is nobody."""
TENANT_MEMORY_MILLISECONDS, TENANTS_REMEMBERED = 600_000, 8
"""So long is it remembered that somebody else is there."""
NOBODYS = ""
LIVE_PLACE, RUN_PLACE = (list(Urgency).index(each) for each in (Urgency.LIVE, Urgency.RUN))
PACED_FROM = 0.5
"""Beyond this part of the minute live changes go at even paces, or all who come later wait out the minute."""
PART_MILLISECONDS = 100
"""When to ask again where all who wait have had their part."""

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
    """What one process wants in one class of urgency."""

    costs: Sequence[int] = ()
    """In the order in which they are to be served."""
    tenants: Sequence[str] = ()
    """Whose each is; nothing named: nobody's."""

    def each(self) -> Iterator[tuple[int, str]]:
        return zip(self.costs, chain(self.tenants, repeat(NOBODYS)), strict=False)


NO_DEMAND = ProcessDemand()


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessPresence:
    """What others know of a process: how many integrations wait there, and when it was last served."""

    waiting: tuple[int, ...] = (0,) * len(Urgency)
    """In each class; what waits for its own tenant's part alone is left out."""
    served: int = 0
    until: int = 0

    def waits(self, now: int, place: int) -> int:
        return self.waiting[place] if self.until > now else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """Which wants of each class may be sent now, by their places, and when to ask again."""

    granted: tuple[tuple[int, ...], ...] = ((),) * len(Urgency)
    pause: int = 0

    @property
    def live(self) -> int:
        return len(self.granted[0])

    @property
    def persons(self) -> int:
        return len(self.granted[1])

    @property
    def runs(self) -> int:
        return len(self.granted[2])


class Spending:
    """What every tenant has spent of each window."""

    def __init__(self, caps: Sequence[RequestLimit], sent: Sequence[SentRequest], now: int) -> None:
        self._caps = caps
        self._spent = [Counter[str]() for _ in caps]
        for cap, spent in zip(caps, self._spent, strict=True):
            for at, cost, tenant in sent:
                if at + cap.span > now:
                    spent[tenant] += cost
        self._totals = [spent.total() for spent in self._spent]

    def add(self, tenant: str, cost: int) -> None:
        for place, spent in enumerate(self._spent):
            spent[tenant] += cost
            self._totals[place] += cost

    def has_part(self, tenant: str, cost: int) -> bool:
        """Whether the tenant may have so much of what the others leave; the first request it always may."""
        return all(
            not spent[tenant]
            or spent[tenant] + cost <= SHARE_OF_TENANT * (cap.requests - total + spent[tenant])
            for cap, spent, total in zip(self._caps, self._spent, self._totals, strict=True)
        )

    def distance(self, tenant: str, oldest: int, now: int, tenants: int) -> float:
        """How far apart the tenant's live changes go, so that what is left lasts until more comes free.

        Half of 475 spent in five seconds: the other half is spread over the 55 until those count no more,
        shared by all who spent much. Spent evenly, some comes free all the time and nothing is held back;
        nor is who has had less than half of an equal part, for what others took (R44).
        """
        longest = 0.0
        for cap, spent, total in zip(self._caps, self._spent, self._totals, strict=True):
            much = PACED_FROM * cap.requests / max(1, tenants)
            if cap.span > MINUTE_SPAN and total > PACED_FROM * cap.requests and spent[tenant] > much:
                alike = sum(1 for theirs in spent.values() if theirs > much)
                longest = max(longest, alike * (oldest + cap.span - now) / max(1, cap.requests - total))
        return longest


@dataclass(kw_only=True, slots=True)
class Allowance:
    """Everything that the processes share."""

    sent: list[SentRequest] = field(default_factory=list)
    """When, at what cost and whose, oldest first."""
    level: float = 1.0
    level_at: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    tenants: dict[str, int] = field(default_factory=dict)
    """Who asked last, and when."""
    paced: dict[str, int] = field(default_factory=dict)
    """Whose live changes wait for their distance or part, and until when that counts."""
    processes: dict[str, ProcessPresence] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        raw = orjson.loads(text or "{}")
        flat, names = raw.get("granted", []), raw.get("names", [])
        moments, whose = accumulate(flat[::3]), (names[place] for place in flat[2::3])
        return cls(
            sent=list(zip(moments, flat[1::3], whose, strict=True)),
            level=raw.get("level", 1.0),
            level_at=raw.get("level_at", 0),
            refused=raw.get("refused", {}),
            tenants=raw.get("tenants", {}),
            paced=raw.get("paced", {}),
            processes={
                name: ProcessPresence(waiting=tuple(waiting), served=served, until=until)
                for name, (waiting, served, until) in raw.get("processes", {}).items()
            },
        )

    def text(self) -> str:
        names = [*dict.fromkeys(tenant for _, _, tenant in self.sent)]
        places = {name: place for place, name in enumerate(names)}
        moments = [at for at, _, _ in self.sent]
        gaps = [later - earlier for earlier, later in pairwise([0, *moments])]
        sent = zip(gaps, self.sent, strict=True)
        raw = {
            "granted": [number for gap, (_, cost, tenant) in sent for number in (gap, cost, places[tenant])],
            "names": names,
            "level": self.level,
            "level_at": self.level_at,
            "refused": self.refused,
            "tenants": self.tenants,
            "paced": self.paced,
            "processes": {name: (one.waiting, one.served, one.until) for name, one in self.processes.items()},
        }
        return orjson.dumps(raw).decode()

    def rule(
        self,
        now: int,
        limits: Sequence[RequestLimit],
        process: str,
        *,
        live: ProcessDemand = NO_DEMAND,
        persons: ProcessDemand = NO_DEMAND,
        runs: ProcessDemand = NO_DEMAND,
    ) -> Ruling:
        """Grant what may be sent now, live changes first, and note who is left waiting."""
        wanted = (live, persons, runs)
        self._tidy(now)
        self._meet(now, wanted)
        caps = self._caps(limits, now)
        granted: list[tuple[int, ...]] = [(), (), ()]
        waiting = [0, 0, 0]
        pause = 0
        for place, (demand, share) in enumerate(zip(wanted, SHARES, strict=True)):
            left = [replace(cap, requests=_part(cap.requests, share)) for cap in caps]
            if demand.costs and not self._held_up(now, process, place, waiting):
                granted[place], waiting[place], rest = self._grant(now, left, process, demand, place)
            elif demand.costs:
                waiting[place], rest = len({*demand.tenants} or {NOBODYS}), TURN_MILLISECONDS
            else:
                continue
            pause = min(pause or rest, rest or pause)
        ruling = Ruling(granted=tuple(granted), pause=min(pause, ASK_AGAIN_MILLISECONDS))
        self._note(now, process, ruling, tuple(waiting))
        return ruling

    def _held_up(self, now: int, process: str, place: int, waiting: Sequence[int]) -> bool:
        """Whether something more urgent waits, here or anywhere."""
        return any(waiting[:place]) or any(self._others(now, process, each) for each in range(place))

    def _meet(self, now: int, wanted: Sequence[ProcessDemand]) -> None:
        """Remember who is there besides the one who asks."""
        for demand in wanted:
            self.tenants |= dict.fromkeys(demand.tenants, now)
        recent = sorted(self.tenants.items(), key=lambda one: -one[1])[:TENANTS_REMEMBERED]
        self.tenants = {name: at for name, at in recent if now - TENANT_MEMORY_MILLISECONDS < at}

    def refuse(self, now: int, integration_id: str, tenant: str = NOBODYS) -> bool:
        """Note a 429; True where the budget halves, for it is the application's trouble.

        That is: within 10 s it was two tenants', or two integrations' while no other tenant sent anything
        (R44). The refusals of one burst halve it once.
        """
        began = now - REFUSALS_WITHIN_MILLISECONDS
        recent = {name: at for name, at in self.refused.items() if began < at <= now}
        self.refused = {**recent, f"{tenant} {integration_id}": now}
        lately = self.level < 1.0 and now - self.level_at < REFUSALS_WITHIN_MILLISECONDS
        refused = {name.partition(" ")[0] for name in self.refused}
        others = {whose for at, _, whose in self.sent if at > began} - refused
        if len(self.refused) == 1 or lately or (len(refused) == 1 and others):
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
        return sum(cost for at, cost, _ in self.sent if at + span > now)

    def _caps(self, limits: Sequence[RequestLimit], now: int) -> list[RequestLimit]:
        level = self.present_level(now)
        return [
            RequestLimit(requests=_part(one.requests, level), span=one.span + GRANT_SLACK_MILLISECONDS)
            for one in limits
        ]

    def _tidy(self, now: int) -> None:
        """Forget what no window reaches; a clock that was set back must not stop us for long."""
        oldest = now - MINUTE_SPAN - GRANT_SLACK_MILLISECONDS
        self.paced = {name: until for name, until in self.paced.items() if until > now}
        self.sent = [(min(at, now + 1), cost, whose) for at, cost, whose in self.sent if at > oldest]
        self.processes = {
            name: replace(one, until=min(one.until, now + ASK_AGAIN_MILLISECONDS + LATE_PROCESS_MILLISECONDS))
            for name, one in self.processes.items()
            if max(one.until, one.served) > now - SERVED_MEMORY_MILLISECONDS
        }

    def _others(self, now: int, process: str, place: int) -> dict[str, tuple[int, int]]:
        """For each other process that waits: when it was last served, and its number of tenants."""
        return {
            name: (one.served, one.waits(now, place))
            for name, one in self.processes.items()
            if name != process and one.waits(now, place)
        }

    def _grant(
        self, now: int, caps: Sequence[RequestLimit], process: str, queue: ProcessDemand, place: int
    ) -> tuple[tuple[int, ...], int, int]:
        """Which of the queue are granted, how many tenants still wait, and how long the next one has to.

        Who has had their part, or goes at a pace, waits for it alone, and holds nobody up but their own runs.
        """
        share, first = self._share(now, caps, process, queue, place)
        spending = Spending(caps, self.sent, now)
        granted: list[int] = []
        spent = 0
        pause = 0
        refused: dict[str, int] = {}
        for number, (cost, tenant) in enumerate(queue.each()):
            if cost >= refused.get(tenant, cost + 1):  # what is spent only grows in here
                continue
            without_part = len(self.tenants) > 1 and not spending.has_part(tenant, cost)
            rest = PART_MILLISECONDS if without_part else self._rest(spending, tenant, now, place)
            if rest:
                pause = min(pause or rest, rest)
                refused[tenant] = cost
                if place == LIVE_PLACE:
                    self.paced[tenant] = now + rest + LATE_PROCESS_MILLISECONDS
                continue
            waits = max(0, self._free_at(caps, cost, now) - now)
            if not waits and share is not None and spent + cost > share and not (first and not granted):
                waits = TURN_MILLISECONDS
            if waits:
                left = {whose for _, whose in islice(queue.each(), number, None)}
                return tuple(granted), len(left), waits
            self._send(now + 1, cost, tenant)  # rounded up to the next whole millisecond
            spending.add(tenant, cost)
            granted.append(number)
            spent += cost
        return tuple(granted), 0, pause

    def _share(
        self, now: int, caps: Sequence[RequestLimit], process: str, queue: ProcessDemand, place: int
    ) -> tuple[int | None, bool]:
        """The part of what is free that falls to the process, in proportion to the tenants that wait.

        Whoever was served longest ago comes first. None: nobody else waits.
        """
        others = self._others(now, process, place)
        if not others:
            return None, True
        weight = len({*queue.tenants} or {NOBODYS})
        room = min(cap.requests - self.used(now, cap.span) for cap in caps)
        total = weight + sum(other for _, other in others.values())
        served = self.processes[process].served if process in self.processes else 0
        ahead = [
            max(1, room * other // total)
            for name, (at, other) in others.items()
            if (at, name) < (served, process)
        ]
        mine = max(1, room * weight // total)
        return max(0, min(mine, room - sum(ahead))), not ahead

    def _free_at(self, caps: Iterable[RequestLimit], cost: int, now: int) -> int:
        """When that cost fits all windows; what is larger than a window needs it empty."""
        return max((self._fits_at(cap, cost) for cap in caps), default=now)

    def _rest(self, spending: Spending, tenant: str, now: int, place: int) -> int:
        """How long a live change keeps its distance from the tenant's last request, and runs wait for it."""
        if place == RUN_PLACE:
            return TURN_MILLISECONDS if self.paced.get(tenant, 0) > now else 0
        distance = self._distance(spending, tenant, now) if place == LIVE_PLACE and self.sent else 0
        if not distance:
            return 0
        last, cost = next((at, cost) for at, cost, whose in reversed(self.sent) if whose == tenant)
        return max(0, last + int(cost * distance) - now)

    def _distance(self, spending: Spending, tenant: str, now: int) -> float:
        return spending.distance(tenant, self.sent[0][0], now, len(self.tenants))

    def _fits_at(self, cap: RequestLimit, cost: int) -> int:
        used = cost
        for at, earlier, _ in reversed(self.sent):
            used += earlier
            if used > cap.requests:
                return at + cap.span
        return 0

    def _send(self, at: int, cost: int, tenant: str) -> None:
        if self.sent and (self.sent[-1][0], self.sent[-1][2]) == (at, tenant):
            cost += self.sent.pop()[1]
        self.sent.append((at, cost, tenant))

    def _note(self, now: int, process: str, ruling: Ruling, waiting: tuple[int, ...]) -> None:
        before = self.processes.get(process, ProcessPresence())
        self.processes[process] = ProcessPresence(
            waiting=waiting,
            served=now if any(ruling.granted) else before.served,
            until=now + ruling.pause + LATE_PROCESS_MILLISECONDS if any(waiting) else 0,
        )


def _part(requests: int, share: float) -> int:
    return max(1, int(requests * share))
