"""Ends the integrations of whoever leaves, as their tenant decided, and begins the record of it (R54)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from contracts.calendar import (
    Code,
    Direction,
    Integration,
    LogAction,
    LogEntry,
    Outcome,
    Trigger,
)
from service.integrations.activate import switch_off
from service.integrations.delete import delete_known
from service.integrations.refusals import Conflict
from service.integrations.sign_outs import SignOutOrder, sign_out
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations
from service.store.links import tombstones
from service.store.logs import logs
from service.store.people import company_people, leavers

LeaverChoice = Literal["pause", "keep", "remove"]
"""Deactivate alone; or delete, and keep or remove what was added to the linked calendars."""
FIRST_CHOICE: LeaverChoice = "pause"
LEFT = "This person has left Vorex, so the integration was deactivated."
LEFT_DELETED = "This person has left Vorex, so the integration was deleted."
BY_MESSAGE = "Vorex"
NOBODY_THERE = "Nothing is linked by this person."


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaver:
    """Who leaves, when, and who says so."""

    tenant_id: str
    user_id: str
    left_at: datetime
    said_by: str
    """*Vorex*, or role and name of whoever pressed the button."""
    trigger: Trigger = Trigger.REAL_TIME
    message_id: str | None = None
    trace_id: str | None = None
    attempt: int | None = None


async def tenants_choice(connection: AsyncConnection, tenant_id: str) -> LeaverChoice:
    """What the tenant decided about people of whom Vorex says that they left."""
    found = await leavers.choice_of(connection, tenant_id)
    return found if found in {"keep", "remove"} else FIRST_CHOICE  # type: ignore[return-value]


async def end_integrations(
    store: Store, connection: AsyncConnection, leaver: Leaver, choice: LeaverChoice
) -> str | None:
    """What they had by then ends, in the caller's transaction. The record's id; None where nothing ended.

    Whom their company was about to connect then is connected no more.
    """
    now, seconds = await store.moment(connection), await store.now(connection)
    person, until = (leaver.tenant_id, leaver.user_id), leaver.left_at
    stopped = await company_people.leave(connection, *person, until=until, at=now, now=seconds)
    mine = await integrations.of_person(connection, *person, until=until)
    known = await integrations.load(connection, mine, lock=True)
    due = [one for one in known.values() if _is_due(one, choice)]
    parts = [await _end(store, connection, leaver, one, choice, now=now) for one in due]
    await logs.log(connection, [_entry(leaver, one, choice) for one in due], now=now)
    if not parts and not stopped:
        return None
    record_id = new_id()
    await leavers.add(
        connection,
        id=record_id,
        tenant_id=leaver.tenant_id,
        user_id=leaver.user_id,
        left_at=leaver.left_at,
        said_by=leaver.said_by,
        choice=choice,
        parts=parts,
    )
    return record_id


def _is_due(known: Integration, choice: LeaverChoice) -> bool:
    living = known.deleted_at is None
    return living and (known.at_work or choice != "pause")


async def _end(
    store: Store,
    connection: AsyncConnection,
    leaver: Leaver,
    known: Integration,
    choice: LeaverChoice,
    *,
    now: datetime,
) -> dict[str, Any]:
    """The integration's part of the record."""
    copies = await tombstones.count_copies(connection, known)
    run_id = None
    if choice == "pause":
        await switch_off(connection, known, reason=LEFT, now=now)
    else:
        run_id = await delete_known(
            store, connection, known, copies=choice, started_by=leaver.said_by, now=now
        )
    return {
        "integration_id": known.id,
        "provider": known.provider_name,
        "copies_there": copies,
        "run_id": run_id,
        "sub": known.sub if run_id else None,
    }


def _entry(leaver: Leaver, known: Integration, choice: LeaverChoice) -> LogEntry:
    by = "" if leaver.said_by == BY_MESSAGE else f" Said by {leaver.said_by}."
    return LogEntry(
        integration_id=known.id,
        trigger=leaver.trigger,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.DONE,
        code=Code.OK,
        reason=(LEFT if choice == "pause" else LEFT_DELETED) + by,
        message_id=leaver.message_id,
        trace_id=leaver.trace_id,
        attempt=leaver.attempt,
    )


class Leaving:
    """The administrator's button, and what the tenant decides for all who leave."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def leave(self, tenant_id: str, user_id: str, choice: LeaverChoice, *, who: str) -> str:
        """End all that this person has, sessions and tokens too; the record's id. Raises Conflict."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            leaver = Leaver(
                tenant_id=tenant_id,
                user_id=user_id,
                left_at=await self._store.moment(connection),
                said_by=who,
                trigger=Trigger.OPERATOR,
            )
            record_id = await end_integrations(self._store, connection, leaver, choice)
            if record_id is None:
                raise Conflict("not_editable", NOBODY_THERE)
            await sign_out(self._store, connection, (tenant_id, user_id), SignOutOrder(who=who), at=now)
        return record_id

    async def choice(self, tenant_id: str) -> LeaverChoice:
        """What becomes of people of whom Vorex says that they left."""
        async with self._store.read() as connection:
            return await tenants_choice(connection, tenant_id)

    async def choose(self, tenant_id: str, choice: LeaverChoice, *, who: str) -> None:
        """Decide that for the tenant, from now on."""
        async with self._store.begin() as connection:
            at = await self._store.moment(connection)
            await leavers.choose(connection, tenant_id, choice, who=who, at=at)


CHOICES: Sequence[LeaverChoice] = ("pause", "keep", "remove")
