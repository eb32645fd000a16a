"""Puts together what works on the store and Cronofy: every object once, its collaborators as arguments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.ports import Clock, LinkedCalendars, Looker
from service.app.cronofy import CronofyParts
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.notices import NoticeHandler
from service.consumers.inbound.pages import Pages
from service.consumers.inbound.reader import Reader
from service.consumers.runs.baseline import Baseline
from service.consumers.runs.compare import Comparison, Notices, Whole
from service.consumers.runs.delete import Leaving
from service.consumers.runs.handler import RunHandler
from service.consumers.runs.move import Moving
from service.consumers.runs.release import Parting as Release
from service.consumers.runs.relink import Adoption
from service.consumers.runs.retrieve import Retrieval
from service.consumers.runs.send import Sending
from service.consumers.runs.steps import (
    COMPARE,
    MATCH,
    MOVE,
    NOTICES,
    RETRIEVE,
    SEND,
    WHOLE,
    Progress,
)
from service.integrations import Accounts
from service.integrations.channels import ChannelAudit
from service.integrations.connection_check import ConnectionCheck
from service.integrations.old_grants import Parting
from service.integrations.run_requests import BASELINE
from service.store.engine.statistics import Statistics
from service.store.engine.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What works on the store and Cronofy together."""

    store: Store
    cronofy: CronofyParts
    looker: ConnectionCheck
    accounts: Accounts
    audit: ChannelAudit
    reader: Reader
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
) -> Parts:
    """Everything on this store; nothing runs or is asked yet.

    ``callback_address``: where Cronofy sends an integration's notices. ``redirect_uri``: where it sends a
    person back. ``delays``: between the attempts at a step of a run.
    """
    looker = ConnectionCheck(store, cronofy.gateway)
    pages = Pages(store)
    reader = Reader(store=store, calendars=cronofy.gateway, looker=looker, clock=clock, pages=pages)
    return Parts(
        store=store,
        cronofy=cronofy,
        looker=looker,
        accounts=Accounts(
            store=store,
            gateway=cronofy.gateway,
            grants=cronofy.tokens,
            check=looker,
            parting=Parting(store, cronofy.gateway),
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
    looker: Looker,
    reader: Reader,
    pages: Pages,
    clock: Clock,
    delays: Sequence[int],
) -> RunHandler:
    """The steps of every kind of run, each once."""
    progress = Progress(store)
    retrieval = Retrieval(store=store, calendars=calendars, progress=progress, clock=clock, pages=pages)
    return RunHandler(
        store=store,
        steps={
            BASELINE: Baseline(
                store=store,
                calendars=calendars,
                progress=progress,
                adoption=Adoption(store, pages),
                part=Release(store),
            ),
            MOVE: Moving(store=store, cronofy=calendars, progress=progress, clock=clock),
            RETRIEVE: retrieval,
            MATCH: retrieval,
            SEND: Sending(store=store, progress=progress, clock=clock),
            NOTICES: Notices(store=store, reader=reader, progress=progress),
            WHOLE: Whole(store=store, reader=reader, progress=progress),
            COMPARE: Comparison(store=store, progress=progress),
        },
        farewell=Leaving(store=store, cronofy=calendars, progress=progress, clock=clock).steps,
        progress=progress,
        looker=looker,
        statistics=Statistics(store, clock),
        delays=delays,
    )
