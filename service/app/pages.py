"""Puts together what pages and API work with; apart, for only a process that shows them imports it."""

from collections.abc import Sequence

from contracts.ports import Clock, QueueDepths
from service.app.parts import ProcessParts
from service.consumers.runs.dry_run import DryRun
from service.integrations.activate import IntegrationSwitch
from service.integrations.delete import IntegrationDeletion
from service.integrations.item_story import ItemStories
from service.integrations.my_calendar import MyCalendar
from service.integrations.runs import IntegrationRuns
from service.monitoring.vitals import Vitals
from service.operations import Dashboard
from service.web.dependencies import WebServices
from service.web.tokens import TokenMaker


def make_web_services(
    parts: ProcessParts,
    clock: Clock,
    *,
    sign_in_secrets: Sequence[str],
    public_url: str,
    vorex_url: str | None = None,
    depths: QueueDepths | None = None,
    per_second: int = 50,
    per_minute: int = 500,
) -> WebServices:
    """Everything that a route may use.

    ``depths`` counts what waits in the queues; ``per_second`` and ``per_minute`` are Cronofy's limits.
    """
    store = parts.store
    return WebServices(
        store=store,
        integrations=parts.integrations,
        switching=IntegrationSwitch(store),
        my_calendar=MyCalendar(store),
        syncing=IntegrationRuns(store),
        deletion=IntegrationDeletion(store),
        held=parts.held,
        rehearsal=DryRun(store=store, people=parts.integrations, calendars=parts.cronofy.gateway),
        stories=ItemStories(store),
        dashboard=Dashboard(store, Vitals(store, depths), per_second=per_second, per_minute=per_minute),
        tokens=TokenMaker(sign_in_secrets, clock=clock),
        clock=clock,
        public_url=public_url,
        vorex_url=vorex_url,
    )
