"""What a comparison by state makes of a link whose item changed while nothing was sent (R20, R22).

Pure. Reads have told before what the calendar did meanwhile; which event the link should be is ``plan``'s
to say. Only the item's side counts here: a link that already follows its item stays as it is.
"""

from collections.abc import Callable
from dataclasses import replace

from contracts.calendar import Code, Integration, Item, Link, LinkId, LinkState, Origin, event_id
from contracts.event_fields import EventFields
from handlers.plan import Agreed, Leave, Remove, Write, renewed, wish


def compared(link: Link, item: Item, integration: Integration) -> Link | None:
    """The link as the comparison leaves it; None where there is nothing to do."""
    if not _lags(link, item, integration):
        return None
    match wish(item, integration, link):
        case Write(fields=fields):
            return _behind(renewed(link, item, integration), item, fields)
        case Remove():
            return _behind(link, item, None)
        case Agreed():
            return _agreed(link, item)
        case Leave(state=state, code=code):
            return replace(link, state=state, code=code, desired_revision=item.revision)
    return None


def _lags(link: Link, item: Item, integration: Integration) -> bool:
    """Whether the link was held back, or the item has moved on since the link was last looked at."""
    if link.ended_at is not None or link.calendar_id != integration.calendar_id:
        return False
    if link.state is LinkState.HELD:
        return link.code is not Code.HELD_DELETION
    return item.revision > max(link.desired_revision, link.applied_revision)


def _behind(link: Link, item: Item, fields: EventFields | None) -> Link:
    code = None if link.code in {Code.INACTIVE, Code.NOT_CONNECTED} else link.code
    return replace(
        link,
        state=LinkState.BEHIND,
        code=code if link.origin is Origin.EXTERNAL else None,
        desired=fields,
        desired_revision=item.revision,
        let_go_print=None,
    )


def _agreed(link: Link, item: Item) -> Link:
    code = None if link.code in {Code.INACTIVE, Code.NOT_CONNECTED} else link.code
    return replace(
        link,
        state=LinkState.AGREED,
        code=code if link.origin is Origin.EXTERNAL else None,
        desired_revision=item.revision,
        applied_revision=item.revision,
    )


def sent(
    item: Item, integration: Integration, link: Link | None, *, new_id: Callable[[], str]
) -> Link | None:
    """The link as it is to be written; None where the calendar has what it should have, or may not.

    A copy that was let go comes back: the person asked for it (R6).
    """
    known = _taken_up(link) if link is not None else None
    wanted = wish(item, integration, known)
    if not isinstance(wanted, Write) or (known is not None and known.origin is Origin.EXTERNAL):
        return None
    if known is None:
        return _first(item, integration, wanted, LinkId(new_id()))
    return replace(
        known, state=LinkState.BEHIND, code=None, desired=wanted.fields, desired_revision=item.revision
    )


def _taken_up(link: Link) -> Link:
    if link.state is LinkState.LET_GO or link.code is Code.TYPE_OFF:
        return replace(link, state=LinkState.BEHIND, code=None, let_go_print=None, applied_hash=None)
    return link


def _first(item: Item, integration: Integration, wanted: Write, link_id: LinkId) -> Link:
    assert integration.calendar_id is not None
    return Link(
        id=link_id,
        integration_id=integration.id,
        item_ref=item.ref,
        calendar_id=integration.calendar_id,
        origin=Origin.OURS,
        event_id=event_id(item.tenant_id, integration.user_id, item.type, item.id),
        state=LinkState.BEHIND,
        desired_revision=item.revision,
        desired=wanted.fields,
    )
