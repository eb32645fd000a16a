"""What one outbound process has in hand, shared by intake, senders and settling."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contracts.calendar import IntegrationId, Item, Link, LinkId, Origin
from contracts.event_fields import fields_hash
from contracts.ports import Clock
from handlers.landing import SendResult, SentWrite, write_of
from handlers.outbound_message import shown_title
from service.consumers.outbound.lanes import Lanes, LinkTask
from service.consumers.outbound.window import Window, WindowEntry
from service.store.engine.store import AsyncConnection, Store
from service.store.links.claims import StoredLink

WRITE_GAP_SECONDS = 2.0
"""Seconds between writes of two processes to one event, whose order Cronofy does not promise."""
SETTLED_TOGETHER = 500
"""Answers of one transaction B, and messages that are through: what more of them take stays for good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskResult:
    """What came of a task."""

    task: LinkTask
    result: SendResult


class OutboundState:
    """Lanes, window and answers of one process; every change to them ends with a ``moved``."""

    def __init__(self, *, store: Store, clock: Clock, me: str) -> None:
        self.store = store
        self.clock = clock
        self.me = me
        self.lanes = Lanes()
        self.window = Window()
        self.elsewhere: set[LinkId] = set()
        """Links that another process holds and that messages of ours wait for."""
        self.taken_in = 0
        """How many messages were taken in."""
        self.replies: list[TaskResult] = []
        self.arrived = asyncio.Event()
        """Set when answers or finished messages wait to be settled."""
        self.paused_by_outage: Callable[[], bool] = lambda: False
        """Whether Cronofy is down, or a key is missing: nothing is sent, and what waits stays as it is."""
        self._moves: list[Callable[[], None]] = []
        self._alone = asyncio.Lock()

    def on_move(self, call: Callable[[], None]) -> None:
        self._moves.append(call)

    def moved(self) -> None:
        """Something changed: whoever decides on it decides anew."""
        if self.replies or self.window.through:
            self.arrived.set()
        for call in self._moves:
            call()

    def take_answers(self) -> tuple[list[TaskResult], list[WindowEntry]]:
        """The next answers to be stored, and messages to be settled with them; these stay until they are."""
        taken, self.replies = self.replies[:SETTLED_TOGETHER], self.replies[SETTLED_TOGETHER:]
        return taken, self.window.through[:SETTLED_TOGETHER]

    def loads(self) -> Counter[IntegrationId]:
        """How much of each lane is live: its messages, or its links where their messages were settled."""
        waiting = Counter(
            {
                lane.integration_id: sum(1 for task in lane.waiting.values() if not task.background)
                for lane in self.lanes
            }
        )
        return self.window.loads() | waiting

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A writing transaction; on SQLite one at a time, so that none sleeps in the busy handler."""
        if not self.store.sqlite:
            async with self.store.begin() as connection:
                yield connection
            return
        async with self._alone, self.store.begin() as connection:
            yield connection

    def task_of(self, stored: StoredLink, item: Item, *, now: float, verify: bool = False) -> LinkTask:
        """The task that makes the link's event as it should be."""
        link = stored.link
        at = self.clock.monotonic()
        accepted = link.accepted_at or 0.0
        foreign = stored.writer not in {None, self.me}
        gap = max(0.0, accepted + WRITE_GAP_SECONDS - now) if foreign else 0.0
        return LinkTask(
            link_id=link.id,
            integration_id=link.integration_id,
            calendar_id=link.calendar_id,
            write=write_of(link, link.desired),
            sent=SentWrite(
                revision=link.desired_revision,
                epoch=stored.claim_epoch,
                applied_hash=fields_hash(link.desired),
                gone=link.desired is None,
                prints=link.writes[-1].prints if link.writes and _remembers(link) else None,
                verify=verify,
            ),
            item_ref=item.ref,
            item_id=item.id,
            item_type=item.type,
            title=shown_title(item.content),
            traits=item.content.traits if item.content else None,
            exists_there=link.exists_there,
            tenant_id=item.tenant_id,
            run_id=stored.run_id,
            since=at,
            place=self.taken_in,
            not_before=at + gap,
        )


def _remembers(link: Link) -> bool:
    """Whether what is due is the newest of the writes that may be read back."""
    return link.desired is not None or link.origin is Origin.OURS
