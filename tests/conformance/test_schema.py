"""The migrations lead to the schema that the program declares."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from service.store import Store
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
