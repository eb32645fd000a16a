"""The facts that this service tells: of items that it changed, and of integrations with what waits (R48)."""

from collections.abc import Iterable
from datetime import datetime

from contracts.calendar import Integration, Item, Reason
from contracts.envelope import IntegrationChanged, ItemChanged
from contracts.messages import IntegrationChange, IntegrationData
from contracts.ports import Outgoing
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection
from service.store.integrations import integrations
from service.store.integrations.waiting import waits_since
from service.store.messages.outbox import enqueue, outgoing
from service.telemetry.current import going_on

STANDINGS = frozenset({IntegrationChange.CONNECTED, IntegrationChange.NOT_CONNECTED})
"""Changes that last: they stand since the status does, however often they are told."""


async def tell_change(
    connection: AsyncConnection,
    integration: Integration,
    change: IntegrationChange,
    *,
    now: datetime,
    reason: Reason | None = None,
) -> None:
    """Put the fact into the outbox, in the caller's transaction, which has stored the change before.

    Nobody has to hear it, so it is not mandatory.
    """
    waiting = await waits_since(connection, integration.id)
    data = IntegrationData(
        tenant_id=integration.tenant_id,
        user_id=integration.user_id,
        integration_id=integration.id,
        change=change,
        reason=reason.value if reason else None,
        since=(waiting.since if change in STANDINGS else None) or now,
        waiting_changes=waiting.changes,
    )
    fact_id = new_id()
    message = IntegrationChanged.of(data, id=fact_id, time=now, traceparent=going_on(fact_id))
    await enqueue(connection, [outgoing(message, mandatory=False)], now=now.timestamp())


async def tell_failed_runs(connection: AsyncConnection, whose: Iterable[str], *, now: datetime) -> None:
    """That a run of each of these integrations failed, in the transaction that ended it (R48)."""
    for known in (await integrations.load(connection, whose)).values():
        await tell_change(connection, known, IntegrationChange.RUN_FAILED, now=now)


def item_fact(item: Item, integration: Integration, at: datetime) -> Outgoing:
    """The change as Vorex and the person's other calendars hear of it."""
    assert item.content is not None
    action = Action.DELETED if item.deleted else Action.CREATED if item.version == 1 else Action.UPDATED
    data = (
        ItemChangedData.model_construct(  # what is stored is judged no more: a tenant may be older than R43
            tenant_id=item.tenant_id,
            action=action,
            version=item.version,
            actor=Actor(kind=ActorKind.CALENDAR_SYNC, id=integration.id),
            item=item.content,
        )
    )
    fact_id = new_id()
    return outgoing(ItemChanged.of(data, id=fact_id, time=at, traceparent=going_on(fact_id)))
