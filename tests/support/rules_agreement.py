"""What Vorex, the store and the calendars of a world of rules must have in common at rest (R17, R18)."""

from contracts.calendar import Code, Item, Link, LinkState, Origin
from contracts.cronofy import CronofyEvent
from handlers.edits import edited_item
from handlers.fingerprints import differing_fields, fingerprints_of_event
from handlers.plan import belongs_on_calendar
from handlers.texts.compose import compose
from tests.support.rules_world import RulesCalendar, RulesWorld


def events_of(calendar: RulesCalendar, link: Link) -> list[CronofyEvent]:
    """The living events that are this link's item on the calendar."""
    return [
        event
        for event in calendar.living()
        if (event.event_id is not None and event.event_id == link.event_id)
        or (event.event_id is None and event.event_uid == link.event_uid)
    ]


def agree_with_vorex(world: RulesWorld, item: Item) -> None:
    version, deleted, content = world.vorex[item.type, item.id]
    assert (version, deleted) == (item.version, item.deleted)
    assert deleted or content == item.content


def agree_with_calendar(world: RulesWorld, item: Item, calendar: RulesCalendar) -> None:
    link = world.links.get((calendar.integration.id, item.ref))
    wanted = belongs_on_calendar(item, calendar.integration)
    if link is None:
        assert not wanted
        return
    if link.state is LinkState.LET_GO or link.code is Code.LOOP_STOPPED:
        return
    assert link.state is LinkState.AGREED
    events = events_of(calendar, link)
    assert len(events) == wanted
    if wanted:
        assert item.content is not None
        ours = compose(item.content)
        assert ours is not None
        fields = differing_fields(
            fingerprints_of_event(events[0], item.content), fingerprints_of_event(ours, item.content)
        )
        theirs = link.origin is Origin.EXTERNAL  # its title may lack the account's name (R13)
        assert not fields or (theirs and edited_item(item.content, events[0], fields) == item.content)


def nothing_is_overlooked(world: RulesWorld, calendar: RulesCalendar) -> None:
    """Every living event of the person's is an item (R3)."""
    known = {link.event_uid for key, link in world.links.items() if key[0] == calendar.integration.id}
    assert {event.event_uid for event in calendar.living() if event.event_id is None} <= known
