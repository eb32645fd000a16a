"""Values that are valid by default; a test names what differs."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.calendar import (
    EventTypes,
    Fingerprints,
    Integration,
    IntegrationId,
    Item,
    Link,
    LinkId,
    LinkState,
    Origin,
    Status,
    Written,
    event_id,
    item_ref,
)
from contracts.cronofy import CronofyEvent, EventOptions
from contracts.envelope import ItemChanged
from contracts.event_fields import EventFields, fields_hash
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent, ItemType
from handlers.fingerprints import fingerprints_of_event
from handlers.judgement import Reading
from handlers.texts.compose import compose

NINE = datetime(2026, 12, 3, 9, tzinfo=UTC)
TEN = datetime(2026, 12, 3, 10, tzinfo=UTC)
ELEVEN = datetime(2026, 12, 3, 11, tzinfo=UTC)
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EVERYTHING = EventTypes(create=True, update=True, delete=True)
FREELY = EventOptions(update=True, delete=True)


def a_content(**changes: Any) -> ItemContent:
    """An appointment with text and times, as Vorex would send it."""
    form: dict[str, Any] = {
        "id": "77",
        "type": ItemType.APPOINTMENT,
        "title": "Lunch",
        "description": "Bring fruit",
        "location": "Park",
        "start": NINE,
        "end": TEN,
        "time_zone": "Europe/London",
        "assignees": ("ann",),
    }
    return ItemContent.model_validate(form | changes)


def an_item(**changes: Any) -> Item:
    """An item that Vorex made; what the item itself says may be named beside its counters."""
    counters = {each.name for each in fields(Item)} - {"id", "type"}
    own = {name: value for name, value in changes.items() if name in counters}
    content = own.pop("content", None) or a_content(
        **{name: value for name, value in changes.items() if name not in counters}
    )
    item = Item(
        ref=item_ref("acme", content.type, content.id),
        tenant_id="acme",
        type=content.type,
        id=content.id,
        version=1,
        vorex_version=1,
        sync_version=0,
        revision=1,
        deleted=False,
        content=content,
        changed_at=NOW - HOUR,
    )
    return replace(item, **own)


def an_imported_item(**changes: Any) -> Item:
    """An appointment that came from ann's calendar."""
    theirs = {"vorex_version": 0, "sync_version": 1, "changed_by": "one", "imported_by": "one"}
    return an_item(**(theirs | changes))


def an_integration(**changes: Any) -> Integration:
    """Ann's active integration, all boxes checked, on a calendar that may be edited freely."""
    return replace(
        Integration(
            id=IntegrationId("one"),
            tenant_id="acme",
            user_id="ann",
            sub="acc_1",
            profile_id="pro_1",
            profile_name="ann@example.org",
            provider_name="google",
            calendar_id="cal_1",
            calendar_name="Work",
            time_zone="Europe/London",
            permission_level="unrestricted",
            active=True,
            status=Status.CONNECTED,
            reason=None,
            event_types=EVERYTHING,
            item_types=frozenset(ItemType),
            finished_at=NOW - timedelta(days=30),
            baseline_at=NOW - timedelta(days=30),
        ),
        **changes,
    )


def fields_of_item(item: Item) -> EventFields:
    """The event of an item with a date."""
    assert item.content is not None
    fields = compose(item.content)
    assert fields is not None
    return fields


def prints_of(item: Item) -> Fingerprints:
    """The prints of what is written for an item."""
    assert item.content is not None
    return fingerprints_of_event(fields_of_item(item), item.content)


def a_link(item: Item | None = None, **changes: Any) -> Link:
    """A copy of ours that was read back an hour ago and is in agreement."""
    item = item or an_item()
    fields, prints = fields_of_item(item), prints_of(item)
    return replace(
        Link(
            id=LinkId("link"),
            integration_id=IntegrationId("one"),
            item_ref=item.ref,
            calendar_id="cal_1",
            origin=Origin.OURS,
            event_id=event_id(item.tenant_id, "ann", item.type, item.id),
            event_uid="uid",
            state=LinkState.AGREED,
            desired_revision=item.revision,
            desired=fields,
            applied_revision=item.revision,
            applied_hash=fields_hash(fields),
            exists_there=True,
            agreed=prints,
            last_read=prints,
            read_at=at(-HOUR),
            accepted_at=at(-HOUR),
            event_updated=NOW - HOUR,
        ),
        **changes,
    )


def an_external_link(item: Item | None = None, **changes: Any) -> Link:
    """An event of the calendar's owner that was brought and is in agreement."""
    theirs = {"origin": Origin.EXTERNAL, "event_id": None, "accepted_at": None}
    return a_link(item or an_imported_item(), **(theirs | changes))


def an_event(**changes: Any) -> CronofyEvent:
    """The row of an event that its owner made, changed a minute ago."""
    form: dict[str, Any] = {
        "calendar_id": "cal_1",
        "event_uid": "uid",
        "start": NINE,
        "end": TEN,
        "created": NOW - HOUR,
        "updated": NOW - MINUTE,
        "summary": "Lunch",
        "description": "Bring fruit",
        "location": "Park",
        "transparency": "opaque",
        "status": "confirmed",
        "event_private": False,
        "options": FREELY,
    }
    return CronofyEvent(**(form | changes))


def a_row_of(item: Item, **changes: Any) -> CronofyEvent:
    """The row of our copy of an item, as it was written."""
    fields = fields_of_item(item)
    assert item.content is not None
    shown = {
        "event_id": event_id(item.tenant_id, "ann", item.type, item.id),
        "start": item.content.start,
        "end": item.content.end,
        "summary": fields.summary,
        "description": fields.description,
        "location": fields.location,
        "transparency": fields.transparency,
        "event_private": fields.event_private,
        "options": EventOptions(),
    }
    return an_event(**(shown | changes))


def a_message(**changes: Any) -> ItemChanged:
    """Vorex saying that an appointment reached a version; the item's fields may be named beside."""
    own: dict[str, Any] = {"version": 1, "seen_version": None, "action": Action.UPDATED, "time": NOW}
    own["source"] = "/vorex/acme"
    own["actor"] = Actor(kind=ActorKind.USER, id="ann")
    named = own | {name: value for name, value in changes.items() if name in own}
    content = changes.pop("content", None) or a_content(
        **{name: value for name, value in changes.items() if name not in own}
    )
    data = ItemChangedData(
        tenant_id="acme",
        action=named["action"],
        version=named["version"],
        seen_version=named["seen_version"],
        actor=named["actor"],
        item=content,
    )
    return ItemChanged.of(data, id="m-1", time=named["time"], source=named["source"])


def a_fact(**changes: Any) -> ItemChanged:
    """A fact of ours that comes back."""
    ours = {"source": "/calendar-sync", "actor": Actor(kind=ActorKind.CALENDAR_SYNC, id="one")}
    return a_message(**(ours | changes))


def a_write(item: Item, *, accepted: timedelta | None = -MINUTE, sent: timedelta | None = None) -> Written:
    """A write of the item as it is, not read back; moments as distances from now."""
    first = sent if sent is not None else accepted if accepted is not None else -MINUTE
    return Written(
        prints=prints_of(item),
        sent_at=at(first),
        accepted_at=None if accepted is None else at(accepted),
    )


def a_reading(**changes: Any) -> Reading:
    """A page that was asked for a moment ago."""
    return replace(Reading(asked_at=at(-timedelta(seconds=1)), now=at(timedelta())), **changes)


def at(distance: timedelta) -> float:
    """A moment by the store's clock, as its distance from now."""
    return (NOW + distance).timestamp()
