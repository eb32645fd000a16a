"""How much a database does for a piece of work, counted without a clock: the same on every machine."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event

from service.store.engine.store import Store

STEPS_A_COUNT = 100
"""SQLite's virtual machine tells of so many of its instructions at a time."""

PAGE_COST = 1.1
"""Of a page out of order, as disks without a head have it: else PostgreSQL reads small tables whole."""


@dataclass
class CountedSteps:
    """Rows looked at on PostgreSQL, hundreds of instructions on SQLite; and the statements on both."""

    work: int = 0
    statements: int = 0


@contextmanager
def counting(store: Store) -> Iterator[CountedSteps]:
    """Count what the store's statements do from here on; of PostgreSQL those that only read."""
    counted = CountedSteps()
    engine = store.engine.sync_engine

    def before(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        counted.statements += 1
        if connection.dialect.name == "sqlite":
            _watch(connection, counted)
        elif statement.lstrip().startswith(("SELECT", "WITH")) and not many:
            counted.work += _rows_looked_at(connection, statement, parameters)

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield counted
    finally:
        event.remove(engine, "before_cursor_execute", before)


@contextmanager
def asked(store: Store) -> Iterator[list[str]]:
    """Every statement that is sent, whatever number of rows goes with it."""
    said: list[str] = []

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    engine = store.engine.sync_engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", before)


def _watch(connection: Connection, counted: CountedSteps) -> None:
    def step() -> int:
        counted.work += 1
        return 0

    driver: Any = connection.connection.dbapi_connection
    driver.run_async(lambda raw: raw.set_progress_handler(step, STEPS_A_COUNT))


def _rows_looked_at(connection: Connection, statement: str, parameters: Any) -> int:
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"SET random_page_cost = {PAGE_COST}")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        ((told,),) = cursor.fetchall()
        cursor.execute("RESET random_page_cost")
    finally:
        cursor.close()
    whole = json.loads(told) if isinstance(told, str) else told
    return sum(_looked_at(node) for node in _nodes(whole[0]["Plan"]))


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _looked_at(node: Mapping[str, Any]) -> int:
    """Of a table: what was taken and what was passed over, in every round."""
    if "Relation Name" not in node:
        return 0
    passed = sum(value for name, value in node.items() if name.startswith("Rows Removed by"))
    return int((node["Actual Rows"] + passed) * node["Actual Loops"])
