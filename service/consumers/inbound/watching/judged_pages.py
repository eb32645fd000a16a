"""One page of a read for an integration that only watches: judged as ever, and nothing of it carried out."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from contracts.calendar import Integration, IntegrationId, Item, ItemRef, Link, Trigger
from contracts.cronofy import CronofyEvent, EventsPage
from contracts.times import as_instant
from handlers.arrivals.before import remembered_keys
from handlers.arrivals.floods import too_many_deletions
from handlers.arrivals.look_alikes import ALIKE_SECONDS, looks_of_items
from handlers.arrivals.series import count_once
from handlers.deletions import carry_out_deletion, hold_deletion
from handlers.inbound_page import ASKED_ABOUT, KnownRows, PageChanges, judge_page
from handlers.judgement import Reading
from service.consumers.inbound.calendar_read import CalendarRead, NotSyncing
from service.consumers.inbound.doubtful import known_until, settle
from service.consumers.inbound.page_deletions import remember_gone
from service.consumers.inbound.pages import PageWriter
from service.consumers.inbound.pending_deletions import link_if_unchanged
from service.consumers.inbound.surroundings import surroundings
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.items import items
from service.store.links import links, watched
from service.store.links.watched import WatchedPair
from service.store.logs import logs

DELETIONS_COUNTED = timedelta(days=1)


class WatchingPages:
    """Judges over what would be there by now, logs what would be done, and remembers it to say it once.

    Where as much is remembered as may be, events that are new are passed over (R43).

    Raises NotSyncing where the integration watches no longer, and TurnLost where the read was taken over.
    """

    def __init__(self, store: Store, pages: PageWriter) -> None:
        self._store, self._pages = store, pages

    async def apply(
        self, reading_pass: CalendarRead, page: EventsPage, *, asked_at: float, last: bool
    ) -> None:
        """One page, at once or not at all; deletions come with the last page (R11)."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            reading = Reading(asked_at=asked_at, now=now, first=reading_pass.first, trigger=Trigger.WATCHING)
            integration = await self._integration(connection, reading_pass.turn.integration_id)
            known, shadows = await self._known(connection, integration, page.events, reading_pass, last=last)
            events: Sequence[CronofyEvent] = page.events
            if await watched.is_full(connection, integration):
                events = _known_by_now(events, known.links)
            changes = judge_page(events, known, reading, new_id=new_id)
            remember_gone(reading_pass, known, changes, reading)
            if last:
                await self._delete(connection, reading_pass, known, changes)
            await self._save(connection, integration, changes, shadows, now=now)
            if last and reading_pass.doubtful:
                await self._settle(connection, reading_pass, integration, reading)
            await self._pages.close_page(connection, reading_pass, now=now, last=last)

    async def _integration(self, connection: AsyncConnection, integration_id: str) -> Integration:
        found = await integrations.load(connection, [integration_id], lock=True)
        integration = found.get(IntegrationId(integration_id))
        if integration is None or not (integration.watching and integration.reads):
            raise NotSyncing
        return integration

    async def _known(
        self,
        connection: AsyncConnection,
        integration: Integration,
        events: Sequence[CronofyEvent],
        reading_pass: CalendarRead,
        *,
        last: bool,
    ) -> tuple[KnownRows, dict[ItemRef, Item]]:
        """What bears on these events, as it would be by now; and the items of it that are not stored so."""
        pending = reading_pass.gone if last else {}
        here, shadows = await _overlaid(connection, integration, events, pending.keys())
        found = await items.load(connection, {link.item_ref for link in here})
        now = await self._store.now(connection)
        around = await surroundings(connection, integration, events, here, now=now)
        starts = {as_instant(event.start) for event in events}
        alike = looks_of_items(await watched.beginning(connection, integration, starts))
        lately = await logs.created_lately(
            connection, integration, since=now - ALIKE_SECONDS, trigger=Trigger.WATCHING
        )
        uids = {event.event_uid for event in events if event.event_id is None}
        asked = await watched.asked_among(connection, integration, uids)
        keys = {key for event in events for key in remembered_keys(event)}
        around["alike"] = around.get("alike", frozenset()) | alike
        around["recent"] = [*around.get("recent", ()), *lately]
        known = KnownRows(
            integration=integration,
            links=here,
            items=found | shadows,
            prior=await reads.prior_among(connection, integration, keys),
            held=dict.fromkeys(asked, ASKED_ABOUT),
            known_until=known_until(reading_pass, integration),
            **around,
        )
        return known, shadows

    async def _delete(
        self, connection: AsyncConnection, reading_pass: CalendarRead, known: KnownRows, changes: PageChanges
    ) -> None:
        """What the read found deleted, or would be held for a person's answer (R11)."""
        standing = {link.id: link for link in known.links}
        alive = {link.id for link in changes.links if link.exists_there}
        due = [
            link_if_unchanged(standing.get(key), found)
            for key, found in reading_pass.gone.items()
            if key not in alive
        ]
        ready = [pair for pair in due if pair is not None]
        held = await self._too_many(connection, reading_pass, known.integration, [link for link, _ in ready])
        for link, reading in ready:
            item = known.items.get(link.item_ref)
            if item is not None and not item.deleted:
                decide = hold_deletion if held else carry_out_deletion
                changes.take(decide(link, item, known.integration, reading))

    @staticmethod
    async def _too_many(
        connection: AsyncConnection,
        reading_pass: CalendarRead,
        integration: Integration,
        gone: Sequence[Link],
    ) -> bool:
        began = datetime.fromtimestamp(reading_pass.turn.began_at, UTC)
        recent = await logs.would_be_deleted(connection, integration.id, since=began - DELETIONS_COUNTED)
        living = await reads.pairs(connection, integration.id) + await watched.new_pairs(
            connection, integration
        )
        new = count_once((link.series_identifier, link.id) for link in gone)
        return too_many_deletions(new=new, recent=recent, pairs=living + recent)

    async def _settle(
        self,
        connection: AsyncConnection,
        reading_pass: CalendarRead,
        integration: Integration,
        reading: Reading,
    ) -> None:
        """What is unknown though it is not new (R36)."""
        events = list(reading_pass.doubtful.values())
        known, shadows = await self._known(connection, integration, events, reading_pass, last=False)
        settled = await settle(connection, events, known, reading)
        await self._save(connection, integration, settled, shadows, now=reading.now)

    @staticmethod
    async def _save(
        connection: AsyncConnection,
        integration: Integration,
        changes: PageChanges,
        shadows: dict[ItemRef, Item],
        *,
        now: float,
    ) -> None:
        by_ref = shadows | {item.ref: item for item in changes.items}
        asked = [event.event_uid for event, _ in changes.held]
        changed = [*changes.links, *changes.new_links]
        await watched.save(connection, integration, changed, by_ref, asked=asked)
        await reads.add_prior(connection, integration, changes.prior)
        await logs.log(connection, changes.entries, now=datetime.fromtimestamp(now, UTC))


def _known_by_now(events: Sequence[CronofyEvent], here: Sequence[Link]) -> list[CronofyEvent]:
    """Those that need nothing more to be remembered; what is new beside them is neither kept nor said."""
    uids, ids = {link.event_uid for link in here}, {link.event_id for link in here} - {None}
    return [event for event in events if event.event_uid in uids or event.event_id in ids]


async def _overlaid(
    connection: AsyncConnection,
    integration: Integration,
    events: Sequence[CronofyEvent],
    link_ids: Collection[str],
) -> tuple[list[Link], dict[ItemRef, Item]]:
    """The links that speak of these events or have these ids, and items, as they would be by now."""
    ids = {event.event_id for event in events if event.event_id}
    uids = {event.event_uid for event in events}
    pairs = await watched.of_events(
        connection, integration, event_ids=ids, event_uids=uids, link_ids=link_ids
    )
    stored = await links.of_events(connection, integration.id, event_ids=ids, event_uids=uids)
    stored_by_id = {link.id: link for link in stored}
    stored_by_id |= await links.load(connection, {*link_ids, *(pair.link.id for pair in pairs)})
    known = await items.load(connection, {pair.link.item_ref for pair in pairs})
    standing = [
        pair
        for pair in pairs
        if not _overtaken(pair, stored_by_id.get(pair.link.id), known.get(pair.link.item_ref))
    ]
    whole = stored_by_id | {pair.link.id: pair.link for pair in standing}
    here = [link for link in whole.values() if link.calendar_id == integration.calendar_id]
    return here, {pair.item.ref: pair.item for pair in standing if pair.item is not None}


def _overtaken(pair: WatchedPair, link: Link | None, item: Item | None) -> bool:
    """Whether Vorex changed the item, or what its link should be, since it was judged."""
    newer = item is not None and pair.item is not None and item.vorex_version > pair.item.vorex_version
    return newer or (link is not None and link.desired_revision > pair.link.desired_revision)
