"""What a run changed on either side, kept so that it can be put back (R50). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.calendar import Code, Item, ItemRef, Link, LinkId, LinkState, Origin
from contracts.event_fields import EventFields, fields_hash
from contracts.vorex import ItemContent
from handlers.inbound_page import PageChanges


class ChangedSide(StrEnum):
    """Where: the event there, the item on My Calendar, the pairing of both, or a question about an event."""

    COPY = "copy"
    ITEM = "item"
    PAIR = "pair"
    QUESTION = "question"


class ChangeKind(StrEnum):
    """What became of it; a pair is created, deleted or let go of, a question deleted, only a copy moved."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    MOVED = "moved"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunChange:
    """One change of a run, with what stood there before as far as that is known."""

    side: ChangedSide
    kind: ChangeKind
    item_ref: ItemRef
    revision: int
    """The item's, once the run had changed it, or as it was written to the calendar."""
    content: ItemContent | None = field(default=None, repr=False)
    """Of the item before."""
    fields: EventFields | None = field(default=None, repr=False)
    """Of our copy before."""
    link: Link | None = field(default=None, repr=False)
    """The pair before, where it was dissolved."""
    question: Mapping[str, object] | None = field(default=None, repr=False)
    """As it was asked, in the store's form; it has a *title* and an *event_uid*."""


def page_record(before: Mapping[ItemRef, Item], changes: PageChanges) -> list[RunChange]:
    """What one page of a read changed; ``before``: the items as they were."""
    found = [_item_change(before.get(item.ref), item) for item in changes.items]
    brought = {item.ref for item in changes.items}
    linked = [link for link in changes.new_links if link.item_ref not in brought]
    return found + [
        RunChange(
            side=ChangedSide.PAIR,
            kind=ChangeKind.CREATED,
            item_ref=link.item_ref,
            revision=link.applied_revision,
        )
        for link in linked
    ]


def _item_change(before: Item | None, after: Item) -> RunChange:
    alive = before is not None and not before.deleted
    kind = ChangeKind.DELETED if after.deleted else ChangeKind.UPDATED if alive else ChangeKind.CREATED
    return RunChange(
        side=ChangedSide.ITEM,
        kind=kind,
        item_ref=after.ref,
        revision=after.revision,
        content=before.content
        if before is not None and alive and not _becomes_private(before, after)
        else None,
    )


def _becomes_private(before: Item, after: Item) -> bool:
    """Whether texts of another's event are known from before that are nobody's any more (R8)."""
    return after.read_only_reason == Code.PRIVATE.value != before.read_only_reason


def sent_record(pairs: Iterable[tuple[Link | None, Link]]) -> list[RunChange]:
    """What is handed over to be written: each link as it was, and as it is wanted; others change nothing."""
    return [_copy_change(before, after) for before, after in pairs if after.state is LinkState.BEHIND]


def moved_record(items: Iterable[Item]) -> list[RunChange]:
    """Copies of these that followed to another calendar (R16)."""
    copy, moved = ChangedSide.COPY, ChangeKind.MOVED
    return [RunChange(side=copy, kind=moved, item_ref=item.ref, revision=item.revision) for item in items]


def kept_record(before: Mapping[LinkId, Link], changes: PageChanges) -> list[RunChange]:
    """What became of pairs whose deletion is not carried out: written again, or let go of (R11)."""
    let_go = [link for link in changes.links if link.state is LinkState.LET_GO]
    return sent_record((before.get(link.id), link) for link in changes.links) + [
        RunChange(
            side=ChangedSide.PAIR,
            kind=ChangeKind.UPDATED,
            item_ref=link.item_ref,
            revision=link.desired_revision,
        )
        for link in let_go
    ]


def _copy_change(before: Link | None, after: Link) -> RunChange:
    there = before is not None and before.exists_there
    kind = (
        ChangeKind.DELETED if after.desired is None else ChangeKind.UPDATED if there else ChangeKind.CREATED
    )
    return RunChange(
        side=ChangedSide.COPY,
        kind=kind,
        item_ref=after.item_ref,
        revision=after.desired_revision,
        fields=_standing_fields(before) if before is not None else None,
    )


def _standing_fields(link: Link) -> EventFields | None:
    """What our copy is known to say there; None of a foreign event, or where the calendar differs."""
    known = link.desired is not None and link.applied_hash == fields_hash(link.desired)
    return link.desired if known and link.origin is Origin.OURS and not link.differs else None
