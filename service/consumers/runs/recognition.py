"""A complete reading tells which events came back under other ids, before anything is brought (R36)."""

from collections.abc import Sequence

from contracts.calendar import Integration, Item, ItemRef, LinkId
from contracts.cronofy import CronofyEvent
from contracts.times import as_instant
from handlers.arrivals.before import remembered_keys
from handlers.inbound_page import PageChanges
from handlers.judgement import Reading
from handlers.pairing.identities import (
    KnownIdentity,
    RecognisedEvents,
    linked_stray,
    recognise,
    stray_entry,
    stray_key,
)
from handlers.relink import CAME_BACK, Tombstone, adopted_link
from service.consumers.inbound.pages import PageWriter
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import held_imports, integrations, reads
from service.store.items import items
from service.store.links import identities, links, sends

RECOGNISED_A_TRANSACTION = 100
IDENTITIES_AT_ONCE = 500


class Recognition:
    """Pairs what is unknown with what is known, a hundred a transaction; done twice it does no harm."""

    def __init__(self, store: Store, pages: PageWriter) -> None:
        self._store, self._pages = store, pages

    async def __call__(
        self, integration: Integration, events: Sequence[CronofyEvent], *, asked_at: float
    ) -> None:
        """These are all the events of the calendar; at a first reading, at least all that are ours."""
        own = await self._strange_copies(integration, events)
        events = [event for event in events if event.event_id is None or event.event_id in own]
        known = await self._known(integration, events)
        found = recognise(
            events,
            known,
            prior=await self._prior(integration, events),
            known_since=integration.known_since,
            had_prior=await self._had_prior(integration),
            asked=await self._asked(integration, events),
        )
        reading = Reading(asked_at=asked_at, now=asked_at)
        for at in range(0, len(found.found), RECOGNISED_A_TRANSACTION):
            part = dict(found.found[at : at + RECOGNISED_A_TRANSACTION])
            await self._link(integration, part, reading)
        await self._leave(integration, found, reading)

    async def _strange_copies(
        self, integration: Integration, events: Sequence[CronofyEvent]
    ) -> frozenset[str]:
        """Own event ids, but those that another integration of the account knows, a deleted one too."""
        ids = {event.event_id for event in events if event.event_id is not None}
        async with self._store.read() as connection:
            return frozenset(ids) - await identities.known_to_others(connection, integration, ids)

    async def _known(
        self, integration: Integration, events: Sequence[CronofyEvent]
    ) -> Sequence[KnownIdentity]:
        found: list[KnownIdentity] = []
        after: str | None = None
        while True:
            async with self._store.read() as connection:
                ids = await sends.next_links(connection, integration, after=after, limit=IDENTITIES_AT_ONCE)
                some = await links.load(connection, [key for key, _ in ids])
                known = await items.load(connection, {link.item_ref for link in some.values()})
            found += [KnownIdentity.of_link(link, known.get(link.item_ref)) for link in some.values()]
            if len(ids) < IDENTITIES_AT_ONCE:
                break
            after = ids[-1][0]
        return found + await self._free(integration, events)

    async def _free(self, integration: Integration, events: Sequence[CronofyEvent]) -> list[KnownIdentity]:
        """Items without a link here that a copy under an unknown id may stand for."""
        starts = {as_instant(event.start) for event in events if event.event_id is not None}
        if not starts:
            return []
        async with self._store.read() as connection:
            refs = await items.unlinked(connection, integration, starts)
            known = await items.load(connection, refs)
        return [KnownIdentity.of_item(item) for item in known.values()]

    async def _prior(self, integration: Integration, events: Sequence[CronofyEvent]) -> frozenset[str]:
        keys = {key for event in events for key in remembered_keys(event)}
        keys |= {stray_key(event) for event in events if event.event_id is not None}
        async with self._store.read() as connection:
            return await reads.prior_among(connection, integration, keys)

    async def _asked(self, integration: Integration, events: Sequence[CronofyEvent]) -> frozenset[str]:
        async with self._store.read() as connection:
            uids = {event.event_uid for event in events if event.event_id is None}
            return frozenset(await held_imports.among_uids(connection, integration, uids))

    async def _had_prior(self, integration: Integration) -> bool:
        async with self._store.read() as connection:
            return await reads.has_prior(connection, integration)

    async def _link(self, integration: Integration, part: dict[str, CronofyEvent], reading: Reading) -> None:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            before = await links.load(connection, part)
            refs = {ItemRef(key) for key in part if LinkId(key) not in before}
            refs |= {link.item_ref for link in before.values()}
            current = await items.load(connection, refs, lock=True)
            await integrations.load(connection, [integration.id], lock=True)
            changes = PageChanges()
            await self._relink(connection, integration, part, current, reading, changes)
            await self._adopt(connection, integration, part, current, reading, changes)
            await self._pages.save(connection, integration, changes, now=now)

    @staticmethod
    async def _relink(  # noqa: PLR0917
        connection: AsyncConnection,
        integration: Integration,
        part: dict[str, CronofyEvent],
        current: dict[ItemRef, Item],
        reading: Reading,
        changes: PageChanges,
    ) -> None:
        """Links whose event came back under another id."""
        for link in (await links.load(connection, part, lock=True)).values():
            item, event = current.get(link.item_ref), part[link.id]
            if item is not None and item.content is not None and not item.deleted and link.ended_at is None:
                known = Tombstone(link=link, item=item, same_calendar=True)
                changes.take(adopted_link(known, event, integration, reading, link.id, reason=CAME_BACK))

    @staticmethod
    async def _adopt(  # noqa: PLR0917
        connection: AsyncConnection,
        integration: Integration,
        part: dict[str, CronofyEvent],
        current: dict[ItemRef, Item],
        reading: Reading,
        changes: PageChanges,
    ) -> None:
        """Items without a link here, of which a copy stands there."""
        wanted = [ref for ref in current if ref in part]
        linked = {
            link.item_ref
            for link in await links.of_items(connection, wanted, lock=True)
            if (link.integration_id, link.calendar_id) == (integration.id, integration.calendar_id)
        }
        for ref in wanted:
            item = current[ref]
            if ref not in linked and item.content is not None and not item.deleted:
                link, entry = linked_stray(item, part[ref], integration, reading, LinkId(new_id()))
                changes.new_links.append(link)
                changes.entries.append(entry)

    async def _leave(self, integration: Integration, found: RecognisedEvents, reading: Reading) -> None:
        """What fits nothing: there before, or a copy whose item nobody knows, which is named once."""
        prior = [*found.prior, *found.undecided, *map(stray_key, found.strays)]
        entries = [stray_entry(event, integration, reading) for event in found.strays]
        for at in range(0, max(len(prior), len(entries)), IDENTITIES_AT_ONCE):
            part = slice(at, at + IDENTITIES_AT_ONCE)
            changes = PageChanges(prior=prior[part], entries=entries[part])
            async with self._store.begin() as connection:
                now = await self._store.now(connection)
                await self._pages.save(connection, integration, changes, now=now)
