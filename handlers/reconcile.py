"""What a comparison by state makes of a link whose item changed while nothing was sent (R20, R22).

Pure. Reads have told before what the calendar did meanwhile; which event the link should be is ``plan``'s
to say. Only the item's side counts here: a link that already follows its item stays as it is.
"""

from collections.abc import Callable

from contracts.calendar import Code, Integration, Item, Link, LinkId, LinkState, Origin
from handlers import link_states
from handlers.plan import (
    InAgreement,
    LeaveEvent,
    RemoveEvent,
    WriteEvent,
    desired_event,
    left_link,
    renewed_link,
)


def compared_link(link: Link, item: Item, integration: Integration) -> Link | None:
    """The link as the comparison leaves it; None where there is nothing to do."""
    if not _lags(link, item, integration):
        return None
    match desired_event(item, integration, link):
        case WriteEvent(fields=fields):
            return link_states.want(renewed_link(link, item, integration), fields, revision=item.revision)
        case RemoveEvent():
            return link_states.want(link, None, revision=item.revision)
        case InAgreement():
            return link_states.agree(link, revision=item.revision)
        case LeaveEvent() as leave:
            return left_link(link, leave, item)
    return None


def _lags(link: Link, item: Item, integration: Integration) -> bool:
    """Whether the link was held back, or the item has moved on since the link was last looked at."""
    if link.ended_at is not None or link.calendar_id != integration.calendar_id:
        return False
    if link.state is LinkState.HELD:
        return link.code is not Code.HELD_DELETION
    return item.revision > max(link.desired_revision, link.applied_revision)


def link_to_send(
    item: Item, integration: Integration, link: Link | None, *, new_id: Callable[[], str]
) -> Link | None:
    """The link as it is to be written; None where the calendar has what it should have, or may not.

    A copy that was let go comes back: the person asked for it (R6).
    """
    known = link_states.take_up(link) if link is not None else None
    wanted = desired_event(item, integration, known)
    if not isinstance(wanted, WriteEvent) or (known is not None and known.origin is Origin.EXTERNAL):
        return None
    base = known or link_states.first(item, integration, LinkId(new_id()))
    return link_states.want(base, wanted.fields, revision=item.revision)
