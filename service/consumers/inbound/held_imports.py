"""The answer to imports that were held: brought by the next read, or remembered as there before (R36)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from contracts.calendar import (
    Code,
    Direction,
    Integration,
    LogAction,
    LogEntry,
    Outcome,
    Trigger,
    item_ref,
)
from contracts.cronofy import CronofyEvent
from contracts.times import wire_time
from handlers.arrivals.before import event_keys
from handlers.edits import masked_event
from handlers.texts.compose import UNTITLED
from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange
from service.integrations.catch_up import request_comparison
from service.integrations.ownership import owned_integration
from service.integrations.undoing.answers import (
    AnswerGiven,
    SettledAnswer,
    begin_answer,
    note_answered,
)
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import held_imports, reads
from service.store.integrations.held_imports import HeldImport
from service.store.integrations.listing import Owner
from service.store.logs import logs
from service.store.runs.tally import RunTally

IMPORTS_A_TRANSACTION = 200

ImportAnswer = Literal["bring", "leave"]


def held_form(event: CronofyEvent, code: Code) -> HeldImport:
    """As much of the event as a person needs to answer, and why; of a private one its time alone (R8)."""
    view = masked_event(event)
    return HeldImport(
        event_uid=event.event_uid,
        event_keys=event_keys(event),
        series_identifier=event.series_identifier,
        code=code,
        title=view.summary or UNTITLED,
        starts=wire_time(event.start),
        ends=wire_time(event.end),
    )


class HeldImports:
    """Settles held imports, a few hundred a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def settle(
        self, owner: Owner, integration_id: str, answer: ImportAnswer, given: AnswerGiven
    ) -> SettledAnswer:
        """How many events were answered for. Raises Unknown where it is not theirs.

        What is brought is undone by undoing the comparison that brings it (R50).
        """
        settled = SettledAnswer()
        while True:
            async with self._store.begin() as connection:
                shown = await owned_integration(connection, owner, integration_id, lock=True)
                known = shown.integration
                held = await held_imports.waiting(connection, known, limit=IMPORTS_A_TRANSACTION)
                run_id = settled.run_id
                if held and answer == "bring":
                    await held_imports.want(connection, known, [each.event_uid for each in held])
                elif held:
                    run_id = await self._leave(connection, known, held, given, run_id=run_id)
                settled = SettledAnswer(count=settled.count + len(held), run_id=run_id)
                if len(held) == IMPORTS_A_TRANSACTION:
                    continue
                if settled.count and answer == "bring" and known.active:
                    comparison = await request_comparison(self._store, connection, known)
                    return replace(settled, run_id=comparison)
                return settled

    async def _leave(
        self,
        connection: AsyncConnection,
        integration: Integration,
        held: Sequence[HeldImport],
        given: AnswerGiven,
        *,
        run_id: str | None,
    ) -> str:
        """Remember them as there before, and that they were asked about; the run that tells of it."""
        at = await self._store.moment(connection)
        run_id = run_id or await begin_answer(connection, integration.id, given, at=at)
        await reads.add_prior(connection, integration, {key for each in held for key in each.event_keys})
        await held_imports.forget(connection, integration, [each.event_uid for each in held])
        await logs.log(connection, [_entry(integration, each, run_id) for each in held], now=at)
        made = [_left(integration, each) for each in held]
        tally = RunTally(done=len(held), found=len(held), updated=len(held))
        await note_answered(connection, run_id, integration.id, made, tally=tally, at=at)
        return run_id


def _entry(integration: Integration, held: HeldImport, run_id: str) -> LogEntry:
    return LogEntry(
        integration_id=integration.id,
        trigger=Trigger.RUN,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.DONE,
        code=Code.HELD_IMPORT,
        reason="Left on the linked calendar alone, as was answered.",
        title=held.title,
        run_id=run_id,
    )


def _left(integration: Integration, held: HeldImport) -> RunChange:
    """The question as it was asked, under the name that an item of this event would have."""
    ref = item_ref(integration.id, "event", held.event_uid)
    told = held_imports.told(held)
    return RunChange(
        side=ChangedSide.QUESTION, kind=ChangeKind.DELETED, item_ref=ref, revision=0, question=told
    )
