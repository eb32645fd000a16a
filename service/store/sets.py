"""Set-based statements whose text does not change with the size of the set, so that plans are re-used."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, ColumnElement, Text, any_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection


def among(connection: AsyncConnection, column: Column[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """``column`` is one of ``values``; any number of them is one bound parameter."""
    if connection.dialect.name == "sqlite":
        entries = func.json_each(json.dumps(list(values))).table_valued("value")
        return column.in_(select(entries.c.value))
    array = bindparam(None, list(values), type_=ARRAY(Text))
    return cast(column, Text) == any_(array) if not isinstance(column.type, Text) else column == any_(array)
