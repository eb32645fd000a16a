"""The migrations lead to the schema that the program declares."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from service.store.engine.schema import newest
from service.store.engine.store import Store
from service.store.tables import metadata


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
        told = [await store.behind()]
        await store.upgrade()
        told.append(await store.behind())
        async with store.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        told.append(await store.behind())
        await store.close()

        assert told == [
            f"the database schema is at nothing, this program needs {newest()}",
            None,
            f"the database schema is at 0001, this program needs {newest()}",
        ]
