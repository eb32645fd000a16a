"""Set-based statements whose text does not change with the size of the set, so that plans are re-used."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Text,
    Update,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

TableRow = Mapping[str, Any]
ROWS_TOLD = "rows_told"


def among(
    connection: AsyncConnection, column: ColumnElement[Any], values: Iterable[str]
) -> ColumnElement[bool]:
    """``column`` is one of ``values``; any number of them is one bound parameter."""
    if connection.dialect.name == "sqlite":
        entries = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
        return column.in_(select(entries.c.value))
    array = bindparam(None, list(values), type_=ARRAY(Text))
    return cast(column, Text) == any_(array) if not isinstance(column.type, Text) else column == any_(array)


def among_given(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """As ``among``, in a statement that is made once and run with ``given`` values under this name.

    To make a statement and to find what SQLAlchemy has compiled of it takes longer than to run it.
    """
    if dialect == "sqlite":
        entries = func.json_each(bindparam(name, type_=Text)).table_valued("value")
        return column.in_(select(entries.c.value))
    array = bindparam(name, type_=ARRAY(Text))
    return cast(column, Text) == any_(array) if not isinstance(column.type, Text) else column == any_(array)


def given(connection: AsyncConnection, **sets: Iterable[str]) -> dict[str, Any]:
    """The sets of values that ``among_given`` names."""
    if connection.dialect.name == "sqlite":
        return {name: orjson.dumps(list(values)).decode() for name, values in sets.items()}
    return {name: list(values) for name, values in sets.items()}


def in_turn(tenant: ColumnElement[Any], *order: ColumnElement[Any]) -> ColumnElement[int]:
    """What to order by first, that tenants take turns: the place of a row among its tenant's (R44)."""
    return func.row_number().over(partition_by=tenant, order_by=order)


async def put(connection: AsyncConnection, table: Table, rows: Sequence[TableRow]) -> None:
    """Insert these rows, in their order."""
    if rows and connection.dialect.name == "sqlite":
        await _one_by_one(connection, _insertion(table, rows[0]), rows)
    elif rows:
        await connection.execute(_adding(table, tuple(rows[0])), _told(rows))


async def put_new(connection: AsyncConnection, table: Table, rows: Sequence[TableRow]) -> None:
    """Insert these rows; one whose key is there already stays as it is."""
    if rows and connection.dialect.name == "sqlite":
        await _one_by_one(connection, _insertion(table, rows[0]) + " ON CONFLICT DO NOTHING", rows)
    elif rows:
        await connection.execute(_adding_new(table, tuple(rows[0])), _told(rows))


async def put_over(connection: AsyncConnection, table: Table, key: str, rows: Sequence[TableRow]) -> None:
    """Insert these rows; one whose key is there already becomes as given."""
    names = [name for name in rows[0] if name != key] if rows else []
    if rows and connection.dialect.name == "sqlite":
        values = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
        merging = f'{_insertion(table, rows[0])} ON CONFLICT ("{key}") DO UPDATE SET {values}'
        await _one_by_one(connection, merging, rows)
    elif rows:
        await connection.execute(_merging(table, key, tuple(rows[0])), _told(rows))


async def change(connection: AsyncConnection, table: Table, key: str, rows: Sequence[TableRow]) -> None:
    """Set the other columns of the rows with these keys; the caller has locked them."""
    names = [name for name in rows[0] if name != key] if rows else []
    if rows and connection.dialect.name == "sqlite":
        values = ", ".join(f'"{name}" = ?' for name in names)
        ordered = [{**{name: row[name] for name in names}, key: row[key]} for row in rows]
        statement = f'UPDATE {table.name} SET {values} WHERE "{key}" = ?'  # noqa: S608 -- the schema's names
        await _one_by_one(connection, statement, ordered)
    elif rows:
        await connection.execute(_changing(table, key, tuple(rows[0])), _told(rows))


def _insertion(table: Table, row: TableRow) -> str:
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join("?" * len(row))
    return f"INSERT INTO {table.name} ({names}) VALUES ({places})"  # noqa: S608 -- the schema's names


async def _one_by_one(connection: AsyncConnection, statement: str, rows: Sequence[TableRow]) -> None:
    """SQLite has no way to the server to save: the driver repeats the statement."""
    values = [tuple(map(_for_sqlite, row.values())) for row in rows]
    await connection.exec_driver_sql(statement, values)


@cache
def _adding(table: Table, names: tuple[str, ...]) -> postgresql.Insert:
    return postgresql.insert(table).from_select(list(names), _recordset(table, names))


@cache
def _adding_new(table: Table, names: tuple[str, ...]) -> postgresql.Insert:
    return _adding(table, names).on_conflict_do_nothing()


@cache
def _merging(table: Table, key: str, names: tuple[str, ...]) -> postgresql.Insert:
    statement = _adding(table, names)
    merged = {name: statement.excluded[name] for name in names if name != key}
    return statement.on_conflict_do_update(index_elements=[key], set_=merged)


@cache
def _changing(table: Table, key: str, names: tuple[str, ...]) -> Update:
    new = _recordset(table, names).subquery("new")
    fresh = {name: new.c[name] for name in names if name != key}
    return update(table).where(table.c[key] == new.c[key]).values(fresh)


def _recordset(table: Table, names: Sequence[str]) -> Select[Any]:
    """A query whose result is the rows of ``_told``: one bound text, which PostgreSQL takes apart."""
    given = cast(bindparam(ROWS_TOLD, type_=Text), postgresql.JSON)
    typed = [column(name, table.c[name].type) for name in names]
    return select(func.json_to_recordset(given).table_valued(*typed).render_derived(with_types=True))


def _told(rows: Sequence[TableRow]) -> Mapping[str, str]:
    """Given beside the statement, which as cyclic garbage would keep it until that is collected."""
    return {ROWS_TOLD: orjson.dumps(rows, default=_in_hex).decode()}


def _for_sqlite(value: Any) -> Any:
    """As SQLAlchemy's types write it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _in_hex(value: Any) -> str:
    """Bytes as PostgreSQL reads them; everything else JSON can tell."""
    return "\\x" + bytes(value).hex()
