"""Finish: what is checked, what is saved, and which reading or run follows (G10, R5, R33)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from contracts.calendar import Integration, Status
from contracts.cronofy import Calendar
from contracts.event_fields import TAKES_DETAILS
from contracts.messages import IntegrationChange
from service.integrations.catch_up import request_comparison
from service.integrations.companies.locks import check_locked
from service.integrations.facts import tell_change
from service.integrations.refusals import Conflict, Invalid, Unknown
from service.integrations.run_requests import RunRange, request_run
from service.integrations.settings_form import Choices, RetrieveOption, SendOption
from service.integrations.watching import begin, end_watching, start_watching
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import held_imports, listing, reads
from service.store.integrations.integrations import change, change_state, learn_anew, standing
from service.store.integrations.listing import IntegrationView
from service.store.links import agreement, moves
from service.store.questions import absences
from service.store.runs import runs

OTHER_CALENDAR_CHOSEN = "Another calendar was chosen."
STAYS_ON_ITS_CALENDAR = "Copies cannot follow to another calendar while the integration only watches."
LINKED_BY_FINISH = (
    "The integration is not active: Finish, which activates it, links another calendar and syncs."
)
Aim = Literal["activate", "watch", "keep"]
"""Whether it is active from then on, only watches until *Begin*, or stays as it is (G10, G11)."""


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
    listed: Sequence[str]
    """The ids of all calendars of the account."""
    aim: Aim = "activate"

    def watches(self, before: Integration) -> bool:
        return self.aim == "watch" or (self.aim == "keep" and before.watching)

    def stays_off(self, before: Integration) -> bool:
        """Whether what somebody switched off, or an administrator paused, is not switched on."""
        off = before.finished_at is not None and not before.active
        return self.aim == "keep" and off and not before.watching


def check_choices(choices: Choices) -> None:
    """R5: something must be left to sync."""
    if not choices.imports and not choices.sends:
        raise Conflict(
            "nothing_selected", "Select at least one event type or one calendar item type to sync."
        )


def check_details(choices: Choices, provider_name: str) -> None:
    """Nothing is asked of a provider that does not take it."""
    if choices.wants_details and provider_name not in TAKES_DETAILS:
        raise Invalid.one("event_details", "must be off: this kind of calendar keeps neither")


def known_calendar(shown: IntegrationView, choices: Choices) -> Calendar | None:
    """The linked calendar as it was seen last, where that serves; None where Cronofy must be asked.

    It must, for another calendar, a first Finish or a lost connection, and before the first item is sent to
    a calendar of which nobody has yet asked whether it can be written to.
    """
    known = shown.integration
    same = known.finished_at is not None and choices.calendar_id == known.calendar_id
    sends_anew = choices.sends and not known.item_types
    if not same or known.status is not Status.CONNECTED or sends_anew or known.calendar_name is None:
        return None
    return Calendar(
        calendar_id=choices.calendar_id,
        name=known.calendar_name,
        read_only=not known.item_types,
        deleted=False,
        primary=False,
        permission_level=known.permission_level,
        profile_id=known.profile_id,
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
    if calendar.name in await listing.names_linked(connection, before.integration):
        raise Conflict("already_linked", "You have linked this calendar already.")
    await check_locked(connection, integration_id, choices.model_dump())
    if wanted.stays_off(before.integration):
        return await _keep_off(store, connection, before, wanted)
    watches = wanted.watches(before.integration)
    moves = await _moves(connection, before.integration, choices)
    if watches and moves:
        raise Conflict("not_editable", STAYS_ON_ITS_CALENDAR)
    if (choices.wants_run or moves) and await runs.run_in_progress(connection, integration_id):
        raise Conflict("run_in_progress", "A sync is running; wait until it has ended.")
    await _save(store, connection, before, wanted, active=not watches)
    if watches:
        return await _watch(store, connection, user_id, before.integration, choices)
    await _tell(store, connection, before.integration)
    if before.integration.watching and choices.calendar_id == before.integration.calendar_id:
        run_id = await begin(store, connection, await _found(connection, integration_id), delay=0.0)
        return FinishedSetup(shown=await _found(connection, integration_id), run_id=run_id)
    await end_watching(connection, before.integration)
    listed = choices.wants_run or moves
    run_id = await _follow_up(store, connection, user_id, before.integration, choices, listed=listed)
    shown = await _found(connection, integration_id)
    return FinishedSetup(shown=shown, run_id=run_id if listed else None)


async def _keep_off(
    store: Store, connection: AsyncConnection, before: IntegrationView, wanted: ChosenSetup
) -> FinishedSetup:
    """Saved alone: nothing is read or brought, and nothing is chosen that would be later, unasked."""
    choices = wanted.choices
    ranges = (choices.retrieve.model_dump(), choices.send.model_dump())
    begins = choices.wants_run and ranges != (before.retrieve, before.send)
    if begins or choices.calendar_id != before.integration.calendar_id:
        raise Conflict("inactive", LINKED_BY_FINISH)
    await _save(store, connection, before, wanted, active=False)
    await _tell(store, connection, before.integration, activated=False)
    return FinishedSetup(shown=await _found(connection, before.integration.id), run_id=None)


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
    store: Store, connection: AsyncConnection, before: IntegrationView, wanted: ChosenSetup, *, active: bool
) -> None:
    known, choices, calendar = before.integration, wanted.choices, wanted.calendar
    values: dict[str, Any] = {
        "calendar_id": calendar.calendar_id,
        "calendar_name": calendar.name,
        "permission_level": calendar.permission_level,
        "active": active,
        **standing(Status.CONNECTED, await store.moment(connection)),
        "reason": None,
        "event_types": choices.event_types.model_dump(),
        "item_types": choices.item_types.model_dump(),
        "event_details": choices.event_details.model_dump(),
        "retrieve": choices.retrieve.model_dump(),
        "send": choices.send.model_dump(),
        "finished_at": known.finished_at or await store.moment(connection),
        "listed_calendars": list(wanted.listed),
        **({} if choices.name is None else {"own_name": choices.name.strip() or None}),
    }
    if calendar.calendar_id != known.calendar_id:
        # What stands on the new calendar by now was there before (R33).
        moved_at = await store.moment(connection)
        values |= {"baseline_at": None, "known_since": None, "channel_id": None, "finished_at": moved_at}
        values |= {"permission_answer": None}
        await reads.forget_reads(connection, known.id)
        await agreement.forget(connection, known.id)
        await held_imports.forget_of(connection, known)
        await absences.forget_of(connection, known)
        await runs.end_all(
            connection, known.id, reason=OTHER_CALENDAR_CHOSEN, at=await store.moment(connection)
        )
    elif known.finished_at and not (known.active and known.status is Status.CONNECTED):
        if known.status is not Status.CONNECTED:
            await learn_anew(connection, known)
        if active:
            await request_comparison(store, connection, known)
    await change(connection, known.id, **values)
    await change_state(connection, known.id, looked_at=None)


async def _watch(
    store: Store, connection: AsyncConnection, user_id: str, before: Integration, choices: Choices
) -> FinishedSetup:
    """From now on it says what it would do; its calendar is read once, to know what was there (R33)."""
    now = await store.moment(connection)
    if before.status is not Status.CONNECTED:
        await tell_change(connection, before, IntegrationChange.CONNECTED, now=now)
    if not before.watching or choices.calendar_id != before.calendar_id:
        await start_watching(connection, before, now=now)
    shown = await _found(connection, before.id)
    if shown.integration.baseline_at is None and not await runs.reading_in_progress(connection, before.id):
        await request_run(store, connection, before.id, kind="finish", started_by=user_id, listed=False)
    return FinishedSetup(shown=shown, run_id=None)


async def _tell(
    store: Store, connection: AsyncConnection, before: Integration, *, activated: bool = True
) -> None:
    now = await store.moment(connection)
    if before.status is not Status.CONNECTED:
        await tell_change(connection, before, IntegrationChange.CONNECTED, now=now)
    if activated and not before.active:
        await tell_change(connection, before, IntegrationChange.ACTIVATED, now=now)


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
