"""What a comparison by state makes of a link whose item changed while nothing was sent (R20, R22).

Pure. Reads have told before what the calendar did meanwhile; which event the link should be is ``plan``'s
to say. Only the item's side counts here: a link that already follows its item stays as it is.
"""

from dataclasses import replace

from contracts.calendar import Code, Integration, Item, Link, LinkState, Origin, Payload
from handlers.plan import Agreed, Leave, Remove, Write, renewed, wish


def compared(link: Link, item: Item, integration: Integration) -> Link | None:
    """The link as the comparison leaves it; None where there is nothing to do."""
    if not _lags(link, item, integration):
        return None
    match wish(item, integration, link):
        case Write(payload=payload):
            return _behind(renewed(link, item, integration), item, payload)
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


def _behind(link: Link, item: Item, payload: Payload | None) -> Link:
    code = None if link.code in {Code.INACTIVE, Code.NOT_CONNECTED} else link.code
    return replace(
        link,
        state=LinkState.BEHIND,
        code=code if link.origin is Origin.EXTERNAL else None,
        desired=payload,
        desired_revision=item.revision,
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
