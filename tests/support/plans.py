"""What the database would do: the plans of the statements that a query makes."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Query = Callable[[AsyncConnection], Awaitable[Any]]


async def plans_of(connection: AsyncConnection, query: Query) -> list[str]:
    """As ``explained``; on PostgreSQL also for tables that are too small for an index to pay."""
    if connection.dialect.name != "sqlite":
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
    return await explained(connection, query)


async def explained(connection: AsyncConnection, query: Query) -> list[str]:
    """The plans of the statements that the query makes."""
    listening = Listening(connection)
    await query(listening)  # type: ignore[arg-type]
    lines: list[str] = []
    for statement in listening.statements:
        compiled = statement.compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
        prefix = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        found = await connection.exec_driver_sql(f"{prefix} {compiled}")
        lines.extend(str(row[-1]) for row in found)
    return lines


class Listening:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.dialect = connection.dialect
        self.statements: list[Any] = []

    async def execute(self, statement: Any, *arguments: Any) -> Any:
        self.statements.append(statement)
        return await self._connection.execute(statement, *arguments)

    async def scalars(self, statement: Any) -> Any:
        self.statements.append(statement)
        return await self._connection.scalars(statement)

    async def scalar(self, statement: Any) -> Any:
        self.statements.append(statement)
        return await self._connection.scalar(statement)
