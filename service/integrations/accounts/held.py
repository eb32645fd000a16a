"""Everything about an integration that waits for its person's answer, a series as one (R11, R36, R39)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.calendar import Integration, Item, ItemRef
from contracts.times import wire_time
from handlers.edits import MASKED_TITLE
from handlers.texts.compose import event_span
from service.integrations.refusals import Invalid
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import held_imports, reads
from service.store.items import items

HeldKind = Literal["deletion", "import"]
HeldTimes = tuple[str | None, str | None]
CURSOR_MARK = ":"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldChange:
    """One thing that is asked about; times as they are written, None where there are none.

    Of a series title, times and item are those of the first occurrence.
    """

    kind: HeldKind
    key: str
    title: str
    times: Sequence[HeldTimes]
    """When it is, or each occurrence of a series that waits."""
    item_id: str | None = None
    item_key: str | None = None
    """Under which My Calendar shows the item: its type and its id."""

    @property
    def count(self) -> int:
        return len(self.times)

    @property
    def start(self) -> str | None:
        return self.times[0][0]

    @property
    def end(self) -> str | None:
        return self.times[0][1]

    @property
    def cursor(self) -> str:
        return f"{self.kind}{CURSOR_MARK}{self.key}"


async def list_held(
    store: Store, integration: Integration, *, masked: bool, after: str | None = None, limit: int
) -> Page[HeldChange]:
    """Deletions first, then imports, behind the one at ``after``; ``masked``: private ones without title."""
    kind, _, key = (after or f"deletion{CURSOR_MARK}").partition(CURSOR_MARK)
    if kind not in {"deletion", "import"} or (after and not key):
        raise Invalid.one("after", "must be the cursor of an earlier answer")
    async with store.read() as connection:
        found: list[HeldChange] = []
        if kind != "import":
            found += await _deletions(connection, integration, after=key, limit=limit + 1, masked=masked)
            key = ""
        if len(found) <= limit:
            found += await _imports(connection, integration, after=key, limit=limit + 1 - len(found))
    return Page.of(found, limit, cursor=lambda one: one.cursor)


async def _deletions(
    connection: AsyncConnection, integration: Integration, *, after: str, limit: int, masked: bool
) -> Sequence[HeldChange]:
    held = await reads.held_series(connection, integration.id, after=after, limit=limit)
    known = await items.load(connection, {ItemRef(ref) for refs in held.values() for ref in refs})
    found = {key: [known[ItemRef(ref)] for ref in refs if ref in known] for key, refs in held.items()}
    return [_deletion(key, sorted(each, key=_order), masked=masked) for key, each in found.items() if each]


def _deletion(key: str, occurrences: Sequence[Item], *, masked: bool) -> HeldChange:
    item = occurrences[0]
    hidden = item.content is None or (masked and item.content.private)
    return HeldChange(
        kind="deletion",
        key=key,
        title=MASKED_TITLE if hidden or item.content is None else item.content.title,
        times=[_times(each) for each in occurrences],
        item_id=item.id,
        item_key=f"{item.type.value}:{item.id}",
    )


def _order(item: Item) -> tuple[str, str]:
    start, _ = _times(item)
    return start or "", item.id


def _times(item: Item) -> HeldTimes:
    span = event_span(item.content) if item.content else None
    return (wire_time(span[0]), wire_time(span[1])) if span else (None, None)


async def _imports(
    connection: AsyncConnection, integration: Integration, *, after: str, limit: int
) -> Sequence[HeldChange]:
    held = await held_imports.waiting_series(connection, integration, after=after, limit=limit)
    return [HeldChange(kind="import", key=each.key, title=each.title, times=each.times) for each in held]
