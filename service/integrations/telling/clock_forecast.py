"""What the next clock changes will do: for a person, and for whoever plans service calls (R49).

Nothing is asked of Cronofy; a bounded number of rows is read, and none while no change is near.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Generic, TypeVar

from contracts.fields import is_zone
from contracts.vorex import ItemType
from contracts.zones import UTC_ZONE
from handlers.forecasts.clock_changes import (
    AFTER,
    AHEAD,
    BEFORE,
    MOST_ITEMS,
    MovedItem,
    PlannedItem,
    forecast,
    near_changes,
)
from service.integrations.ownership import Person
from service.store.engine.store import Store
from service.store.items import planned
from service.store.items.planned import PlannedRow

MOST_TECHNICIANS, ITEMS_OF_TECHNICIANS = 200, 20_000
Told = TypeVar("Told")
KEPT_SECONDS = 60
"""So long what moves is told as it was found, where nothing of it changed."""
FORECASTS_KEPT = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class TechnicianForecast:
    """What moves in the days of somebody who has service calls."""

    user_id: str
    zone: str
    """In which their times are to be read."""
    moved: Sequence[MovedItem]


class ClockForecast:
    """Reads what is planned, and says what will move."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of_people = _Forecasts[MovedItem]()
        self._of_tenants = _Forecasts[TechnicianForecast]()

    async def of_person(self, person: Person, *, now: datetime) -> Sequence[MovedItem]:
        """What will move in their days, by their zone."""
        owner, zone = (person.tenant_id, person.user_id), person.time_zone
        async with self._store.read() as connection:
            theirs = [one for _, one in await planned.zones_of(connection, *owner)]
            if not near_changes(_known((zone, *theirs)), now):
                return ()
            rows = await planned.planned(
                connection, *owner, since=now - BEFORE, until=now + AHEAD + AFTER, limit=MOST_ITEMS
            )
        state = hash((zone, *theirs, *rows, now.timestamp() // KEPT_SECONDS))
        return await self._of_people.found(owner, state, lambda: _of_person(rows, zone, _known(theirs), now))

    async def of_technicians(self, tenant_id: str, *, now: datetime) -> Sequence[TechnicianForecast]:
        """What will meet service calls, of each who has any, by the zone of their first linked calendar."""
        async with self._store.read() as connection:
            zones = await planned.zones_of(connection, tenant_id)
            if not near_changes(_known([zone for _, zone in zones]), now):
                return ()
            rows = await planned.planned_of_technicians(
                connection,
                tenant_id,
                since=now - BEFORE,
                until=now + AHEAD + AFTER,
                people=MOST_TECHNICIANS,
                limit=ITEMS_OF_TECHNICIANS,
            )
        first = dict(reversed(zones))
        state = hash((*zones, *rows, now.timestamp() // KEPT_SECONDS))
        return await self._of_tenants.found((tenant_id,), state, lambda: _technicians(rows, first, now))


class _Forecasts(Generic[Told]):
    """What was found for some, for as long as the state is the same by which it was found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], tuple[int, Sequence[Told]]] = {}

    async def found(
        self, owner: tuple[str, ...], state: int, find: Callable[[], Sequence[Told]]
    ) -> Sequence[Told]:
        """Found on a thread of its own, for it takes a tenth of a second: others are served meanwhile."""
        kept = self._found.pop(owner, None)
        if kept is None or kept[0] != state:
            kept = state, await asyncio.to_thread(find)
        self._found[owner] = kept
        if len(self._found) > FORECASTS_KEPT:
            del self._found[next(iter(self._found))]
        return kept[1]


def _of_person(
    rows: Sequence[PlannedRow], zone: str, others: Sequence[str], now: datetime
) -> Sequence[MovedItem]:
    return forecast([_item(row) for row in rows], zone=zone, others=others, now=now)


def _technicians(
    rows: Sequence[PlannedRow], zones: Mapping[str, str], now: datetime
) -> Sequence[TechnicianForecast]:
    told = [
        _technician(user_id, list(theirs), zones, now)
        for user_id, theirs in groupby(rows, key=lambda row: row.user_id)
    ]
    return [one for one in told if one.moved]


def _technician(
    user_id: str, rows: Sequence[PlannedRow], zones: Mapping[str, str], now: datetime
) -> TechnicianForecast:
    zone = next(iter(_known([zones.get(user_id, ""), *(row.time_zone or "" for row in rows)])), UTC_ZONE)
    found = forecast([_item(row) for row in rows], zone=zone, now=now)
    return TechnicianForecast(user_id=user_id, zone=zone, moved=[one for one in found if one.clashes])


def _item(row: PlannedRow) -> PlannedItem:
    zones = _known([row.time_zone or ""])
    return PlannedItem(
        key=f"{row.item_type}:{row.item_id}",
        title=row.title,
        is_call=row.item_type == ItemType.SERVICE_CALL.value,
        start=row.starts_at,
        end=row.ends_at,
        series=None if row.series is None else f"{row.imported_by or ''} {row.series}",
        zone=next(iter(zones), None),
    )


def _known(zones: Sequence[str]) -> list[str]:
    """Those of which the rules are known here."""
    return [zone for zone in zones if is_zone(zone)]
