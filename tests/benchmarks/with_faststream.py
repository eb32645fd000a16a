"""The tuned handler in FastStream: as many messages at once as the prefetch lets through."""

import asyncio
import json
import sys
import time
from typing import Any

import httpx
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from contracts.messages import QUEUE_OUTBOUND
from service.store.engine.store import Store
from tests.benchmarks.straightforward import Handler


async def _as_it_came(message: Any) -> bytes:
    return bytes(message.body)


async def main(database_url: str, broker_url: str, cronofy_url: str, count: int, at_once: int) -> None:
    """Print when it began, once so many messages are handled."""
    store = Store(database_url, pool_size=max(5, at_once))
    broker = RabbitBroker(broker_url, default_channel=Channel(prefetch_count=at_once), logger=None)
    left, over = count, asyncio.Event()
    async with httpx.AsyncClient(base_url=cronofy_url, trust_env=False, timeout=30) as http:
        handler = Handler(store=store, http=http)

        @broker.subscriber(
            RabbitQueue(QUEUE_OUTBOUND, declare=False), ack_policy=AckPolicy.MANUAL, decoder=_as_it_came
        )
        async def work(body: bytes, message: RabbitMessage) -> None:
            nonlocal left
            await handler.handle(body)
            await message.ack()
            left -= 1
            if left == 0:
                over.set()

        began = time.time()
        async with broker:
            await broker.start()
            await over.wait()
    await store.close()
    sys.stdout.write(json.dumps({"began": began}) + "\n")


if __name__ == "__main__":
    urls, numbers = sys.argv[1:4], sys.argv[4:6]
    asyncio.run(main(urls[0], urls[1], urls[2], int(numbers[0]), int(numbers[1])))
