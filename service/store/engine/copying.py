"""Everything in one store copied into an empty one, of the other engine too."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import Permanent
from service.store.engine.store import Store
from service.store.tables import metadata, schema_generation

COPIED_AT_ONCE = 500


class NotEmpty(Permanent):
    """The store that is to take the copy holds rows already."""


async def copy_store(source: Store, target: Store) -> Mapping[str, int]:
    """Copy every row, in one transaction on either side; how many of each table.

    Both have the same schema. Raises NotEmpty. Nothing may write to the source meanwhile.
    """
    tables = [table for table in metadata.sorted_tables if table is not schema_generation]
    copied = {}
    async with source.begin() as reading, target.begin() as writing:
        for table in tables:
            if (await writing.execute(select(table).limit(1))).first() is not None:
                raise NotEmpty(f"the table {table.name} there holds rows already; nothing is copied")
        for table in tables:
            copied[table.name] = 0
            async for rows in _chunks(reading, table):
                await writing.execute(insert(table), list(rows))
                copied[table.name] += len(rows)
    return copied


async def _chunks(connection: AsyncConnection, table: Table) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    async with connection.stream(select(table)) as result:
        async for part in result.mappings().partitions(COPIED_AT_ONCE):
            yield [dict(row) for row in part]
