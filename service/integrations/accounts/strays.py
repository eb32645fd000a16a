"""Copies of ours that stand for no item any more: shown to operators, and removed (R36)."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.calendar import Code, Direction, Integration, LogAction, LogEntry, Outcome, Trigger
from contracts.cronofy import CronofyEvent, EventsQuery
from contracts.ports import LinkedCalendars, Turn, Urgency
from contracts.writes import Delete
from handlers.judgement import is_gone
from handlers.pairing.identities import STRAY_TITLE
from service.cronofy.page_trail import PageTrail
from service.integrations.ownership import owned_integration
from service.integrations.refusals import ChangedMeanwhile, Conflict
from service.store.engine.store import Store
from service.store.integrations.listing import Owner
from service.store.links import identities
from service.store.logs import logs

ANYONES = Owner(tenant_id=None, user_id=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovedStrays:
    """How many copies Cronofy took off the calendar, and how many it refused to."""

    removed: int
    refused: int


class StrayCopies:
    """Only what is managed under our own client and known to nobody is touched, link by link."""

    def __init__(self, store: Store, cronofy: LinkedCalendars) -> None:
        self._store, self._cronofy = store, cronofy

    async def found(self, integration_id: str) -> Sequence[CronofyEvent]:
        """Those on the linked calendar, of all time. Raises Unknown, or Conflict before a first reading."""
        return await self._strays(await self._integration(integration_id))

    async def remove(self, integration_id: str, *, expect: int, who: str) -> RemovedStrays:
        """Remove them all. Raises ChangedMeanwhile where they are not as many as were counted."""
        integration = await self._integration(integration_id)
        strays = await self._strays(integration)
        if len(strays) != expect:
            raise ChangedMeanwhile(f"There are {len(strays)} by now. Look at them once more.")
        removed, most = 0, self._cronofy.largest_batch
        for at in range(0, len(strays), most):
            removed += await self._remove(integration, strays[at : at + most], who)
        return RemovedStrays(removed=removed, refused=len(strays) - removed)

    async def _integration(self, integration_id: str) -> Integration:
        async with self._store.read() as connection:
            integration = (await owned_integration(connection, ANYONES, integration_id)).integration
        if integration.calendar_id is None or integration.baseline_at is None:
            raise Conflict("setup_unfinished", "Its calendar has not been read yet, so nothing is a stray.")
        return integration

    async def _strays(self, integration: Integration) -> Sequence[CronofyEvent]:
        """Without a range Cronofy shows all of ours, of all time (CRONOFY.md C29)."""
        assert integration.calendar_id is not None
        query = EventsQuery(calendar_ids=(integration.calendar_id,), include_managed=True)
        turn = Turn(integration_id=integration.id, tenant_id=integration.tenant_id, urgency=Urgency.RUN)
        page = await self._cronofy.first_page(integration.sub, query, turn=turn)
        trail, ours = PageTrail(), dict[str, CronofyEvent]()
        while True:
            ours |= {each.event_id: each for each in page.events if each.event_id and not is_gone(each)}
            if page.next_page is None:
                break
            page = await self._cronofy.next_page(integration.sub, trail.follow(page.next_page), turn=turn)
        async with self._store.read() as connection:
            known = await identities.known_event_ids(connection, integration, ours)
        return [event for event_id, event in sorted(ours.items()) if event_id not in known]

    async def _remove(self, integration: Integration, strays: Sequence[CronofyEvent], who: str) -> int:
        writes = [Delete(calendar_id=each.calendar_id, event_id=each.event_id) for each in strays]
        turn = Turn(integration_id=integration.id, tenant_id=integration.tenant_id, urgency=Urgency.RUN)
        answers = await self._cronofy.write(integration.sub, writes, turn=turn)
        done = [answer.accepted for answer in answers]
        entries = [_entry(integration, who, accepted=accepted) for accepted in done]
        async with self._store.begin() as connection:
            await logs.log(connection, entries, now=await self._store.moment(connection))
        return sum(done)


def _entry(integration: Integration, who: str, *, accepted: bool) -> LogEntry:
    return LogEntry(
        integration_id=integration.id,
        trigger=Trigger.OPERATOR,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.DELETE,
        outcome=Outcome.DONE if accepted else Outcome.FAILED,
        code=Code.OK if accepted else Code.REFUSED_BY_CALENDAR,
        reason=f"A copy that stood for no item was removed by {who}."
        if accepted
        else "The calendar refused to have a copy removed that stands for no item.",
        title=STRAY_TITLE,
    )
