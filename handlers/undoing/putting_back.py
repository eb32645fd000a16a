"""How one change of a run is put back, or why it is left (R50). Pure.

What somebody has changed since is left; so is what would mail guests (R40), and what nobody remembers. An
event that its owner made is never written or removed: only what the run did with it on My Calendar is undone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.calendar import (
    Code,
    Direction,
    Integration,
    Item,
    ItemRef,
    Link,
    LinkId,
    LinkState,
    LogAction,
    Origin,
)
from contracts.event_fields import EventFields
from handlers import link_states
from handlers.judgement import content_of, item_after_change
from handlers.link_beginnings import pair_again
from handlers.plan import let_go_fingerprint
from handlers.reconcile import compared_link, link_to_send
from handlers.texts.compose import compose
from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange

CHANGED_SINCE = "Somebody has changed it since, so it is left."
NOT_REMEMBERED = "What it looked like before is not known, so it is left."
THERE_NO_MORE = "It is not there any more."
THERE_AGAIN = "It is there again already."
STILL_WRITTEN = "It is being written to the linked calendar just now, so it is left."
GUESTS_INVITED = "Its guests would be told, or its meeting lost, so it is left."
PRIVACY_CHANGED = "Its event became private or public, so it stays as the linked calendar has it."
GONE_FOR_GOOD = "Its event is gone from the linked calendar for good; the item stays as it is."
MOVED_THERE = "It moved to the calendar that was chosen; choose the former one to move it back."
BROUGHT_SINCE = "It is on My Calendar by now, so it is not asked about again."
NOT_ON_CALENDAR = "It is not on this calendar any more, so it is left."


@dataclass(frozen=True, kw_only=True, slots=True)
class PutBack:
    """How one change is put back; with a reason it is left as it is."""

    change: RunChange
    direction: Direction
    action: LogAction
    reason: str
    left: Code | None = None
    item: Item | None = None
    """As it is to be stored."""
    link: Link | None = None
    """As it is to be stored, where it changes."""
    new_link: Link | None = None
    dropped: LinkId | None = None
    prior: tuple[str, ...] = ()
    """Keys of events that are not to be brought again (R33)."""
    question: Mapping[str, object] | None = field(default=None, repr=False)
    """To be asked again."""
    record: RunChange | None = field(default=None, repr=False)
    """What this itself changes, so that it can be undone too."""
    rests: bool = False
    """Whether the copy is no longer kept alike once it is written, until its item changes (R6)."""

    @property
    def to_write(self) -> bool:
        """Whether it is done when the linked calendar has taken it."""
        return self.left is None and self.direction is Direction.TO_LINKED_CALENDAR


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedPair:
    """A change with what stands there now: ``link`` is the item's on the calendar that is linked."""

    change: RunChange
    item: Item | None
    link: Link | None
    integration: Integration
    brought: bool = False
    """Whether the event that was asked about is known by now."""

    @property
    def untouched(self) -> bool:
        """Whether the item stands as the run left it, and no edit of the calendar was passed over since."""
        differs = self.link is not None and self.link.differs
        return self.item is not None and self.item.revision == self.change.revision and not differs

    @property
    def guests(self) -> bool:
        return self.link is not None and (self.link.guests > 0 or self.link.online)

    @property
    def ours(self) -> bool:
        return self.link is not None and self.link.origin is Origin.OURS


def pairs_of(
    changes: Iterable[RunChange],
    items: Mapping[ItemRef, Item],
    links: Iterable[Link],
    integration: Integration,
    *,
    brought: Collection[object] = (),
) -> list[ChangedPair]:
    """Each change with what stands there now; of the links only those on the linked calendar count.

    ``brought``: uids of events there that are linked by now.
    """
    here = {link.item_ref: link for link in links if _is_here(link, integration)}
    return [
        ChangedPair(
            change=change,
            item=items.get(change.item_ref),
            link=here.get(change.item_ref),
            integration=integration,
            brought=(change.question or {}).get("event_uid") in brought,
        )
        for change in changes
    ]


def _is_here(link: Link, integration: Integration) -> bool:
    mine = link.integration_id == integration.id and link.calendar_id == integration.calendar_id
    return mine and link.ended_at is None


def put_back(pair: ChangedPair, *, now: datetime, new_id: Callable[[], str]) -> PutBack:
    """What undoing the change comes to."""
    if pair.link is not None and pair.link.state in link_states.UNWRITTEN_STATES:
        return leave(pair, Code.CLAIM_LOST, STILL_WRITTEN)
    if pair.change.kind is ChangeKind.MOVED:
        return leave(pair, Code.NOT_POSSIBLE, MOVED_THERE)
    sides = {
        ChangedSide.COPY: _copy,
        ChangedSide.ITEM: _item,
        ChangedSide.PAIR: _pair,
        ChangedSide.QUESTION: _question,
    }
    return sides[pair.change.side](pair, now, new_id)


# -- My Calendar -------------------------------------------------------------------------------------


def _item(pair: ChangedPair, now: datetime, new_id: Callable[[], str]) -> PutBack:
    kind, item = pair.change.kind, pair.item
    otherwise = _item_stands_otherwise(pair)
    if item is None or otherwise is not None:
        return leave(pair, Code.DIFFERS, otherwise or CHANGED_SINCE)
    if pair.ours and pair.guests:
        return leave(pair, Code.MEETING, GUESTS_INVITED)
    if kind is ChangeKind.CREATED:
        return _remove_item(pair, item, now)
    differs = _privacy_differs(pair, item)
    if differs or pair.change.content is None:
        return leave(pair, Code.NOT_POSSIBLE, PRIVACY_CHANGED if differs else NOT_REMEMBERED)
    if kind is ChangeKind.UPDATED:
        return _restore_content(pair, item, now)
    return _bring_back(pair, item, now, new_id)


def _item_stands_otherwise(pair: ChangedPair) -> str | None:
    """Why nothing can be put back; None where the item stands as the run left it."""
    kind, item = pair.change.kind, pair.item
    if item is not None and item.deleted is (kind is not ChangeKind.DELETED):
        over = {ChangeKind.DELETED: THERE_AGAIN, ChangeKind.CREATED: THERE_NO_MORE}
        return over.get(kind, CHANGED_SINCE)
    return None if pair.untouched else CHANGED_SINCE


def _privacy_differs(pair: ChangedPair, item: Item) -> bool:
    """Whether another's event was masked before and is not now, or the other way round (R8).

    The texts of a private event are nobody's here, and a mask that came back could be written over its event.
    """
    before, masked = pair.change.content, item.read_only_reason == Code.PRIVATE.value
    if pair.ours or before is None:
        return masked and not pair.ours
    return before.private is not (masked or content_of(item).private)


def _remove_item(pair: ChangedPair, item: Item, now: datetime) -> PutBack:
    """Off My Calendar; the event that it was brought from stays, and is not brought by the next read."""
    gone = replace(item_after_change(item, content_of(item), pair.integration, now), deleted=True)
    foreign = pair.link if pair.link is not None and not pair.ours else None
    record = _recorded(pair, ChangeKind.DELETED, gone.revision)
    return PutBack(
        change=pair.change,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.DELETE,
        reason="Removed from My Calendar again; its event stays on the linked calendar."
        if foreign
        else "Removed from My Calendar again.",
        item=gone,
        link=_following(pair, gone) if pair.ours else None,
        dropped=foreign.id if foreign else None,
        prior=_prior_keys(foreign),
        record=replace(record, content=item.content, link=foreign),
    )


def _restore_content(pair: ChangedPair, item: Item, now: datetime) -> PutBack:
    assert pair.change.content is not None
    back = item_after_change(item, pair.change.content, pair.integration, now)
    record = replace(_recorded(pair, ChangeKind.UPDATED, back.revision), content=item.content)
    foreign = pair.link is not None and not pair.ours
    gone = foreign and pair.link is not None and not pair.link.exists_there
    left = _let_stay_away(pair.link, back) if gone else _left_behind(pair.link, back)
    return PutBack(
        change=pair.change,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.UPDATE,
        reason="As it was before on My Calendar; its owner's event stays as it is."
        if foreign
        else "As it was before.",
        item=back,
        link=left if foreign else _following(pair, back),
        record=record,
    )


def _bring_back(pair: ChangedPair, item: Item, now: datetime, new_id: Callable[[], str]) -> PutBack:
    """On My Calendar again: our copy is written anew, and a foreign event that is gone stays away (R11)."""
    assert pair.change.content is not None
    alive = item_after_change(item, pair.change.content, pair.integration, now)
    alive = replace(alive, deleted=False)
    again = pair.change.link if pair.link is None else None
    gone = pair.link is not None and not pair.ours
    return PutBack(
        change=pair.change,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.CREATE,
        reason="On My Calendar again.",
        item=alive,
        link=_let_stay_away(pair.link, alive) if gone else _following(pair, alive),
        new_link=pair_again(again, alive, LinkId(new_id())) if again else None,
        record=_recorded(pair, ChangeKind.CREATED, alive.revision),
    )


# -- the linked calendar -----------------------------------------------------------------------------


def _copy(pair: ChangedPair, now: datetime, new_id: Callable[[], str]) -> PutBack:  # noqa: ARG001 -- as all
    link, item, kind = pair.link, pair.item, pair.change.kind
    if kind is ChangeKind.DELETED:
        return _send_again(pair, new_id)
    if link is None or not link.exists_there:
        return leave(pair, Code.DIFFERS, THERE_NO_MORE)
    if item is None or not pair.untouched or link.state is LinkState.LET_GO:
        return leave(pair, Code.DIFFERS, CHANGED_SINCE)
    if pair.guests:
        return leave(pair, Code.MEETING, GUESTS_INVITED)
    before = pair.change.fields
    if not pair.ours or (before is None and kind is ChangeKind.UPDATED):
        return leave(pair, Code.NOT_POSSIBLE, NOT_REMEMBERED)
    return _unwrite(pair, item, link, before if kind is ChangeKind.UPDATED else None)


def _unwrite(pair: ChangedPair, item: Item, link: Link, before: EventFields | None) -> PutBack:
    """Our copy as it was before, or away; then it rests, or the next repetition would write it anew."""
    kind = ChangeKind.DELETED if before is None else ChangeKind.UPDATED
    composed = compose(item.content) if item.content is not None else None
    return PutBack(
        change=pair.change,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.DELETE if before is None else LogAction.UPDATE,
        reason="Removed from the linked calendar again." if before is None else "As it was before.",
        link=link_states.want(link, before, revision=item.revision),
        record=replace(_recorded(pair, kind, item.revision), fields=link.desired),
        rests=before is None or before != composed,
    )


def _send_again(pair: ChangedPair, new_id: Callable[[], str]) -> PutBack:
    """The copy that was taken off stands there again, as its item is by now."""
    item = pair.item
    if item is None or item.deleted:
        return leave(pair, Code.NOT_POSSIBLE, NOT_ON_CALENDAR)
    if pair.link is not None and pair.link.exists_there:
        return leave(pair, Code.DIFFERS, THERE_AGAIN)
    wanted = link_to_send(item, pair.integration, pair.link, new_id=new_id)
    if wanted is None:
        return leave(pair, Code.NOT_POSSIBLE, NOT_ON_CALENDAR)
    known = pair.link is not None
    return PutBack(
        change=pair.change,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.CREATE,
        reason="On the linked calendar again.",
        link=wanted if known else None,
        new_link=None if known else wanted,
        record=_recorded(pair, ChangeKind.CREATED, item.revision),
    )


# -- only the pairing --------------------------------------------------------------------------------


def _pair(pair: ChangedPair, now: datetime, new_id: Callable[[], str]) -> PutBack:  # noqa: ARG001 -- as all
    link, item = pair.link, pair.item
    if pair.change.kind is ChangeKind.UPDATED:
        return leave(pair, Code.NOT_POSSIBLE, GONE_FOR_GOOD)
    apart = pair.change.kind is ChangeKind.DELETED
    if item is None or item.deleted or item.revision != pair.change.revision or (link is None) is not apart:
        return leave(pair, Code.DIFFERS, CHANGED_SINCE)
    if apart:
        again = pair.change.link
        if again is None:
            return leave(pair, Code.NOT_POSSIBLE, NOT_REMEMBERED)
        return PutBack(
            change=pair.change,
            direction=Direction.TO_MY_CALENDAR,
            action=LogAction.LINK,
            reason="Linked again.",
            new_link=pair_again(again, item, LinkId(new_id())),
            record=_recorded(pair, ChangeKind.CREATED, item.revision),
        )
    if link is None or pair.ours or link.state is not LinkState.AGREED or link.differs:
        return leave(pair, Code.DIFFERS, CHANGED_SINCE)
    return PutBack(
        change=pair.change,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.LET_GO,
        reason="No longer linked; both stay where they are.",
        dropped=link.id,
        prior=_prior_keys(link),
        record=replace(_recorded(pair, ChangeKind.DELETED, item.revision), link=link),
    )


# -- what was asked -----------------------------------------------------------------------------------


def _question(pair: ChangedPair, now: datetime, new_id: Callable[[], str]) -> PutBack:  # noqa: ARG001 -- as all
    if pair.brought:
        return leave(pair, Code.DIFFERS, BROUGHT_SINCE)
    return PutBack(
        change=pair.change,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.NONE,
        reason="You are asked about it again.",
        question=pair.change.question,
    )


# -- what all of them need ---------------------------------------------------------------------------


def rested(link: Link, item: Item) -> Link:
    """A copy that was put back is let go of, until its item changes or a run asks for it (R6)."""
    if link.state is not LinkState.AGREED:
        return link
    return link_states.let_stand(link, let_go_fingerprint(item.content))


def leave(pair: ChangedPair, code: Code, reason: str) -> PutBack:
    here = Direction.TO_MY_CALENDAR
    there = Direction.TO_LINKED_CALENDAR
    return PutBack(
        change=pair.change,
        direction=there if pair.change.side is ChangedSide.COPY else here,
        action=LogAction.NONE,
        reason=reason,
        left=code,
    )


def _recorded(pair: ChangedPair, kind: ChangeKind, revision: int) -> RunChange:
    return RunChange(side=pair.change.side, kind=kind, item_ref=pair.change.item_ref, revision=revision)


def _following(pair: ChangedPair, item: Item) -> Link | None:
    """Our copy, as it is to follow its item."""
    return compared_link(pair.link, item, pair.integration) if pair.link is not None else None


def _left_behind(link: Link | None, item: Item) -> Link | None:
    """A foreign event that is left as it is counts as known at the item's revision: nobody writes it."""
    if link is None or link.state is not LinkState.AGREED:
        return None
    return link_states.agree(link, revision=item.revision)


def _let_stay_away(link: Link | None, item: Item) -> Link | None:
    if link is None:
        return None
    return link_states.let_go_by_owner(link, Code.OK, let_go_fingerprint(item.content))


def _prior_keys(link: Link | None) -> tuple[str, ...]:
    return (f"uid:{link.event_uid}",) if link is not None and link.event_uid else ()
