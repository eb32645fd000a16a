"""Puts together what works on the store and Cronofy: every object once, its collaborators as arguments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.ports import AccountCheck, Clock, LinkedCalendars
from service.app.cronofy import CronofyParts
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.notices import NoticeHandler
from service.consumers.inbound.pages import PageWriter
from service.consumers.inbound.reader import CalendarReader
from service.consumers.runs.baseline import Baseline
from service.consumers.runs.compare import CompareNotices, CompareWhole, Comparison
from service.consumers.runs.delete import DeletionSteps
from service.consumers.runs.handler import RunHandler
from service.consumers.runs.move import CopyMove
from service.consumers.runs.release import CopyRelease as Release
from service.consumers.runs.relink import Adoption
from service.consumers.runs.retrieve import Retrieval
from service.consumers.runs.send import Sending
from service.consumers.runs.steps import (
    COMPARE_STEP,
    MATCH_STEP,
    MOVE_STEP,
    NOTICES_STEP,
    RETRIEVE_STEP,
    SEND_STEP,
    WHOLE_STEP,
    RunProgress,
)
from service.integrations import Integrations
from service.integrations.channels import ChannelAudit
from service.integrations.connection_check import ConnectionCheck
from service.integrations.old_grants import OldGrants
from service.integrations.run_requests import BASELINE_STEP
from service.store.engine.statistics import PlannerStatistics
from service.store.engine.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessParts:
    """What works on the store and Cronofy together."""

    store: Store
    cronofy: CronofyParts
    looker: ConnectionCheck
    integrations: Integrations
    audit: ChannelAudit
    reader: CalendarReader
    notices: NoticeHandler
    runs: RunHandler
    held: HeldDeletions


def assemble(
    store: Store,
    cronofy: CronofyParts,
    clock: Clock,
    *,
    callback_address: Callable[[str], str],
    redirect_uri: str,
    delays: Sequence[int],
) -> ProcessParts:
    """Everything on this store; nothing runs or is asked yet.

    ``callback_address``: where Cronofy sends an integration's notices. ``redirect_uri``: where it sends a
    person back. ``delays``: between the attempts at a step of a run.
    """
    looker = ConnectionCheck(store, cronofy.gateway)
    pages = PageWriter(store)
    reader = CalendarReader(store=store, calendars=cronofy.gateway, looker=looker, clock=clock, pages=pages)
    return ProcessParts(
        store=store,
        cronofy=cronofy,
        looker=looker,
        integrations=Integrations(
            store=store,
            gateway=cronofy.gateway,
            grants=cronofy.tokens,
            check=looker,
            parting=OldGrants(store, cronofy.gateway),
            callback_address=callback_address,
            redirect_uri=redirect_uri,
        ),
        audit=ChannelAudit(
            store=store, gateway=cronofy.gateway, looker=looker, callback_address=callback_address
        ),
        reader=reader,
        notices=NoticeHandler(store=store, reader=reader, looker=looker),
        runs=make_run_handler(
            store=store,
            calendars=cronofy.gateway,
            looker=looker,
            reader=reader,
            pages=pages,
            clock=clock,
            delays=delays,
        ),
        held=HeldDeletions(store, pages),
    )


def make_run_handler(
    *,
    store: Store,
    calendars: LinkedCalendars,
    looker: AccountCheck,
    reader: CalendarReader,
    pages: PageWriter,
    clock: Clock,
    delays: Sequence[int],
) -> RunHandler:
    """The steps of every kind of run, each once."""
    progress = RunProgress(store)
    retrieval = Retrieval(store=store, calendars=calendars, progress=progress, clock=clock, pages=pages)
    return RunHandler(
        store=store,
        steps={
            BASELINE_STEP: Baseline(
                store=store,
                calendars=calendars,
                progress=progress,
                adoption=Adoption(store, pages),
                part=Release(store),
            ),
            MOVE_STEP: CopyMove(store=store, cronofy=calendars, progress=progress, clock=clock),
            RETRIEVE_STEP: retrieval,
            MATCH_STEP: retrieval,
            SEND_STEP: Sending(store=store, progress=progress, clock=clock),
            NOTICES_STEP: CompareNotices(store=store, reader=reader, progress=progress),
            WHOLE_STEP: CompareWhole(store=store, reader=reader, progress=progress),
            COMPARE_STEP: Comparison(store=store, progress=progress),
        },
        farewell=DeletionSteps(store=store, cronofy=calendars, progress=progress, clock=clock).steps,
        progress=progress,
        looker=looker,
        statistics=PlannerStatistics(store, clock),
        delays=delays,
    )
