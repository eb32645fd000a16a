"""When which lanes send, decided anew after every move."""

import asyncio
from typing import Protocol

from service.consumers.outbound.lanes import Lane, LanePressure
from service.consumers.outbound.sender import Sender
from service.consumers.outbound.state import OutboundState
from service.telemetry.metrics import LANE_LINKS, LANES

GATHERING_SECONDS = 0.003
BUSY_LOOP_SECONDS = 0.002
"""A timer that rings later than this says that the loop was busy, and deliveries may wait in the socket."""
REFILL_GATHERING_SECONDS = 0.05
"""As REST, after room was made in a full window: the broker takes a moment to fill it again."""
SCHEDULER_BEAT_SECONDS = 0.05


class OutboundLoad(Protocol):
    """What the consumer knows of its window and transactions."""

    @property
    def taking_in(self) -> bool: ...
    @property
    def has_room(self) -> bool: ...
    @property
    def crowded(self) -> bool: ...
    @property
    def writing_down(self) -> bool: ...
    @property
    def stopping(self) -> bool: ...


class Scheduler:
    """Starts the senders of the lanes whose turn it is."""

    def __init__(
        self, state: OutboundState, sender: Sender, *, concurrency: int, pressure: OutboundLoad
    ) -> None:
        self._state = state
        self._sender = sender
        self._concurrency = concurrency
        self._around = pressure
        self.sends: set[asyncio.Task[None]] = set()
        self._nothing_until = 0.0
        self._rested = True
        self._rest_timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None

    @property
    def at_a_stop(self) -> bool:
        """Whether nothing is in the air and no lane could send."""
        if self.sends:
            return False
        if not self._around.stopping:
            return self._state.lanes.empty
        if self._state.paused_by_breaker():
            return True
        now = self._state.clock.monotonic()
        return not any(next(lane.due(now), None) for lane in self._state.lanes)

    def note_delivery(self) -> None:
        """Something came: the intake is at rest when nothing has for 3 ms."""
        self._wait(GATHERING_SECONDS)

    def note_room(self) -> None:
        """A full window has room again."""
        self._wait(REFILL_GATHERING_SECONDS)

    def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._nothing_until = max(self._nothing_until, loop.time() + seconds)
        self._rested = False
        if self._rest_timer is None:
            self._rest_timer = loop.call_at(self._nothing_until, self._look, self._nothing_until)

    def _look(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        self._rest_timer = None
        if loop.time() - due > BUSY_LOOP_SECONDS:
            self._wait(GATHERING_SECONDS)
        elif loop.time() < self._nothing_until:
            self._rest_timer = loop.call_at(self._nothing_until, self._look, self._nothing_until)
        else:
            self._rested = True
            self.decide()

    def decide(self) -> None:
        """Start every sender that may start now."""
        lanes = self._state.lanes
        free = self._concurrency - len(self.sends)
        if free > 0 and not self._state.paused_by_breaker():
            for lane in lanes.ready(self._state.clock.monotonic(), self._pressure())[:free]:
                self._start(lane)
        lanes.clean()
        waiting = sum(len(lane.waiting) for lane in lanes)
        LANE_LINKS.set(waiting)
        LANES.set(sum(1 for lane in lanes if lane.waiting))
        if waiting and self._beat is None:
            self._beat = asyncio.get_running_loop().call_later(SCHEDULER_BEAT_SECONDS, self._on_beat)

    def _on_beat(self) -> None:
        self._beat = None
        self.decide()

    def _pressure(self) -> LanePressure:
        around = self._around
        at_rest = self._rested and not around.taking_in and around.has_room
        return LanePressure(
            at_rest=at_rest or around.stopping,
            window_full=not around.has_room,
            crowded=around.crowded,
            quiet=not (self.sends or around.writing_down or around.taking_in),
        )

    def _start(self, lane: Lane) -> None:
        lane.busy = True
        self._state.lanes.turn(lane)
        task = asyncio.create_task(self._sender.send(lane), name=f"lane {lane.integration_id}")
        self.sends.add(task)
        task.add_done_callback(lambda ended: self._landed(lane, ended))

    def _landed(self, lane: Lane, ended: asyncio.Task[None]) -> None:
        lane.busy = False
        self.sends.discard(ended)
        if not ended.cancelled():
            self._state.moved()
