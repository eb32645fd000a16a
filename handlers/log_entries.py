"""The log entries that a row of the linked calendar leaves (R27)."""

from contracts.calendar import Code, Direction, Integration, Item, LogAction, LogEntry, Outcome
from handlers.edits import MASKED_TITLE, conflict_values
from handlers.judgement import LinkedRow, Reading

CALENDAR_WON = "Changed on both sides; the newer change in the linked calendar wins."
VOREX_WON = "Changed on both sides; the change in Vorex wins."


class RowLog:
    """Writes the log entries of one row; texts of private items never enter (R27)."""

    def __init__(self, item: Item, integration: Integration, reading: Reading) -> None:
        self._item, self._integration, self._reading = item, integration, reading

    @classmethod
    def of(cls, row: LinkedRow) -> "RowLog":
        return cls(row.item, row.integration, row.reading)

    def __call__(
        self,
        action: LogAction,
        outcome: Outcome,
        code: Code,
        reason: str,
        *,
        detail: dict[str, object] | None = None,
    ) -> LogEntry:
        return self._entry(
            Direction.TO_MY_CALENDAR, action, outcome, code=code, reason=reason, detail=detail or {}
        )

    def lost_by_vorex(self, *, kept: dict[str, object], lost: dict[str, object], private: bool) -> LogEntry:
        private = private or (self._item.content is not None and self._item.content.private)
        return self._entry(
            Direction.TO_LINKED_CALENDAR,
            LogAction.UPDATE,
            Outcome.SKIPPED,
            code=Code.CONFLICT_LOST,
            reason=CALENDAR_WON,
            detail=conflict_values(kept=kept, lost=lost, private=private),
        )

    def put_back(
        self, direction: Direction, action: LogAction, outcome: Outcome, code: Code | None, reason: str
    ) -> LogEntry:
        """What the undo of a run did with the item, or why it was left (R50)."""
        code = code or Code.OK
        return self._entry(direction, action, outcome, code=code, reason=reason, detail={})

    def stopped(self) -> LogEntry:
        """The calendar and this sync kept overwriting each other."""
        return self._entry(
            Direction.TO_LINKED_CALENDAR,
            LogAction.UPDATE,
            Outcome.FAILED,
            code=Code.LOOP_STOPPED,
            reason="The calendar and this sync kept changing the event; it is left alone.",
            detail={},
        )

    def not_arrived(self) -> LogEntry:
        """A foreign event that did not take over what was written."""
        return self._entry(
            Direction.TO_LINKED_CALENDAR,
            LogAction.UPDATE,
            Outcome.FAILED,
            code=Code.NOT_POSSIBLE,
            reason="The calendar accepted the change and did not carry it out.",
            detail={},
        )

    def disagrees(self, reason: str) -> LogEntry:
        """Both sides differ after all was read, and nothing says why (R51)."""
        direction, action = Direction.TO_LINKED_CALENDAR, LogAction.NONE
        code = Code.DIFFERS
        return self._entry(direction, action, Outcome.FAILED, code=code, reason=reason, detail={})

    def left(self, code: Code, reason: str) -> LogEntry:
        """A change that was to be written and is not, for a rule."""
        direction, action = Direction.TO_LINKED_CALENDAR, LogAction.UPDATE
        return self._entry(direction, action, Outcome.SKIPPED, code=code, reason=reason, detail={})

    def _entry(
        self,
        direction: Direction,
        action: LogAction,
        outcome: Outcome,
        *,
        code: Code,
        reason: str,
        detail: dict[str, object],
    ) -> LogEntry:
        content = self._item.content
        private = content is not None and content.private
        return LogEntry(
            integration_id=self._integration.id,
            trigger=self._reading.trigger,
            direction=direction,
            action=action,
            outcome=outcome,
            code=code,
            reason=reason,
            item_ref=self._item.ref,
            item_id=self._item.id,
            item_type=self._item.type,
            title=MASKED_TITLE if private else content.title if content else None,
            message_id=self._reading.message_id,
            run_id=self._reading.run_id,
            detail=detail,
        )
