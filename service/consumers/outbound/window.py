"""The window: messages in hand, what each still waits for, which are through."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.calendar import IntegrationId, Item, ItemRef, LinkId
from contracts.ports import REPLAY_HEADER, Delivery
from handlers.settlement import LinkFailure
from service.consumers.failures import replayed_by
from service.store.messages.inbox import MessageKey
from service.store.messages.ownership import trace_of
from service.telemetry.spans import NO_SPAN, Span

CROWD_MESSAGES = 100
"""So many messages are a crowd: company for most lanes is certain."""


@dataclass(kw_only=True, slots=True, eq=False)
class WindowEntry:
    """One message in hand."""

    delivery: Delivery
    key: MessageKey
    tenant_id: str | None = None
    trace_id: str | None = None
    item_ref: ItemRef | None = None
    item_key: str | None = None
    revision: int = 0
    said_at: datetime | None = None
    """When it happened in Vorex; not told of a replay, whose age is the operator's."""
    waiting: dict[LinkId, IntegrationId] = field(default_factory=dict)
    failures: dict[LinkId, LinkFailure] = field(default_factory=dict)
    superseded: bool = False
    stored: bool = False
    """Whether a part of its work is left to the store."""
    since: float = 0.0
    """When it was taken in, by this process's clock."""
    taken_at: float = field(default_factory=time.monotonic)
    span: Span = NO_SPAN
    gone: bool = False
    """Whether its channel was lost: it will come again."""

    @property
    def letter_id(self) -> str | None:
        """The dead letter that this message replays."""
        return replayed_by(self.delivery)

    @property
    def trace(self) -> str:
        """The trace that it belongs to, also where nothing else of it can be read."""
        return self.trace_id or trace_of(self.delivery.body, self.key)

    @property
    def about(self) -> Mapping[str, str | None]:
        """What names it in a log line, beside its key."""
        return {"tenant_id": self.tenant_id, "item": self.item_key, "trace_id": self.trace}

    @property
    def outcome(self) -> str:
        if self.superseded:
            return "superseded"
        return "stored" if self.stored else "done"


class Window:
    """All messages between transaction A and their settlement."""

    def __init__(self) -> None:
        self.entries: dict[int, WindowEntry] = {}
        self._waiters: dict[LinkId, list[WindowEntry]] = {}
        self._loads: Counter[IntegrationId] = Counter()
        self._tenants: Counter[str] = Counter()
        self.through: list[WindowEntry] = []
        """Nothing is awaited for them any more; the store has not been told."""

    def __len__(self) -> int:
        return len(self.entries)

    def holds(self, delivery: Delivery) -> bool:
        """Whether this delivery still waits for something."""
        return any(entry.delivery is delivery for entry in self.entries.values())

    def load(self, integration_id: IntegrationId) -> int:
        """How many messages wait in this integration's lane."""
        return self._loads[integration_id]

    def loads(self) -> Counter[IntegrationId]:
        return Counter(self._loads)

    @property
    def crowd_of(self) -> str | None:
        """The one tenant that more than half of a crowd of messages is of (R44)."""
        if len(self.entries) < CROWD_MESSAGES:
            return None
        tenant, messages = self._tenants.most_common(1)[0]
        return tenant if 2 * messages > len(self.entries) else None

    def add(self, entry: WindowEntry, links: Iterable[tuple[LinkId, IntegrationId]]) -> None:
        """Take the message in hand; it waits for these links."""
        self.entries[id(entry)] = entry
        self._tenants[entry.tenant_id or ""] += 1
        for link_id, integration_id in links:
            entry.waiting[link_id] = integration_id
            self._waiters.setdefault(link_id, []).append(entry)
            self._loads[integration_id] += 1
        if not entry.waiting:
            self.through.append(entry)

    def waiters(self, link_id: LinkId) -> list[WindowEntry]:
        return self._waiters.get(link_id, [])

    def answer(self, entry: WindowEntry, link_id: LinkId, failure: LinkFailure | None = None) -> None:
        """The message waits for this link no longer; one that is through now is queued for its settlement."""
        integration_id = entry.waiting.pop(link_id, None)
        if integration_id is None:
            return
        self._forget(entry, link_id, integration_id)
        if failure is not None:
            entry.failures[link_id] = failure
        if not entry.waiting and not entry.gone:
            self.through.append(entry)

    def supersede(self, link_id: LinkId, revision: int) -> list[WindowEntry]:
        """A newer state carries on for these messages."""
        older = [entry for entry in self.waiters(link_id) if entry.revision < revision]
        for entry in older:
            entry.superseded = True
            self.answer(entry, link_id)
        return older

    def set_aside(self, entry: WindowEntry) -> None:
        """The message cannot be settled by this process: it stays with the broker as it is."""
        self.through = [one for one in self.through if one is not entry]

    def settled(self, entries: Iterable[WindowEntry]) -> None:
        """These messages are settled, or are the broker's business now."""
        for entry in entries:
            if self.entries.pop(id(entry), None) is not None:
                self._leave(entry)

    def lose(self, generation: int) -> None:
        """Forget the messages of a channel that is gone; their links stay in their lanes."""
        lost = [entry for entry in self.entries.values() if entry.delivery.generation == generation]
        for entry in lost:
            entry.gone = True
            for link_id, integration_id in list(entry.waiting.items()):
                self._forget(entry, link_id, integration_id)
            entry.waiting.clear()
            del self.entries[id(entry)]
            self._leave(entry)
        self.through = [entry for entry in self.through if not entry.gone]

    def _leave(self, entry: WindowEntry) -> None:
        tenant = entry.tenant_id or ""
        self._tenants[tenant] -= 1
        if not self._tenants[tenant]:
            del self._tenants[tenant]

    def _forget(self, entry: WindowEntry, link_id: LinkId, integration_id: IntegrationId) -> None:
        waiters = self._waiters[link_id]
        waiters.remove(entry)
        if not waiters:
            del self._waiters[link_id]
        self._loads[integration_id] -= 1
        if self._loads[integration_id] <= 0:
            del self._loads[integration_id]


def window_entry(
    delivery: Delivery,
    key: MessageKey,
    tenant_id: str,
    item: Item,
    *,
    said_at: datetime,
    since: float,
    trace_id: str,
    span: Span,
) -> WindowEntry:
    return WindowEntry(
        span=span,
        said_at=None if REPLAY_HEADER in delivery.headers else said_at,
        delivery=delivery,
        key=key,
        tenant_id=tenant_id,
        trace_id=trace_id,
        item_ref=item.ref,
        item_key=f"{item.type.value}/{item.id}",
        revision=item.revision,
        since=since,
    )
