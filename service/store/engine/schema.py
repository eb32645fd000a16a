"""Where the schema stands, bringing it up to date, and whether an earlier version may work on a later one.

A migration that only adds (a table, a column that may be empty or has a default) leaves its ``generation``
as it was: the version before can go on working beside the new one, and be gone back to. One that takes
something away, or changes what it means, is of the next generation, and comes a release after the one that
ceased to need what it takes.

A migration with a ``downgrade`` can be taken back. What that would drop it names, each a *table* or a
*table.column*: ``loses`` what nobody could tell again, for which it is refused where there is any, and
``made_again`` what the next reading or report brings back.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    Connection,
    Text,
    cast,
    column,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
    table,
    text,
)

from contracts.errors import Permanent
from service.store.tables import schema_generation

MIGRATIONS = Path(__file__).parents[1] / "migrations"
MIGRATE = "run: calendar-sync migrate"
_GENERATION = re.compile(r"^generation = (\d+)$", re.MULTILINE)
_DOWNGRADE = re.compile(r"^def downgrade\(", re.MULTILINE)
_LOSES = re.compile(r"^loses = (\(.*?\))$", re.MULTILINE | re.DOTALL)
_TABLE = schema_generation.name


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaState:
    """Where a database's schema stands, and what this program needs."""

    present: str | None
    """None before the first migration."""
    needed: str
    generation: int | None
    """Of the database; None before there were any."""
    own_generation: int
    pending: Sequence[str] = ()
    """What a migration would do, the next first."""

    @property
    def later(self) -> bool:
        """Whether a later version has been here."""
        return self.present is not None and self.present not in revisions()

    @property
    def fits(self) -> bool:
        """Whether this program can work on it."""
        return not self.pending and (not self.later or self.generation == self.own_generation)

    @property
    def trouble(self) -> tuple[str, str] | None:
        """What is wrong, and the remedy."""
        if self.fits:
            return None
        if not self.later:
            return (
                f"the database schema is at {self.present or 'nothing'}, this program needs {self.needed}",
                MIGRATE,
            )
        return (
            f"the database schema is at {self.present}, of a later version that this one cannot work beside",
            "start that version again, or bring back the copy made before it; see the handbook on upgrades",
        )


def revisions() -> list[str]:
    """All that this program knows, the newest last; a migration's file is named after its revision."""
    return sorted(path.name.partition("_")[0] for path in _files())


def newest() -> str:
    """The revision that this program needs."""
    return revisions()[-1]


def generation(upto: str | None = None) -> int:
    """Of the schema that this program needs, or at that revision: the last that a migration says."""
    files = (path for path in reversed(_files()) if upto is None or path.name.partition("_")[0] <= upto)
    said = (_GENERATION.search(path.read_text(encoding="utf-8")) for path in files)
    return next(int(found[1]) for found in said if found)


def state(connection: Connection) -> SchemaState:
    """Where this database stands."""
    there, known = present(connection), revisions()
    begun = known.index(there) + 1 if there in known else 0
    return SchemaState(
        present=there,
        needed=known[-1],
        generation=_stored_generation(connection),
        own_generation=generation(),
        pending=known[begun:] if there is None or there in known else (),
    )


def present(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(connection: Connection) -> SchemaState:
    """Bring the database to the newest revision; one that a later version made is left as it is."""
    before = state(connection)
    if before.pending:
        _run("upgrade", connection, "head")
        _say_generation(connection, generation())
    return state(connection)


def losing(connection: Connection, revision: str) -> Sequence[str]:
    """Migrations after that revision, the newest first, that cannot be taken back without a loss."""
    there = present(connection) or ""
    due = [path for path in reversed(_files()) if revision < path.name.partition("_")[0] <= there]
    return [path.stem for path in due if _loses(connection, path.read_text(encoding="utf-8"))]


def _loses(connection: Connection, migration: str) -> bool:
    if not _DOWNGRADE.search(migration):
        return True
    found = _LOSES.search(migration)
    return any(_holds(connection, name) for name in (ast.literal_eval(found[1]) if found else ()))


def _holds(connection: Connection, name: str) -> bool:
    """Whether the table of that name has a row, or its column in any row a value."""
    owner, _, of_it = name.partition(".")
    wanted = select(literal(1)).select_from(table(owner)).limit(1)
    if of_it:  # where JSON says null nothing is said
        wanted = wanted.where(func.coalesce(cast(column(of_it), Text), "null") != "null")
    return connection.scalar(wanted) is not None


def downgrade(connection: Connection, revision: str) -> None:
    """Take back what came after that revision. Raises Permanent where it is not one of before."""
    there = present(connection)
    if there is None or there < revision:
        said = f"the database schema is at {there or 'nothing'}"
        raise Permanent(f"{said}, so nothing later than {revision} can be taken back")
    if there not in revisions():
        raise Permanent(
            f"the database schema is at {there}, a later version's: take it back with that version"
        )
    _run("downgrade", connection, revision)
    if inspect(connection).has_table(_TABLE):
        _say_generation(connection, generation(revision))


def _say_generation(connection: Connection, number: int) -> None:
    connection.execute(delete(schema_generation))
    connection.execute(insert(schema_generation), [{"generation": number}])


def _files() -> list[Path]:
    return sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))


def _stored_generation(connection: Connection) -> int | None:
    if not inspect(connection).has_table(_TABLE):
        return None
    found: int | None = connection.scalar(select(schema_generation.c.generation))
    return found


def _run(verb: str, connection: Connection, revision: str) -> None:
    # Imported late: most processes only compare, and it costs nine MiB and a tenth of a second.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    getattr(command, verb)(config, revision)
