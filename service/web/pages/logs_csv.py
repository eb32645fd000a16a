"""A log as CSV: streamed, paged by key, and harmless in a spreadsheet (G14)."""

import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from contracts.fields import rfc3339
from service.integrations.views import list_log
from service.store.engine.store import Store
from service.store.integrations.listing import IntegrationView
from service.store.logs.logs import LogFilter, LogQuery

CSV_COLUMNS = (
    "at", "trigger", "direction", "action", "outcome", "code", "item_type", "item_id", "title", "reason",
    "message_id", "attempt", "run_id", "trace_id",
)  # fmt: skip
CSV_ROWS_A_TRANSACTION = 1000
UTF8_MARK = "\ufeff"
"""Tells spreadsheets that this is UTF-8."""
_SEPARATORS = ";|\t\r\n\v\f\x85\u2028\u2029"
"""Between which a spreadsheet that takes no comma for one begins a cell, whatever quotation marks say."""
_LEADING = rf'[{_SEPARATORS}\s"\x00-\x20\u200b-\u200f\u2060\ufeff]'
"""What may stand before a formula in its cell without making it a text."""
_FORMULA = re.compile(
    rf"(?:^|(?<!{_LEADING})(?={_LEADING}))(?P<before>{_LEADING}*+)(?=[=+\-@＝＋－＠﹦﹢﹣﹫])"
)


def cell(value: object) -> str:
    """A text that a spreadsheet takes for a text, at whatever separator it divides the line.

    What begins like a formula, there or after a separator, gets an apostrophe before it.
    """
    text = "" if value is None else str(value)
    quoted = _FORMULA.sub(_quoted, text)
    return f"'{quoted}" if text.startswith(("\t", "\r", "\n")) else quoted


def _quoted(found: re.Match[str]) -> str:
    before = found["before"]
    begins = found.start() == 0 or any(one in _SEPARATORS for one in before)
    return f"{before}'" if begins else before


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
