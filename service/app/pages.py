"""Puts together what pages and API work with; apart, for only a process that shows them imports it."""

from collections.abc import Sequence

from contracts.ports import Clock, QueueDepths
from service.app.parts import ProcessParts
from service.consumers.inbound.held_imports import HeldImports
from service.consumers.runs.dry_run import DryRun
from service.integrations.accounts.own_events import OwnEvents
from service.integrations.activate import IntegrationSwitch
from service.integrations.delete import IntegrationDeletion
from service.integrations.leavers.leaving import Leaving
from service.integrations.leavers.records import LeaverRecords
from service.integrations.my_calendar import MyCalendar
from service.integrations.runs import IntegrationRuns
from service.integrations.telling.clock_forecast import ClockForecast
from service.integrations.telling.item_story import ItemStories
from service.integrations.tenants.acts import TenantActs
from service.integrations.undoing.whole_runs import RunUndo
from service.monitoring.vitals import Vitals
from service.monitoring.weather import WeatherNotices
from service.operations import Dashboard
from service.operations.history import History
from service.operations.sources import Sources
from service.store.engine.store import Store
from service.store.integrations.changes_made import ChangesMade
from service.web.dependencies import WebServices
from service.web.pace.peoples_requests import PeoplesRequests
from service.web.pace.rehearsal_pace import RehearsalPace
from service.web.paths import PERMISSION_PATH
from service.web.sessions import Sessions
from service.web.tokens import TokenMaker


def make_web_services(
    parts: ProcessParts,
    clock: Clock,
    *,
    sign_in_secrets: Sequence[str],
    public_url: str,
    data_centre: str,
    vorex_url: str | None = None,
    depths: QueueDepths | None = None,
    per_second: int = 50,
    per_minute: int = 500,
) -> WebServices:
    """Everything that a route may use.

    ``depths`` counts what waits in the queues; data centre and limits are Cronofy's.
    """
    store, weather = parts.store, WeatherNotices(parts.store, data_centre=data_centre)
    switching, deletion = IntegrationSwitch(store), IntegrationDeletion(store)
    return WebServices(
        store=store,
        integrations=parts.integrations,
        consents=parts.consents,
        company=parts.company,
        switching=switching,
        my_calendar=MyCalendar(store),
        clock_forecast=ClockForecast(store),
        syncing=IntegrationRuns(store),
        deletion=deletion,
        tenant_acts=TenantActs(store, switching, deletion),
        leaving=Leaving(store),
        leaver_records=LeaverRecords(store),
        held=parts.held,
        held_imports=HeldImports(store),
        questions=parts.questions,
        own_events=make_own_events(parts, public_url=public_url),
        undoing=RunUndo(store),
        undo_pace=RehearsalPace(clock),
        rehearsal=DryRun(store=store, people=parts.integrations, calendars=parts.cronofy.gateway),
        stories=ItemStories(store),
        dashboard=make_dashboard(store, weather, depths, per_second=per_second, per_minute=per_minute),
        history=History(store),
        weather=weather,
        changes=ChangesMade(store),
        tokens=TokenMaker(sign_in_secrets, clock=clock),
        sessions=Sessions(store),
        requests=PeoplesRequests(),
        clock=clock,
        public_url=public_url,
        vorex_url=vorex_url,
    )


def make_own_events(parts: ProcessParts, *, public_url: str) -> OwnEvents:
    """What asks people for their own events (R34)."""
    return OwnEvents(
        store=parts.store,
        gateway=parts.cronofy.gateway,
        check=parts.looker,
        asking=parts.integrations.asking,
        return_address=lambda state: f"{public_url}{PERMISSION_PATH}?state={state}",
    )


def make_dashboard(
    store: Store, weather: WeatherNotices, depths: QueueDepths | None, *, per_second: int, per_minute: int
) -> Dashboard:
    """What the operations page is read by."""
    return Dashboard(
        store,
        Vitals(store, depths),
        Sources(store),
        weather,
        per_second=per_second,
        per_minute=per_minute,
    )
