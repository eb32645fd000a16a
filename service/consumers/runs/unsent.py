"""What waits to be written when watching ends and stands there already is linked, not doubled (R29)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from contracts.calendar import Integration, Item, ItemRef, Link
from contracts.cronofy import CronofyEvent
from handlers.inbound_page import KnownRows, match_page
from handlers.judgement import Reading, is_gone
from handlers.matching import MatchKey, items_by_match_key, match_key_of_event
from handlers.relink import was_never_sent
from service.consumers.inbound.pages import PageWriter
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations import integrations
from service.store.items import items
from service.store.links import links, sends

PAIRED_A_TRANSACTION = 100
UNSENT_AT_ONCE = 500


class UnsentPairing:
    """Pairs copies that were never sent with equal events, a hundred a transaction; twice does no harm."""

    def __init__(self, store: Store, pages: PageWriter) -> None:
        self._store, self._pages = store, pages

    async def is_due(self, integration: Integration) -> bool:
        """Whether anything was kept back that was never sent."""
        async with self._store.read() as connection:
            return bool(await sends.unsent(connection, integration, after=None, limit=1))

    async def __call__(
        self, integration: Integration, events: Sequence[CronofyEvent], *, asked_at: float
    ) -> None:
        """These are all the events of the calendar."""
        living = [event for event in events if not is_gone(event) and event.event_id is None]
        known = await self._linked(integration, [event.event_uid for event in living])
        free = [event for event in living if event.event_uid not in known]
        often = Counter(map(match_key_of_event, free))
        alone = {twin: event for event in free if often[twin := match_key_of_event(event)] == 1}
        waiting = items_by_match_key(await self._waiting(integration))
        pairs = [
            (alone[twin], each[0].ref) for twin, each in waiting.items() if twin in alone and len(each) == 1
        ]
        reading = Reading(asked_at=asked_at, now=asked_at)
        for at in range(0, len(pairs), PAIRED_A_TRANSACTION):
            await self._link(integration, pairs[at : at + PAIRED_A_TRANSACTION], reading)

    async def _linked(self, integration: Integration, uids: Sequence[str]) -> frozenset[str]:
        async with self._store.read() as connection:
            found = await links.of_events(connection, integration.id, event_ids=(), event_uids=set(uids))
        return frozenset(link.event_uid for link in found if link.event_uid and link.ended_at is None)

    async def _waiting(self, integration: Integration) -> Sequence[Item]:
        found: list[Item] = []
        after: str | None = None
        while True:
            async with self._store.read() as connection:
                some = await sends.unsent(connection, integration, after=after, limit=UNSENT_AT_ONCE)
                known = await items.load(connection, {ref for _, ref in some})
            found += [item for item in known.values() if not item.deleted]
            if len(some) < UNSENT_AT_ONCE:
                return found
            after = some[-1][0]

    async def _link(
        self, integration: Integration, part: Sequence[tuple[CronofyEvent, ItemRef]], reading: Reading
    ) -> None:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            current = await items.load(connection, [ref for _, ref in part], lock=True)
            await integrations.load(connection, [integration.id], lock=True)
            held = {
                link.item_ref: link
                for link in await links.of_items(connection, current, lock=True)
                if link.integration_id == integration.id and _waits(link, integration)
            }
            equals: Mapping[MatchKey, Sequence[Item]] = items_by_match_key(
                item for ref, item in current.items() if ref in held
            )
            known = KnownRows(
                integration=integration, links=(), items=current, prior=frozenset(), equals=equals
            )
            changes = match_page([event for event, _ in part], known, reading, new_id=new_id)
            changes.links = [replace(link, id=held[link.item_ref].id) for link in changes.new_links]
            changes.new_links = []
            await self._pages.save(connection, integration, changes, now=now)


def _waits(link: Link, integration: Integration) -> bool:
    return link.calendar_id == integration.calendar_id and link.ended_at is None and was_never_sent(link)
