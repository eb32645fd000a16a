"""The answer to deletions that were held: carried out, or undone in the calendar (R11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from contracts.calendar import (
    Code,
    Integration,
    IntegrationId,
    Item,
    ItemRef,
    Link,
    LinkId,
    LinkState,
    Trigger,
)
from handlers.deletions import carry_out_deletion, undo_deletion
from handlers.inbound_page import PageChanges
from handlers.judgement import Reading
from handlers.undoing.recorded import kept_record, page_record
from service.consumers.inbound.pages import PageWriter
from service.integrations.undoing.answers import (
    AnswerGiven,
    SettledAnswer,
    begin_answer,
    note_answered,
)
from service.integrations.views import get_integration
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.integrations.listing import Owner
from service.store.items import items
from service.store.links import links
from service.store.runs.tally import RunTally

HELD_A_TRANSACTION = 200

DeletionAnswer = Literal["delete", "keep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _LockedDeletions:
    """What is asked about, as it stands now: locked in the order in which everybody locks it.

    Items first, then the integration, then links; a run's row, which locks the integration, too, is last.
    """

    items: Mapping[ItemRef, Item]
    integration: Integration
    links: Mapping[LinkId, Link]

    @classmethod
    async def of(
        cls, connection: AsyncConnection, integration_id: IntegrationId, held: Sequence[tuple[str, str]]
    ) -> Self:
        known = await items.load(connection, {ItemRef(ref) for _, ref in held}, lock=True)
        found = await integrations.load(connection, [integration_id], lock=True)
        locked = await links.load(connection, [key for key, _ in held], lock=True)
        return cls(items=known, integration=found[integration_id], links=locked)

    @property
    def waiting(self) -> Sequence[Link]:
        """Those that nobody has answered, and that nothing else ended."""
        return [link for link in self.links.values() if _waits(link, self.integration)]


class HeldDeletions:
    """Settles held deletions, a few hundred a transaction; a link that moved on meanwhile is passed over."""

    def __init__(self, store: Store, pages: PageWriter) -> None:
        self._store, self._pages = store, pages

    async def settle(
        self, owner: Owner, integration_id: str, answer: DeletionAnswer, given: AnswerGiven
    ) -> SettledAnswer:
        """How many deletions were carried out, or undone. Raises Unknown where it is not theirs."""
        shown = await get_integration(self._store, owner, integration_id)
        settled = SettledAnswer()
        while True:
            async with self._store.begin() as connection:
                held = await reads.held_deletions(connection, integration_id, limit=HELD_A_TRANSACTION)
                if not held:
                    return settled
                locked = await _LockedDeletions.of(connection, shown.integration.id, held)
                at = await self._store.moment(connection)
                run_id = settled.run_id
                if run_id is None and locked.waiting:
                    run_id = await begin_answer(connection, shown.integration.id, given, at=at)
                some = await self._settle(connection, answer, locked, run_id=run_id) if run_id else 0
                settled = SettledAnswer(count=settled.count + some, run_id=run_id)
                await reads.forget_deletions(connection, [key for key, _ in held])

    async def _settle(
        self, connection: AsyncConnection, answer: DeletionAnswer, locked: _LockedDeletions, *, run_id: str
    ) -> int:
        integration = locked.integration
        now = await self._store.now(connection)
        reading = Reading(asked_at=now, now=now, trigger=Trigger.RUN, run_id=run_id)
        changes = PageChanges()
        for link in locked.waiting:
            item = locked.items.get(link.item_ref)
            if item is not None and item.content is not None and not item.deleted:
                decide = carry_out_deletion if answer == "delete" else undo_deletion
                changes.take(decide(link, item, integration, reading))
        await self._pages.save(connection, integration, changes, now=now)
        made = [*page_record(locked.items, changes), *kept_record(locked.links, changes)]
        done = len(changes.links)
        gone, kept = (done, 0) if answer == "delete" else (0, done)
        tally = RunTally(done=done, found=done, deleted=gone, updated=kept)
        at = await self._store.moment(connection)
        await note_answered(connection, run_id, integration.id, made, tally=tally, at=at)
        return done


def _waits(link: Link, integration: Integration) -> bool:
    here = link.calendar_id == integration.calendar_id and link.ended_at is None
    return here and link.state is LinkState.HELD and link.code is Code.HELD_DELETION
