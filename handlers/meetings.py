"""Meetings of others that turn out to be such while a change of Vorex's still waits (R40). Pure."""

from dataclasses import replace

from handlers.judgement import Judgement, LinkedRow
from handlers.link_states import UNWRITTEN_STATES
from handlers.log_entries import RowLog
from handlers.outbound_message import LEAVE_REASONS
from handlers.plan import LeaveEvent, desired_event, left_link


def unless_a_meeting(row: LinkedRow, judged: Judgement) -> Judgement:
    """A change that waits is given up where the event turns out to be a meeting of others (R40)."""
    link, item = judged.link, judged.item or row.item
    if link is None or not link.is_meeting or link.state not in UNWRITTEN_STATES:
        return judged
    wish = desired_event(item, row.integration, link)
    if not isinstance(wish, LeaveEvent):
        return judged
    entry = RowLog(item, row.integration, row.reading).left(wish.code, LEAVE_REASONS[wish.code])
    return replace(judged, link=left_link(link, wish, item), entries=[*judged.entries, entry])
