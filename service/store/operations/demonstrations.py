"""What tells a demonstration's database from any other: the table in which it keeps its secrets."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, inspect, literal_column, select
from sqlalchemy import table as any_table
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import integrations, metadata, schema_generation

demo_secrets = Table(
    "demo_secrets", MetaData(), Column("name", Text, primary_key=True), Column("value", Text, nullable=False)
)
"""Outside the schema: a database that no demonstration has used does not have it."""
_OURS = frozenset({*metadata.tables, "alembic_version", demo_secrets.name})


def looked_at(url: str) -> str | None:
    """The address by which an SQLite file stays as it is, None without a file; PostgreSQL's unchanged."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return url
    if not Path(address.database).exists():
        return None
    file = f"file:{quote(address.database)}"
    return address.set(database=file, query={"mode": "ro", "uri": "true"}).render_as_string(False)


async def kept_secrets(connection: AsyncConnection) -> Mapping[str, str] | None:
    """What the demonstration of this database keeps, by name; None where it never was one's."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(demo_secrets.name)):
        return None
    rows = await connection.execute(select(demo_secrets.c.name, demo_secrets.c.value))
    return {str(row.name): str(row.value) for row in rows}


async def keep_secrets(connection: AsyncConnection, kept: Mapping[str, str]) -> None:
    """From now on the database is a demonstration's."""
    await connection.run_sync(demo_secrets.create, checkfirst=True)
    await connection.execute(insert(demo_secrets), [{"name": name, "value": kept[name]} for name in kept])


async def what_is_foreign(connection: AsyncConnection, *, tenant_id: str) -> str | None:
    """What the database holds that is no demonstration's, in words; None where there is nothing.

    In one that was a demonstration's: an integration of another tenant than this one.
    """
    return await connection.run_sync(_foreign, tenant_id)


def _foreign(connection: Connection, tenant_id: str) -> str | None:
    present = set(inspect(connection).get_table_names())
    if strange := sorted(present - _OURS):
        return f"a table {strange[0]}"
    if demo_secrets.name in present:
        others = select(integrations.c.id).where(integrations.c.tenant_id != tenant_id).limit(1)
        is_there = integrations.name in present and connection.scalar(others) is not None
        return "an integration of somebody else" if is_there else None
    for name in sorted(present - {"alembic_version", schema_generation.name}):
        if connection.scalar(select(literal_column("1")).select_from(any_table(name)).limit(1)):
            return f"{name.replace('_', ' ')} of somebody else"
    return None
