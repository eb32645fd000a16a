"""What lost where both sides had changed an item, and what is published then (R19).

Pure. Both values are kept in the log, so that whoever misses one can look it up.
"""

from dataclasses import replace

from contracts.calendar import (
    Code,
    Direction,
    IntegrationId,
    Item,
    LinkState,
    LogAction,
    LogEntry,
    Outcome,
)
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent, ItemType
from handlers import link_states
from handlers.edits import conflict_values
from handlers.judgement import Judgement, LinkedRow
from handlers.log_entries import CALENDAR_WON, VOREX_WON
from handlers.outbound_message import ItemVerdicts, outbound_entry
from handlers.versions import LostChange

_DELETED = {"deleted": True}


def loss_entries(verdicts: ItemVerdicts) -> list[LogEntry]:
    """What lost against the other side's change, with its values (R19)."""
    return [
        replace(
            outbound_entry(
                verdicts.item,
                loss.integration_id,
                action=LogAction.DELETE if loss.values is None else LogAction.UPDATE,
                outcome=Outcome.SKIPPED,
                code=Code.CONFLICT_LOST,
                reason=CALENDAR_WON if loss.by_vorex else VOREX_WON,
                received=received,
            ),
            direction=Direction.TO_LINKED_CALENDAR if loss.by_vorex else Direction.TO_MY_CALENDAR,
            detail=_lost_values(loss, verdicts.item),
        )
        for loss, received in verdicts.losses
        if loss.integration_id is not None
    ]


def _lost_values(loss: LostChange, item: Item) -> dict[str, object]:
    kept = None if item.deleted else item.content
    private = any(each is not None and each.private for each in (loss.values, item.content))
    return conflict_values(kept=_whole(kept), lost=_whole(loss.values), private=private)


def _whole(content: ItemContent | None) -> dict[str, object]:
    return dict(_DELETED) if content is None else dict(content.to_json_dict())


def fact_of(verdicts: ItemVerdicts, witness: IntegrationId | None) -> ItemChangedData | None:
    """What is to be published of an item whose two sides were in conflict: the winner, whole (R19).

    ``witness`` is named where the other side of the conflict is not known any more.
    """
    item = verdicts.item
    sides = [loss.integration_id for loss, _ in verdicts.losses]
    judges = [side for side in (witness, *sides) if side is not None]
    if not sides or not judges or item.content is None:
        return None
    return ItemChangedData(
        tenant_id=item.tenant_id,
        action=Action.DELETED if item.deleted else Action.UPDATED,
        version=item.version,
        actor=Actor(kind=ActorKind.CALENDAR_SYNC, id=judges[-1]),
        item=item.content,
    )


def is_deletion_waiting(row: LinkedRow) -> bool:
    """Whether Vorex deleted an appointment whose copy, which still lives, has not been removed yet."""
    item, link = row.item, row.link
    if row.gone or not item.deleted or item.content is None or item.type is not ItemType.APPOINTMENT:
        return False
    held = link.state is LinkState.HELD and link.code is not Code.HELD_DELETION
    return held or link.state in link_states.UNWRITTEN_STATES


def weigh_deletion(row: LinkedRow, alive: Judgement) -> Judgement | None:
    """Deleted in Vorex, changed there: the newer act wins, and a tie is Vorex's (R19).

    ``alive`` is what the row would mean had the item not been deleted. None: it shows no change.
    """
    # Deleted at 9:00; the copy was moved at 9:05, before it was removed: the appointment lives on, moved.
    # Moved at 8:55, it is removed all the same, and the log keeps where it was moved to.
    told = next((entry for entry in alive.entries if entry.code is Code.CONFLICT_LOST), None)
    if told is None:
        return None
    if alive.item is not None:
        lost = replace(told, detail={**(told.detail or {}), "lost": _DELETED})
        return replace(alive, entries=[lost if entry is told else entry for entry in alive.entries])
    reason = "Changed in the linked calendar and deleted in Vorex since: the deletion wins."
    kept = replace(told, reason=reason, detail={**(told.detail or {}), "kept": _DELETED})
    seen = link_states.seen(row.link, row.event, row.reading, person=row.integration.profile_name)
    shown = alive.link.last_read if alive.link is not None else None
    return Judgement(link=link_states.differ(link_states.note(seen, shown or {})), entries=[kept])
