"""Claims: kept alive, taken over when free, and taken for links that nobody looks after."""

from collections.abc import Collection, Sequence

from contracts.calendar import IntegrationId, Item, LinkId, LinkState
from handlers.link_states import UNWRITTEN_STATES
from handlers.outbound_message import expecting
from handlers.settlement import LinkFailure
from service.consumers.outbound.lanes import FULL_LANE_LINKS, LANE_REFILL, Lane, LinkTask
from service.consumers.outbound.state import OutboundState
from service.store.items import items
from service.store.links import claims as rows
from service.store.links.claims import StoredLink

LINKS_A_SWEEP = 500


class Claims:
    """The claims of one process."""

    def __init__(self, state: OutboundState) -> None:
        self._state = state
        self._being_taken: set[LinkId] = set()
        """Claimed in the store perhaps, and in no lane yet: what a stop may interrupt."""

    async def renew(self) -> None:
        """Keep everything in the lanes for another while."""
        held = self._state.lanes.held()
        if held:
            async with self._state.writing() as connection:
                now = await self._state.store.now(connection)
                await rows.renew(connection, held, me=self._state.me, now=now)

    async def release(self) -> None:
        """Give back what is not in the air; what is, is left to expire, for its fate is unknown."""
        waiting = [link_id for lane in self._state.lanes for link_id in (*lane.waiting, *lane.newer)]
        flying = {link_id for lane in self._state.lanes for link_id in lane.flying}
        given = {*waiting, *self._being_taken, *self._state.elsewhere} - flying
        if given:
            async with self._state.writing() as connection:
                await rows.release(connection, given, me=self._state.me)

    async def visit(self) -> None:
        """See how the links stand that others hold, and take those that can be had."""
        state = self._state
        ids = [
            link_id for link_id in state.elsewhere if state.window.waiters(link_id) or _ours(state, link_id)
        ]
        state.elsewhere.intersection_update(ids)
        if not ids:
            return
        async with state.store.read() as connection:
            now = await state.store.now(connection)
            known, free = await rows.claim_states(connection, ids, me=state.me, now=now)
        for link_id in ids:
            self._answer(link_id, known.get(link_id))
        state.elsewhere.difference_update(
            link_id for link_id in ids if known.get(link_id, (LinkState.AGREED, 0))[0] not in UNWRITTEN_STATES
        )
        await self.take(free)

    def _answer(self, link_id: LinkId, known: tuple[LinkState, int] | None) -> None:
        window = self._state.window
        for entry in list(window.waiters(link_id)):
            if known is None or (known[0] not in UNWRITTEN_STATES and known[0] is not LinkState.FAILED):
                window.answer(entry, link_id)
            elif known[0] is LinkState.FAILED:
                reason = "Another process was refused by the calendar."
                window.answer(entry, link_id, LinkFailure(transient=False, reason=reason))
            elif known[1] >= entry.revision:
                window.answer(entry, link_id)

    async def refill(self, lane: Lane) -> None:
        """Fetch links of the lane that only the store knows, oldest first."""
        async with self._state.store.read() as connection:
            now = await self._state.store.now(connection)
            found = await rows.backlog(connection, lane.integration_id, now=now, limit=LANE_REFILL)
        lane.behind_in_store = len(found) == LANE_REFILL
        await self.take(found)

    @property
    def unfilled(self) -> Sequence[IntegrationId]:
        """Whose lanes wait for what is in the store."""
        return [lane.integration_id for lane in self._state.lanes if self.wants_refill(lane)]

    def wants_refill(self, lane: Lane) -> bool:
        return lane.behind_in_store and len(lane.waiting) < FULL_LANE_LINKS

    async def sweep(self) -> int:
        """Take up links that nobody looks after: behind, due for another attempt, or to be verified."""
        async with self._state.store.read() as connection:
            now = await self._state.store.now(connection)
            found = await rows.neglected(connection, now=now, limit=LINKS_A_SWEEP)
        return await self.take(found, background=True)

    async def take(self, ids: Collection[LinkId], *, background: bool = False) -> int:
        """Claim these links and put them into their lanes; how many could be had."""
        if not ids:
            return 0
        state = self._state
        self._being_taken.update(ids)
        async with state.writing() as connection:
            stored = list((await rows.of_ids(connection, ids)).values())
            now = await state.store.now(connection)
            wanted = [each for each in stored if not each.held_by_other(state.me, now) and _due(each, now)]
            known = await items.load(connection, {each.link.item_ref for each in wanted})
            tasks = [
                self._claimed(each, item, now)
                for each in wanted
                if (item := known.get(each.link.item_ref)) is not None
            ]
            await rows.save_links(connection, wanted, touched_at=now)
        for task in tasks:
            task.background = background and not state.window.waiters(task.link_id)
            state.elsewhere.discard(task.link_id)
            state.lanes[task.integration_id].put(task)
        self._being_taken.difference_update(ids)
        return len(tasks)

    def _claimed(self, stored: StoredLink, item: Item, now: float) -> LinkTask:
        taken_over = stored.claim(self._state.me, now)
        link = stored.link = expecting(stored.link, item, now)
        task = self._state.task_of(stored, item, now=now, verify=taken_over)
        task.verifies = link.state not in UNWRITTEN_STATES
        waiters = self._state.window.waiters(link.id)
        if waiters:
            newest = max(waiters, key=lambda entry: entry.revision)
            task.message_id, task.attempt = newest.key[1], newest.delivery.attempt
            task.trace_id = newest.trace_id
        return task


def _due(stored: StoredLink, now: float) -> bool:
    """Whether there is anything to write."""
    if stored.link.state in UNWRITTEN_STATES:
        return True
    doubtful = stored.verify_at is not None and stored.verify_at <= now
    return doubtful and stored.link.state is LinkState.AGREED and stored.link.desired_revision > 0


def _ours(state: OutboundState, link_id: LinkId) -> bool:
    """Whether the link is to be fetched again although no message waits: its desired state moved on."""
    return not any(link_id in lane.waiting or link_id in lane.flying for lane in state.lanes)
