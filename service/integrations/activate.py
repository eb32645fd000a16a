"""*Active*: the switch of an integration, which may also only watch (G11, R20)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from contracts.calendar import (
    Code,
    Direction,
    Integration,
    LogAction,
    LogEntry,
    Outcome,
    Status,
    Trigger,
)
from contracts.messages import IntegrationChange
from service.integrations.catch_up import request_comparison
from service.integrations.facts import tell_change
from service.integrations.ownership import owned_integration
from service.integrations.refusals import NOT_CONNECTED, SETUP_FIRST, Conflict
from service.integrations.watching import begin, end_watching, start_watching
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.integrations import change
from service.store.integrations.listing import IntegrationView, Owner
from service.store.logs import logs
from service.store.runs import runs

ONLY_WATCHES = "It only watches: begin for real, or stop watching first."
DEACTIVATED = "The integration was deactivated."
OwnersAct = Literal["activate", "deactivate", "watch", "begin", "stop_watching"]
DONE_BY_OWNER: Mapping[OwnersAct, str] = {
    "activate": "Activated by its owner.",
    "deactivate": "Deactivated by its owner.",
    "watch": "Set to watching by its owner: nothing is written on either side.",
    "begin": "Begun for real by its owner.",
    "stop_watching": "Watching was stopped by its owner.",
}


class IntegrationSwitch:
    """What is not theirs is Unknown; what cannot be now, a Conflict."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def activate(
        self,
        owner: Owner,
        integration_id: str,
        *,
        begins: bool = True,
        noted: LogEntry | None = None,
        delay: float = 0.0,
    ) -> IntegrationView:
        """Sync again, and catch up with what happened meanwhile; that begins after so many seconds.

        ``begins``: also one that only watches, which is a Conflict otherwise. ``noted``: what the log says of
        it, where it was not the owner who did it (R47).
        """
        return await self._switch(owner, integration_id, on=True, begins=begins, noted=noted, delay=delay)

    async def deactivate(
        self, owner: Owner, integration_id: str, *, noted: LogEntry | None = None
    ) -> IntegrationView:
        """No more sync either way, and no run goes on; pairs and connection stay."""
        return await self._switch(owner, integration_id, on=False, noted=noted)

    async def watch(
        self, owner: Owner, integration_id: str, *, noted: LogEntry | None = None
    ) -> IntegrationView:
        """Say from now on what it would do, and write nothing on either side; *activate* begins for real."""
        async with self._store.begin() as connection:
            known = (await owned_integration(connection, owner, integration_id, lock=True)).integration
            _check(known, on=True)
            if not known.watching:
                now = await self._store.moment(connection)
                await start_watching(connection, known, now=now)
                await logs.log(connection, [noted or _by_owner(known, "watch")], now=now)
            return await owned_integration(connection, owner, integration_id)

    async def _switch(
        self,
        owner: Owner,
        integration_id: str,
        *,
        on: bool,
        begins: bool = False,
        noted: LogEntry | None,
        delay: float = 0.0,
    ) -> IntegrationView:
        async with self._store.begin() as connection:
            shown = await owned_integration(connection, owner, integration_id, lock=True)
            known = shown.integration
            _check(known, on=on)
            if known.watching and on and not begins:
                raise Conflict("not_editable", ONLY_WATCHES)
            if known.active is not on or known.watching:
                now = await self._store.moment(connection)
                await self._turn(connection, shown, on=on, now=now, delay=delay)
                entry = noted or _by_owner(known, _act(known, on=on))
                if known.watching:
                    entry = replace(entry, code=Code.OK)  # what only watched is begun by no Undo (R50)
                await logs.log(connection, [entry], now=now)
            return await owned_integration(connection, owner, integration_id)

    async def _turn(
        self, connection: AsyncConnection, shown: IntegrationView, *, on: bool, now: datetime, delay: float
    ) -> None:
        known = shown.integration
        if not on:
            await switch_off(connection, known, reason=DEACTIVATED, now=now)
            return
        await change(connection, known.id, active=True)
        if known.watching:
            await begin(self._store, connection, shown, delay=delay)
        else:
            await request_comparison(self._store, connection, known, delay=delay)
        await tell_change(connection, known, IntegrationChange.ACTIVATED, now=now)


async def switch_off(connection: AsyncConnection, known: Integration, *, reason: str, now: datetime) -> None:
    """Neither active nor watching, in the caller's transaction, which has locked it; its runs say why."""
    await change(connection, known.id, active=False)
    await end_watching(connection, known)
    await runs.end_all(connection, known.id, reason=reason, at=now)
    if known.active:  # one that watched was told of as deactivated when it began to
        await tell_change(connection, known, IntegrationChange.DEACTIVATED, now=now)


def _act(known: Integration, *, on: bool) -> OwnersAct:
    if known.watching:
        return "begin" if on else "stop_watching"
    return "activate" if on else "deactivate"


def _by_owner(known: Integration, act: OwnersAct) -> LogEntry:
    """What the log says where nobody else did it: from there a deactivation can be undone (R50)."""
    return LogEntry(
        integration_id=known.id,
        trigger=Trigger.REAL_TIME,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.DONE,
        code=Code.INACTIVE if act == "deactivate" else Code.OK,
        reason=DONE_BY_OWNER[act],
    )


def _check(known: Integration, *, on: bool) -> None:
    if known.status is Status.SETUP:
        raise Conflict("setup_unfinished", SETUP_FIRST)
    if on and known.status is Status.NOT_CONNECTED:
        raise Conflict("not_connected", NOT_CONNECTED)
