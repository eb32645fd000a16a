"""Publishing with confirms: a message is either held by a queue, or an error says what is known of it."""

import asyncio
from dataclasses import replace
from itertools import count
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed, DeliveryError, PublishError

from contracts.envelope import CLOUD_EVENT_TYPE
from contracts.errors import Permanent, SyncError, Unavailable, Unroutable
from contracts.ports import Outgoing
from service.broker.connection import SupervisedConnection, close_quietly, within_seconds
from service.broker.headers import id_on_the_wire, own_headers

AMQP_NOT_FOUND, AMQP_ACCESS_REFUSED = "NOT_FOUND", "ACCESS_REFUSED"


class RabbitPublisher:
    """Any number of messages in flight on one confirming channel."""

    def __init__(self, connection: SupervisedConnection, *, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._in_flight: set[str] = set()
        self._namesakes = count(2)

    async def publish(self, message: Outgoing) -> None:
        """Return once the broker has confirmed it (a confirm that timed out is *unknown*)."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._under_its_own_id(message)
        except SyncError:
            raise
        except asyncio.CancelledError:
            if _cancelled_from_outside():
                raise
            raise Unavailable("The connection was lost before the message was confirmed.") from None
        except Exception as exc:
            # a connection found dead fails without waiting for anything: whoever tries again at once
            # would never let the loop bring it back
            await asyncio.sleep(0)
            raise _translated(exc, message) from exc

    async def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel:
            await close_quietly(channel.close())

    async def _under_its_own_id(self, message: Outgoing) -> None:
        """Publish; where the same id is in flight, under a longer one.

        A return names only the id, so two would be confused; and if one waited for the other, whoever sends
        any number under one id would keep everybody waiting (R44). Who a message is, its body says.
        """
        name = id_on_the_wire(message.message_id)
        while name in self._in_flight:
            name = id_on_the_wire(f"{message.message_id} ({next(self._namesakes)})")
        self._in_flight.add(name)
        try:
            await self._send(replace(message, message_id=name))
        finally:
            self._in_flight.discard(name)

    async def _send(self, message: Outgoing) -> None:
        await self._connection.unblocked()
        channel: Any = await (await self._ready_channel()).get_underlay_channel()
        await channel.basic_publish(
            message.body,
            exchange=message.exchange,
            routing_key=message.routing_key,
            properties=_CloudEvent(message).properties,
            mandatory=message.mandatory,
            wait=False,
        )

    async def _ready_channel(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            async with self._opening:
                if self._channel is None or self._channel.is_closed:
                    self._channel = await self._open()
        return self._channel

    async def _open(self) -> AbstractChannel:
        connection = await self._connection.current()
        channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        await within_seconds(self._timeout, channel.initialize())
        return channel


class _CloudEvent(Message):
    """A persistent message without a priority: RabbitMQ 4.3 tells none (4) from zero."""

    def __init__(self, message: Outgoing) -> None:
        super().__init__(
            message.body,
            headers=dict(own_headers(message.headers)),
            content_type=CLOUD_EVENT_TYPE,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message.message_id,
        )

    @property
    def properties(self) -> Any:
        properties = super().properties
        properties.priority = None
        return properties


def _cancelled_from_outside() -> bool:
    """Whether someone cancelled this task; a dying channel raises the same error in whoever waits for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _translated(error: Exception, message: Outgoing) -> SyncError:
    where = f"{message.exchange} with routing key {message.routing_key}"
    if isinstance(error, PublishError):
        return Unroutable(f"No queue takes a message to {where}.")
    if isinstance(error, DeliveryError):
        return Unavailable(f"RabbitMQ refused a message to {where} for now.")
    if isinstance(error, ChannelClosed) and f"'{message.exchange}'" in str(error):
        return _about_the_exchange(str(error), message.exchange)
    return Unavailable(f"A message to {where} was not confirmed ({type(error).__name__}).")


def _about_the_exchange(text: str, exchange: str) -> SyncError:
    """A channel error hits every message in flight; only those to the exchange it names are to blame."""
    if AMQP_NOT_FOUND in text:
        return Unroutable(f"There is no exchange {exchange}.")
    if AMQP_ACCESS_REFUSED in text:
        return Permanent(f"The broker's user may not publish to {exchange}.")
    return Unavailable(f"RabbitMQ closed the channel over exchange {exchange}.")
