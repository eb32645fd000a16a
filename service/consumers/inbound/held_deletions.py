"""The answer to deletions that were held: carried out, or undone in the calendar (R11)."""

from collections.abc import Sequence
from typing import Literal

from contracts.calendar import Code, Integration, IntegrationId, Link, LinkState, Trigger
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
                at = await self._store.moment(connection)
                run_id = settled.run_id or await begin_answer(connection, shown.integration.id, given, at=at)
                some = await self._settle(connection, integration_id, answer, held, run_id=run_id)
                settled = SettledAnswer(count=settled.count + some, run_id=run_id)
                await reads.forget_deletions(connection, [key for key, _ in held])

    async def _settle(
        self,
        connection: AsyncConnection,
        integration_id: str,
        answer: DeletionAnswer,
        held: Sequence[tuple[str, str]],
        *,
        run_id: str,
    ) -> int:
        known = await items.load(connection, {ref for _, ref in held}, lock=True)
        found = await integrations.load(connection, [integration_id], lock=True)
        integration = found[IntegrationId(integration_id)]
        locked = await links.load(connection, [key for key, _ in held], lock=True)
        now = await self._store.now(connection)
        reading = Reading(asked_at=now, now=now, trigger=Trigger.RUN, run_id=run_id)
        changes = PageChanges()
        waiting = [link for link in locked.values() if _waits(link, integration)]
        for link in waiting:
            item = known.get(link.item_ref)
            if item is not None and item.content is not None and not item.deleted:
                decide = carry_out_deletion if answer == "delete" else undo_deletion
                changes.take(decide(link, item, integration, reading))
        await self._pages.save(connection, integration, changes, now=now)
        made = [*page_record(known, changes), *kept_record(locked, changes)]
        done = len(changes.links)
        gone, kept = (done, 0) if answer == "delete" else (0, done)
        tally = RunTally(done=done, found=done, deleted=gone, updated=kept)
        at = await self._store.moment(connection)
        await note_answered(connection, run_id, integration.id, made, tally=tally, at=at)
        return done


def _waits(link: Link, integration: Integration) -> bool:
    here = link.calendar_id == integration.calendar_id and link.ended_at is None
    return here and link.state is LinkState.HELD and link.code is Code.HELD_DELETION
