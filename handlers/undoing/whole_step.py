"""How the changes of one step of an undo are put back: no item twice, a copy with its item (R50). Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from contracts.calendar import Code, Direction, ItemRef
from handlers.undoing.putting_back import CHANGED_SINCE, ChangedPair, PutBack, leave, put_back
from handlers.undoing.recorded import ChangedSide

WITH_ITEM = "It follows its item, which is as it was before."


def put_back_step(
    pairs: Sequence[ChangedPair],
    beside: Iterable[ChangedPair] = (),
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> list[PutBack]:
    """What undoing each of these comes to, in their order.

    ``beside``: what the run did to the items of these, though that is put back in another step.
    """
    judged = partial(put_back, now=now, new_id=new_id)
    of_items = {one.change.item_ref: judged(one) for one in (*beside, *pairs) if _is_of_item(one)}
    taken = {ref for ref, back in of_items.items() if back.left is None}
    return [
        of_items[pair.change.item_ref] if _is_of_item(pair) else _beside(pair, of_items, taken, judged)
        for pair in pairs
    ]


def _is_of_item(pair: ChangedPair) -> bool:
    return pair.change.side is ChangedSide.ITEM


def _is_of_copy(pair: ChangedPair) -> bool:
    return pair.ours and pair.change.side is ChangedSide.COPY


def _beside(
    pair: ChangedPair,
    of_items: dict[ItemRef, PutBack],
    taken: set[ItemRef],
    judged: Callable[[ChangedPair], PutBack],
) -> PutBack:
    """A copy or a pairing; ``taken`` are those that something is put back of, this one too from now on."""
    ref = pair.change.item_ref
    item = of_items.get(ref)
    if item is not None and item.left is None and item.link is not None and _is_of_copy(pair):
        there = Direction.TO_LINKED_CALENDAR
        return PutBack(change=pair.change, direction=there, action=item.action, reason=WITH_ITEM)
    back = judged(pair)
    if back.left is None and ref in taken:
        return leave(pair, Code.DIFFERS, CHANGED_SINCE)
    if back.left is None:
        taken.add(ref)
    return back
