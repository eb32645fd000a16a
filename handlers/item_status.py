"""How an item stands on one linked calendar, as its owner is told: pure, from what the link knows."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from contracts.calendar import Code, Integration, Item, Link, LinkState, Origin, Status


class ItemStanding(StrEnum):
    """A closed set; each has its sentence on the item's page."""

    CONFIRMED = "confirmed"
    """It was read back from Cronofy, as it was last written."""
    ACCEPTED = "accepted"
    """Cronofy took it, and it has not been read back yet."""
    ON_ITS_WAY = "on_its_way"
    """It is being sent; or Cronofy took it some time ago, and the calendar still shows what it had (R38)."""
    DELAYED = "delayed"
    NOT_CONNECTED = "not_connected"
    INACTIVE = "inactive"
    FIRST_READING = "first_reading"
    ANSWER = "answer"
    """Its deletion waits for a person's answer (R11)."""
    DISPATCHER = "dispatcher"
    """Its owner moved it too far, and the dispatcher is asked (R52)."""
    REFUSED = "refused"
    LET_GO = "let_go"
    FROZEN = "frozen"
    REMOVED = "removed"
    TYPE_OFF = "type_off"
    NOT_SENT = "not_sent"


SETTLED_STANDINGS = frozenset(
    set(ItemStanding) - {ItemStanding.ACCEPTED, ItemStanding.ON_ITS_WAY, ItemStanding.DELAYED}
)
_HELD = {
    Code.HELD_DELETION: ItemStanding.ANSWER,
    Code.QUESTIONED: ItemStanding.DISPATCHER,
    Code.NOT_CONNECTED: ItemStanding.NOT_CONNECTED,
    Code.INACTIVE: ItemStanding.INACTIVE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemStatus:
    """How the item stands, since when, and the code behind it where it has one."""

    standing: ItemStanding
    at: datetime | None = None
    code: Code | None = None
    differs: bool = False
    guests: int = 0
    """Of a meeting of others: how many are invited besides its owner (R40)."""
    online: bool = False
    join_url: str | None = None

    @property
    def settled(self) -> bool:
        return self.standing in SETTLED_STANDINGS


def status_of(
    item: Item, integration: Integration, link: Link | None, *, delayed: datetime | None
) -> ItemStatus:
    """``delayed``: since when Cronofy takes nothing from this integration (R23)."""
    told = _told(item, integration, link, delayed)
    if link is None or not link.exists_there or link.ended_at is not None:
        return told
    return replace(told, guests=link.guests, online=link.online, join_url=link.join_url)


def _told(item: Item, integration: Integration, link: Link | None, delayed: datetime | None) -> ItemStatus:
    if link is None or link.ended_at is not None or link.calendar_id != integration.calendar_id:
        off = item.type not in integration.item_types
        return ItemStatus(standing=ItemStanding.TYPE_OFF if off else ItemStanding.NOT_SENT)
    waiting = _told_waiting(integration, link, delayed)
    if waiting is not None:
        return waiting
    match link.state:
        case LinkState.FAILED:
            return ItemStatus(standing=ItemStanding.REFUSED, code=link.code)
        case LinkState.LET_GO:
            return ItemStatus(standing=ItemStanding.LET_GO, code=link.code)
        case LinkState.FROZEN:
            return ItemStatus(standing=ItemStanding.FROZEN, code=link.code, differs=link.differs)
    return _told_at_rest(link)


def _told_waiting(integration: Integration, link: Link, delayed: datetime | None) -> ItemStatus | None:
    if link.state is LinkState.HELD:
        return ItemStatus(
            standing=_HELD.get(link.code or Code.OK, ItemStanding.FIRST_READING), code=link.code
        )
    if link.state not in {LinkState.BEHIND, LinkState.RETRYING}:
        return None
    if integration.status is Status.NOT_CONNECTED:
        return ItemStatus(standing=ItemStanding.NOT_CONNECTED)
    if not integration.active:
        return ItemStatus(standing=ItemStanding.INACTIVE)
    if link.state is LinkState.RETRYING or delayed is not None:
        return ItemStatus(standing=ItemStanding.DELAYED, at=delayed)
    return ItemStatus(standing=ItemStanding.ON_ITS_WAY)


def _told_at_rest(link: Link) -> ItemStatus:
    if not link.exists_there:
        return ItemStatus(standing=ItemStanding.REMOVED, at=_moment(link.accepted_at))
    unread = link.accepted_at is not None and (link.read_at is None or link.read_at < link.accepted_at)
    if link.origin is Origin.OURS and link.writes and (not unread or _was_made_again(link)):
        since = _moment(link.writes[-1].sent_at)
        return ItemStatus(standing=ItemStanding.ON_ITS_WAY, at=since, differs=link.differs)
    if link.origin is Origin.OURS and unread:
        return ItemStatus(standing=ItemStanding.ACCEPTED, at=_moment(link.accepted_at), differs=link.differs)
    return ItemStatus(standing=ItemStanding.CONFIRMED, at=_moment(link.read_at), differs=link.differs)


def _was_made_again(link: Link) -> bool:
    return any(at > link.writes[-1].sent_at for at in link.rewrites)


def _moment(at: float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at is not None else None
