"""What the database would do: the plan of every statement that a piece of work makes, with its own values."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event

from service.store.engine.store import Store
from service.store.tables import metadata

LARGE = frozenset({
    "attempts", "dead_letter_acts", "dead_letters", "inbox", "item_assignees", "items", "links",
    "log_entries", "outbox", "runs", "watched",
})  # fmt: skip
"""The tables that grow with the traffic, and the years."""
SMALL = frozenset(
    str(index.name)
    for table in metadata.sorted_tables
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
)
"""Indexes of what waits for somebody: to read one whole is to read what is asked for."""
TABLE_OF = {str(index.name): table.name for table in metadata.sorted_tables for index in table.indexes}
MANY = 4_000
"""A tenth of a grown table: so many rows are never sorted for a page."""
EXPLAINED = ("SELECT", "WITH", "UPDATE", "DELETE")


@dataclass
class PlanWatch:
    """The plans of the statements that were made, each told once."""

    large: Collection[str] = LARGE
    plans: dict[str, str] = field(default_factory=dict)
    bad: dict[str, list[str]] = field(default_factory=dict)
    """What a plan does that takes longer with every row, by statement."""

    def told(self) -> str:
        """All plans, for whoever wants to know which index they use."""
        return "\n".join(self.plans.values())

    def complaints(self) -> str:
        return "\n\n".join(f"{'; '.join(why)}\n{statement}" for statement, why in self.bad.items())

    def explain(self, connection: Connection, statement: str, parameters: Any) -> None:
        if not statement.lstrip().startswith(EXPLAINED) or statement in self.plans:
            return
        asking = _on_sqlite if connection.dialect.name == "sqlite" else _on_postgresql
        self.plans[statement], why = asking(connection, statement, parameters, self.large)
        if why:
            self.bad[statement] = why


@contextmanager
def watching(store: Store, *, large: Collection[str] = LARGE) -> Iterator[PlanWatch]:
    """Have each statement of the store explained, just before it is made."""
    watch = PlanWatch(large=large)

    def before(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        watch.explain(connection, statement, parameters[0] if many else parameters)

    engine = store.engine.sync_engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield watch
    finally:
        event.remove(engine, "before_cursor_execute", before)


def _rows(connection: Connection, statement: str, parameters: Any) -> Sequence[Any]:
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def _on_sqlite(
    connection: Connection, statement: str, parameters: Any, large: Collection[str]
) -> tuple[str, list[str]]:
    lines = [str(row[-1]) for row in _rows(connection, f"EXPLAIN QUERY PLAN {statement}", parameters)]
    limited = " LIMIT " in statement.replace("\n", " ")
    why = [line for line in lines if _reads_whole_table(line.split(), large, limited=limited)]
    return "\n".join(lines), why


def _reads_whole_table(words: Sequence[str], large: Collection[str], *, limited: bool) -> bool:
    """``SCAN`` goes from one end to the other, of an index as well; a limit may end it."""
    if words[0] != "SCAN" or words[1] not in large:
        return False
    index = words[words.index("INDEX") + 1] if "INDEX" in words else ""
    return not index or (index not in SMALL and not limited)


def _on_postgresql(
    connection: Connection, statement: str, parameters: Any, large: Collection[str]
) -> tuple[str, list[str]]:
    ((told,),) = _rows(connection, f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    whole = json.loads(told) if isinstance(told, str) else told
    nodes = list(_nodes(whole[0]["Plan"], limited=False))
    plan = "\n".join(
        " ".join(str(node[name]) for name in ("Node Type", "Relation Name", "Index Name") if name in node)
        for node, _ in nodes
    )
    return plan, [why for node, limited in nodes if (why := _objection(node, large, limited=limited))]


def _nodes(node: Mapping[str, Any], *, limited: bool) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each with whether something above it takes only so many of its rows, as they come."""
    yield node, limited
    ends_early = node["Node Type"] == "Limit" or (limited and node["Node Type"] not in {"Sort", "Aggregate"})
    for child in node.get("Plans", ()):
        yield from _nodes(child, limited=ends_early)


def _objection(node: Mapping[str, Any], large: Collection[str], *, limited: bool) -> str | None:
    kind, table, index = node["Node Type"], node.get("Relation Name"), node.get("Index Name", "")
    if kind == "Seq Scan" and table in large:
        return f"reads {table} from end to end"
    by_index = kind in {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}
    whole = by_index and "Index Cond" not in node and not limited
    if whole and index not in SMALL and TABLE_OF.get(index, index.removeprefix("pk_")) in large:
        return f"reads the index {index} from end to end"
    if kind == "Sort" and node["Plans"][0]["Plan Rows"] > MANY:
        return f"sorts {node['Plans'][0]['Plan Rows']} rows"
    return None
