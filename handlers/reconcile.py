"""What a comparison by state makes of a link whose item changed while nothing was sent (R20, R22).

Pure. Reads have told before what the calendar did meanwhile; which event the link should be is ``plan``'s
to say. Only the item's side counts here: a link that already follows its item stays as it is.
"""

from collections.abc import Callable

from contracts.calendar import Code, Integration, Item, Link, LinkId, LinkState, LogAction, Origin
from handlers import link_states
from handlers.link_beginnings import first
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
    if link.state is LinkState.HELD and link.code is not Code.QUESTIONED:
        return link.code is not Code.HELD_DELETION
    return item.revision > max(link.desired_revision, link.applied_revision)


def why_not_sent(item: Item, integration: Integration, link: Link | None) -> Code | None:
    """Why an item that a run might send is passed over; None where both sides agree on it."""
    known = link_states.take_up(link) if link is not None else None
    match desired_event(item, integration, known):
        case InAgreement():
            return None
        case LeaveEvent(code=code):
            return Code.NOT_POSSIBLE if code is Code.OK else code
    if known is None or known.ended_at is not None:
        return Code.DIFFERS
    agrees = known.state is LinkState.AGREED and not known.differs
    return None if agrees else known.code or Code.DIFFERS


def link_to_send(
    item: Item, integration: Integration, link: Link | None, *, new_id: Callable[[], str]
) -> Link | None:
    """The link as it is to be written; None where the calendar has what it should have, or may not.

    A copy that was let go comes back: the person asked for it (R6). So does an item whose event is gone, as a
    copy of ours; but not one whose deletion waits for an answer (R11).
    """
    if link is not None and link.state is LinkState.HELD and link.code is Code.HELD_DELETION:
        return None
    known = link_states.take_up(link) if link is not None else None
    wanted = desired_event(item, integration, known)
    base = renewed_link(known, item, integration) if known else None
    if not isinstance(wanted, WriteEvent) or (base is not None and base.origin is Origin.EXTERNAL):
        return None
    base = base or first(item, integration, LinkId(new_id()))
    return link_states.want(base, wanted.fields, revision=item.revision)


def would_do(before: Link | None, kept_back: Link) -> LogAction | None:
    """What it would do to the event, had all that was kept back before been sent; None: nothing."""
    stood = False
    if before is not None and before.ended_at is None:
        stood = before.desired is not None if before.state is LinkState.HELD else before.exists_there
    if kept_back.desired is None:
        return LogAction.DELETE if stood else None
    if not stood or before is None:
        return LogAction.CREATE
    same = before.state is LinkState.HELD and before.desired == kept_back.desired
    return None if same else LogAction.UPDATE
