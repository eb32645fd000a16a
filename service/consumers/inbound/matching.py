"""Which events are alone in a run's range: no order of pages is promised, so only its end tells (R29)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from contracts.calendar import Item
from contracts.cronofy import CronofyEvent
from handlers.inbound_page import KnownRows, PageChanges
from handlers.matching import MatchKey, equal_items, items_by_match_key, match_key_of_event
from service.store.engine.store import AsyncConnection

MatchPass = Literal["only", "first", "second"]
"""The only page there is; a page of the first reading; a page of the second, when all equals are known."""


class EqualNotes(Protocol):
    """The events that equal an item, from the first reading to the second."""

    async def note(self, connection: AsyncConnection, left: Iterable[tuple[MatchKey, str]]) -> None:
        """Remember these events; once more is no harm."""

    async def noted(self, connection: AsyncConnection, uids: Sequence[str]) -> frozenset[str]:
        """Which of these events the first reading left."""

    async def alone(self, connection: AsyncConnection, twins: Iterable[MatchKey]) -> frozenset[MatchKey]:
        """Those of which the whole range holds one event."""

    async def count(self, connection: AsyncConnection) -> int:
        """How many events wait for the second reading."""

    async def forget(self, connection: AsyncConnection) -> None:
        """All is decided."""


class EqualsOfRun:
    """The first reading notes the events that equal an item, the second decides about these alone."""

    def __init__(self, notes: EqualNotes, look: MatchPass) -> None:
        self._notes, self._look = notes, look
        self.looked_at = 0
        """Events about which this step had something to decide."""

    async def due(
        self, connection: AsyncConnection, events: Sequence[CronofyEvent]
    ) -> Sequence[CronofyEvent]:
        """Those of a page about which something is to be decided now."""
        if self._look == "second":
            noted = await self._notes.noted(connection, [event.event_uid for event in events])
            events = [event for event in events if event.event_uid in noted]
        self.looked_at = len(events)
        return events

    async def among(
        self,
        connection: AsyncConnection,
        known: KnownRows,
        events: Sequence[CronofyEvent],
        free: Sequence[Item],
    ) -> KnownRows:
        """With those of these items, linked nowhere here, that one of these events alone equals."""
        if self._look == "only":
            return replace(known, equals=equal_items(events, free))
        if self._look == "first":
            return replace(known, equals=items_by_match_key(free), undecided=True)
        alone = await self._notes.alone(connection, [match_key_of_event(event) for event in events])
        return replace(
            known, equals={twin: it for twin, it in items_by_match_key(free).items() if twin in alone}
        )

    async def note(self, connection: AsyncConnection, changes: PageChanges) -> None:
        """Remember what could not be decided."""
        if changes.left:
            await self._notes.note(connection, changes.left)

    async def left(self, connection: AsyncConnection) -> int:
        """How many events wait for the second reading."""
        return await self._notes.count(connection) if self._look == "first" else 0

    async def forget(self, connection: AsyncConnection) -> None:
        """All is decided."""
        await self._notes.forget(connection)
