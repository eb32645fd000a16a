"""Which events are alone in a run's range: no order of pages is promised, so only its end tells (R29)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from contracts.calendar import ItemRef
from contracts.cronofy import CronofyEvent
from handlers.inbound import Known, PageChanges
from handlers.twins import equals_among, equals_of, twin_of_event
from service.store import AsyncConnection, equals

Look = Literal["only", "first", "second"]
"""The only page there is; a page of the first reading; a page of the second, when all equals are known."""


class RunEquals:
    """The first reading notes the events that equal an item, the second decides about these alone."""

    def __init__(self, run_id: str, look: Look) -> None:
        self._run_id, self._look = run_id, look
        self.looked_at = 0
        """Events about which this step had something to decide."""

    async def due(
        self, connection: AsyncConnection, events: Sequence[CronofyEvent]
    ) -> Sequence[CronofyEvent]:
        if self._look == "second":
            noted = await equals.noted(connection, self._run_id, [event.event_uid for event in events])
            events = [event for event in events if event.event_uid in noted]
        self.looked_at = len(events)
        return events

    async def among(
        self,
        connection: AsyncConnection,
        known: Known,
        events: Sequence[CronofyEvent],
        free: Sequence[ItemRef],
    ) -> Known:
        items = [known.items[ref] for ref in free if ref in known.items]
        if self._look == "only":
            return replace(known, equals=equals_among(events, items))
        if self._look == "first":
            return replace(known, equals=equals_of(items), undecided=True)
        alone = await equals.alone(connection, self._run_id, [twin_of_event(event) for event in events])
        return replace(known, equals={twin: it for twin, it in equals_of(items).items() if twin in alone})

    async def note(self, connection: AsyncConnection, changes: PageChanges) -> None:
        if changes.left:
            await equals.note(connection, self._run_id, changes.left)

    async def left(self, connection: AsyncConnection) -> int:
        """How many events wait for the second reading."""
        return await equals.count(connection, self._run_id) if self._look == "first" else 0

    async def forget(self, connection: AsyncConnection) -> None:
        """All is decided."""
        await equals.forget(connection, self._run_id)
