"""The store as it would be by now: what is stored, under what the rehearsal has done so far."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contracts.calendar import Integration, Item, ItemRef, Link, LinkId
from contracts.cronofy import CronofyEvent
from contracts.times import as_instant
from handlers.inbound_page import KnownRows, PageChanges
from handlers.matching import MatchKey
from service.consumers.inbound.matching import EqualsOfRun
from service.consumers.inbound.surroundings import surroundings
from service.store.engine.store import AsyncConnection
from service.store.items import items
from service.store.links import links


class DryRunEquals:
    """Remembers for one rehearsal what a run would note (R29)."""

    def __init__(self) -> None:
        self._heard: dict[str, MatchKey] = {}

    async def note(self, _connection: AsyncConnection, left: Iterable[tuple[MatchKey, str]]) -> None:
        self._heard |= {uid: twin for twin, uid in left}

    async def noted(self, _connection: AsyncConnection, uids: Sequence[str]) -> frozenset[str]:
        return frozenset(uids) & self._heard.keys()

    async def alone(self, _connection: AsyncConnection, twins: Iterable[MatchKey]) -> frozenset[MatchKey]:
        times = Counter(self._heard.values())
        return frozenset(twin for twin in twins if times[twin] == 1)

    async def count(self, _connection: AsyncConnection) -> int:
        return len(self._heard)

    async def forget(self, _connection: AsyncConnection) -> None:
        self._heard.clear()


@dataclass(kw_only=True, slots=True)
class DryRunOverlay:
    """Reads like the store and takes changes that nobody else ever sees."""

    integration: Integration
    now: float
    links: dict[LinkId, Link] = field(default_factory=dict)
    items: dict[ItemRef, Item] = field(default_factory=dict)

    def take(self, changes: PageChanges) -> None:
        self.links |= {link.id: link for link in (*changes.links, *changes.new_links)}
        self.items |= {item.ref: item for item in changes.items}

    async def known(
        self, connection: AsyncConnection, events: Sequence[CronofyEvent], equals: EqualsOfRun
    ) -> KnownRows:
        """What bears on these events (compare ``PageWriter`` of the inbound side, which locks as well)."""
        ids = {event.event_id for event in events if event.event_id}
        uids = {event.event_uid for event in events}
        stored = await links.of_events(connection, self.integration.id, event_ids=ids, event_uids=uids)
        here = self._over(stored, [one for one in self.links.values() if _speaks_of(one, ids, uids)])
        free = await self._unlinked(connection, events)
        found = await self.load(connection, {link.item_ref for link in here} | free)
        known = KnownRows(
            integration=self.integration,
            links=here,
            items=found,
            prior=frozenset(),
            **await surroundings(connection, self.integration, events, here, now=self.now),
        )
        return await equals.among(connection, known, events, [found[ref] for ref in free if ref in found])

    async def load(self, connection: AsyncConnection, refs: Iterable[ItemRef]) -> dict[ItemRef, Item]:
        wanted = set(refs)
        stored = await items.load(connection, wanted - self.items.keys())
        return stored | {ref: self.items[ref] for ref in wanted & self.items.keys()}

    async def links_of(self, connection: AsyncConnection, refs: Iterable[str]) -> dict[ItemRef, Link]:
        """The integration's links of these items on its calendar."""
        wanted = set(refs)
        stored = await links.of_items(connection, wanted)
        played = [link for link in self.links.values() if link.item_ref in wanted]
        return {link.item_ref: link for link in self._over(stored, played)}

    def _over(self, stored: Iterable[Link], played: Iterable[Link]) -> list[Link]:
        whole = {link.id: link for link in stored} | {link.id: link for link in played}
        return [
            link
            for link in whole.values()
            if link.integration_id == self.integration.id and link.calendar_id == self.integration.calendar_id
        ]

    async def _unlinked(self, connection: AsyncConnection, events: Sequence[CronofyEvent]) -> set[ItemRef]:
        starts = {as_instant(event.start) for event in events}
        stored = await items.unlinked(connection, self.integration, starts)
        return set(stored) - {link.item_ref for link in self.links.values()}


def _speaks_of(link: Link, ids: set[str], uids: set[str]) -> bool:
    return link.event_id in ids or link.event_uid in uids
