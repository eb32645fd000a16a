"""An item's story: how it stands on each linked calendar, and what happened on the way (R19, R27)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contracts.calendar import Integration, Item, Link, Origin
from handlers.item_status import ItemStanding, ItemStatus, status_of
from service.integrations.accounts.own_events import edits_own_events
from service.integrations.ownership import Person
from service.store.engine.store import Store
from service.store.integrations import listing, reads
from service.store.integrations.listing import IntegrationView
from service.store.links import links
from service.store.logs import logs

STORY_CALENDARS = 50
STORY_ENTRIES = 50
_UNREAD = frozenset({ItemStanding.ACCEPTED, ItemStanding.ON_ITS_WAY})
ASKED = frozenset({"not_asked", "refused"})
READ_BACK_AFTER = timedelta(seconds=3)
"""Cronofy says nothing of what is written through it: whoever wants to see it there must ask."""
READ_BACK_EVERY = timedelta(seconds=10)
READ_BACK_OVERLAP = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoryChapter:
    """One linked calendar's part of the story."""

    shown: IntegrationView
    told: ItemStatus
    asks: bool = False
    """Whether the event is the person's own, and Vorex may not change those yet (R34)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemStory:
    """Everything that is told of one item."""

    chapters: Sequence[StoryChapter]
    entries: Sequence[Mapping[Any, Any]]
    """Newest first."""

    @property
    def settled(self) -> bool:
        return all(chapter.told.settled for chapter in self.chapters)


class ItemStories:
    """Tells them; where a write is not confirmed yet, the calendar is noted as to be read, as by a notice."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, person: Person, item: Item) -> ItemStory:
        """Of an item that was shown to this person."""
        async with self._store.read() as connection:
            mine = await listing.listed(connection, person.owner, limit=STORY_CALENDARS)
            finished = [shown for shown in mine if shown.integration.finished_at is not None]
            known = _by_calendar(await links.of_items(connection, [item.ref]))
            ids = [shown.integration.id for shown in finished]
            entries = await logs.entries_of_item(connection, ids, item.ref, limit=STORY_ENTRIES)
        chapters = [_chapter(item, shown, known) for shown in finished]
        await self._read_back([one for one in chapters if one.told.standing in _UNREAD])
        return ItemStory(chapters=chapters, entries=entries)

    async def _read_back(self, accepted: Sequence[StoryChapter]) -> None:
        if not accepted:
            return
        async with self._store.read() as connection:
            now = await self._store.moment(connection)
        due = [one for one in accepted if _is_due(one, now)]
        if due:
            async with self._store.begin() as connection:
                for one in due:
                    since = (one.told.at or now) - READ_BACK_OVERLAP
                    await reads.notice(connection, one.shown.integration.id, since, now=now.timestamp())


def _is_due(chapter: StoryChapter, now: datetime) -> bool:
    at, checked = chapter.told.at, chapter.shown.last_checked_at
    lately = checked is not None and now - checked < READ_BACK_EVERY
    return at is not None and now - at >= READ_BACK_AFTER and not lately


def _by_calendar(found: Sequence[Link]) -> dict[tuple[str, str], Link]:
    return {(link.integration_id, link.calendar_id): link for link in found if link.ended_at is None}


def _chapter(item: Item, shown: IntegrationView, known: Mapping[tuple[str, str], Link]) -> StoryChapter:
    integration: Integration = shown.integration
    link = known.get((integration.id, integration.calendar_id or ""))
    told = status_of(item, integration, link, delayed=shown.delayed_since)
    own = link is not None and link.origin is Origin.EXTERNAL
    return StoryChapter(shown=shown, told=told, asks=own and edits_own_events(shown) in ASKED)
