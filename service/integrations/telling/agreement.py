"""How many pairs agree, and why the others do not, in plain words (R51)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.calendar import Integration, Item, Link, LinkState
from handlers.agreement import Check, Difference, Why, why_different
from handlers.edits import MASKED_TITLE
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, Store
from service.store.items import items
from service.store.links import agreement, links
from service.store.links.agreement import FoundDifference

AGREES_BY_NOW = "It agrees by now."
WHY_WORDS: Mapping[str, str] = {
    "agrees_by_now": AGREES_BY_NOW,
    "on_its_way": "On its way since {since}.",
    "answer": "Its deletion waits for your answer.",
    "refused": "Not possible, because the linked calendar refused it.",
    "not_possible": "Not possible, because the linked calendar does not allow this event to be changed.",
    "series": "Not possible, because the event is part of a series, which cannot be changed from outside.",
    "private": "Not possible, because the event is private on the linked calendar.",
    "meeting": "Not possible, because the provider would tell the guests or lose the meeting.",
    "loop_stopped": "Not possible, because the linked calendar and this sync kept changing each other.",
    "changed_there": "Changed by hand on the linked calendar, and that change is not taken over.",
    "left_off": "Taken off the linked calendar by hand; it comes back when its time or its people change.",
    "kept_there": "Fetched back by hand on the linked calendar, and kept there by its owner.",
    "type_off": "Left as it is, because items of this type are not selected.",
    "out_of_reach": "Outside Cronofy's window, so what the linked calendar shows of it cannot be read.",
    "unexplained": "Both sides differ, and nothing here says why.",
}
"""The reason in a sentence, by ``Why`` or, of what is not possible, by the code behind it."""
_ONLY_BY_READING = frozenset({Why.UNEXPLAINED, Why.OUT_OF_REACH})
"""What only the next whole reading can tell anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DifferingPair:
    """A pair that the newest check found to differ, with the reason as it stands now."""

    key: str
    item_id: str
    item_type: str
    title: str
    difference: Difference | None
    """None where both sides agree by now."""
    times: int
    """In how many checks in a row nothing said why."""

    @property
    def item_key(self) -> str:
        """Under which My Calendar shows the item."""
        return f"{self.item_type}:{self.item_id}"

    def said(self, moment: Callable[[datetime], str], words: Mapping[str, str] = WHY_WORDS) -> str:
        """The reason in a sentence of ``words``; ``moment`` writes a time as its reader does."""
        different = self.difference
        if different is None:
            return words["agrees_by_now"]
        since = moment(different.since) if different.since else ""
        forbidden = different.why is Why.NOT_POSSIBLE and different.code in WHY_WORDS
        return words[str(different.code) if forbidden else different.why].format(since=since)


async def list_differing(
    store: Store, integration: Integration, *, masked: bool, after: str | None = None, limit: int
) -> Page[DifferingPair]:
    """What the newest check of this integration found, behind that pair; ``masked``: no private titles."""
    async with store.read() as connection:
        found = await agreement.differing(connection, integration.id, after=after, limit=limit + 1)
        check = Check(read_since=0.0, now=await store.now(connection))
        pairs = await _told(connection, integration, found, check, masked=masked)
    return Page.of(pairs, limit, cursor=lambda one: one.key)


async def _told(
    connection: AsyncConnection,
    integration: Integration,
    found: Sequence[FoundDifference],
    check: Check,
    *,
    masked: bool,
) -> Sequence[DifferingPair]:
    known = await items.load(connection, {one.item_ref for one in found})
    paired = await links.load(connection, [one.link_id for one in found])
    return [
        _pair(one, known[one.item_ref], paired[one.link_id], integration, check, masked=masked)
        for one in found
        if one.item_ref in known and one.link_id in paired
    ]


def _pair(
    found: FoundDifference, item: Item, link: Link, integration: Integration, check: Check, *, masked: bool
) -> DifferingPair:
    title = item.content.title if item.content is not None else ""
    hidden = masked and item.content is not None and item.content.private
    return DifferingPair(
        key=found.link_id,
        item_id=item.id,
        item_type=item.type.value,
        title=MASKED_TITLE if hidden else title,
        difference=_as_it_stands(found, item, link, integration, check),
        times=found.times,
    )


def _as_it_stands(
    found: FoundDifference, item: Item, link: Link, integration: Integration, check: Check
) -> Difference | None:
    why = Why(found.why)
    if why in _ONLY_BY_READING and link.state is LinkState.AGREED:
        return Difference(why=why)
    return why_different(item, integration, link, check)
