"""Ann, whose integration watches, and what is told of it."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from contracts.calendar import Outcome, Trigger
from contracts.vorex import Action
from service.integrations import views
from service.integrations.watching import WatchedReport, report
from service.store.tables import log_entries
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

ON_THE_FOURTH: dict[str, Any] = {"start": "2026-12-04T09:00:00Z", "end": "2026-12-04T10:00:00Z"}
ON_THE_FIFTH: dict[str, Any] = {"start": "2026-12-05T09:00:00Z", "end": "2026-12-05T10:00:00Z"}

Act = Callable[[TwoPeopleWithRuns], Awaitable[None]]
Told = tuple[str, str, str | None]
"""Direction, action and type of item."""


@asynccontextmanager
async def ann_at(database_url: str, *, watching: bool, **changes: Any) -> AsyncIterator[TwoPeopleWithRuns]:
    """Ann with an event and an item from before, who watches or syncs from now on."""
    async with two_people_with_runs(database_url) as ann:
        ann.add_event("Standing before")
        for title in ("Old", "Older", "Oldest"):
            await ann.say(title, action=Action.CREATED, **ON_THE_FOURTH)
        await noticed(ann)
        if changes:
            await ann.home.set(ann.mine, **changes)
        if watching:
            await ann.switching.watch(ANN, ann.mine)
            await ann.rest()
        yield ann


async def told(ann: TwoPeopleWithRuns, trigger: Trigger) -> Counter[Told]:
    """What was done, or would have been, of Ann's."""
    entry = log_entries.c
    rows = await ann.rows(
        log_entries,
        entry.integration_id == ann.mine,
        entry.trigger == trigger.value,
        entry.outcome == Outcome.DONE.value,
        entry.action.in_(["create", "update", "delete"]),
    )
    return Counter((row["direction"], row["action"], row["item_type"]) for row in rows)


async def seen(ann: TwoPeopleWithRuns) -> WatchedReport:
    """What the page about watching is made of."""
    shown = await views.get_integration(ann.home.store, ANN, ann.mine)
    return await report(ann.home.store, shown, masked=False)


def event_of(ann: TwoPeopleWithRuns, summary: str) -> str:
    (uid,) = [
        one["event_uid"]
        for one in ann.people.world.events(ann.calendar)
        if one["summary"] == summary and not one["deleted"]
    ]
    return str(uid)


def moves(named: str, **fields: Any) -> Act:
    async def act(ann: TwoPeopleWithRuns) -> None:
        ann.people.world.change_event(ann.calendar, event_of(ann, named), **fields)

    return act


async def noticed(ann: TwoPeopleWithRuns) -> None:
    """Cronofy says what changed, and all is at rest."""
    await ann.people.pass_time(30)
    while ann.people.notices:
        await ann.people.notice(0)
    await ann.rest()
