"""One request of a lane: budget first, then the re-check, then the writes and their answers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from contracts.calendar import Code, LinkId, LinkState, Status
from contracts.errors import GrantRefused, Permanent, Throttled, Transient, Unanswered, Unavailable
from contracts.ports import AccountCheck, BatchWriter, Budget, Turn
from contracts.writes import Answer, Delete, EventWrite, Upsert
from handlers.landing import (
    CHECKED_STATUSES,
    RESULT_LEFT,
    RESULT_LOST,
    STATUS_TOO_MANY,
    ResultKind,
    SendResult,
    in_zone,
    needs_check,
    read_answer,
    write_otherwise,
)
from handlers.link_states import UNWRITTEN_STATES
from handlers.settlement import BUG_CODE, EXHAUSTED_CODE
from handlers.texts.advice import advice_of, with_advice
from handlers.texts.event_details import event_details
from service.consumers.failures import failure_of
from service.consumers.outbound.faults import say_fault
from service.consumers.outbound.known_zones import KnownZones
from service.consumers.outbound.lanes import FULL_LANE_LINKS, Lane, LinkTask
from service.consumers.outbound.link_checks import LinkChecks
from service.consumers.outbound.state import OutboundState, TaskResult
from service.crashpoints import crash_point
from service.store.links import claims as rows
from service.store.links.claims import LEAST_CLAIM_SECONDS
from service.store.links.rechecks import CheckedLink
from service.telemetry.spans import NO_SPAN, Span, begin, within

LANE_FAULT_PAUSE_SECONDS = 1.0
"""Seconds that a lane waits when the store or the budget cannot be used."""


class Sender:
    """Sends what a lane holds and leaves the answers to the settling."""

    def __init__(
        self, state: OutboundState, *, cronofy: BatchWriter, budget: Budget, looker: AccountCheck
    ) -> None:
        self._state = state
        self._cronofy = cronofy
        self._budget = budget
        self._looker = looker
        self._zones = KnownZones()
        self._checks = LinkChecks(state.store, state.me)

    async def close(self) -> None:
        """When no lane sends any more."""
        await self._checks.close()

    async def send(self, lane: Lane) -> None:
        """Make one request at most; every link of it ends up answered, or back in its lane."""
        turn = lane.turn
        tasks: list[LinkTask] = []
        try:
            paid = self._cronofy.cost(min(self._most, max(1, len(lane.waiting))))
            permit = await self._budget.take(turn, cost=paid)
            tasks = lane.take(self._affordable(paid), self._state.clock.monotonic())
            checked = await self._check(tasks)
            if tasks and permit.until < self._state.clock.monotonic():
                # the store was slow, and what is checked before another wait for the budget would be old
                permit = await self._budget.take(turn, cost=paid)
                checked = await self._check(tasks)
        except Exception as error:  # noqa: BLE001 -- nothing was sent: the lane waits and tries again
            self._rest(lane, tasks, error)
            return
        fitting, short = self._fitting(tasks, checked)
        if short:
            await self._renew(lane, short)
        if fitting and self._state.paused_by_outage():
            lane.give_back(fitting)  # Cronofy went down while this lane waited for its turn
        elif fitting:
            sub = checked[fitting[0].link_id].sub
            for task in fitting:
                _give_details(task, checked[task.link_id])
            await self._request(lane, sub, fitting, replace(turn, permit=permit))

    @property
    def _most(self) -> int:
        return min(FULL_LANE_LINKS, self._cronofy.largest_batch)

    def _affordable(self, paid: int) -> int:
        """How many writes that cost covers: the lane has grown while it waited for its budget."""
        return self._most if self._cronofy.cost(self._most) <= paid else paid

    def _rest(self, lane: Lane, tasks: Sequence[LinkTask], error: Exception) -> None:
        lane.give_back(tasks)
        if not isinstance(error, Transient):
            say_fault(error, step="send", tasks=tasks or lane.waiting.values())
        asked = error.retry_after if isinstance(error, Transient) else None
        lane.not_before = self._state.clock.monotonic() + (asked or LANE_FAULT_PAUSE_SECONDS)

    async def _check(self, tasks: Sequence[LinkTask]) -> Mapping[LinkId, CheckedLink]:
        return await self._checks.check([task.link_id for task in tasks]) if tasks else {}

    def _fitting(
        self, tasks: Sequence[LinkTask], checked: Mapping[LinkId, CheckedLink]
    ) -> tuple[list[LinkTask], list[LinkTask]]:
        """Those that may be sent, and those whose claim is too short for it; the others are answered."""
        fitting: list[LinkTask] = []
        short: list[LinkTask] = []
        for task in tasks:
            found = checked.get(task.link_id)
            misfit = _misfit(task, found)
            if misfit is not None:
                self._answer(task, misfit)
            elif found is not None and found.remaining < LEAST_CLAIM_SECONDS:
                short.append(task)
            else:
                fitting.append(task)
        return fitting, short

    async def _renew(self, lane: Lane, tasks: Sequence[LinkTask]) -> None:
        """Lengthen these claims and leave the links for the lane's next request."""
        lane.give_back(tasks)
        try:
            async with self._state.writing() as connection:
                now = await self._state.store.now(connection)
                ids = [task.link_id for task in tasks]
                await rows.renew(connection, ids, me=self._state.me, now=now)
        except Exception as error:  # noqa: BLE001 -- the links that may be sent are sent all the same
            self._rest(lane, (), error)

    async def _request(self, lane: Lane, sub: str, tasks: Sequence[LinkTask], turn: Turn) -> None:
        crash_point("outbound.3")
        for task in tasks:
            self._say_known_zone(task)
        try:
            with _writing(tasks) as spans:
                answers = await self._cronofy.write(sub, [task.write for task in tasks], turn=turn)
                for span, answer in zip(spans, answers, strict=True):
                    span.note(status=answer.status)
        except Throttled as error:
            lane.give_back(tasks)
            lane.pause(self._state.clock.monotonic(), error.retry_after)
        except Exception as error:  # noqa: BLE001 -- every failure becomes the links' result
            await self._refused(lane, tasks, error)
        else:
            crash_point("outbound.4")
            await self._answered(lane, tasks, answers)

    async def _answered(self, lane: Lane, tasks: Sequence[LinkTask], answers: Sequence[Answer]) -> None:
        connected = not needs_check(answers) or await self._connected(lane)
        throttled: list[LinkTask] = []
        for task, answer in zip(tasks, answers, strict=True):
            if self._sent_otherwise(lane, task, answer):
                continue
            if answer.accepted and task.zones_tried and task.write.zone is not None:
                now = self._state.clock.monotonic()
                self._zones.learn(task.calendar_id, task.zones_tried[0], task.write.zone, now=now)
            if answer.status == STATUS_TOO_MANY:
                throttled.append(task)
            elif connected is None and answer.status in CHECKED_STATUSES:
                self._answer(task, _transient("Cronofy could not say whether the calendar is still there."))
            else:
                self._answer(task, read_answer(answer, task.write, connected=connected is not False))
        if throttled:
            lane.give_back(throttled)
            lane.pause(self._state.clock.monotonic(), None)
        else:
            lane.relax()

    def _say_known_zone(self, task: LinkTask) -> None:
        """A zone whose name this calendar refused before is called at once what it took then."""
        zone, now = task.write.zone, self._state.clock.monotonic()
        known = None if task.zones_tried else self._zones.instead(task.calendar_id, zone, now=now)
        if zone is not None and known is not None and not isinstance(task.write, Delete):
            task.zones_tried = (zone,)
            task.write = in_zone(task.write, known)

    def _sent_otherwise(self, lane: Lane, task: LinkTask, answer: Answer) -> bool:
        """Whether the write goes back into its lane in other words, of which the calendar may know more."""
        other = write_otherwise(task.write, answer, task.zones_tried)
        if other is None:
            return False
        if task.write.zone is not None and other.zone != task.write.zone:
            task.zones_tried = (*task.zones_tried, task.write.zone)
        task.plain = task.plain or _details_of(other) != _details_of(task.write)
        task.write = other
        lane.give_back([task])
        return True

    async def _refused(self, lane: Lane, tasks: Sequence[LinkTask], error: Exception) -> None:
        if isinstance(error, Unavailable) and self._state.paused_by_outage():
            lane.give_back(tasks)  # it is Cronofy, not these writes: they wait for its return, unburnt
            return
        status = error.status if isinstance(error, Permanent | Transient) else None
        refused = isinstance(error, GrantRefused)
        looked_at = status in CHECKED_STATUSES and not refused
        if looked_at and len(tasks) == 1:
            await self._answered(lane, tasks, [Answer(status=status or 0)])
        elif (looked_at or refused) and await self._connected(lane, at_once=refused) is False:
            self._answer_all(tasks, SendResult(kind=ResultKind.HELD, holding=Code.NOT_CONNECTED))
        elif refused:
            self._answer_all(tasks, _transient(str(error)))
        elif isinstance(error, Permanent) and len(tasks) > 1:
            for task in tasks:
                task.alone = True
            lane.give_back(tasks)
        else:
            self._answer_all(tasks, _failed(error, tasks))

    async def _connected(self, lane: Lane, *, at_once: bool = False) -> bool | None:
        """What a look at the account says; None where it says nothing."""
        try:
            return await self._looker.look(lane.integration_id, at_once=at_once) == "fine"
        except Transient:
            return None
        except Exception as error:  # noqa: BLE001 -- no finding is a finding: nothing is known
            say_fault(error, step="look", tasks=[*lane.flying.values(), *lane.waiting.values()])
            return None

    def _answer_all(self, tasks: Sequence[LinkTask], result: SendResult) -> None:
        for task in tasks:
            self._answer(task, result)

    def _answer(self, task: LinkTask, result: SendResult) -> None:
        self._state.replies.append(TaskResult(task=task, result=result))


@contextmanager
def _writing(tasks: Sequence[LinkTask]) -> Iterator[Sequence[Span]]:
    """A span in each message that is written for: the request stands in the first, and names the others."""
    spans = [begin("write", inside=task.span) if task.span is not NO_SPAN else NO_SPAN for task in tasks]
    try:
        with within(sorted(spans, key=lambda one: one is NO_SPAN)):
            yield spans
    except Exception as error:
        for span in spans:
            span.fail(type(error).__name__)
        raise
    finally:
        for span in spans:
            span.end()


def _misfit(task: LinkTask, found: CheckedLink | None) -> SendResult | None:
    """Why the link is not to be sent as the task says; None: it is."""
    if found is None or not found.mine or found.epoch != task.sent.epoch:
        return RESULT_LOST
    if found.revision != task.sent.revision or not _wants(task, found):
        return RESULT_LEFT
    if found.calendar_id != task.calendar_id:
        return RESULT_LEFT  # Cronofy gave the calendar another id: written there by whoever comes next
    if found.linked_calendar_id != task.calendar_id:
        return SendResult(kind=ResultKind.LET_GO)
    if not found.sends:
        return SendResult(kind=ResultKind.HELD, holding=_holding(found))
    return None


def _give_details(task: LinkTask, found: CheckedLink) -> None:
    """What the owner wants by now, unless this calendar has refused it; and the copy's last line (R52)."""
    if not isinstance(task.write, Upsert):
        return
    if not task.plain:
        details = event_details(task.traits, found.details, exists_there=task.exists_there)
        task.write = replace(task.write, details=details)
    if found.advice is not None and task.traits is not None:
        told = with_advice(task.write.fields.description or "", advice_of(task.traits, found.advice))
        task.write = replace(task.write, description=told)


def _details_of(write: EventWrite) -> Mapping[str, str | None]:
    return write.details if isinstance(write, Upsert) else {}


def _wants(task: LinkTask, found: CheckedLink) -> bool:
    return found.state in UNWRITTEN_STATES or (task.verifies and found.state is LinkState.AGREED)


def _holding(found: CheckedLink) -> Code | None:
    if found.status is not Status.CONNECTED:
        return Code.NOT_CONNECTED
    return None if found.active else Code.INACTIVE


def _transient(reason: str) -> SendResult:
    return SendResult(kind=ResultKind.TRANSIENT, reason=reason, code=EXHAUSTED_CODE)


def _failed(error: Exception, tasks: Sequence[LinkTask]) -> SendResult:
    """What the error means for each link of the request."""
    failure = failure_of(error)
    foreseen = failure.code != BUG_CODE
    if not foreseen:
        say_fault(error, step="write", tasks=tasks)
    return SendResult(
        kind=ResultKind.TRANSIENT if failure.transient else ResultKind.PERMANENT,
        reason=failure.reason,
        code=failure.code,
        unknown=isinstance(error, Unanswered) or not foreseen,
        failure=failure,
    )
