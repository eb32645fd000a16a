"""A log as CSV: streamed, paged by key, and harmless in a spreadsheet (G14)."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

from contracts.fields import rfc3339
from service.integrations.views import list_log
from service.store.engine.store import Store
from service.store.integrations.listing import IntegrationView
from service.store.logs.logs import LogFilter, LogQuery

CSV_COLUMNS = (
    "at", "trigger", "direction", "action", "outcome", "code", "item_type", "item_id", "title", "reason",
    "message_id", "attempt", "run_id",
)  # fmt: skip
CSV_ROWS_A_TRANSACTION = 1000
UTF8_MARK = "\ufeff"
"""Tells spreadsheets that this is UTF-8."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """A text that a spreadsheet takes for a text: what begins like a formula is quoted."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


async def as_csv(
    store: Store, shown: IntegrationView, *, reader: str, trigger: LogFilter, wanted: LogQuery
) -> AsyncIterator[str]:
    """All entries, newest first, a page in each transaction, so that none lasts."""
    yield UTF8_MARK + _lines([CSV_COLUMNS])
    after: str | None = None
    while True:
        page = await list_log(
            store,
            shown,
            reader=reader,
            trigger=trigger,
            after=after,
            limit=CSV_ROWS_A_TRANSACTION,
            wanted=wanted,
        )
        if page.rows:
            yield _lines([_row(entry) for entry in page.rows])
        if (after := page.following) is None:
            return


def _row(entry: Any) -> list[str]:
    return [rfc3339(entry[name]) if name == "at" else cell(entry[name]) for name in CSV_COLUMNS]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
