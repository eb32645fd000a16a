"""The reading at Finish also finds what earlier integrations of the person knew (R21)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from contracts.calendar import Integration, Item, ItemRef, Link, LinkId, LogEntry
from contracts.cronofy import CronofyEvent
from handlers.inbound_page import PageChanges
from handlers.judgement import Judgement, Reading
from handlers.relink import Tombstone, TombstoneSign, adopted_link, carried_link, pair_up, was_never_sent
from service.consumers.inbound.pages import PageWriter
from service.consumers.runs.steps import DueStep
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations
from service.store.items import items
from service.store.links import links, tombstones
from service.store.links.tombstones import TombstoneKey

ADOPTED_A_TRANSACTION = 100

AdoptTombstone = Callable[[Tombstone, LinkId], Judgement]


class Adoption:
    """Links events again that were linked before, a hundred a transaction; done twice it does no harm."""

    def __init__(self, store: Store, pages: PageWriter) -> None:
        self._store, self._pages = store, pages

    async def traces(self, integration: Integration) -> Sequence[TombstoneKey]:
        """What the person's deleted integrations left; nothing for most."""
        async with self._store.read() as connection:
            return await tombstones.of_person(connection, integration)

    async def still_leaving(self, integration: Integration) -> bool:
        """Whether copies of a deleted integration are still being removed: they are not to be adopted."""
        async with self._store.read() as connection:
            return await tombstones.leaving(connection, integration)

    async def adopt(
        self, due: DueStep, traces: Sequence[TombstoneKey], events: Sequence[CronofyEvent], *, asked_at: float
    ) -> None:
        """Link these events to the items that they stand for."""
        newest = tombstones.newest(traces)
        pairing = pair_up(events, await self._signs(list(newest.values())))
        integration = due.integration
        reading = Reading(asked_at=asked_at, now=asked_at)
        work: list[tuple[TombstoneSign, CronofyEvent | None]] = [*pairing.found]
        work += [(sign, None) for sign in pairing.unseen]
        for at in range(0, len(work), ADOPTED_A_TRANSACTION):
            part = {sign.item_ref: event for sign, event in work[at : at + ADOPTED_A_TRANSACTION]}
            async with self._store.read() as connection:
                known = await tombstones.known(connection, [newest[ref] for ref in part])
            adopts = [(each, _adopting(part[each.item.ref], integration, reading)) for each in known]
            await self._some(integration, adopts)

    async def _signs(self, traces: Sequence[TombstoneKey]) -> list[TombstoneSign]:
        """By which the events are told; pairs and items themselves are too many to be held at once."""
        signs: list[TombstoneSign] = []
        for at in range(0, len(traces), ADOPTED_A_TRANSACTION):
            async with self._store.read() as connection:
                known = await tombstones.known(connection, traces[at : at + ADOPTED_A_TRANSACTION])
            signs += map(TombstoneSign.of, known)
        return signs

    async def _some(self, integration: Integration, work: Sequence[tuple[Tombstone, AdoptTombstone]]) -> None:
        refs = {each.item.ref for each, _ in work}
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            current = await items.load(connection, refs, lock=True)
            await integrations.load(connection, [integration.id], lock=True)
            here = await _links_here(connection, integration, refs)
            changes = PageChanges()
            for each, adopt in work:
                known = here.get(each.item.ref)
                if known is None or was_never_sent(known):
                    fresh = replace(each, item=current.get(each.item.ref, each.item))
                    _take(changes, adopt(fresh, known.id if known else LinkId(new_id())), known)
            await self._pages.save(connection, integration, changes, now=now)


def _adopting(event: CronofyEvent | None, integration: Integration, reading: Reading) -> AdoptTombstone:
    """Without an event the pair is carried over as it was."""
    if event is None:
        return lambda tombstone, link_id: carried_link(tombstone, integration, link_id)
    return lambda tombstone, link_id: adopted_link(tombstone, event, integration, reading, link_id)


def _take(changes: PageChanges, judgement: Judgement, known: Link | None) -> None:
    link = judgement.link
    assert link is not None
    (changes.links if known else changes.new_links).append(link)
    item: Item | None = judgement.item
    entries: Sequence[LogEntry] = judgement.entries
    changes.items.extend([item] if item else [])
    changes.entries.extend(entries)


async def _links_here(
    connection: AsyncConnection, integration: Integration, refs: set[ItemRef]
) -> dict[ItemRef, Link]:
    found = await links.of_items(connection, refs, lock=True)
    return {
        link.item_ref: link
        for link in found
        if link.integration_id == integration.id and link.calendar_id == integration.calendar_id
    }
