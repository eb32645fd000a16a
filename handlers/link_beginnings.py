"""How a link begins: a copy that nobody has written yet, or an event that was found. Pure."""

from dataclasses import replace

from contracts.calendar import Code, Integration, Item, Link, LinkId, LinkState, Origin, event_id
from contracts.cronofy import CronofyEvent
from handlers.judgement import Reading
from handlers.link_states import agree, seen


def first(item: Item, integration: Integration, link_id: LinkId) -> Link:
    """A copy of ours that nobody has written yet, on the calendar that is linked: *behind*."""
    assert integration.calendar_id is not None
    name = event_id(item.tenant_id, integration.user_id, item.type, item.id)
    return _pair(link_id, item, integration, calendar_id=integration.calendar_id, name=name)


def found(
    item: Item, integration: Integration, event: CronofyEvent, reading: Reading, link_id: LinkId
) -> Link:
    """An event that was read, and not linked until now: *agreed*; on what, ``align`` or ``recall`` says."""
    pair = _pair(link_id, item, integration, calendar_id=event.calendar_id, name=event.event_id)
    return seen(replace(pair, state=LinkState.AGREED), event, reading, person=integration.profile_name)


def carry_over(old: Link, item: Item, integration: Integration, link_id: LinkId) -> Link:
    """A foreign event that an earlier integration knew, and that was not read: *agreed* (R21)."""
    assert integration.calendar_id is not None
    return replace(
        _pair(link_id, item, integration, calendar_id=integration.calendar_id, name=None),
        state=LinkState.AGREED,
        code=old.code if old.code in {Code.SERIES, Code.PRIVATE} else None,
        event_uid=old.event_uid,
        series_identifier=old.series_identifier,
        may_update=old.may_update,
        may_delete=old.may_delete,
        guests=old.guests,
        online=old.online,
        join_url=old.join_url,
        forms=old.forms,
        exists_there=True,
    )


def pair_again(old: Link, item: Item, link_id: LinkId) -> Link:
    """A pair that was taken apart, as it was: *agreed* at the item's revision, claimed by nobody (R50)."""
    return agree(replace(old, id=link_id, claim_epoch=0), revision=item.revision)


def _pair(
    link_id: LinkId, item: Item, integration: Integration, *, calendar_id: str, name: str | None
) -> Link:
    """``name``: our id of the event; a foreign one has none."""
    return Link(
        id=link_id,
        integration_id=integration.id,
        item_ref=item.ref,
        calendar_id=calendar_id,
        origin=Origin.EXTERNAL if name is None else Origin.OURS,
        event_id=name,
        state=LinkState.BEHIND,
    )
