"""Finish: what is checked, what is saved, and which reading or run follows (G10, R5, R33)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.calendar import Integration, Status
from contracts.cronofy import Calendar
from contracts.messages import IntegrationChange
from service.integrations.catch_up import request_comparison
from service.integrations.facts import integration_changed
from service.integrations.refusals import Conflict, Invalid, Unknown
from service.integrations.run_requests import RunRange, request_run
from service.integrations.settings_form import Choices, RetrieveOption, SendOption
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import listing, reads
from service.store.integrations.integrations import change, change_state
from service.store.integrations.listing import IntegrationView
from service.store.links import moves
from service.store.messages.outbox import enqueue
from service.store.runs import runs

OTHER_CALENDAR_CHOSEN = "Another calendar was chosen."


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedSetup:
    """The integration as saved, and the run that its options started."""

    shown: IntegrationView
    run_id: str | None


@dataclass(frozen=True, slots=True)
class ChosenSetup:
    """What the person chose, and the calendar that it names."""

    choices: Choices
    calendar: Calendar


def check_choices(choices: Choices) -> None:
    """R5: something must be left to sync."""
    if not choices.imports and not choices.sends:
        raise Conflict(
            "nothing_selected", "Select at least one event type or one calendar item type to sync."
        )


def check_calendar(choices: Choices, offered: Sequence[Calendar]) -> Calendar:
    """The chosen calendar, which the account must have and what is to be sent must be writable to."""
    chosen = next((one for one in offered if one.calendar_id == choices.calendar_id), None)
    if chosen is None:
        raise Invalid.one("calendar_id", "must be a calendar of the connected account")
    if chosen.read_only and choices.sends:
        raise Invalid.one("calendar_id", "must not be read-only while calendar items are selected to be sent")
    return chosen


async def finish(
    store: Store, connection: AsyncConnection, user_id: str, integration_id: str, wanted: ChosenSetup
) -> FinishedSetup:
    """Save the settings with all that follows from them, in the caller's transaction."""
    choices, calendar = wanted.choices, wanted.calendar
    await listing.lock(connection, integration_id)
    before = await _found(connection, integration_id)
    if await listing.links_calendar(connection, before.integration, calendar.name):
        raise Conflict("already_linked", "You have linked this calendar already.")
    moves = await _moves(connection, before.integration, choices)
    if (choices.wants_run or moves) and await runs.run_in_progress(connection, integration_id):
        raise Conflict("run_in_progress", "A sync is running; wait until it has ended.")
    await _save(store, connection, before, wanted)
    await _tell(store, connection, before.integration)
    listed = choices.wants_run or moves
    run_id = await _follow_up(store, connection, user_id, before.integration, choices, listed=listed)
    shown = await _found(connection, integration_id)
    return FinishedSetup(shown=shown, run_id=run_id if listed else None)


async def _moves(connection: AsyncConnection, before: Integration, choices: Choices) -> bool:
    """Whether copies are to follow to the calendar that is chosen now, or are left for good (R16)."""
    if before.calendar_id is None or choices.calendar_id == before.calendar_id:
        return False
    if choices.copies == "leave":
        await moves.leave(connection, before)
        return False
    return await moves.follow(connection, before)


async def _found(connection: AsyncConnection, integration_id: str) -> IntegrationView:
    shown = await listing.find(connection, integration_id)
    if shown is None:
        raise Unknown("There is no such integration.")
    return shown


async def _save(
    store: Store, connection: AsyncConnection, before: IntegrationView, wanted: ChosenSetup
) -> None:
    known, choices, calendar = before.integration, wanted.choices, wanted.calendar
    values: dict[str, Any] = {
        "calendar_id": calendar.calendar_id,
        "calendar_name": calendar.name,
        "permission_level": calendar.permission_level,
        "active": True,
        "status": Status.CONNECTED.value,
        "reason": None,
        "event_types": choices.event_types.model_dump(),
        "item_types": choices.item_types.model_dump(),
        "retrieve": choices.retrieve.model_dump(),
        "send": choices.send.model_dump(),
        "finished_at": known.finished_at or await store.moment(connection),
    }
    if calendar.calendar_id != known.calendar_id:
        # What stands on the new calendar by now was there before (R33).
        moved_at = await store.moment(connection)
        values |= {"baseline_at": None, "channel_id": None, "finished_at": moved_at}
        await reads.forget_reads(connection, known.id)
        await runs.end_all(
            connection, known.id, reason=OTHER_CALENDAR_CHOSEN, at=await store.moment(connection)
        )
    elif known.finished_at and not (known.active and known.status is Status.CONNECTED):
        await request_comparison(store, connection, known)
    await change(connection, known.id, **values)
    await change_state(connection, known.id, looked_at=None)


async def _tell(store: Store, connection: AsyncConnection, before: Integration) -> None:
    now = await store.moment(connection)
    words: list[IntegrationChange] = []
    if before.status is not Status.CONNECTED:
        words.append(IntegrationChange.CONNECTED)
    if not before.active:
        words.append(IntegrationChange.ACTIVATED)
    facts = [integration_changed(before, word, now=now) for word in words]
    await enqueue(connection, facts, now=now.timestamp())


async def _follow_up(
    store: Store,
    connection: AsyncConnection,
    user_id: str,
    before: Integration,
    choices: Choices,
    *,
    listed: bool,
) -> str | None:
    """The run that reads the calendar, brings what the options ask for, or both; none where none is due."""
    moved = choices.calendar_id != before.calendar_id
    unread = moved or before.baseline_at is None
    reading = await runs.reading_in_progress(connection, before.id)
    if not (choices.wants_run or moved or (unread and not reading)):
        return None
    await runs.end_readings(connection, before.id, now=await store.moment(connection))
    return await request_run(
        store,
        connection,
        before.id,
        kind="finish",
        started_by=user_id,
        listed=listed,
        retrieve=range_of(choices.retrieve),
        send=range_of(choices.send),
    )


def range_of(option: RetrieveOption | SendOption) -> RunRange:
    """The range that a run is asked for with; None where the option is off."""
    return {"past": option.past, "future": option.future} if option.enabled else None
