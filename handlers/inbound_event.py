"""What a row read from the linked calendar means for a link that is known.

Pure. The rules are R5–R10, R18, R19 and R52: echo, not arrived yet, a person's edit, a deletion.
"""

from dataclasses import replace

from contracts.calendar import (
    Code,
    Fingerprints,
    Integration,
    Item,
    Link,
    LinkState,
    LogAction,
    Origin,
    Outcome,
)
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers import link_states
from handlers.conflicts import is_deletion_waiting, weigh_deletion
from handlers.deletions import is_outlived, judge_deleted_row
from handlers.echo import (
    ARRIVAL_SECONDS,
    RowReading,
    after_deletion_seen,
    after_edit,
    after_overtaking,
    after_write_seen,
    age_of_last_write,
    count_awaited,
    is_deletion_outstanding,
    read_row,
    recent_writes,
    touched_since,
    was_made_again,
)
from handlers.edits import (
    bears_former_mark,
    conflict_values,
    edited_item,
    event_values,
    item_values,
    masked_event,
    read_only_code,
)
from handlers.fingerprints import are_same, differing_fields, fingerprints_of_copy, fingerprints_of_event
from handlers.forms import recognised, with_marks
from handlers.judgement import NO_CHANGE, Judgement, LinkedRow, Reading, item_after_change
from handlers.link_states import RESTING_STATES, differ, rewrite, thaw
from handlers.log_entries import VOREX_WON, RowLog
from handlers.meetings import unless_a_meeting
from handlers.outbound_message import expecting
from handlers.plan import LeaveEvent, WriteEvent, desired_event, is_asked_of_dispatcher, left_link
from handlers.questions.asking import asked_about_move, is_moved_too_far, still_asked
from handlers.restored import RESTORED, restored, was_seen_gone
from handlers.versions import does_vorex_win

WRITE_IN_FLIGHT_SECONDS = 60.0
"""Seconds after which a write or removal whose answer never came is judged as if accepted when sent."""


def judge_row(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    """Say what a row means for the link that it belongs to."""
    row = LinkedRow(event=event, link=link, item=item, integration=integration, reading=reading)
    judged = unless_a_meeting(row, _judge(row))
    after = judged.link
    if after is None or after.code is not Code.LOOP_STOPPED or link.code is Code.LOOP_STOPPED:
        return judged
    stopped = RowLog(judged.item or item, integration, reading).stopped()
    return replace(judged, entries=[*judged.entries, stopped])


def _judge(row: LinkedRow) -> Judgement:
    # The page was asked for at 9:00:00, and a write accepted at 9:00:01, or one sent at 8:59:40 has no answer
    # yet: the row may be from before it or after, which only a later page can say.
    link, reading = row.link, row.reading
    since = any(at is not None and at > reading.asked_at for at in (link.read_at, link.accepted_at))
    if since or _in_flight(row):
        return Judgement(again=True)
    if _overtaken(row):
        return NO_CHANGE
    if (back := restored(row)) is not None:
        return back.judgement or _judge_back(row.known_as(back.link or link))
    return _judge_standing(row)


def _judge_standing(row: LinkedRow) -> Judgement:
    link, reading = row.link, row.reading
    if is_asked_of_dispatcher(link):
        return still_asked(row, _acquainted(row)) or _judge_standing(row.known_as(link_states.unask(link)))
    if _takes_nothing(row):
        return _judge_unwanted(row)
    if link.state is LinkState.HELD and link.code is Code.HELD_DELETION:
        return _judge_held(row)
    if row.gone:
        return (
            _removed_late(row)
            if is_deletion_outstanding(link, reading) and not is_outlived(row)
            else judge_deleted_row(row)
        )
    return _judge_living(row)


def _judge_back(row: LinkedRow) -> Judgement:
    """A copy that is kept alike again, with what Vorex changed meanwhile."""
    judged = _judge_living(row)
    link, item = judged.link or row.link, judged.item or row.item
    entry = RowLog(item, row.integration, row.reading)
    entries = [entry(LogAction.LINK, Outcome.DONE, Code.OK, RESTORED), *judged.entries]
    behind = link.state is LinkState.AGREED and link.applied_revision < item.revision
    if behind:
        link = _to_write(replace(row, link=link, item=item))
    return replace(judged, link=link, entries=entries)


def _in_flight(row: LinkedRow) -> bool:
    link = row.link
    newest = link.writes[-1] if link.writes and link.desired is not None else None
    return (
        newest is not None
        and newest.accepted_at is None
        and row.reading.now - newest.sent_at < WRITE_IN_FLIGHT_SECONDS
    )


def _overtaken_deletion(row: LinkedRow) -> bool:
    """Whether a copy that was deleted long enough ago still lives: an older write arrived after it."""
    link = row.link
    # Removed, accepted at 9:00:00. On a page of 9:00:30 the event may not be gone yet; on one of 9:01:00 a
    # write of 8:59 has come over the removal, and it is removed once more.
    deleted = link.origin is Origin.OURS and link.desired is None and link.state is LinkState.AGREED
    if not deleted or not link.desired_revision or link.accepted_at is None or row.gone:
        return False
    return row.reading.asked_at - link.accepted_at >= WRITE_IN_FLIGHT_SECONDS


def _takes_nothing(row: LinkedRow) -> bool:
    link, item = row.link, row.item
    unwanted = link.desired is None and link.desired_revision > 0
    stopped = link.code is Code.LOOP_STOPPED or link.state is LinkState.LET_GO
    return unwanted or stopped or item.content is None or item.deleted


def _judge_unwanted(row: LinkedRow) -> Judgement:
    link = row.link
    if is_deletion_waiting(row):
        alive = replace(row, item=replace(row.item, deleted=False))
        if (judged := weigh_deletion(row, _judge_living(alive))) is not None:
            return judged
    if _overtaken_deletion(row):
        return Judgement(link=rewrite(link_states.still_there(link), now=row.reading.now))
    if not row.gone or link.desired is not None:
        return NO_CHANGE
    if was_seen_gone(link) and not is_deletion_outstanding(link, row.reading):
        return NO_CHANGE
    return Judgement(link=link_states.seen_deleted(after_deletion_seen(link), row.event, row.reading))


def _removed_late(row: LinkedRow) -> Judgement:
    """A deletion of ours came, although a newer write had been accepted after it: that is made again."""
    # Unassigned at 9:00 and assigned again at 9:01, both accepted; the row says deleted. The write came
    # first, the removal over it: not a person's deletion, so the event is written once more.
    absent = link_states.seen_deleted(after_deletion_seen(row.link), row.event, row.reading)
    return Judgement(link=_to_write(row.known_as(absent)))


def _overtaken(row: LinkedRow) -> bool:
    """Whether the link knows the event in a newer state than this row."""
    event, link = row.event, row.link
    if event.updated is None or link.event_updated is None or event.event_uid != link.event_uid:
        return False
    return event.updated < link.event_updated and not row.reading.outranks(link)


def _judge_held(row: LinkedRow) -> Judgement:
    """A deletion waits for an answer (R11): only an event that came back since ends the wait."""
    # Its deleted row was of 9:00. One that is alive and of 8:59 tells nothing new; one of 9:10 was restored.
    updated, known = row.updated, row.link.event_updated
    newer = updated is not None and known is not None and updated > known
    back = newer or row.reading.outranks(row.link)
    if row.gone or not back:
        return NO_CHANGE
    return _judge_living(row.known_as(link_states.reappear(row.link)))


def _judge_living(row: LinkedRow) -> Judgement:
    """``before`` knows that the row was read, and not yet what it shows."""
    row = replace(row, event=masked_event(row.event)) if row.link.origin is Origin.EXTERNAL else row
    own = fingerprints_of_copy(row.content)
    read, before = recognised(
        row.known_as(_acquainted(row)), fingerprints_of_event(row.event, row.content), own
    )
    sight = read_row(row.known_as(before), read, own)
    link = after_write_seen(before, read, row.updated) if _is_news(row, read) else before
    if sight.confirmed:
        return Judgement(link=_confirmed(row.known_as(link), read))
    seen = row.known_as(link_states.note(link, read))
    if sight.fields:
        return _judge_edit_once(seen, sight, known=row.link)
    if sight.belated:
        return Judgement(link=_to_write(seen))
    if not sight.arrived:
        return _doubted(seen, sight, late=count_awaited(link) < count_awaited(before))
    return Judgement(link=differ(seen.link, differs=link.differs and bool(differing_fields(read, own))))


def _is_news(row: LinkedRow, read: Fingerprints) -> bool:
    """Whether the row was changed, or shows something else, since the link was read last."""
    touched = row.updated is not None and row.updated != row.link.event_updated
    return touched or not are_same(read, row.link.last_read)


def _acquainted(row: LinkedRow) -> Link:
    """The link, which knows the row's event, and of the writes before only those that may yet arrive."""
    link = row.link
    if link.event_uid not in {None, row.event.event_uid}:
        # Under our id "uid-1" was known, now it is "uid-2": our removal of the first came in between.
        link = after_deletion_seen(link)
    seen = link_states.seen(link, row.event, row.reading, person=row.integration.profile_name)
    link = with_marks(seen, row.content)
    return replace(link, overtaken=recent_writes(link.overtaken, row.reading))


def _confirmed(row: LinkedRow, read: Fingerprints) -> Link:
    """The newest write was read back: both sides agree on it. Earlier ones may yet arrive (R18)."""
    link = thaw(row.link)
    agreed = {**link.writes[-1].prints, **read}
    settled = link.state is LinkState.AGREED and link.applied_revision == row.item.revision
    return link_states.confirm(
        after_overtaking(link, row.reading), agreed, differs=link.differs and not settled
    )


def _doubted(row: LinkedRow, sight: RowReading, *, late: bool) -> Judgement:
    """Not arrived yet: nothing is taken, and after a while the newest state is written once more, once.

    ``late``: an earlier write has only just arrived, which may have undone that.

    A foreign event may refuse a write without a word; that is said, and the event left as it is (R10).
    """
    # "Lunch" was agreed, "Dinner" accepted at 9:00, and the row shows "Lunch". Until 9:15 nothing is done.
    # Then a copy of ours is written once more, and from then on once a day (R38); a foreign event refused
    # it, and is left alone.
    # Where it shows "Brunch", written between, it was overtaken: once more from 9:01 on, foreign or not.
    link, now = row.link, row.reading.now
    patience = WRITE_IN_FLIGHT_SECONDS if sight.passed else ARRIVAL_SECONDS
    lately = any(at > now - ARRIVAL_SECONDS for at in link.rewrites)
    if link.state is LinkState.AGREED and lately and late:
        return Judgement(link=rewrite(link, now=now))
    if sight.passed and not lately and thaw(link) != link:
        return Judgement(link=_to_write(row.known_as(thaw(link))))
    if link.state is not LinkState.AGREED or age_of_last_write(link, row.reading) < patience:
        return Judgement(link=link)
    if link.origin is Origin.OURS or sight.passed:
        again = not lately and (sight.passed or not was_made_again(link, row.reading))
        return Judgement(link=rewrite(link, now=now) if again else link)
    frozen = link_states.freeze(link, Code.NOT_POSSIBLE)
    return Judgement(link=frozen, entries=[RowLog.of(row).not_arrived()])


def _judge_edit_once(row: LinkedRow, sight: RowReading, *, known: Link) -> Judgement:
    """What the edit means; what ``known``, the link before, differed in already is not told again."""
    # Update is not checked. The title was edited, which the log told; a row whose description was made
    # another tells something new, one that repeats the title does not.
    judged = _judge_edit(row.known_as(after_edit(row.link, row.changed)), sight)
    told = judged.item is None and known.differs and are_same(sight.read, known.last_read)
    return replace(judged, entries=()) if told else judged


def _judge_edit(row: LinkedRow, sight: RowReading) -> Judgement:
    if is_moved_too_far(row, sight.fields) and not _vorex_changed(row, sight):
        return asked_about_move(row)
    if not row.integration.event_types.update:
        return _passed_over(row, Code.UPDATE_OFF, "Update is not checked for this calendar.")
    if row.item.type is ItemType.SERVICE_CALL and row.content.completed:
        return _passed_over(row, Code.DIFFERS, "A completed service call keeps its time.")
    # The description ends in the item's reference. Its owner removed that line only: nothing to be taken.
    if edited_item(row.content, row.event, sight.fields, row.link.forms) == row.content:
        return Judgement(link=_put_right(row, sight.fields))
    clash = _vorex_changed(row, sight)
    if clash and _vorex_is_newer(row):
        return _lost_to_vorex(row, sight)
    return _taken(row, sight, clash=clash)


def _passed_over(row: LinkedRow, code: Code, reason: str) -> Judgement:
    """The item stays, and the event differs from it from now on."""
    log = RowLog.of(row)(LogAction.UPDATE, Outcome.SKIPPED, code, reason)
    return Judgement(link=differ(row.link), entries=[log])


def _put_right(row: LinkedRow, fields: set[str]) -> Link:
    """The calendar differs, but in nothing that the item could take over: it is written again."""
    if row.link.state is not LinkState.AGREED:
        return row.link
    if row.link.origin is Origin.OURS:
        return rewrite(row.link, now=row.reading.now)
    return _to_write(row) if bears_former_mark(row.content, row.event, fields, row.link.forms) else row.link


def _vorex_is_newer(row: LinkedRow) -> bool:
    return does_vorex_win(
        row.item,
        vorex_time=row.item.changed_at,
        calendar_time=row.changed,
        vorex_deletes=False,
        calendar_deletes=False,
    )


def _vorex_changed(row: LinkedRow, sight: RowReading) -> bool:
    """Whether the item was changed elsewhere since both sides agreed."""
    if row.item.changed_by == row.integration.id:
        return False
    if row.item.revision > row.link.applied_revision:
        return True
    if sight.arrived or sight.belated:
        return False
    # "Dinner" was accepted at 9:00, the row shows "Supper". Of 9:05: the person saw "Dinner" and changed it.
    # Of 8:59: both sides changed "Lunch", and the newer one wins.
    return row.updated is None or not touched_since(row.updated, row.link.writes[-1])


def _taken(row: LinkedRow, sight: RowReading, *, clash: bool) -> Judgement:
    before = row.content
    after = replace(row, item=_edited_item(row, sight))
    entry = RowLog.of(after)
    entries = [entry(LogAction.UPDATE, Outcome.DONE, Code.OK, "Changed in the linked calendar.")]
    if clash:
        kept, lost = (item_values(each, sight.fields) for each in (after.content, before))
        entries.append(entry.lost_by_vorex(kept=kept, lost=lost, private=before.private))
    return Judgement(link=_after_edit(after, sight), item=after.item, entries=entries)


def _edited_item(row: LinkedRow, sight: RowReading) -> Item:
    content = edited_item(row.content, row.event, sight.fields, row.link.forms)
    changed = item_after_change(row.item, content, row.integration, row.changed)
    if row.link.origin is Origin.OURS:
        return changed
    code = read_only_code(row.event)
    return replace(changed, read_only_reason=code.value if code else None)


def _after_edit(row: LinkedRow, sight: RowReading) -> Link:
    """The link once its item has taken the edit over, as the row has it."""
    link, item = row.link, row.item
    if link.state is LinkState.FROZEN:
        return link
    # The edit is revision 7. Where the link is at 6 both sides are alike now; at 5, of revision 6 nothing
    # has been written yet, and it is written with the edit.
    unheard = link.applied_revision < item.revision - 1
    # "Acme – Call" was made "Call back", and is to be "Acme – Call back" (R13): the very title differs still.
    still = differing_fields(sight.read, fingerprints_of_copy(row.content))
    lacking = link.origin is Origin.OURS and bool(still & sight.fields)
    lacking = lacking or bears_former_mark(row.content, row.event, sight.fields, link.forms)
    if link.state is not LinkState.AGREED or not sight.arrived or unheard or lacking:
        return _to_write(row)
    base = link.writes[-1].prints if link.writes else link.agreed or {}
    return link_states.align(
        after_overtaking(link, row.reading),
        item,
        {**base, **sight.read},
        last_read=link.last_read,
        differs=link.differs and bool(still),
    )


def _lost_to_vorex(row: LinkedRow, sight: RowReading) -> Judgement:
    log = RowLog.of(row)(
        LogAction.UPDATE,
        Outcome.SKIPPED,
        Code.CONFLICT_LOST,
        VOREX_WON,
        detail=conflict_values(
            kept=item_values(row.content, sight.fields),
            lost=event_values(row.event, sight.fields),
            private=row.content.private or row.event.event_private,
        ),
    )
    differing_row = row.known_as(differ(row.link))
    settled = row.link.state is LinkState.AGREED
    return Judgement(link=_to_write(differing_row) if settled else differing_row.link, entries=[log])


def _to_write(row: LinkedRow) -> Link:
    """The link with what is now to be written, so that nothing on its way has the last word."""
    link, item, now = row.link, row.item, row.reading.now
    wished = desired_event(item, row.integration, differ(link))
    if isinstance(wished, LeaveEvent):
        return left_link(link, wished, item)
    if isinstance(wished, WriteEvent):
        wanting = link_states.want_anew(link, wished.fields, revision=item.revision)
        link = expecting(wanting, item, now)
    return rewrite(link, now=now) if link.state in RESTING_STATES else link
