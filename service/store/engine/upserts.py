"""An insert that can say what becomes of a row whose key is there already, for either engine."""

from typing import cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def merging_insert(connection: AsyncConnection, table: Table) -> postgresql.Insert:
    """An insert that takes ``on_conflict_do_nothing`` and ``on_conflict_do_update``, on either engine."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return cast(postgresql.Insert, dialect.insert(table))
