"""When which lanes send, decided anew after every move."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from service.consumers.outbound.lanes import Lane, LanePressure
from service.consumers.outbound.sender import Sender
from service.consumers.outbound.state import OutboundState
from service.consumers.turns import TenantTurns
from service.telemetry.metrics import LANE_LINKS, LANES

SCHEDULER_BEAT_SECONDS = 0.05
LANE_PATIENCE_WINDOWS = 2
"""Windows of messages after which a lane that is not full yet waits for no more of them."""


class OutboundLoad(Protocol):
    """What the consumer knows of its window and transactions."""

    @property
    def coming(self) -> int: ...
    @property
    def taken_in(self) -> int: ...
    @property
    def prefetch(self) -> int: ...
    @property
    def crowd_of(self) -> str | None: ...
    @property
    def working(self) -> bool: ...
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
        self._turns = TenantTurns(concurrency, state.clock)
        self._beat: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def at_a_stop(self) -> bool:
        """Whether nothing is in the air and no lane could send."""
        if self.sends:
            return False
        if not self._around.stopping:
            return self._state.lanes.empty
        if self._state.paused_by_outage():
            return True
        now = self._state.clock.monotonic()
        return not any(lane.next_due(now) for lane in self._state.lanes)

    async def close(self) -> None:
        """End all sendings, and what they wait for; none begins any more."""
        self._closed = True
        if self._beat is not None:
            self._beat.cancel()
        for task in self.sends:
            task.cancel()
        await asyncio.gather(*self.sends, return_exceptions=True)
        await self._sender.close()

    def decide(self) -> None:
        """Start every sender that may start now."""
        if self._closed:
            return
        lanes = self._state.lanes
        free = self._concurrency - len(self.sends)
        if free > 0 and not self._state.paused_by_outage():
            for lane in self._admitted(lanes.ready(self._state.clock.monotonic(), self._pressure()), free):
                self._start(lane)
        lanes.clean()
        waiting = lanes.waiting
        LANE_LINKS.set(waiting)
        LANES.set(sum(1 for lane in lanes if lane.waiting))
        if waiting and self._beat is None:
            self._beat = asyncio.get_running_loop().call_later(SCHEDULER_BEAT_SECONDS, self._on_beat)

    def _admitted(self, ready: Sequence[Lane], free: int) -> list[Lane]:
        """Those for which there is a slot: while others are there, no tenant has all of them (R44)."""
        self._turns.meet([lane.tenant_id for lane in ready])
        held = self._state.lanes.in_the_air()
        admitted: list[Lane] = []
        for lane in ready:
            if len(admitted) < free and held[lane.tenant_id] < self._turns.most:
                held[lane.tenant_id] += 1
                admitted.append(lane)
        return admitted

    def _on_beat(self) -> None:
        self._beat = None
        self.decide()

    def _pressure(self) -> LanePressure:
        around = self._around
        return LanePressure(
            coming=around.coming,
            taken_in=around.taken_in,
            patience=LANE_PATIENCE_WINDOWS * around.prefetch,
            crowd_of=around.crowd_of,
            quiet=not (self.sends or around.working),
            stopping=around.stopping,
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
