"""What a row read from the linked calendar means for a link that is known (DESIGN 7.3).

Pure. The rules are R5–R10, R18 and R19: echo, not arrived yet, a person's edit, a deletion.
"""

from dataclasses import replace

from contracts.calendar import Code, Integration, Item, Link, LinkState, LogAction, Origin, Outcome, Prints
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemContent, ItemType
from handlers import link_states
from handlers.compose import compose
from handlers.deletions import judge_gone, outlived
from handlers.echo import (
    ARRIVAL,
    Sight,
    age,
    awaited,
    deletes,
    deletion_seen,
    edited_upon,
    look,
    noticed,
    overtaken,
    recent,
    touched_since,
)
from handlers.edits import both_values, closed_code, edited, masked, read_values, values_of
from handlers.fingerprints import differing, print_of_event, same
from handlers.judgement import (
    NOTHING,
    Judgement,
    Reading,
    calendar_time,
    changed_at,
    content_of,
    is_gone,
    next_item,
)
from handlers.link_states import AT_REST, differ, rewrite, thaw
from handlers.log_entries import Entries
from handlers.outbound_message import expecting
from handlers.plan import Leave, Write, left, wish
from handlers.versions import vorex_wins

IN_FLIGHT = 60.0
"""Seconds after which a write whose answer never came is judged as if accepted when sent."""


def judge(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    """Say what a row means for the link that it belongs to."""
    judged = _judge(event, link, item, integration, reading)
    after = judged.link
    if after is None or after.code is not Code.LOOP_STOPPED or link.code is Code.LOOP_STOPPED:
        return judged
    stopped = Entries(judged.item or item, integration, reading).stopped()
    return replace(judged, entries=[*judged.entries, stopped])


def _judge(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    if max(link.read_at or 0.0, link.accepted_at or 0.0) > reading.asked_at or _in_flight(link, reading):
        return Judgement(again=True)
    if _overtaken(event, link):
        return NOTHING
    if _takes_nothing(link, item):
        return _judge_unwanted(event, link, reading)
    if link.state is LinkState.HELD and link.code is Code.HELD_DELETION:
        return _judge_held(event, link, item, integration, reading)
    if is_gone(event):
        late = deletes(link, reading) and not outlived(event, link, reading)
        return (_removed_late if late else judge_gone)(event, link, item, integration, reading)
    return _judge_living(event, link, item, integration, reading)


def _in_flight(link: Link, reading: Reading) -> bool:
    newest = link.writes[-1] if link.writes and link.desired is not None else None
    return newest is not None and newest.accepted_at is None and reading.now - newest.sent_at < IN_FLIGHT


def _overtaken_deletion(event: CronofyEvent, link: Link, reading: Reading) -> bool:
    """Whether a copy that was deleted long enough ago still lives: an older write arrived after it."""
    deleted = link.origin is Origin.OURS and link.desired is None and link.state is LinkState.AGREED
    if not deleted or not link.desired_revision or link.accepted_at is None or is_gone(event):
        return False
    return reading.asked_at - link.accepted_at >= IN_FLIGHT


def _takes_nothing(link: Link, item: Item) -> bool:
    unwanted = link.desired is None and link.desired_revision > 0
    stopped = link.code is Code.LOOP_STOPPED or link.state is LinkState.LET_GO
    return unwanted or stopped or item.content is None or item.deleted


def _judge_unwanted(event: CronofyEvent, link: Link, reading: Reading) -> Judgement:
    if _overtaken_deletion(event, link, reading):
        return Judgement(link=rewrite(link_states.still_there(link), now=reading.now))
    if is_gone(event) and deletes(link, reading):
        return Judgement(link=deletion_seen(link))
    return NOTHING


def _removed_late(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    """A deletion of ours came, although a newer write had been accepted after it: that is made again."""
    absent = link_states.seen_deleted(deletion_seen(link), event, reading)
    return Judgement(link=_to_write(absent, item, integration, reading))


def _overtaken(event: CronofyEvent, link: Link) -> bool:
    """Whether the link knows the event in a newer state than this row."""
    if event.updated is None or link.event_updated is None or event.event_uid != link.event_uid:
        return False
    return event.updated < link.event_updated


def _judge_held(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    """A deletion waits for an answer (R11): only an event that came back since ends the wait."""
    updated = changed_at(event, reading)
    back = updated is not None and link.event_updated is not None and updated > link.event_updated
    if is_gone(event) or not back:
        return NOTHING
    return _judge_living(event, link_states.reappear(link), item, integration, reading)


def _judge_living(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    content = content_of(item)
    event = masked(event) if link.origin is Origin.EXTERNAL else event
    read, own, updated = print_of_event(event, content), _own(content), changed_at(event, reading)
    touched = updated is not None and updated != link.event_updated
    link = _acquainted(link, event, reading)
    link = replace(link, overtaken=recent(link.overtaken, reading))
    sight = look(link, read, own, updated=updated, reading=reading)
    before = link
    link = noticed(link, read, updated) if touched or not same(read, link.last_read) else link
    if sight.confirmed:
        return Judgement(link=_confirmed(link, read, item, reading))
    seen = link_states.note(link, read)
    if sight.fields:
        seen = edited_upon(seen, calendar_time(event, reading))
        judged = _judge_edit(event, seen, item, integration, reading, sight=sight)
        told = judged.item is None and link.differs and same(read, link.last_read)
        return replace(judged, entries=()) if told else judged
    if sight.belated:
        return Judgement(link=_to_write(seen, item, integration, reading))
    if not sight.arrived:
        return _doubted(seen, item, integration, reading, sight=sight, late=awaited(link) < awaited(before))
    still = link.differs and bool(differing(read, own))
    return Judgement(link=differ(seen, differs=still))


def _own(content: ItemContent) -> Prints:
    """The prints of what the item should look like there."""
    fields = compose(content)
    return print_of_event(fields, content) if fields else {}


def _acquainted(link: Link, event: CronofyEvent, reading: Reading) -> Link:
    if link.event_uid not in {None, event.event_uid}:
        link = deletion_seen(link)  # else it would be the event that was there before
    return link_states.seen(link, event, reading)


def _confirmed(link: Link, read: Prints, item: Item, reading: Reading) -> Link:
    """The newest write was read back: both sides agree on it. Earlier ones may yet arrive (R18)."""
    agreed = {**(link.writes[-1].prints if link.writes else {}), **read}
    link = thaw(link)
    settled = link.state is LinkState.AGREED and link.applied_revision == item.revision
    return link_states.confirm(overtaken(link, reading), agreed, differs=link.differs and not settled)


def _doubted(
    link: Link, item: Item, integration: Integration, reading: Reading, *, sight: Sight, late: bool
) -> Judgement:
    """Not arrived yet: nothing is taken, and after a while the newest state is written once more, once.

    ``late``: an earlier write has only just arrived, which may have undone that.

    A foreign event may refuse a write without a word; that is said, and the event left as it is (R10).
    """
    patience = IN_FLIGHT if sight.passed else ARRIVAL
    lately = any(at > reading.now - ARRIVAL for at in link.rewrites)
    if link.state is LinkState.AGREED and lately and late:
        return Judgement(link=rewrite(link, now=reading.now))
    if sight.passed and not lately and thaw(link) != link:
        return Judgement(link=_to_write(thaw(link), item, integration, reading))
    if link.state is not LinkState.AGREED or age(link, reading) < patience:
        return Judgement(link=link)
    if link.origin is Origin.OURS or sight.passed:
        return Judgement(link=link if lately else rewrite(link, now=reading.now))
    if age(link, reading) < ARRIVAL:
        return Judgement(link=link)
    frozen = link_states.freeze(link, Code.NOT_POSSIBLE)
    return Judgement(link=frozen, entries=[Entries(item, integration, reading).not_arrived()])


def _judge_edit(
    event: CronofyEvent,
    link: Link,
    item: Item,
    integration: Integration,
    reading: Reading,
    *,
    sight: Sight,
) -> Judgement:
    entry = Entries(item, integration, reading)
    if not integration.event_types.update:
        log = entry(
            LogAction.UPDATE, Outcome.SKIPPED, Code.UPDATE_OFF, "Update is not checked for this calendar."
        )
        return Judgement(link=differ(link), entries=[log])
    if item.type is ItemType.SERVICE_CALL and content_of(item).completed:
        log = entry(
            LogAction.UPDATE, Outcome.SKIPPED, Code.DIFFERS, "A completed service call keeps its time."
        )
        return Judgement(link=differ(link), entries=[log])
    if edited(content_of(item), event, sight.fields) == content_of(item):
        return Judgement(link=_put_right(link, reading))
    clash = _vorex_changed(event, link, item, integration, reading, sight=sight)
    if clash and _vorex_is_newer(event, item, reading):
        return _lost_to_vorex(event, link, item, integration, reading, sight=sight)
    return _taken(event, link, item, integration, reading, sight=sight, clash=clash)


def _put_right(link: Link, reading: Reading) -> Link:
    """The calendar differs, but in nothing that the item could take over: it is written again."""
    if link.origin is Origin.OURS and link.state is LinkState.AGREED:
        return rewrite(link, now=reading.now)
    return link


def _vorex_is_newer(event: CronofyEvent, item: Item, reading: Reading) -> bool:
    return vorex_wins(
        item,
        vorex_time=item.changed_at,
        calendar_time=calendar_time(event, reading),
        vorex_deletes=False,
        calendar_deletes=False,
    )


def _vorex_changed(
    event: CronofyEvent,
    link: Link,
    item: Item,
    integration: Integration,
    reading: Reading,
    *,
    sight: Sight,
) -> bool:
    """Whether the item was changed elsewhere since both sides agreed."""
    if item.changed_by == integration.id:
        return False
    if item.revision > link.applied_revision:
        return True
    if sight.arrived or sight.belated:
        return False
    updated = changed_at(event, reading)
    return updated is None or not touched_since(updated, link.writes[-1])


def _taken(
    event: CronofyEvent,
    link: Link,
    item: Item,
    integration: Integration,
    reading: Reading,
    *,
    sight: Sight,
    clash: bool,
) -> Judgement:
    before = content_of(item)
    changed = next_item(item, edited(before, event, sight.fields), integration, calendar_time(event, reading))
    if link.origin is Origin.EXTERNAL:
        code = closed_code(event)
        changed = replace(changed, read_only_reason=code.value if code else None)
    entry = Entries(changed, integration, reading)
    entries = [entry(LogAction.UPDATE, Outcome.DONE, Code.OK, "Changed in the linked calendar.")]
    if clash:
        kept, lost = (values_of(each, sight.fields) for each in (content_of(changed), before))
        entries.append(entry.lost_by_vorex(kept=kept, lost=lost, private=before.private))
    after = _after_edit(link, changed, integration, reading, sight=sight)
    return Judgement(link=after, item=changed, entries=entries)


def _after_edit(link: Link, item: Item, integration: Integration, reading: Reading, *, sight: Sight) -> Link:
    if link.state is LinkState.FROZEN:
        return link
    unheard = link.applied_revision < item.revision - 1  # of a change that is still on its way to the link
    still = differing(sight.read, _own(content_of(item)))
    lacking = link.origin is Origin.OURS and bool(
        still & sight.fields
    )  # R13's additions, removed with the edit
    if link.state is not LinkState.AGREED or not sight.arrived or unheard or lacking:
        return _to_write(link, item, integration, reading)
    base = link.writes[-1].prints if link.writes else link.agreed or {}
    return link_states.align(
        overtaken(link, reading),
        item,
        {**base, **sight.read},
        last_read=link.last_read,
        differs=link.differs and bool(still),
    )


def _lost_to_vorex(
    event: CronofyEvent,
    link: Link,
    item: Item,
    integration: Integration,
    reading: Reading,
    *,
    sight: Sight,
) -> Judgement:
    hidden = content_of(item).private or event.event_private
    log = Entries(item, integration, reading)(
        LogAction.UPDATE,
        Outcome.SKIPPED,
        Code.CONFLICT_LOST,
        "Changed on both sides; the change in Vorex wins.",
        detail=both_values(
            kept=values_of(content_of(item), sight.fields),
            lost=read_values(event, sight.fields),
            private=hidden,
        ),
    )
    differing_link = differ(link)
    if link.state is not LinkState.AGREED:
        return Judgement(link=differing_link, entries=[log])
    return Judgement(link=_to_write(differing_link, item, integration, reading), entries=[log])


def _to_write(link: Link, item: Item, integration: Integration, reading: Reading) -> Link:
    """The link with what is now to be written, so that nothing on its way has the last word."""
    wished = wish(item, integration, differ(link))
    if isinstance(wished, Leave):
        return left(link, wished, item)
    if isinstance(wished, Write):
        wanting = link_states.want_anew(link, wished.fields, revision=item.revision)
        link = expecting(wanting, item, reading.now)
    return rewrite(link, now=reading.now) if link.state in AT_REST else link
