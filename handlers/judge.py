"""What a row read from the linked calendar means for a link that is known (DESIGN 7.3).

Pure. The rules are R5–R10, R18 and R19: echo, not arrived yet, a person's edit, a deletion.
"""

import math
from dataclasses import replace
from datetime import timedelta

from contracts.calendar import (
    Code,
    Integration,
    Item,
    Link,
    LinkState,
    LogAction,
    Origin,
    Outcome,
    Prints,
)
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers.compose import compose, payload_hash
from handlers.deletions import judge_gone
from handlers.edits import edited, masked, values_of
from handlers.entries import Entries
from handlers.prints import differing, print_of_event, same
from handlers.reading import NOTHING, Judgement, Reading, calendar_time, content_of, is_gone, next_item
from handlers.versions import vorex_wins

ARRIVAL = 15 * 60.0
"""Seconds after which an accepted write counts as arrived, seen or not."""
IN_FLIGHT = 60.0
"""Seconds after which a write whose answer never came is judged as if accepted when sent."""
MOST_REWRITES = 6
REWRITE_WINDOW = 3600.0
FUTURE_SLACK = timedelta(minutes=5)


def judge(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    """Say what a row means for the link that it belongs to."""
    if max(link.read_at or 0.0, link.accepted_at or 0.0) > reading.asked_at or _in_flight(link, reading):
        return Judgement(again=True)
    if _overtaken_deletion(event, link, reading):
        return Judgement(link=_rewritten(replace(link, exists_there=True), reading))
    if _takes_nothing(link, item):
        return NOTHING
    if is_gone(event):
        return judge_gone(event, link, item, integration, reading)
    if link.state is LinkState.HELD and link.code is Code.HELD_DELETION:
        return NOTHING
    return _judge_living(event, link, item, integration, reading)


def _in_flight(link: Link, reading: Reading) -> bool:
    newest = link.writes[-1] if link.writes else None
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


def _judge_living(
    event: CronofyEvent, link: Link, item: Item, integration: Integration, reading: Reading
) -> Judgement:
    content = content_of(item)
    event = masked(event) if link.origin is Origin.EXTERNAL else event
    link = _acquainted(link, event, reading)
    read = print_of_event(event, content)
    newest = link.writes[-1] if link.writes else None
    if newest is not None and same(read, newest.prints):
        return Judgement(link=_confirmed(link, read, item))
    if same(read, link.last_read) or same(read, link.agreed):
        return Judgement(link=link)
    fields = _edited_fields(link, read, reading)
    if not fields:
        return Judgement(link=_doubted(link, reading))
    return _judge_edit(event, link, item, integration, reading, fields=fields, read=read)


def _acquainted(link: Link, event: CronofyEvent, reading: Reading) -> Link:
    code = link.code
    if link.origin is Origin.EXTERNAL:
        code = Code.PRIVATE if event.event_private else Code.SERIES if event.recurring else None
    return replace(
        link,
        event_uid=event.event_uid,
        series_identifier=event.series_identifier,
        may_update=link.origin is Origin.OURS or (event.options.update and not event.event_private),
        may_delete=link.origin is Origin.OURS or (event.options.delete and not event.event_private),
        code=code if link.origin is Origin.EXTERNAL and link.state is LinkState.AGREED else link.code,
        event_updated=event.updated,
        exists_there=True,
        read_at=reading.now,
    )


def _confirmed(link: Link, read: Prints, item: Item) -> Link:
    """The newest write was read back: both sides agree on it."""
    agreed = {**(link.writes[-1].prints if link.writes else {}), **read}
    settled = link.state is LinkState.AGREED and link.applied_revision == item.revision
    differs = link.differs and not settled
    return replace(link, agreed=agreed, last_read=read, writes=(), differs=differs)


def _edited_fields(link: Link, read: Prints, reading: Reading) -> set[str]:
    """The fields that a person changed: neither as last written nor as an earlier write left them."""
    newest = link.writes[-1] if link.writes else None
    if newest is None:
        return differing(read, link.last_read or link.agreed)
    fields = differing(read, newest.prints)
    if reading.now - (newest.accepted_at or newest.sent_at) >= ARRIVAL:
        return fields
    earlier = [link.agreed, link.last_read, *(write.prints for write in link.writes[:-1])]
    return {name for name in fields if all(name in differing(read, known) for known in earlier if known)}


def _doubted(link: Link, reading: Reading) -> Link:
    """Not arrived yet: nothing is taken, and the newest state is written once more, once (DESIGN 6.4)."""
    newest = link.writes[-1] if link.writes else None
    settled = link.state is LinkState.AGREED and newest is not None and link.origin is Origin.OURS
    if not settled or newest is None or reading.now - (newest.accepted_at or newest.sent_at) < IN_FLIGHT:
        return link
    return _rewritten(link, reading)


def _put_right(link: Link, reading: Reading) -> Link:
    """The calendar differs, but in nothing that the item could take over: it is written again."""
    if link.origin is Origin.OURS and link.state is LinkState.AGREED and not link.writes:
        return _rewritten(link, reading)
    return _doubted(link, reading)


def _judge_edit(
    event: CronofyEvent,
    link: Link,
    item: Item,
    integration: Integration,
    reading: Reading,
    *,
    fields: set[str],
    read: Prints,
) -> Judgement:
    entry = Entries(item, integration, reading)
    seen = replace(link, last_read=read)
    if not integration.event_types.update:
        log = entry(
            LogAction.UPDATE, Outcome.SKIPPED, Code.UPDATE_OFF, "Update is not checked for this calendar."
        )
        return Judgement(link=replace(seen, differs=True), entries=[log])
    if item.type is ItemType.SERVICE_CALL and content_of(item).completed:
        log = entry(
            LogAction.UPDATE, Outcome.SKIPPED, Code.DIFFERS, "A completed service call keeps its time."
        )
        return Judgement(link=replace(seen, differs=True), entries=[log])
    if _vorex_changed(link, item, read, reading) and _vorex_is_newer(event, item, reading):
        return _lost_to_vorex(event, seen, item, reading, fields=fields, entry=entry)
    return _taken(event, seen, item, integration, reading, fields=fields, read=read)


def _vorex_is_newer(event: CronofyEvent, item: Item, reading: Reading) -> bool:
    return vorex_wins(
        item,
        vorex_time=item.changed_at,
        calendar_time=calendar_time(event, reading),
        vorex_deletes=False,
        calendar_deletes=False,
    )


def _vorex_changed(link: Link, item: Item, read: Prints, reading: Reading) -> bool:
    """Whether Vorex changed the item since both sides agreed."""
    if link.state is not LinkState.AGREED and item.revision > link.applied_revision:
        return True
    return not _arrived(link, read, reading) and not _edited_after(link)


def _edited_after(link: Link) -> bool:
    newest = link.writes[-1] if link.writes else None
    if newest is None or link.event_updated is None:
        return newest is None
    return link.event_updated.timestamp() >= math.floor(newest.accepted_at or newest.sent_at)


def _arrived(link: Link, read: Prints, reading: Reading) -> bool:
    """Whether the newest write is in the calendar, beyond the fields that a person changed since."""
    newest = link.writes[-1] if link.writes else None
    if newest is None or (link.agreed is None and len(link.writes) == 1):
        return True
    if reading.now - (newest.accepted_at or newest.sent_at) >= ARRIVAL:
        return True
    before = link.agreed or link.writes[0].prints
    moved = differing(newest.prints, before)
    return bool(moved - differing(read, newest.prints))


def _taken(
    event: CronofyEvent,
    link: Link,
    item: Item,
    integration: Integration,
    reading: Reading,
    *,
    fields: set[str],
    read: Prints,
) -> Judgement:
    before = content_of(item)
    after = edited(before, event, fields)
    if after == before:
        return Judgement(link=_put_right(link, reading))
    entry = Entries(item, integration, reading)
    changed = next_item(item, after, integration, calendar_time(event, reading))
    entries = [entry(LogAction.UPDATE, Outcome.DONE, Code.OK, "Changed in the linked calendar.", detail={})]
    if _vorex_changed(link, item, read, reading):
        entries.append(entry.lost_by_vorex(values_of(before, fields)))
    return Judgement(link=_after_edit(link, changed, read, reading), item=changed, entries=entries)


def _after_edit(link: Link, item: Item, read: Prints, reading: Reading) -> Link:
    payload = compose(content_of(item))
    wanted = replace(link, desired=payload, desired_revision=item.revision, differs=False)
    behind = link.state in {LinkState.BEHIND, LinkState.RETRYING, LinkState.FAILED, LinkState.HELD}
    if behind or link.state is LinkState.FROZEN:
        return replace(
            wanted,
            desired_revision=link.desired_revision if link.state is LinkState.FROZEN else item.revision,
        )
    if _arrived(link, read, reading):
        base = link.writes[-1].prints if link.writes else link.agreed or {}
        return replace(
            wanted,
            agreed={**base, **read},
            writes=(),
            applied_revision=item.revision,
            applied_hash=payload_hash(payload),
        )
    return _rewritten(wanted, reading)


def _lost_to_vorex(
    event: CronofyEvent,
    link: Link,
    item: Item,
    reading: Reading,
    *,
    fields: set[str],
    entry: Entries,
) -> Judgement:
    values = {} if content_of(item).private or event.event_private else _read_values(event, fields)
    log = entry(
        LogAction.UPDATE,
        Outcome.SKIPPED,
        Code.CONFLICT_LOST,
        "Changed on both sides; the change in Vorex wins.",
        detail={"lost": values},
    )
    behind = link.state in {LinkState.BEHIND, LinkState.RETRYING, LinkState.HELD, LinkState.FAILED}
    if behind or link.state is LinkState.FROZEN:
        return Judgement(link=replace(link, differs=True), entries=[log])
    return Judgement(link=_rewritten(replace(link, differs=True), reading), entries=[log])


def _read_values(event: CronofyEvent, fields: set[str]) -> dict[str, object]:
    seen = {
        "title": event.summary,
        "description": event.description,
        "location": event.location,
        "start": event.start.isoformat(),
        "end": event.end.isoformat(),
        "free": event.transparency == "transparent",
        "private": event.event_private,
    }
    return {name: seen[name] for name in sorted(fields)}


def _rewritten(link: Link, reading: Reading) -> Link:
    """Behind because of a read; too often within an hour and the link stops (DESIGN 7.3)."""
    recent = [at for at in link.rewrites if at > reading.now - REWRITE_WINDOW]
    if len(recent) >= MOST_REWRITES:
        return replace(link, state=LinkState.FROZEN, code=Code.LOOP_STOPPED, rewrites=recent)
    return replace(link, state=LinkState.BEHIND, code=None, rewrites=[*recent, reading.now])
