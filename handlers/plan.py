"""What each link should be: an item, a person's integration and their link go in, one wish comes out.

Pure. The rules are R2, R6 (let go), R9, R10, R14, R16, R18, R20, R40 and R52.
"""

import hashlib
from dataclasses import dataclass

from contracts.calendar import Code, Integration, Item, Link, LinkState, Origin, event_id
from contracts.event_fields import EventFields, fields_hash
from contracts.times import wire_time
from contracts.vorex import ItemContent, ItemType
from handlers import link_states
from handlers.fingerprints import are_alike, fingerprints_of_event, fingerprints_of_item
from handlers.judgement import content_of
from handlers.texts.compose import compose, event_span

WRITTEN_AS = {
    "title": "summary",
    "start": "start",
    "end": "end",
    "description": "description",
    "location": "location",
    "free": "transparency",
    "private": "event_private",
}
MEETING_TEXTS = frozenset({"title", "description", "location"})
_SETTLED_THERE = frozenset({Code.SERIES, Code.PRIVATE, Code.LOOP_STOPPED})


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteEvent:
    """The event should be as the fields say."""

    fields: EventFields


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveEvent:
    """The event should not exist."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InAgreement:
    """Nothing is to be done: the calendar is known to be as it should."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaveEvent:
    """The copy is not kept alike, for a reason that the log tells."""

    state: LinkState
    code: Code


DesiredEvent = WriteEvent | RemoveEvent | InAgreement | LeaveEvent


def desired_event(item: Item, integration: Integration, link: Link | None) -> DesiredEvent | None:
    """What the link of this item and this integration should be; None: there is none and none is due."""
    if link is None or link.ended_at is not None:
        return _first_wish(item, integration)
    stays_away = link.state is LinkState.LET_GO and let_go_fingerprint(item.content) == link.let_go_print
    if stays_away or link.calendar_id != integration.calendar_id:
        return LeaveEvent(state=LinkState.LET_GO, code=link.code or Code.OK)
    frozen = item.type not in integration.item_types
    if not belongs_on_calendar(item, integration) and not (frozen and _assigned(item, integration)):
        return _wish_gone(integration, link)
    if frozen:
        return LeaveEvent(state=LinkState.FROZEN, code=Code.TYPE_OFF)
    if is_asked_of_dispatcher(link) and question_print(item.content) == link.let_go_print:
        return LeaveEvent(state=LinkState.HELD, code=Code.QUESTIONED)
    link = renewed_link(link, item, integration)
    external = link.origin is Origin.EXTERNAL
    return _wish_external(item, integration, link) if external else _wish_copy(item, link)


def belongs_on_calendar(item: Item, integration: Integration) -> bool:
    """Whether the item is on this person's calendar at all: theirs, alive, with a date (R2, R14)."""
    dated = item.content is not None and event_span(item.content) is not None
    return dated and _assigned(item, integration)


def _assigned(item: Item, integration: Integration) -> bool:
    return item.tenant_id == integration.tenant_id and integration.user_id in item.assignees


def renewed_link(link: Link, item: Item, integration: Integration) -> Link:
    """A foreign event that is gone cannot be brought back: its item is written anew, as an event of ours.

    Not so a private one, whose text was never known here (R8).
    """
    if link.origin is Origin.OURS or link.exists_there or not belongs_on_calendar(item, integration):
        return link
    if item.read_only_reason == Code.PRIVATE and item.imported_by == integration.id:
        return link
    return link_states.renew(link, event_id(item.tenant_id, integration.user_id, item.type, item.id))


def left_link(link: Link, leave: LeaveEvent, item: Item) -> Link:
    """The link that is not kept alike, as of the item's revision."""
    match leave.state:
        case LinkState.LET_GO:
            return link_states.let_go(link, leave.code, revision=item.revision)
        case LinkState.HELD:
            return link_states.hold(link, leave.code, revision=item.revision)
    return link_states.freeze(link, leave.code, revision=item.revision)


def is_asked_of_dispatcher(link: Link) -> bool:
    """Whether its copy stands as the technician moved it until the dispatcher has answered (R52)."""
    return link.state is LinkState.HELD and link.code is Code.QUESTIONED


def let_go_fingerprint(content: ItemContent | None) -> str:
    """Changes when a let-go copy has a reason to come back: its time or its assignees (R6)."""
    if content is None:
        return ""
    times = event_span(content)
    parts = [wire_time(moment) for moment in times] if times else []
    return hashlib.sha256("\x1f".join([*parts, "", *sorted(content.assignees)]).encode()).hexdigest()[:32]


def question_print(content: ItemContent | None) -> str:
    """Changes when Vorex has settled a question: time, assignees, window, or that it is done (R52)."""
    if content is None:
        return ""
    edges = ["" if edge is None else wire_time(edge) for edge in (content.not_before, content.not_after)]
    parts = [let_go_fingerprint(content), *edges, str(content.completed)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _first_wish(item: Item, integration: Integration) -> DesiredEvent | None:
    never_left = item.imported_by == integration.id == item.changed_by
    if never_left or item.type not in integration.item_types:
        return None
    return WriteEvent(fields=_composed(item)) if belongs_on_calendar(item, integration) else None


def _wish_gone(integration: Integration, link: Link) -> DesiredEvent:
    if link.state is LinkState.LET_GO:
        return LeaveEvent(state=LinkState.LET_GO, code=link.code or Code.OK)
    if link.desired is None and link.state is LinkState.AGREED and not link.exists_there:
        return InAgreement()
    if link.origin is Origin.OURS:
        return RemoveEvent()
    if link.code in _SETTLED_THERE:
        return LeaveEvent(state=LinkState.FROZEN, code=link.code or Code.NOT_POSSIBLE)
    if integration.unrestricted and link.may_delete and not link.is_meeting:
        return RemoveEvent()
    code = Code.MEETING if link.is_meeting else Code.NOT_POSSIBLE
    return LeaveEvent(state=LinkState.FROZEN, code=code)


def _wish_copy(item: Item, link: Link) -> DesiredEvent:
    if link.code is Code.LOOP_STOPPED:
        return LeaveEvent(state=LinkState.FROZEN, code=Code.LOOP_STOPPED)
    fields = _composed(item)
    return InAgreement() if _as_applied(link, fields) else WriteEvent(fields=fields)


def _composed(item: Item) -> EventFields:
    """The event of an item that belongs on a calendar: it has a date."""
    fields = compose(content_of(item))
    assert fields is not None
    return fields


def _as_applied(link: Link, fields: EventFields) -> bool:
    return (
        link.state is LinkState.AGREED
        and not link.differs
        and link.exists_there
        and link.applied_hash == fields_hash(fields)
    )


def _wish_external(item: Item, integration: Integration, link: Link) -> DesiredEvent:
    if link.applied_revision >= item.revision and link.state is LinkState.AGREED and not link.differs:
        return InAgreement()
    fields = _composed(item)
    changed = _changed_here(link, fields, content_of(item))
    if link.exists_there and not changed:
        return InAgreement()
    if link.code in _SETTLED_THERE:
        return LeaveEvent(state=LinkState.FROZEN, code=link.code or Code.NOT_POSSIBLE)
    if not (integration.unrestricted and link.may_update and link.exists_there):
        return LeaveEvent(state=LinkState.FROZEN, code=Code.NOT_POSSIBLE)
    if link.is_meeting and (link.guests or changed & MEETING_TEXTS):
        return LeaveEvent(state=LinkState.FROZEN, code=Code.MEETING)
    return WriteEvent(fields=fields.only({WRITTEN_AS[name] for name in changed}))


def _changed_here(link: Link, fields: EventFields, content: ItemContent) -> set[str]:
    """The fields that Vorex changed since they were agreed, or that an earlier write may have left there."""
    if content.type is not ItemType.APPOINTMENT and (composed := _composed_anew(link, fields)):
        return composed
    wanted, own = fingerprints_of_event(fields, content), fingerprints_of_item(content)
    writes = (*link.overtaken, *link.writes)
    # what was agreed before a row said it of every field is filled up by what was read since
    agreed = link.agreed and {**(link.last_read or {}), **link.agreed}
    known = [agreed, link.last_read if link.differs else None, *(each.prints for each in writes)]
    return {
        name
        for prints in known
        for name, value in (prints or {}).items()
        if name in wanted and not _says(name, value, (wanted[name], own.get(name, wanted[name])))
    }


def _says(name: str, known: str | bool, wanted: tuple[str | bool, ...]) -> bool:
    return any(are_alike(name, known, each) for each in wanted)


def _composed_anew(link: Link, fields: EventFields) -> set[str]:
    """Of a record, whose texts are never read back (R6), what is not as it was wished last."""
    before = link.desired.to_wire_dict() if link.desired else {}
    now = fields.to_wire_dict()
    return {name for name, field in WRITTEN_AS.items() if field in before and before[field] != now[field]}
