"""What lost where both sides had changed an item, and what is published then (R19).

Pure. Both values are kept in the log, so that whoever misses one can look it up.
"""

from dataclasses import replace

from contracts.calendar import Code, Direction, IntegrationId, Item, LogAction, LogEntry, Outcome
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent
from handlers.edits import conflict_values
from handlers.outbound_message import ItemVerdicts, outbound_entry
from handlers.versions import LostChange


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
                reason="Changed on both sides; "
                + ("the newer change in the linked calendar" if loss.by_vorex else "the change in Vorex")
                + " wins.",
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
    return {"deleted": True} if content is None else dict(content.to_json_dict())


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
