"""Pauses, resumes and deletes a tenant's integrations, one or many, in the name of whoever does it (R47)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.calendar import (
    Code,
    Direction,
    Integration,
    IntegrationId,
    LogAction,
    LogEntry,
    Outcome,
    Status,
    Trigger,
)
from service.integrations.activate import IntegrationSwitch
from service.integrations.catch_up import CATCH_UP_RUN
from service.integrations.delete import DeletionChoice, IntegrationDeletion
from service.integrations.refusals import Conflict, Invalid, Unknown
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations import tenants
from service.store.integrations.listing import IntegrationView, Owner

TenantVerb = Literal["pause", "resume", "watch", "begin", "delete"]
NotedVerb = TenantVerb | Literal["cancel", "keep", "carry_out"]
"""What the person's log tells of others; beside those of a tenant also a run, and held deletions."""
MOST_AT_ONCE = 200
"""Integrations that one act changes, each in a transaction of its own."""
RESUMED_EVERY_SECONDS = 2.0
"""Comparisons of integrations that are resumed together begin so far apart (R32)."""
OPPOSITE_ACT: Mapping[str, TenantVerb] = {
    "pause": "resume",
    "resume": "pause",
    "watch": "begin",
    "begin": "watch",
}
NOT_UNDONE = "A deletion is for good; link the calendar again, and its copies are recognised."
TAKEN_BACK = "It was taken back already."
ACTS_SAID: Mapping[NotedVerb, str] = {
    "pause": "Paused by {}.",
    "resume": "Resumed by {}.",
    "watch": "Set to watching by {}: nothing is written on either side.",
    "begin": "Begun for real by {}.",
    "delete": "Deleted by {}.",
    "cancel": "A sync was cancelled by {}.",
    "keep": "Held deletions were answered by {}: they are undone.",
    "carry_out": "Held deletions were answered by {}: they are carried out.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantActor:
    """Who acts on the integrations of the own tenant, as the person's log names them."""

    tenant_id: str
    user_id: str
    role: str

    @property
    def owner(self) -> Owner:
        return Owner(tenant_id=self.tenant_id, user_id=None)

    @property
    def named(self) -> str:
        return f"{self.role} {self.user_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ActResult:
    """What one act came to."""

    id: str | None
    """By which it can be taken back; None where nothing was changed."""
    changed: int
    left: int
    """Those that stood so already, or cannot be brought to it."""


class TenantActs:
    """What is not of the actor's tenant is Unknown; what cannot be now, a Conflict."""

    def __init__(self, store: Store, switch: IntegrationSwitch, deletion: IntegrationDeletion) -> None:
        self._store, self._switch, self._deletion = store, switch, deletion

    async def act(
        self,
        actor: TenantActor,
        verb: TenantVerb,
        integration_id: str,
        *,
        copies: DeletionChoice = "keep",
    ) -> IntegrationView | None:
        """One integration; as it is shown afterwards, None where it is gone. Raises Unknown or Conflict."""
        async with self._store.read() as connection:
            found = await tenants.among_ids(connection, actor.tenant_id, [integration_id])
        if not found:
            raise Unknown("There is no such integration.")
        if _stands_so(found[0].integration, verb):
            return found[0]
        return await self._one(actor, verb, found[0].integration, copies=copies)

    async def act_on_all(
        self, actor: TenantActor, verb: TenantVerb, ids: Sequence[str], *, expect: int
    ) -> ActResult:
        """These of the tenant's; what stands so already, or cannot be brought to it, is left as it is.

        Raises Invalid where they are more than one act changes, or not as many as the person was told.
        """
        if len(ids) > MOST_AT_ONCE:
            raise Invalid.one("ids", f"must be at most {MOST_AT_ONCE}")
        async with self._store.read() as connection:
            found = await tenants.among_ids(connection, actor.tenant_id, ids)
        if len(found) != expect:
            raise Conflict("not_editable", "Other integrations than you were told of would be changed.")
        due = [shown.integration for shown in found if is_due(shown.integration, verb)]
        if not due:
            return ActResult(id=None, changed=0, left=len(found))
        # written first: whatever ends this half-way, what was changed by then can be taken back
        kept = await self._note(actor, verb, due)
        reached: list[str] = []
        try:
            for known in due:
                reached.append(known.id)  # before it is changed: the end may come right behind
                try:
                    await self._one(actor, verb, known, place=len(reached) - 1)
                except (Conflict, Unknown):
                    reached.pop()  # connection or integration went meanwhile
        finally:
            await self._reduce(kept, reached)
        changed = len(reached)
        return ActResult(id=kept if changed else None, changed=changed, left=len(found) - changed)

    async def undo(self, actor: TenantActor, act_id: str) -> ActResult:
        """Take back what one act did, where nobody has switched it since. Raises Unknown or Conflict."""
        async with self._store.read() as connection:
            row = await tenants.find_act(connection, actor.tenant_id, act_id)
            if row is None:
                raise Unknown("There is no such act.")
            found = await tenants.among_ids(connection, actor.tenant_id, row["integration_ids"])
            switched = await tenants.resumed_since(
                connection, row["integration_ids"], kind=CATCH_UP_RUN, since=row["at"]
            )
        opposite = OPPOSITE_ACT.get(row["act"])
        if opposite is None:
            raise Conflict("not_editable", NOT_UNDONE)
        if row["undone_at"] is not None:
            raise Conflict("not_editable", TAKEN_BACK)
        here = [
            one.integration
            for one in found
            if one.integration.id not in switched and not _watches_since(one.integration, row["at"])
        ]
        watchers = set(row["watched_ids"] or ()) if row["act"] == "pause" else set()
        ids = [known.id for known in here if known.id not in watchers]
        result = await self.act_on_all(actor, opposite, ids, expect=len(ids))
        again = await self._watch_again(actor, [known for known in here if known.id in watchers])
        async with self._store.begin() as connection:
            await tenants.undo_act(connection, act_id, at=await self._store.moment(connection))
        if not again.changed:
            return ActResult(id=result.id, changed=result.changed, left=result.left + again.left)
        changed, left = result.changed + again.changed, result.left + again.left
        return ActResult(id=result.id or act_id, changed=changed, left=left)

    async def _watch_again(self, actor: TenantActor, paused: Sequence[Integration]) -> ActResult:
        """What only watched before it was paused begins for real by nobody's *Undo*."""
        changed = 0
        for known in paused:
            if known.at_work:
                continue
            try:
                await self._one(actor, "watch", known)
            except (Conflict, Unknown):
                continue  # its connection or the integration itself went meanwhile
            changed += 1
        return ActResult(id=None, changed=changed, left=len(paused) - changed)

    async def _note(self, actor: TenantActor, verb: TenantVerb, intended: Sequence[Integration]) -> str:
        async with self._store.begin() as connection:
            act_id, at = new_id(), await self._store.moment(connection)
            await tenants.add_act(
                connection,
                id=act_id,
                tenant_id=actor.tenant_id,
                act=verb,
                who=actor.user_id,
                at=at,
                integration_ids=[known.id for known in intended],
                watched_ids=[known.id for known in intended if known.watching],
            )
        return act_id

    async def _reduce(self, act_id: str, reached: Sequence[str]) -> None:
        """Of what was intended, that was done; an act that did nothing is none."""
        async with self._store.begin() as connection:
            at = await self._store.moment(connection)  # what the act itself began is not later than it
            await tenants.reduce_act(connection, act_id, reached, at=at)

    async def _one(
        self,
        actor: TenantActor,
        verb: TenantVerb,
        known: Integration,
        *,
        place: int = 0,
        copies: DeletionChoice = "keep",
    ) -> IntegrationView | None:
        """``place``: how many were changed before it, for those begin first."""
        noted = noted_act(actor.named, verb, known.id)
        if verb == "delete":
            await self._deletion.delete(actor.owner, known.id, copies=copies, noted=noted)
            return None
        if verb == "pause":
            return await self._switch.deactivate(actor.owner, known.id, noted=noted)
        if verb == "watch":
            return await self._switch.watch(actor.owner, known.id, noted=noted)
        delay = place * RESUMED_EVERY_SECONDS
        begins = verb == "begin"
        return await self._switch.activate(actor.owner, known.id, begins=begins, noted=noted, delay=delay)


def is_due(known: Integration, verb: TenantVerb) -> bool:
    """Whether it stands otherwise, and can be brought to it."""
    if verb == "delete":
        return True
    if verb == "pause":
        return known.at_work
    if verb == "watch":
        return known.active and known.status is Status.CONNECTED
    return not known.active and known.status is Status.CONNECTED and known.watching is (verb == "begin")


def _watches_since(known: Integration, at: datetime) -> bool:
    """Whether somebody has set it to watching after that moment."""
    return known.watching_since is not None and known.watching_since > at


def _stands_so(known: Integration, verb: TenantVerb) -> bool:
    match verb:
        case "pause":
            return not known.at_work
        case "resume" | "begin":
            return known.active
        case "watch":
            return known.watching
    return False


def noted_act(who: str, verb: NotedVerb, integration_id: str) -> LogEntry:
    """What the person's own log says of it."""
    return LogEntry(
        integration_id=IntegrationId(integration_id),
        trigger=Trigger.OPERATOR,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.DONE,
        code=Code.INACTIVE if verb == "pause" else Code.OK,
        reason=ACTS_SAID[verb].format(who),
    )
