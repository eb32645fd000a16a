"""The broker port on RabbitMQ 3.10 to 4.x."""

from collections.abc import Iterable

from contracts.ports import Outgoing, Sink
from service.broker.connection import SupervisedConnection
from service.broker.declaration import TopologyDeclaration
from service.broker.publisher import RabbitPublisher
from service.broker.subscription import RabbitSubscription
from service.broker.topology import RETRY_DELAYS, topology


class RabbitBroker:
    """Two connections, one to consume and one to publish.

    In a memory alarm a connection that tried to publish cannot even acknowledge, so the two
    kinds of work never share one.
    """

    def __init__(
        self,
        url: str,
        *,
        retry_delays: Iterable[int] = RETRY_DELAYS,
        name: str = "calendar-sync",
        publish_timeout: float = 10.0,
        connect_timeout: float = 10.0,
        watch_seconds: float = 10.0,
    ) -> None:
        self._consuming = SupervisedConnection(url, name=f"{name} consume", timeout=connect_timeout)
        self._publishing = SupervisedConnection(url, name=f"{name} publish", timeout=connect_timeout)
        self._publisher = RabbitPublisher(self._publishing, timeout=publish_timeout)
        self._declaration = TopologyDeclaration(
            self._consuming, topology(retry_delays), timeout=connect_timeout
        )
        self._watch_seconds = watch_seconds
        self._timeout = connect_timeout
        self._subscriptions: list[RabbitSubscription] = []

    @property
    def ready(self) -> bool:
        both = (self._consuming, self._publishing)
        return all(connection.up and not connection.blocked for connection in both)

    async def open(self) -> None:
        try:
            await self._consuming.open()
            await self._publishing.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the consumers first, so that nothing arrives any more, and the publisher last."""
        for subscription in self._subscriptions:
            await subscription.close()
        self._subscriptions.clear()
        await self._publisher.close()
        await self._consuming.close()
        await self._publishing.close()

    async def declare(self) -> None:
        await self._declaration.declare()

    async def missing(self) -> list[str]:
        return await self._declaration.missing()

    async def publish(self, message: Outgoing) -> None:
        await self._publisher.publish(message)

    async def subscribe(self, queue: str, *, prefetch: int, sink: Sink) -> RabbitSubscription:
        """Consume the queue from now on; while that is impossible the subscription is not alive."""
        subscription = RabbitSubscription(
            self._consuming,
            queue,
            prefetch=prefetch,
            sink=sink,
            watch_seconds=self._watch_seconds,
            timeout=self._timeout,
        )
        self._subscriptions = [*(each for each in self._subscriptions if not each.closed), subscription]
        await subscription.started()
        return subscription

    async def in_use(self) -> list[str]:
        """Each queue that somebody consumes or in which messages wait, in words; nothing is changed."""
        return await self._declaration.in_use()

    async def depth(self, queue: str) -> int:
        return await self._declaration.depth(queue)
