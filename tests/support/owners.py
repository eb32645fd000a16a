"""Integrations of tenants, and deliveries of theirs, for whoever asks whose a message is."""

from datetime import UTC, datetime

from sqlalchemy import insert

from contracts.ports import Delivery
from service.store.engine.store import Store
from service.store.tables import integrations


def delivered(queue: str, body: bytes, *, message_id: str = "m-1") -> Delivery:
    """A delivery of that queue with these bytes."""
    return Delivery(
        queue=queue,
        body=body,
        message_id=message_id,
        routing_key=queue,
        headers={},
        attempt=1,
        returns=0,
        generation=1,
        handle=None,
    )


async def stored_integration(store: Store, integration_id: str, *, tenant: str) -> None:
    """An integration of that tenant."""
    row = {
        "id": integration_id,
        "tenant_id": tenant,
        "user_id": f"user {integration_id}",
        "sub": "acc",
        "profile_id": "pro",
        "profile_name": "p",
        "provider_name": "google",
        "provider_service": "google",
        "account_name": "a",
        "event_types": {"create": True, "update": True, "delete": True},
        "item_types": {},
        "retrieve": {},
        "send": {},
        "created_at": datetime(2026, 12, 1, tzinfo=UTC),
    }
    async with store.begin() as connection:
        await connection.execute(insert(integrations), [row])
