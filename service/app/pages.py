"""Puts together what pages and API work with; apart, for only a process that shows them imports it."""

from contracts.ports import Clock, Depths
from service.app.parts import Parts
from service.consumers.runs.dry_run import Rehearsal
from service.integrations.activate import Switching
from service.integrations.delete import Leaving
from service.integrations.item_story import Stories
from service.integrations.my_calendar import MyCalendar
from service.integrations.runs import Syncing
from service.monitoring.vitals import Vitals
from service.operations import Watch
from service.web.dependencies import Desk
from service.web.tokens import Passes


def make_desk(
    parts: Parts,
    clock: Clock,
    *,
    sign_in_secret: str,
    public_url: str,
    depths: Depths | None = None,
    per_second: int = 50,
    per_minute: int = 500,
) -> Desk:
    """Everything that a route may use.

    ``depths`` counts what waits in the queues; ``per_second`` and ``per_minute`` are Cronofy's limits.
    """
    store = parts.store
    return Desk(
        store=store,
        accounts=parts.accounts,
        switching=Switching(store),
        my_calendar=MyCalendar(store),
        syncing=Syncing(store),
        leaving=Leaving(store),
        held=parts.held,
        rehearsal=Rehearsal(store=store, people=parts.accounts, calendars=parts.cronofy.gateway),
        stories=Stories(store),
        watch=Watch(store, Vitals(store, depths), per_second=per_second, per_minute=per_minute),
        passes=Passes(sign_in_secret, clock=clock),
        clock=clock,
        public_url=public_url,
    )
