"""What a tenant decided about people who leave, and the records of what was done for each (R54)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.upserts import merging_insert
from service.store.tables import leaver_choices, leaver_records


async def choice_of(connection: AsyncConnection, tenant_id: str) -> str | None:
    """What the tenant decided; None where it did not."""
    wanted = select(leaver_choices.c.choice).where(leaver_choices.c.tenant_id == tenant_id)
    found: str | None = await connection.scalar(wanted)
    return found


async def choose(connection: AsyncConnection, tenant_id: str, choice: str, *, who: str, at: datetime) -> None:
    """The tenant decides so from now on."""
    values = {"choice": choice, "who": who, "at": at}
    new = merging_insert(connection, leaver_choices).values(tenant_id=tenant_id, **values)
    await connection.execute(new.on_conflict_do_update(index_elements=["tenant_id"], set_=values))


async def add(connection: AsyncConnection, **values: Any) -> None:
    """A new record, by the names of the table's columns; it is signed when all of it is done."""
    await connection.execute(insert(leaver_records).values(**values))


async def unsigned(connection: AsyncConnection, *, after: str, limit: int) -> Sequence[RowMapping]:
    """The oldest records behind that one that are still to be signed."""
    table = leaver_records.c
    wanted = select(leaver_records).where(table.document.is_(None), table.id > after).order_by(table.id)
    return (await connection.execute(wanted.limit(limit))).mappings().all()


async def seal(
    connection: AsyncConnection,
    record_id: str,
    *,
    document: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]],
) -> None:
    """Keep what was signed, and so much of what it was made of."""
    mine = leaver_records.c.id == record_id
    values = {"document": document, "parts": parts}
    await connection.execute(update(leaver_records).where(mine).values(values))


async def page(
    connection: AsyncConnection, tenant_id: str | None, *, before: str | None, limit: int
) -> Sequence[RowMapping]:
    """The records of a tenant, or of all, newest first, older than that one."""
    table = leaver_records.c
    wanted = select(leaver_records)
    if tenant_id is not None:
        wanted = wanted.where(table.tenant_id == tenant_id)
    if before is not None:
        wanted = wanted.where(table.id < before)
    return (await connection.execute(wanted.order_by(table.id.desc()).limit(limit))).mappings().all()


async def find(connection: AsyncConnection, record_id: str) -> RowMapping | None:
    """That record, whosever it is."""
    wanted = select(leaver_records).where(leaver_records.c.id == record_id)
    return (await connection.execute(wanted)).mappings().one_or_none()


async def signed_after(connection: AsyncConnection, *, after: str, limit: int) -> Sequence[RowMapping]:
    """Signed records in the order of their ids, behind that one."""
    table = leaver_records.c
    wanted = select(leaver_records).where(table.document.is_not(None), table.id > after)
    return (await connection.execute(wanted.order_by(table.id).limit(limit))).mappings().all()
