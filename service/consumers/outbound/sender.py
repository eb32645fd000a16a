"""One request of a lane: budget first, then the re-check, then the writes and their answers (DESIGN 6.3)."""

from collections.abc import Mapping, Sequence

import structlog

from contracts.calendar import Code, LinkId, LinkState, Status
from contracts.errors import GrantRefused, Permanent, Throttled, Transient, Unanswered, Unavailable
from contracts.ports import Budget, Cronofy, Looker, Turn
from contracts.writes import Answer
from handlers.landing import LEFT, LOOKED_AT, LOST, TOO_MANY, Kind, Result, needs_look, read_answer
from handlers.link_states import UNFINISHED
from handlers.settlement import BUG, EXHAUSTED
from service.consumers.failures import failure_of, frames
from service.consumers.outbound.lanes import FULL, Lane, Task
from service.consumers.outbound.state import InHand, Reply
from service.crashpoints import crash_point
from service.store.links import claims as rows
from service.store.links.claims import LEAST_CLAIM, Checked
from service.telemetry.logs import EventName

log = structlog.get_logger(__name__)

FAULT: EventName = "outbound.fault"
PAUSE = 1.0
"""Seconds that a lane waits when the store or the budget cannot be used."""


class Sender:
    """Sends what a lane holds and leaves the answers to the settling."""

    def __init__(self, hand: InHand, *, cronofy: Cronofy, budget: Budget, looker: Looker) -> None:
        self._hand = hand
        self._cronofy = cronofy
        self._budget = budget
        self._looker = looker

    async def send(self, lane: Lane) -> None:
        """Make one request at most; every link of it ends up answered, or back in its lane."""
        run = lane.background
        tasks: list[Task] = []
        try:
            paid = self._cronofy.cost(min(self._most, max(1, len(lane.waiting))))
            permit = await self._budget.take(lane.integration_id, cost=paid, run=run)
            tasks = lane.take(self._affordable(paid), self._hand.clock.monotonic())
            checked = await self._check(tasks)
            if tasks and permit.until < self._hand.clock.monotonic():
                # the store was slow, and what is checked before another wait for the budget would be old
                permit = await self._budget.take(lane.integration_id, cost=paid, run=run)
                checked = await self._check(tasks)
        except Exception as error:  # noqa: BLE001 -- nothing was sent: the lane waits and tries again
            self._rest(lane, tasks, error)
            return
        fitting, short = self._fitting(tasks, checked)
        if short:
            await self._renew(lane, short)
        if fitting and self._hand.paused_by_breaker():
            lane.give_back(fitting)  # Cronofy went down while this lane waited for its turn
        elif fitting:
            sub = checked[fitting[0].link_id].sub
            turn = Turn(integration_id=lane.integration_id, run=run, permit=permit)
            await self._request(lane, sub, fitting, turn)

    @property
    def _most(self) -> int:
        return min(FULL, self._cronofy.largest_batch)

    def _affordable(self, paid: int) -> int:
        """How many writes that cost covers: the lane has grown while it waited for its budget."""
        return self._most if self._cronofy.cost(self._most) <= paid else paid

    def _rest(self, lane: Lane, tasks: Sequence[Task], error: Exception) -> None:
        lane.give_back(tasks)
        if not isinstance(error, Transient):
            log.error(FAULT, integration_id=lane.integration_id, exception=frames(error))
        asked = error.retry_after if isinstance(error, Transient) else None
        lane.not_before = self._hand.clock.monotonic() + (asked or PAUSE)

    async def _check(self, tasks: Sequence[Task]) -> dict[LinkId, Checked]:
        if not tasks:
            return {}
        store, ids = self._hand.store, [task.link_id for task in tasks]
        async with store.read() as connection:
            return await rows.check(connection, ids, me=self._hand.me, clock=store.clock())

    def _fitting(
        self, tasks: Sequence[Task], checked: Mapping[LinkId, Checked]
    ) -> tuple[list[Task], list[Task]]:
        """Those that may be sent, and those whose claim is too short for it; the others are answered."""
        fitting: list[Task] = []
        short: list[Task] = []
        for task in tasks:
            found = checked.get(task.link_id)
            misfit = _misfit(task, found)
            if misfit is not None:
                self._answer(task, misfit)
            elif found is not None and found.remaining < LEAST_CLAIM:
                short.append(task)
            else:
                fitting.append(task)
        return fitting, short

    async def _renew(self, lane: Lane, tasks: Sequence[Task]) -> None:
        """Lengthen these claims and leave the links for the lane's next request."""
        lane.give_back(tasks)
        try:
            async with self._hand.writing() as connection:
                now = await self._hand.store.now(connection)
                ids = [task.link_id for task in tasks]
                await rows.renew(connection, ids, me=self._hand.me, now=now)
        except Exception as error:  # noqa: BLE001 -- the links that may be sent are sent all the same
            self._rest(lane, (), error)

    async def _request(self, lane: Lane, sub: str, tasks: Sequence[Task], turn: Turn) -> None:
        crash_point("outbound.3")
        try:
            answers = await self._cronofy.write(sub, [task.write for task in tasks], turn=turn)
        except Throttled as error:
            lane.give_back(tasks)
            lane.pause(self._hand.clock.monotonic(), error.retry_after)
        except Exception as error:  # noqa: BLE001 -- every failure becomes the links' result
            await self._refused(lane, tasks, error)
        else:
            crash_point("outbound.4")
            await self._answered(lane, tasks, answers)

    async def _answered(self, lane: Lane, tasks: Sequence[Task], answers: Sequence[Answer]) -> None:
        connected = not needs_look(answers) or await self._connected(lane)
        throttled: list[Task] = []
        for task, answer in zip(tasks, answers, strict=True):
            if answer.status == TOO_MANY:
                throttled.append(task)
            elif connected is None and answer.status in LOOKED_AT:
                self._answer(task, _transient("Cronofy could not say whether the calendar is still there."))
            else:
                self._answer(task, read_answer(answer, task.write, connected=connected is not False))
        if throttled:
            lane.give_back(throttled)
            lane.pause(self._hand.clock.monotonic(), None)
        else:
            lane.relax()

    async def _refused(self, lane: Lane, tasks: Sequence[Task], error: Exception) -> None:
        if isinstance(error, Unavailable) and self._hand.paused_by_breaker():
            lane.give_back(tasks)  # it is Cronofy, not these writes: they wait for its return, unburnt
            return
        status = error.status if isinstance(error, Permanent | Transient) else None
        refused = isinstance(error, GrantRefused)
        looked_at = status in LOOKED_AT and not refused
        if looked_at and len(tasks) == 1:
            await self._answered(lane, tasks, [Answer(status=status or 0)])
        elif (looked_at or refused) and await self._connected(lane, at_once=refused) is False:
            self._answer_all(tasks, Result(kind=Kind.HELD, holding=Code.NOT_CONNECTED))
        elif refused:
            self._answer_all(tasks, _transient(str(error)))
        elif isinstance(error, Permanent) and len(tasks) > 1:
            for task in tasks:
                task.alone = True
            lane.give_back(tasks)
        else:
            self._answer_all(tasks, _failed(error))

    async def _connected(self, lane: Lane, *, at_once: bool = False) -> bool | None:
        """What a look at the account says; None where it says nothing."""
        try:
            return await self._looker.look(lane.integration_id, at_once=at_once) == "fine"
        except Transient:
            return None
        except Exception as error:  # noqa: BLE001 -- no finding is a finding: nothing is known
            log.error(FAULT, exception=frames(error))  # noqa: TRY400 -- its words may be private
            return None

    def _answer_all(self, tasks: Sequence[Task], result: Result) -> None:
        for task in tasks:
            self._answer(task, result)

    def _answer(self, task: Task, result: Result) -> None:
        self._hand.replies.append(Reply(task=task, result=result))


def _misfit(task: Task, found: Checked | None) -> Result | None:
    """Why the link is not to be sent as the task says; None: it is."""
    if found is None or not found.mine or found.epoch != task.sent.epoch:
        return LOST
    if found.revision != task.sent.revision or not _wants(task, found):
        return LEFT
    if found.calendar_id != task.calendar_id:
        return LEFT  # Cronofy gave the calendar another id: written there by whoever comes next
    if found.linked_calendar_id != task.calendar_id:
        return Result(kind=Kind.LET_GO)
    if not found.sends:
        return Result(kind=Kind.HELD, holding=_holding(found))
    return None


def _wants(task: Task, found: Checked) -> bool:
    return found.state in UNFINISHED or (task.verifies and found.state is LinkState.AGREED)


def _holding(found: Checked) -> Code | None:
    if found.status is not Status.CONNECTED:
        return Code.NOT_CONNECTED
    return None if found.active else Code.INACTIVE


def _transient(reason: str) -> Result:
    return Result(kind=Kind.TRANSIENT, reason=reason, code=EXHAUSTED)


def _failed(error: Exception) -> Result:
    """What the error means for each link of the request; people are not told what went wrong in here."""
    failure = failure_of(error)
    foreseen = failure.code != BUG
    if not foreseen:
        log.error(FAULT, exception=frames(error))
    return Result(
        kind=Kind.TRANSIENT if failure.transient else Kind.PERMANENT,
        reason=failure.reason if foreseen else f"an unexpected {type(error).__name__}",
        code=failure.code,
        unknown=isinstance(error, Unanswered) or not foreseen,
        failure=failure,
    )
