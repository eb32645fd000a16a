"""Puts together what works on the store and Cronofy: every object once, its collaborators as arguments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.ports import AccountCheck, Clock, LinkedCalendars
from service.app.cronofy import CronofyParts
from service.consumers.inbound.erasure import Erasure
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.notices import NoticeHandler
from service.consumers.inbound.pages import PageWriter
from service.consumers.inbound.questions.answers import DispatcherQuestions
from service.consumers.inbound.reader import CalendarReader
from service.consumers.people import PeopleHandler
from service.consumers.runs.baseline import Baseline
from service.consumers.runs.comparing.compare import CompareNotices, CompareWhole, Comparison
from service.consumers.runs.delete import DeletionSteps
from service.consumers.runs.handler import RunHandler
from service.consumers.runs.move import CopyMove
from service.consumers.runs.recognition import Recognition
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
    UNDO_STEP,
    WHOLE_STEP,
    RunProgress,
)
from service.consumers.runs.undo import Undoing
from service.consumers.runs.unsent import UnsentPairing
from service.cronofy.questions import PeoplesQuestions
from service.integrations import Integrations
from service.integrations.channels import ChannelAudit
from service.integrations.companies.asking import PeopleAsked
from service.integrations.companies.connecting import PeopleConnected
from service.integrations.companies.domain import CompanyCalendar
from service.integrations.companies.ending import CompanyEnding
from service.integrations.companies.giving_back import GrantsReturned
from service.integrations.companies.standing import PeoplesStanding
from service.integrations.companies.steps import CompanySteps
from service.integrations.connection_check import ConnectionCheck
from service.integrations.linking.consents import Consents
from service.integrations.linking.old_grants import OldGrants
from service.integrations.run_requests import BASELINE_STEP
from service.store.engine.statistics import PlannerStatistics
from service.store.engine.store import Store
from service.web.paths import COMPANY_ANSWERS_PATH, COMPANY_CALLBACK_PATH


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyAddresses:
    """Where Cronofy sends an administrator back, and where it answers about a person, by their id."""

    redirect_uri: str
    answer_address: Callable[[str], str]

    @classmethod
    def at(cls, public_url: str) -> "CompanyAddresses":
        return cls(
            redirect_uri=f"{public_url}{COMPANY_CALLBACK_PATH}",
            answer_address=lambda person_id: f"{public_url}{COMPANY_ANSWERS_PATH}/{person_id}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessParts:
    """What works on the store and Cronofy together."""

    store: Store
    cronofy: CronofyParts
    looker: ConnectionCheck
    integrations: Integrations
    consents: Consents
    company: CompanyCalendar
    company_steps: CompanySteps
    audit: ChannelAudit
    reader: CalendarReader
    notices: NoticeHandler
    erasure: Erasure
    runs: RunHandler
    people: PeopleHandler
    held: HeldDeletions
    questions: DispatcherQuestions


def assemble(
    store: Store,
    cronofy: CronofyParts,
    clock: Clock,
    *,
    callback_address: Callable[[str], str],
    redirect_uri: str,
    company_addresses: CompanyAddresses,
    delays: Sequence[int],
) -> ProcessParts:
    """Everything on this store; nothing runs or is asked yet.

    ``callback_address``: where Cronofy sends an integration's notices. ``redirect_uri``: where it sends a
    person back. ``company_addresses``: both for a company. ``delays``: between attempts at a run's step.
    """
    looker = ConnectionCheck(store, cronofy.gateway)
    pages = PageWriter(store)
    reader = CalendarReader(
        store=store, calendars=cronofy.gateway, looker=looker, clock=clock, pages=pages, watch=cronofy.watch
    )
    integrations = make_integrations(store, cronofy, clock, looker, callback_address=callback_address)
    standing = make_standing(store, cronofy)
    erasure = make_erasure(store, cronofy, pages, standing)
    return ProcessParts(
        store=store,
        cronofy=cronofy,
        looker=looker,
        integrations=integrations,
        consents=make_consents(store, cronofy, integrations, redirect_uri=redirect_uri),
        company=make_company(store, cronofy, integrations, company_addresses, standing.returning),
        company_steps=make_company_steps(store, cronofy, integrations, company_addresses, standing),
        audit=ChannelAudit(
            store=store, gateway=cronofy.gateway, looker=looker, callback_address=callback_address
        ),
        reader=reader,
        notices=NoticeHandler(store=store, reader=reader, looker=looker, erasure=erasure, clock=clock),
        erasure=erasure,
        runs=make_run_handler(
            store=store,
            calendars=cronofy.gateway,
            looker=looker,
            reader=reader,
            pages=pages,
            clock=clock,
            delays=delays,
        ),
        people=PeopleHandler(store),
        held=HeldDeletions(store, pages),
        questions=DispatcherQuestions(store, pages),
    )


def make_integrations(
    store: Store,
    cronofy: CronofyParts,
    clock: Clock,
    looker: ConnectionCheck,
    *,
    callback_address: Callable[[str], str],
) -> Integrations:
    return Integrations(
        store=store,
        gateway=cronofy.gateway,
        grants=cronofy.tokens,
        questions=PeoplesQuestions(cronofy.gateway, clock),
        check=looker,
        parting=OldGrants(store, cronofy.gateway),
        callback_address=callback_address,
    )


def make_consents(
    store: Store, cronofy: CronofyParts, integrations: Integrations, *, redirect_uri: str
) -> Consents:
    return Consents(
        store=store,
        gateway=cronofy.gateway,
        keeper=cronofy.tokens,
        link=integrations.link,
        asking=integrations.asking,
        redirect_uri=redirect_uri,
    )


def make_standing(store: Store, cronofy: CronofyParts) -> PeoplesStanding:
    returning = GrantsReturned(store=store, gateway=cronofy.gateway, keeper=cronofy.tokens)
    return PeoplesStanding(store=store, keeper=cronofy.tokens, returning=returning)


def make_erasure(
    store: Store, cronofy: CronofyParts, pages: PageWriter, standing: PeoplesStanding
) -> Erasure:
    gateway, tokens = cronofy.gateway, cronofy.tokens
    return Erasure(store=store, gateway=gateway, tokens=tokens, pages=pages, people=standing)


def make_company(
    store: Store,
    cronofy: CronofyParts,
    integrations: Integrations,
    addresses: CompanyAddresses,
    returning: GrantsReturned,
) -> CompanyCalendar:
    return CompanyCalendar(
        store=store,
        gateway=cronofy.gateway,
        keeper=cronofy.tokens,
        asking=integrations.asking,
        redirect_uri=addresses.redirect_uri,
        returning=returning,
    )


def make_company_steps(
    store: Store,
    cronofy: CronofyParts,
    integrations: Integrations,
    addresses: CompanyAddresses,
    standing: PeoplesStanding,
) -> CompanySteps:
    gateway, keeper = cronofy.gateway, cronofy.tokens
    ending = CompanyEnding(store=store, gateway=gateway, keeper=keeper, standing=standing)
    asking = PeopleAsked(
        store=store,
        gateway=gateway,
        keeper=keeper,
        standing=standing,
        returning=standing.returning,
        answer_address=addresses.answer_address,
    )
    connecting = PeopleConnected(
        store=store,
        gateway=gateway,
        keeper=keeper,
        people=integrations,
        standing=standing,
        ending=ending,
        returning=standing.returning,
        redirect_uri=addresses.redirect_uri,
    )
    return CompanySteps(store=store, asking=asking, connecting=connecting, ending=ending, standing=standing)


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
                recognition=Recognition(store, pages),
                pairing=UnsentPairing(store, pages),
                part=Release(store),
            ),
            MOVE_STEP: CopyMove(store=store, cronofy=calendars, progress=progress, clock=clock),
            RETRIEVE_STEP: retrieval,
            MATCH_STEP: retrieval,
            SEND_STEP: Sending(store=store, progress=progress, clock=clock),
            NOTICES_STEP: CompareNotices(store=store, reader=reader, progress=progress),
            WHOLE_STEP: CompareWhole(store=store, reader=reader, progress=progress),
            COMPARE_STEP: Comparison(store=store, progress=progress),
            UNDO_STEP: Undoing(store=store, progress=progress, clock=clock, pages=pages),
        },
        farewell=DeletionSteps(store=store, cronofy=calendars, progress=progress, clock=clock).steps,
        progress=progress,
        looker=looker,
        statistics=PlannerStatistics(store, clock),
        delays=delays,
    )
