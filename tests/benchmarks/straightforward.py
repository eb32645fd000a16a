"""What a good engineer writes in an afternoon: a message in, a request out, rows in the same tables.

One message at a time, or several side by side over a pool of connections.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import aio_pika
import httpx
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Item, LinkId, LinkState, Origin, event_id, item_ref
from contracts.envelope import ItemChanged, decode
from contracts.event_fields import EventFields, fields_hash
from contracts.messages import QUEUE_OUTBOUND
from handlers.texts.compose import compose
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.items import items
from service.store.tables import inbox, integrations, links, log_entries

PREFETCH = 100
Target = Any
"""A row: an integration's id, person and calendar."""


@dataclass
class Handler:
    """Handles one message after the other, or as many at once as it is called for."""

    store: Store
    http: httpx.AsyncClient

    async def handle(self, body: bytes) -> None:
        """Known messages are done; else the calendars are told, and then the rows are stored."""
        message = decode(body, expected=ItemChanged)
        async with self.store.read() as connection:
            if await self._known(connection, message):
                return
            targets = await self._targets(connection, message)
        sent = [(target, await self._send(target, message)) for target in targets]
        async with self.store.begin() as connection:
            await self._keep(connection, message, sent)

    async def _known(self, connection: AsyncConnection, message: ItemChanged) -> bool:
        found = await connection.execute(
            select(inbox.c.outcome)
            .where(inbox.c.consumer == QUEUE_OUTBOUND, inbox.c.source == message.source)
            .where(inbox.c.message_id == message.id)
        )
        return found.first() is not None

    async def _targets(self, connection: AsyncConnection, message: ItemChanged) -> list[Target]:
        found = await connection.execute(
            select(integrations.c.id, integrations.c.user_id, integrations.c.calendar_id)
            .where(integrations.c.tenant_id == message.data.tenant_id)
            .where(integrations.c.user_id.in_(message.data.item.assignees))
            .where(integrations.c.active, integrations.c.deleted_at.is_(None))
        )
        return [*found]

    async def _send(self, target: Target, message: ItemChanged) -> EventFields | None:
        data = message.data
        fields = compose(data.item)
        event = event_id(data.tenant_id, target.user_id, data.item.type.value, data.item.id)
        answer = await self.http.post(
            f"/v1/calendars/{target.calendar_id}/events",
            json={"event_id": event, **(fields.to_wire_dict() if fields else {})},
            headers={"Authorization": "Bearer access"},
        )
        answer.raise_for_status()
        return fields

    async def _keep(
        self,
        connection: AsyncConnection,
        message: ItemChanged,
        sent: list[tuple[Target, EventFields | None]],
    ) -> None:
        now = await self.store.now(connection)
        moment = await self.store.moment(connection)
        item = _item(message)
        await items.save(connection, [(item, None)], now=moment)
        for target, fields in sent:
            await connection.execute(
                insert(links), [_link(item, target, fields, now) | {"created_at": moment}]
            )
            await connection.execute(insert(log_entries), [_entry(item, target, message) | {"at": moment}])
        row = {"consumer": QUEUE_OUTBOUND, "source": message.source, "message_id": message.id}
        await connection.execute(insert(inbox), [{**row, "outcome": "done", "processed_at": now}])


def _item(message: ItemChanged) -> Item:
    data = message.data
    return Item(
        ref=item_ref(data.tenant_id, data.item.type.value, data.item.id),
        tenant_id=data.tenant_id,
        type=data.item.type,
        id=data.item.id,
        version=data.version,
        vorex_version=data.version,
        sync_version=0,
        revision=1,
        deleted=data.deleted,
        content=data.item,
        changed_at=message.time,
    )


def _link(item: Item, target: Target, fields: EventFields | None, now: float) -> dict[str, Any]:
    return {
        "id": LinkId(new_id()),
        "integration_id": target.id,
        "item_ref": item.ref,
        "calendar_id": target.calendar_id,
        "origin": Origin.OURS.value,
        "event_id": event_id(item.tenant_id, target.user_id, item.type.value, item.id),
        "state": LinkState.AGREED.value,
        "desired_revision": 1,
        "desired": fields and fields.to_wire_dict(),
        "applied_revision": 1,
        "applied_hash": fields_hash(fields),
        "exists_there": True,
        "accepted_at": now,
        "touched_at": now,
    }


def _entry(item: Item, target: Target, message: ItemChanged) -> dict[str, Any]:
    return {
        "id": new_id(),
        "integration_id": target.id,
        "trigger": "real_time",
        "direction": "to_linked_calendar",
        "action": "create",
        "outcome": "done",
        "code": "ok",
        "item_ref": item.ref,
        "item_id": item.id,
        "item_type": item.type.value,
        "title": item.content.title if item.content else None,
        "reason": "Sent to the linked calendar.",
        "message_id": message.id,
        "attempt": 1,
    }


async def consume(broker_url: str, handler: Handler, *, count: int, at_once: int) -> None:
    """Handle so many messages, up to ``at_once`` side by side, and acknowledge each."""
    left, over = count, asyncio.Event()
    room = asyncio.Semaphore(at_once)

    async def work(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        nonlocal left
        async with room:
            await handler.handle(message.body)
            await message.ack()
        left -= 1
        if left == 0:
            over.set()

    connection = await aio_pika.connect(broker_url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(QUEUE_OUTBOUND)
        await queue.consume(work)
        await over.wait()


async def main(database_url: str, broker_url: str, cronofy_url: str, count: int, at_once: int) -> None:
    """Print when it began."""
    store = Store(database_url, pool_size=max(5, at_once))
    async with httpx.AsyncClient(base_url=cronofy_url, trust_env=False, timeout=30) as http:
        began = time.time()
        await consume(broker_url, Handler(store=store, http=http), count=count, at_once=at_once)
    await store.close()
    sys.stdout.write(json.dumps({"began": began}) + "\n")


if __name__ == "__main__":
    urls, numbers = sys.argv[1:4], sys.argv[4:6]
    asyncio.run(main(urls[0], urls[1], urls[2], int(numbers[0]), int(numbers[1])))
