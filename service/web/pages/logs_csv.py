"""A log as CSV: streamed, paged by key, and harmless in a spreadsheet (G14, DESIGN 10)."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

from contracts.calendar import Trigger
from contracts.fields import rfc3339
from service.store.engine.store import Store
from service.store.logs import logs
from service.store.logs.logs import Wanted

COLUMNS = (
    "at", "trigger", "direction", "action", "outcome", "code", "item_type", "item_id", "title", "reason",
    "message_id", "attempt", "run_id",
)  # fmt: skip
AT_ONCE = 1000
MARK = "\ufeff"
"""Tells spreadsheets that this is UTF-8."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """A text that a spreadsheet takes for a text: what begins like a formula is quoted."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


async def as_csv(
    store: Store, integration_id: str, *, triggers: Sequence[Trigger], wanted: Wanted
) -> AsyncIterator[str]:
    """All entries, newest first, a page in each transaction, so that none lasts (DESIGN 10)."""
    yield MARK + _lines([COLUMNS])
    before: str | None = None
    while True:
        async with store.read() as connection:
            page = await logs.page(
                connection, integration_id, triggers=triggers, before=before, limit=AT_ONCE, wanted=wanted
            )
        if page.entries:
            yield _lines([_row(entry) for entry in page.entries])
        if (before := page.following) is None:
            return


def _row(entry: Any) -> list[str]:
    return [rfc3339(entry[name]) if name == "at" else cell(entry[name]) for name in COLUMNS]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
