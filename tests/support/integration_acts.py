"""What Ann and her machines do with her integration as a whole, whatever state it is in (G9–G16)."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from contracts.calendar import Status
from contracts.errors import Transient
from contracts.vorex import ItemType
from service.consumers.inbound.held_deletions import DeletionAnswer
from service.consumers.inbound.held_imports import HeldImports, ImportAnswer
from service.integrations import Person
from service.integrations.delete import DeletionChoice
from service.integrations.leavers.leaving import CHOICES as LEAVER_CHOICES
from service.integrations.leavers.leaving import Leaving
from service.integrations.refusals import Refusal
from service.integrations.settings_form import Choices, SyncRequest
from service.integrations.undoing.answers import AnswerGiven
from service.integrations.views import get_integration
from service.keeper import daily_reads
from service.store.runs.runs import PERSONS_RUNS
from service.store.tables import runs
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns

DAY_SECONDS = 86_400.0
EMAIL = "ann@example.com"
PERSON = Person(tenant_id="acme", user_id="ann", time_zone="Europe/London")
FUTURES = ("today", "1_week", "1_month", "6_months")
PASTS = ("today", "1_week", "2_weeks", "1_month")
WIDE = {"past": "1_month", "future": "6_months"}
EVENT_TYPES = ("create", "update", "delete")


async def sync(here: TwoPeopleWithRuns, *, retrieve: Any = None, send: Any = None) -> None:
    """Sync now; where it may not be, it is not."""
    request = SyncRequest.model_validate({"retrieve": retrieve, "send": send})
    with suppress(Refusal, Transient):
        await here.syncing.start(ANN, here.mine, request, started_by="ann")


def _range(which: int, value: int) -> dict[str, str]:
    return {"past": PASTS[which % len(PASTS)], "future": FUTURES[value % len(FUTURES)]}


async def cancel(here: TwoPeopleWithRuns) -> None:
    going = await here.rows(runs, runs.c.ended_at.is_(None), runs.c.kind.in_(PERSONS_RUNS), runs.c.listed)
    for row in going:
        with suppress(Refusal, Transient):
            await here.syncing.cancel(ANN, row["id"])


async def deactivate(here: TwoPeopleWithRuns) -> None:
    with suppress(Refusal, Transient):
        await here.switching.deactivate(ANN, here.mine)


async def watch(here: TwoPeopleWithRuns) -> None:
    """From now on it only says what it would do; *activate* begins.

    Where rows do not say when they were made, *Begin* takes what is unknown for older than Finish.
    """
    if here.people.world.faults.sparse_events:
        here.people.toggled.add("ann")
    with suppress(Refusal, Transient):
        await here.switching.watch(ANN, here.mine)


async def activate(here: TwoPeopleWithRuns) -> None:
    with suppress(Refusal, Transient):
        await here.switching.activate(ANN, here.mine)


async def disconnect(here: TwoPeopleWithRuns) -> None:
    """The provider no longer lets Cronofy in; a notice says so."""
    if here.linked:
        here.people.world.disconnect(EMAIL)
        await here.people.world.settle()


async def reconnect(here: TwoPeopleWithRuns) -> None:
    """Ann presses Reconnect, if there is anything to reconnect."""
    if not here.linked:
        return
    broken = not all(profile.connected for profile in here.people.world.profiles(EMAIL))
    if broken or (await here.home.value(here.mine)).status is Status.NOT_CONNECTED:
        here.people.world.reconnect(EMAIL)
        with suppress(Transient):
            await here.home.looker.look(here.mine, at_once=True)


async def leave(here: TwoPeopleWithRuns, which: int) -> None:
    """Delete, with her copies kept or removed."""
    if here.linked:
        copies: DeletionChoice = "remove" if which % 2 else "keep"
        await here.delete(copies)
        here.last_left = copies
        here.linked = False


async def depart(here: TwoPeopleWithRuns, which: int) -> None:
    """Her administrator says that she has left: her integration is paused, or deleted (R54)."""
    if here.linked:
        choice = LEAVER_CHOICES[which % len(LEAVER_CHOICES)]
        with suppress(Refusal):
            await Leaving(here.home.store).leave("acme", "ann", choice, who="administrator vera")
            if choice != "pause":
                here.last_left = choice
                here.linked = False


async def come_back(here: TwoPeopleWithRuns, which: int, value: int) -> None:
    """Ann links the same calendar again, if she has none; with runs or without."""
    if here.linked:
        return
    faults = here.people.world.faults
    faults.change(relink_forgets_managed=value % 3 == 2, new_calendar_ids=value % 4 == 1)
    options = {"retrieve": _range(which, value) if which % 2 else None, "send": WIDE if value % 2 else None}
    await here.relink(**options)
    faults.change(relink_forgets_managed=False, new_calendar_ids=False)
    here.people.toggled.add("ann")


async def settings(here: TwoPeopleWithRuns, which: int, value: int) -> None:
    """She ticks or unticks a box and presses Finish."""
    if not here.linked:
        return
    shown = await get_integration(here.home.store, ANN, here.mine)
    events, kinds = dict(shown.event_types), dict(shown.item_types)
    if which % 2:
        events[EVENT_TYPES[value % len(EVENT_TYPES)]] ^= True
    else:
        kinds[list(ItemType)[value % len(ItemType)].value] ^= True
    await _finish(here, events, kinds, retrieve=which % 5 == 0, send=value % 4 == 0)


async def other_calendar(here: TwoPeopleWithRuns, which: int) -> None:
    """She chooses her other calendar."""
    if here.linked:
        other = "Second" if here.chosen == "Calendar" else "Calendar"
        shown = await get_integration(here.home.store, ANN, here.mine)
        boxes = (shown.event_types, shown.item_types)
        await _finish(here, *boxes, retrieve=False, send=which % 2 == 0, chosen=other)


async def _finish(
    here: TwoPeopleWithRuns, events: Any, kinds: Any, *, retrieve: bool, send: bool, chosen: str = ""
) -> None:
    here.people.toggled.add("ann")
    before, here.chosen = here.chosen, chosen or here.chosen
    choices = Choices.model_validate(
        {
            "calendar_id": here.calendar_id(),
            "event_types": events,
            "item_types": kinds,
            "retrieve": {"enabled": retrieve, **WIDE},
            "send": {"enabled": send, **WIDE},
        }
    )
    with suppress(Refusal, Transient):
        finished = await here.accounts.finish(PERSON, here.mine, choices)
        here.home.calendars[here.mine] = finished.shown.integration.calendar_id or ""
        here.people.world.set_permission(here.calendar, "unrestricted")
        return
    here.chosen = before


async def answer(here: TwoPeopleWithRuns, which: int) -> None:
    """What was held is deleted, or kept; what waits to be brought is left, or brought."""
    if here.linked:
        words: tuple[DeletionAnswer, DeletionAnswer] = ("delete", "keep")
        given = AnswerGiven(by="ann")
        await here.held.settle(ANN, here.mine, words[which % 2], given)
        answers: tuple[ImportAnswer, ImportAnswer] = ("leave", "bring")
        settled = await HeldImports(here.home.store).settle(ANN, here.mine, answers[which % 2], given)
        if settled.count and not which % 2:
            here.people.toggled.add("ann")


async def a_day(here: TwoPeopleWithRuns) -> None:
    """All notices of a day are lost; its full read makes them good."""
    for _ in range(4):
        await here.people.settle()
        await here.people.pass_time(DAY_SECONDS / 4)
        here.people.notices.clear()
    await daily_reads(here.home.store).work()


async def kill(here: TwoPeopleWithRuns, which: int) -> None:
    here.killed += which % 3
    await here.people.kill()


Verb = Callable[[TwoPeopleWithRuns, int, int], Awaitable[None]]
VERBS: dict[str, Verb] = {
    "retrieve": lambda here, which, value: sync(here, retrieve=_range(which, value)),
    "send": lambda here, which, value: sync(here, send=_range(which, value)),
    "sync both": lambda here, *_: sync(here, retrieve=WIDE, send=WIDE),
    "cancel": lambda here, *_: cancel(here),
    "work": lambda here, *_: here.work(),
    "deactivate": lambda here, *_: deactivate(here),
    "activate": lambda here, *_: activate(here),
    "watch": lambda here, *_: watch(here),
    "disconnect": lambda here, *_: disconnect(here),
    "reconnect": lambda here, *_: reconnect(here),
    "leave": lambda here, which, _: leave(here, which),
    "depart": lambda here, which, _: depart(here, which),
    "come back": come_back,
    "settings": settings,
    "other calendar": lambda here, which, _: other_calendar(here, which),
    "answer": lambda here, which, _: answer(here, which),
    "a day": lambda here, *_: a_day(here),
    "kill": lambda here, which, _: kill(here, which),
}
