"""The migrations lead to the schema that the program declares."""

from itertools import pairwise
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from service.store.engine.schema import MIGRATE, MIGRATIONS, generation, newest, revisions
from service.store.engine.store import Store
from service.store.tables import metadata, schema_generation

VERSIONS = MIGRATIONS / "versions"


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
        assert (await store.schema()).present == before
        assert (await store.upgrade()).fits
        await store.close()


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
