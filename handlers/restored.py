"""An event that was read as gone or removed, and lives again: its owner fetched it back, or made it anew.

Pure. The event is the copy again and follows; nothing here ever removes it (R6, R8, R11, R19).
"""

from dataclasses import dataclass, replace

from contracts.calendar import Code, Fingerprints, Item, Link, LinkState, LogAction, Origin, Outcome
from contracts.vorex import ItemContent, ItemType
from handlers import link_states
from handlers.echo import may_have_made, touched_since_removal
from handlers.edits import edited_item, masked_event, read_only_code
from handlers.fingerprints import TIME_FIELDS, differing_fields, fingerprints_of_copy, fingerprints_of_event
from handlers.judgement import Judgement, LinkedRow, item_after_change
from handlers.log_entries import RowLog
from handlers.plan import let_go_fingerprint
from handlers.texts.compose import compose

RESTORED = "Restored in the linked calendar."
RESTORED_AND_LEFT = "Restored in the linked calendar after Vorex had taken it off: it is left alone there."


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What became of it: all that the row does, or a link for which the row is judged on as any other."""

    judgement: Judgement | None = None
    link: Link | None = None


def restored(row: LinkedRow) -> Restored | None:
    """What a living row means whose event was gone before; None where it was not.

    A late write of ours that makes an event anew is none of its owner's doing.
    """
    link = row.link
    if row.gone or may_have_made(row) or not (was_seen_gone(link) or touched_since_removal(row)):
        return None
    if link.state is LinkState.LET_GO:
        return _back(row)
    if link.desired is not None or link.state is not LinkState.AGREED or not link.desired_revision:
        return None
    return Restored(judgement=_revived(row) if _is_to_live(row) else _left_alone(row))


def was_seen_gone(link: Link) -> bool:
    """Whether the newest that was read of the event is that it is gone."""
    read = link.read_at is not None and (link.accepted_at is None or link.read_at > link.accepted_at)
    return read and not link.exists_there


def _back(row: LinkedRow) -> Restored | None:
    """A copy that was let go because it was deleted there: it is kept alike again."""
    link, item = row.link, row.item
    if link.let_go_print is None or item.content is None or not _assigned(row):
        return None
    # It was "Call" at 9:00 when it went. Whatever differs from that by now, its owner has changed.
    known = link.desired or compose(item.content)
    agreed = fingerprints_of_event(known, item.content) if known else None
    return Restored(link=link_states.come_back(link, agreed=agreed))


def _assigned(row: LinkedRow) -> bool:
    return row.integration.user_id in row.item.assignees


def _is_to_live(row: LinkedRow) -> bool:
    """Whether the item is to be there again: its deletion came from this calendar, or is the older act."""
    item, link = row.item, row.link
    if item.content is None or item.type is not ItemType.APPOINTMENT:
        return False
    if link.applied_hash is None:  # the deletion that was carried out here
        return True
    # Vorex deleted it at 9:00, and its owner fetched it back at 9:05; one of 8:55 was undone by Vorex.
    return item.deleted and row.changed > item.changed_at


def _revived(row: LinkedRow) -> Judgement:
    """The same item is there again, as its event shows it where Update is checked (R5)."""
    shown = row.event if row.link.origin is Origin.OURS else masked_event(row.event)
    read = fingerprints_of_event(shown, row.content)
    fields = _edited(row, read)
    item = _living_item(replace(row, event=shown), fields)
    link = _aligned(row, item, read)
    entry = RowLog(item, row.integration, row.reading)
    log = entry(LogAction.CREATE, Outcome.DONE, Code.OK, RESTORED)
    return Judgement(link=link, item=item, entries=[log])


def _edited(row: LinkedRow, read: Fingerprints) -> set[str]:
    if not row.integration.event_types.update:
        return set()
    return _unlike(row, read, row.content)


def _unlike(row: LinkedRow, read: Fingerprints, content: ItemContent) -> set[str]:
    """In which fields the event is other than the item; an item without a date lacks its time in any case."""
    if compose(content) is not None:
        return differing_fields(read, fingerprints_of_copy(content))
    times = set(TIME_FIELDS)
    dated = edited_item(content, row.event, times)
    return times | differing_fields(read, fingerprints_of_copy(dated))


def _living_item(row: LinkedRow, fields: set[str]) -> Item:
    content = row.content
    user = row.integration.user_id
    people = content.assignees if user in content.assignees else (*content.assignees, user)
    content = edited_item(content.model_copy(update={"assignees": people}), row.event, fields)
    item = replace(item_after_change(row.item, content, row.integration, row.changed), deleted=False)
    if row.link.origin is Origin.OURS:
        return item
    code = read_only_code(row.event)
    return replace(item, read_only_reason=code.value if code else None)


def _aligned(row: LinkedRow, item: Item, read: Fingerprints) -> Link:
    assert item.content is not None
    still = _unlike(row, read, item.content)
    link = link_states.align(_seen(row), item, read, last_read=read, differs=bool(still))
    rewritten = row.link.origin is Origin.OURS and still and row.integration.event_types.update
    return link_states.rewrite(link, now=row.reading.now) if rewritten else link


def _seen(row: LinkedRow) -> Link:
    return link_states.seen(row.link, row.event, row.reading, person=row.integration.profile_name)


def _left_alone(row: LinkedRow) -> Judgement:
    """Vorex has no place for it any more; its owner wants it all the same, and keeps it."""
    stands = link_states.let_stand(_seen(row), let_go_fingerprint(row.item.content))
    log = RowLog.of(row)(LogAction.NONE, Outcome.SKIPPED, Code.DIFFERS, RESTORED_AND_LEFT)
    return Judgement(link=stands, entries=[log])
