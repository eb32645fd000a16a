"""What a Send run makes of one item of its range (R6, R24, R26); pure, for the run and its rehearsal."""

from collections.abc import Callable
from dataclasses import replace

from contracts.calendar import Code, Integration, Item, Link, LinkId, LinkState, Origin, event_id
from handlers.plan import Write, wish


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
        known, state=LinkState.BEHIND, code=None, desired=wanted.payload, desired_revision=item.revision
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
        desired=wanted.payload,
    )
