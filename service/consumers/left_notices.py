"""Reads for notices that nobody read for: by turns of tenants, and some side by side (R44)."""

import asyncio
from collections import Counter
from collections.abc import Container, Sequence

from contracts.ports import NoticeReader
from service.telemetry.hindrances import say_hindered

READS_AT_ONCE, READS_OF_A_TENANT = 8, 6
"""Reads side by side, in all and of one tenant: there is always a place for others."""
READS_A_ROUND = 100
"""Reads that are begun before the keeper may stop."""


async def read_left_notices(reader: NoticeReader) -> None:
    """Read for all that wait, or for very many; a read that fails hinders no other, and is left again."""
    tried: set[str] = set()
    while len(tried) < READS_A_ROUND and (chosen := _some(await reader.pending(), tried)):
        tried.update(chosen)
        await asyncio.gather(*(_read(reader, each) for each in chosen))


def _some(pending: Sequence[tuple[str, str]], tried: Container[str]) -> list[str]:
    theirs: Counter[str] = Counter()
    chosen: list[str] = []
    for integration_id, tenant in pending:
        if integration_id not in tried and theirs[tenant] < READS_OF_A_TENANT and len(chosen) < READS_AT_ONCE:
            theirs[tenant] += 1
            chosen.append(integration_id)
    return chosen


async def _read(reader: NoticeReader, integration_id: str) -> None:
    try:
        await reader.catch_up(integration_id)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the others are read for
        say_hindered("unread notices", error, integration_id=integration_id)
