"""The bare loop: receives and acknowledges, one by one, and does nothing else."""

import asyncio
import json
import sys
import time

import aio_pika

from contracts.messages import QUEUE_OUTBOUND

PREFETCH = 2000


async def main(broker_url: str, count: int) -> None:
    """Print when it began and ended, once so many messages are acknowledged."""
    connection = await aio_pika.connect(broker_url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(QUEUE_OUTBOUND)
        began = time.time()
        async with queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                count -= 1
                if count == 0:
                    break
        ended = time.time()
    sys.stdout.write(json.dumps({"began": began, "ended": ended}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
