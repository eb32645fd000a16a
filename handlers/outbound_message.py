"""What an intake of item-changed messages does: pure, from messages and rows to rows.

The rules are R2, R14–R17, R19 and R20; which event each link should be is ``plan``'s to say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from contracts.calendar import (
    ASKING_CODES,
    Code,
    Direction,
    Fingerprints,
    Integration,
    IntegrationId,
    Item,
    Link,
    LinkId,
    LinkState,
    LogAction,
    LogEntry,
    Origin,
    Outcome,
    Status,
    Trigger,
    Written,
)
from contracts.envelope import ItemChanged
from contracts.event_fields import EventFields
from contracts.vorex import ItemChangedData, ItemContent
from handlers import link_states
from handlers.edits import MASKED_TITLE
from handlers.fingerprints import NO_EVENT, fingerprints_of_event
from handlers.forms import with_marks
from handlers.link_beginnings import first
from handlers.link_states import UNWRITTEN_STATES
from handlers.plan import (
    InAgreement,
    LeaveEvent,
    RemoveEvent,
    WriteEvent,
    desired_event,
    left_link,
    renewed_link,
)
from handlers.reconcile import would_do
from handlers.texts.compose import compose
from handlers.versions import LostChange, VersionVerdict, judge_version

MOST_REMEMBERED_WRITES = 20
WOULD_BE_WRITTEN = "The integration only watches: this would be written to the linked calendar."
LEAVE_REASONS = {
    Code.INACTIVE: "The integration is not active; the change is kept for its activation.",
    Code.NOT_CONNECTED: "The calendar is not connected; the change is kept for the reconnection.",
    Code.TYPE_OFF: "Items of this type are no longer sent to this calendar.",
    Code.SERIES: "The event is part of a series, which cannot be edited from outside.",
    Code.PRIVATE: "A private event of the calendar is read-only here.",
    Code.NOT_POSSIBLE: "The calendar does not allow this event to be changed from outside.",
    Code.MEETING: "It is a meeting with guests or online, which its provider would tell or break: "
    "it is not changed from Vorex.",
    Code.LOOP_STOPPED: "The calendar and this sync kept changing the event; it is left alone.",
    Code.QUESTIONED: "Its owner moved it too far; nothing is written before the dispatcher has answered.",
    Code.STALE: "A newer version of the item was known already.",
    Code.OTHER_CONTENT: "This version was said before with other content, which stays: the sender is wrong.",
    Code.SUPERSEDED: "A newer version of the item came before this one was sent.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemMessage:
    """A message about an item, as it was taken in."""

    message: ItemChanged
    attempt: int = 1
    replay: bool = False
    trusted_since: datetime | None = None
    """From when on its source's newest message counts, whatever its number (R42)."""

    @property
    def data(self) -> ItemChangedData:
        return self.message.data


@dataclass(kw_only=True, slots=True)
class ItemVerdicts:
    """What the messages about one item come to."""

    item: Item
    """As it is from now on."""
    carrier: ItemMessage | None = None
    """The message that brought the newest version; None: the stored item stays."""
    current: list[ItemMessage] = field(default_factory=list)
    """Those that go on to the item's links."""
    superseded: list[ItemMessage] = field(default_factory=list)
    stale: list[ItemMessage] = field(default_factory=list)
    conflicting: list[ItemMessage] = field(default_factory=list)
    """Those whose version is known with other content (R42)."""
    backwards: list[ItemMessage] = field(default_factory=list)
    """Those of the stale ones that were said later than what is known."""
    losses: list[tuple[LostChange, ItemMessage]] = field(default_factory=list)

    @property
    def fresh(self) -> bool:
        return self.carrier is not None

    @property
    def bearer(self) -> ItemMessage:
        """The message that the log names: an item may have been stored before its message came."""
        return self.carrier or self.current[-1]

    @property
    def replay(self) -> bool:
        return any(each.replay for each in self.current)

    def news_to(self, link: Link | None) -> bool:
        """Whether the link has not heard of this revision yet; what it has is not logged again."""
        return link is None or link.desired_revision < self.item.revision


class LinkStanding(StrEnum):
    """What a link means to the messages that reached it."""

    SEND = "send"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkChoice:
    """What becomes of one link."""

    link: Link
    standing: LinkStanding
    new: bool = False
    changed: bool = True
    entry: LogEntry | None = None


def judge_messages(stored: Item | None, received: Sequence[ItemMessage]) -> ItemVerdicts:
    """Judge the messages about one item, the lowest version first: the highest wins (R17)."""
    item = stored
    verdicts: ItemVerdicts | None = None
    for each in sorted(received, key=lambda one: one.data.version):
        judged = judge_version(
            item,
            each.data,
            time=each.message.time,
            source=each.message.source,
            trusted_since=each.trusted_since,
        )
        item = judged.item
        verdicts = verdicts or ItemVerdicts(item=item)
        verdicts.item = item
        _place(verdicts, each, judged.verdict)
        if judged.backwards:
            verdicts.backwards.append(each)
        if judged.loss is not None:
            verdicts.losses.append((judged.loss, each))
    if verdicts is None:
        raise ValueError("no message about the item")
    return verdicts


def _place(verdicts: ItemVerdicts, received: ItemMessage, verdict: VersionVerdict) -> None:
    if verdict is VersionVerdict.STALE:
        verdicts.stale.append(received)
        return
    if verdict is VersionVerdict.CONFLICTING:
        verdicts.conflicting.append(received)
        return
    if verdict is VersionVerdict.NEW:
        verdicts.superseded.extend(verdicts.current)
        verdicts.current = []
        verdicts.carrier = received
    verdicts.current.append(received)


def choose_for_link(
    verdicts: ItemVerdicts,
    integration: Integration,
    link: Link | None,
    *,
    now: float,
    new_id: Callable[[], str],
) -> LinkChoice | None:
    """Say what becomes of the link of an item and an integration; None: there is none and none is due."""
    if link is not None and link.ended_at is None:
        settled = _settled(verdicts, integration, link)
        if settled is not None:
            return LinkChoice(link=link, standing=settled, changed=False)
    match desired_event(verdicts.item, integration, link):
        case None:
            return None
        case InAgreement():
            assert link is not None
            return _agreed(verdicts.item, link)
        case LeaveEvent() as leave:
            assert link is not None
            return _left(verdicts, integration, link, leave)
        case WriteEvent(fields=fields):
            return _wanted(verdicts, integration, link, fields, now=now, new_id=new_id)
        case RemoveEvent():
            return _wanted(verdicts, integration, link, None, now=now, new_id=new_id)


def _settled(verdicts: ItemVerdicts, integration: Integration, link: Link) -> LinkStanding | None:
    """How a link stands that this revision has already reached; None where it is still to be judged."""
    if verdicts.fresh or link.desired_revision < verdicts.item.revision or link.state in UNWRITTEN_STATES:
        return None
    if link.state is LinkState.FAILED:
        return None if verdicts.replay else LinkStanding.FAILED
    if link.state is LinkState.HELD and integration.sends and link.code not in ASKING_CODES:
        return None
    return LinkStanding.DONE


def _agreed(item: Item, link: Link) -> LinkChoice:
    agreed = link_states.agree(link, revision=item.revision)
    return LinkChoice(link=agreed, standing=LinkStanding.DONE, changed=agreed != link)


def _left(verdicts: ItemVerdicts, integration: Integration, link: Link, leave: LeaveEvent) -> LinkChoice:
    aside = left_link(link, leave, verdicts.item)
    told = verdicts.news_to(link) and leave.state is not LinkState.LET_GO
    entry = (
        outbound_entry(
            verdicts.item,
            integration.id,
            action=action_of(link, gone=_goes(verdicts.item)),
            outcome=Outcome.SKIPPED,
            code=leave.code,
            reason=LEAVE_REASONS[leave.code],
            received=verdicts.bearer,
            trigger=_trigger(integration),
        )
        if told
        else None
    )
    return LinkChoice(link=aside, standing=LinkStanding.DONE, changed=aside != link, entry=entry)


def _goes(item: Item) -> bool:
    return item.deleted or (item.content is not None and item.content.start is None)


def _wanted(
    verdicts: ItemVerdicts,
    integration: Integration,
    link: Link | None,
    fields: EventFields | None,
    *,
    now: float,
    new_id: Callable[[], str],
) -> LinkChoice:
    item = verdicts.item
    base = renewed_link(link, item, integration) if link else first(item, integration, LinkId(new_id()))
    held = not integration.sends
    writes = None if held else remembered_writes(base, item, fields, now)
    wanted = link_states.want(base, fields, revision=item.revision, writes=writes)
    wanted = with_marks(wanted, item.content) if item.content is not None else wanted
    wanted = link_states.hold(wanted, holding_code(integration)) if held else wanted
    return LinkChoice(
        link=wanted,
        standing=LinkStanding.DONE if held else LinkStanding.SEND,
        new=link is None,
        changed=wanted != base or link is None,
        entry=_held_entry(verdicts, integration, link, wanted) if verdicts.news_to(link) else None,
    )


def want_or_hold(link: Link, fields: EventFields | None, item: Item, integration: Integration) -> Link:
    """Behind, or held with the reason that a person may know (R20, R22); R33's wait has none."""
    wanted = link_states.want(link, fields, revision=item.revision)
    return wanted if integration.sends else link_states.hold(wanted, holding_code(integration))


def holding_code(integration: Integration) -> Code | None:
    """Why nothing may be sent; None where only the reading at Finish is missing (R33)."""
    if integration.status is not Status.CONNECTED:
        return Code.NOT_CONNECTED
    return None if integration.active else Code.INACTIVE


def expecting(link: Link, item: Item, now: float) -> Link:
    """The link with what it wants remembered, by which it is known when it is read back."""
    return replace(link, writes=remembered_writes(link, item, link.desired, now))


def remembered_writes(link: Link, item: Item, fields: EventFields | None, now: float) -> tuple[Written, ...]:
    """The writes that may yet be read back, with the one that is due now."""
    writes = tuple(link.writes)
    prints = fingerprints_after(link, item, fields)
    if prints is None or (writes and writes[-1].prints == prints):
        return writes
    return (*writes, Written(prints=prints, sent_at=now))[-MOST_REMEMBERED_WRITES:]


def fingerprints_after(link: Link, item: Item, fields: EventFields | None) -> Fingerprints | None:
    """What the whole event looks like once the fields have arrived; None for a foreign one's deletion.

    A foreign event is deleted once and for all; one of ours may be written again before that arrives.
    """
    if fields is None and link.origin is Origin.OURS:
        return NO_EVENT
    if fields is None or item.content is None:
        return None
    whole = fields if link.origin is Origin.OURS else compose(item.content)
    return None if whole is None else fingerprints_of_event(whole, item.content)


def action_of(link: Link, *, gone: bool) -> LogAction:
    """What a write does to the event, in the log's words."""
    if gone:
        return LogAction.DELETE
    return LogAction.UPDATE if link.exists_there else LogAction.CREATE


def shown_title(content: ItemContent | None) -> str | None:
    """The title as everybody may see it (R27)."""
    if content is None:
        return None
    return MASKED_TITLE if content.private else content.title or None


def outbound_entry(
    item: Item,
    integration_id: IntegrationId,
    *,
    action: LogAction,
    outcome: Outcome,
    code: Code,
    reason: str,
    received: ItemMessage | None,
    trigger: Trigger = Trigger.REAL_TIME,
) -> LogEntry:
    """A log entry about the way to the linked calendar (R27)."""
    return LogEntry(
        integration_id=integration_id,
        trigger=trigger,
        direction=Direction.TO_LINKED_CALENDAR,
        action=action,
        outcome=outcome,
        code=code,
        reason=reason,
        item_ref=item.ref,
        item_id=item.id,
        item_type=item.type,
        title=shown_title(item.content),
        message_id=received.message.id if received else None,
        trace_id=received.message.trace_id if received else None,
        attempt=received.attempt if received else None,
    )


def _held_entry(
    verdicts: ItemVerdicts, integration: Integration, before: Link | None, link: Link
) -> LogEntry | None:
    """Why nothing is sent now; of an integration that watches, what would be sent."""
    would = integration.watching and link.code is Code.INACTIVE
    action = would_do(before, link) if would else action_of(link, gone=link.desired is None)
    if link.code is None or action is None:
        return None
    return outbound_entry(
        verdicts.item,
        link.integration_id,
        action=action,
        outcome=Outcome.DONE if would else Outcome.HELD,
        code=Code.OK if would else link.code,
        reason=WOULD_BE_WRITTEN if would else LEAVE_REASONS[link.code],
        received=verdicts.bearer,
        trigger=_trigger(integration),
    )


def _trigger(integration: Integration) -> Trigger:
    return Trigger.WATCHING if integration.watching else Trigger.REAL_TIME


def superseded_entries(verdicts: ItemVerdicts, integration_ids: Sequence[IntegrationId]) -> list[LogEntry]:
    """One entry for each integration that a message would have reached and did not (R17, R42)."""
    late = [(each, Code.STALE) for each in verdicts.stale]
    other = [(each, Code.OTHER_CONTENT) for each in verdicts.conflicting]
    early = [(each, Code.SUPERSEDED) for each in verdicts.superseded]
    return [
        outbound_entry(
            verdicts.item,
            integration_id,
            action=LogAction.NONE,
            outcome=Outcome.SKIPPED,
            code=code,
            reason=LEAVE_REASONS[code],
            received=each,
        )
        for each, code in (*late, *early, *other)
        for integration_id in integration_ids
    ]
