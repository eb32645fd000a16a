"""What a technician did with the copy of a service call, and that its dispatcher is asked (R52). Pure.

Until the dispatcher has answered, or Vorex has changed the call, the copy stays as the technician left it.
"""

from contracts.calendar import Code, Link, LinkState, LogAction, LogEntry, Outcome
from handlers import link_states
from handlers.echo import after_overtaking
from handlers.fingerprints import (
    TIME_FIELDS,
    are_same,
    differing_fields,
    fingerprints_of_copy,
    fingerprints_of_event,
    usual_end,
)
from handlers.judgement import Judgement, LinkedRow
from handlers.log_entries import RowLog
from handlers.plan import question_print
from handlers.questions.windows import is_open_call, leaves_window

MOVED_AND_ASKED = (
    "Moved in the linked calendar to a time that Vorex does not allow; nothing is changed on either side "
    "until the dispatcher has answered."
)


def is_moved_too_far(row: LinkedRow, fields: set[str]) -> bool:
    """Whether an edit moves the copy of a call, which is kept alike, out of the call's window."""
    kept_alike = row.link.state is LinkState.AGREED and is_open_call(row.content)
    return kept_alike and bool(fields & set(TIME_FIELDS)) and _leaves(row)


def asked_about_move(row: LinkedRow) -> Judgement:
    """Neither side follows the other until there is an answer; ``row`` knows what was read."""
    link = link_states.question(after_overtaking(row.link, row.reading), question_print(row.item.content))
    return Judgement(link=link, entries=[_moved(row)])


def still_asked(row: LinkedRow, seen: Link) -> Judgement | None:
    """The copy stands out of the window still, perhaps elsewhere by now; None where it does not.

    ``seen``: the link, which knows that the row was read.
    """
    read = fingerprints_of_event(row.event, row.content)
    own = fingerprints_of_copy(row.content)
    if row.gone or not is_open_call(row.content) or not differing_fields(read, own) or not _leaves(row):
        return None
    told = are_same(read, row.link.last_read)
    return Judgement(link=link_states.note(seen, read), entries=() if told else [_moved(row)])


def _leaves(row: LinkedRow) -> bool:
    return leaves_window(row.content, row.event.start, usual_end(row.event))


def _moved(row: LinkedRow) -> LogEntry:
    return RowLog.of(row)(LogAction.UPDATE, Outcome.HELD, Code.QUESTIONED, MOVED_AND_ASKED)
