"""The migrations lead to the schema that the program declares."""

import ast
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import JSON, Connection, func, inspect, select, text
from sqlalchemy.types import TypeEngine

from contracts.errors import Permanent
from service.store.engine.schema import MIGRATE, MIGRATIONS, generation, newest, revisions
from service.store.engine.store import Store
from service.store.tables import Moment, metadata, schema_generation

VERSIONS = MIGRATIONS / "versions"


def _said(migration: Path, what: str) -> tuple[str, ...]:
    """What a migration names in its line *loses* or *made_again*."""
    text_of = migration.read_text(encoding="utf-8")
    found = re.search(rf"^{what} = (\(.*?\))$", text_of, re.MULTILINE | re.DOTALL)
    return ast.literal_eval(found[1]) if found else ()


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_a_migrated_database_is_what_the_tables_say(
    new_sqlite_url: str, new_postgresql_url: str
) -> None:
    """On both engines; migrating again changes nothing."""
    for url in (new_sqlite_url, new_postgresql_url):
        store = Store(url)
        await store.upgrade()
        await store.upgrade()
        async with store.read() as connection:
            differences = await connection.run_sync(_differences)
        await store.close()

        assert differences == []


async def test_a_database_is_behind_until_it_is_at_the_newest_migration(
    new_sqlite_url: str, new_postgresql_url: str
) -> None:
    """Empty, at an older revision, and up to date, told without the machinery of the migrations."""
    for url in (new_sqlite_url, new_postgresql_url):
        store = Store(url)
        told = [(await store.schema()).trouble, (await store.upgrade()).trouble]
        await _pretend(store, revision="0001")
        older = await store.schema()
        await store.close()

        assert told == [(f"the database schema is at nothing, this program needs {newest()}", MIGRATE), None]
        assert older.trouble == (f"the database schema is at 0001, this program needs {newest()}", MIGRATE)
        assert older.pending[-1] == newest()


@pytest.mark.parametrize(("generations", "fits"), [(0, True), (1, False)])
async def test_a_later_schema_is_worked_on_where_it_is_of_the_same_generation(
    generations: int, fits: bool, sqlite_url: str, postgresql_url: str
) -> None:
    """And is left as it is by a migration; one of a later generation is refused, with what to do."""
    for url in (sqlite_url, postgresql_url):
        store = Store(url)
        await _pretend(store, revision="9999", generation=generation() + generations)
        seen, after = await store.schema(), await store.upgrade()
        await store.close()

        assert (seen, seen.fits, seen.later, seen.present) == (after, fits, True, "9999")
        assert fits or "start that version again" in str(seen.trouble)


async def test_a_migration_is_taken_back_where_nothing_is_lost_and_else_nothing_is_done(
    new_sqlite_url: str, new_postgresql_url: str
) -> None:
    """The newest that takes nothing with it while the one below would, and again up."""
    there = revisions()
    harmless = {path.name[:4] for path in VERSIONS.glob("[0-9]*.py") if _can_be_taken_back(path)}
    taken_back = max(harmless)
    before = there[there.index(taken_back) - 1]
    lost = max(one for one in there[: there.index(taken_back)] if one not in harmless)
    below = there[there.index(lost) - 1]
    for url in (new_sqlite_url, new_postgresql_url):
        store = Store(url)
        async with store.begin() as connection:
            await connection.run_sync(_upgrade_to, taken_back)
        (losing,) = await store.downgrade(below)
        assert losing.startswith(f"{lost}_")
        assert (await store.schema()).present == taken_back
        assert await store.downgrade(before) == []
        with pytest.raises(Permanent, match=f"is at {before}, so nothing later than {taken_back}"):
            await store.downgrade(taken_back)
        assert (await store.schema()).present == before
        assert (await store.upgrade()).fits
        await store.close()


async def test_every_migration_that_can_be_taken_back_goes_down_and_up_again_and_says_what_it_drops(
    new_sqlite_url: str, new_postgresql_url: str
) -> None:
    """Where there are no rows. A table or column that it does not name would be lost without a question."""
    there = revisions()
    able = [path for path in sorted(VERSIONS.glob("[0-9]*.py")) if _can_be_taken_back(path)]
    for url in (new_sqlite_url, new_postgresql_url):
        store, dropped = Store(url), {}
        for path in able:
            revision = path.name[:4]
            async with store.begin() as connection:
                await connection.run_sync(_upgrade_to, revision)
                before = await connection.run_sync(_names)
            below = there[there.index(revision) - 1]
            assert await store.downgrade(below) == []
            async with store.read() as connection:
                after = await connection.run_sync(_names)
            assert (await store.schema()).present == below
            gone = before - after
            dropped[path.stem] = {one for one in gone if "." not in one or one.partition(".")[0] not in gone}
        said = {path.stem: {*_said(path, "loses"), *_said(path, "made_again")} for path in able}
        assert dropped == said
        await store.upgrade()
        async with store.read() as connection:
            assert await connection.run_sync(_differences) == []
        await store.close()


LOST = [(path.name[:4], name) for path in sorted(VERSIONS.glob("[0-9]*.py")) for name in _said(path, "loses")]


@pytest.mark.parametrize(("revision", "name"), LOST)
async def test_nothing_is_taken_back_that_holds_what_would_be_lost(
    revision: str, name: str, sqlite_url: str, postgresql_url: str
) -> None:
    """Refused before anything was changed; another revision above it stays as it is, too."""
    there = revisions()
    below = there[there.index(revision) - 1]
    for url in (sqlite_url, postgresql_url):
        store = Store(url)
        async with store.begin() as connection:
            await connection.run_sync(_fill, name)
        losing = await store.downgrade(below)
        assert [one[:4] for one in losing if one.startswith(f"{revision}_")] == [revision]
        assert (await store.schema()).present == newest()
        async with store.read() as connection:
            assert await connection.run_sync(_differences) == []
            owner = metadata.tables[name.partition(".")[0]]
            assert await connection.scalar(select(func.count()).select_from(owner)) == 1
        await store.close()


def _names(connection: Connection) -> frozenset[str]:
    """Tables, and columns of tables."""
    found = inspect(connection)
    tables = found.get_table_names()
    columns = [f"{one}.{each['name']}" for one in tables for each in found.get_columns(one)]
    return frozenset([*tables, *columns])


def _fill(connection: Connection, name: str) -> None:
    """A row of that table, or one in which that column is not empty, and what it refers to."""
    owner, _, column = name.partition(".")
    table = metadata.tables[owner]
    for key in table.foreign_keys:
        _fill(connection, key.column.table.name)
    given = {
        each.name: _any_value(each.type)
        for each in table.columns
        if each.name == column or (not each.nullable and each.server_default is None)
    }
    connection.execute(table.insert().values(given))


def _any_value(kind: TypeEngine[Any]) -> Any:
    if isinstance(kind, Moment):
        return datetime(2026, 12, 3, 9, tzinfo=UTC)
    if isinstance(kind, JSON):
        return ["any"]
    return {str: "any", int: 1, float: 1.0, bool: True, bytes: b"any"}[kind.python_type]


def _can_be_taken_back(migration: Path) -> bool:
    return "\ndef downgrade(" in migration.read_text(encoding="utf-8")


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def test_every_migration_says_whether_the_version_before_can_work_on_it() -> None:
    """By its generation, since there are any: the same as the last one's, or one more."""
    files = sorted(VERSIONS.glob("[0-9]*.py"))
    saying = [path for path in files if path.name >= "0025"]
    silent = [path.name for path in saying if "\ngeneration = " not in path.read_text(encoding="utf-8")]
    assert silent == [], "each needs a line 'generation = N' (see service/store/engine/schema.py)"
    said = [generation(path.name.partition("_")[0]) for path in saying]
    assert all(before <= after <= before + 1 for before, after in pairwise(said))


async def _pretend(store: Store, *, revision: str, generation: int | None = None) -> None:
    """That another version was here."""
    async with store.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        if generation is not None:
            await connection.execute(schema_generation.update().values(generation=generation))
