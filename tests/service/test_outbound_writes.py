"""What reaches the linked calendar: every item once, its newest version, for the right people."""

import gc
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.calendar import IntegrationId, Item, event_id, item_ref
from contracts.vorex import ItemContent
from service.store.items.items import save
from service.store.tables import integration_state, items, log_entries, outbox
from tests.support.calendars import Outbound, changed

WAITING = 60
"""Links; more than one request takes."""
OURS = event_id("acme", "u-17", "appointment", "5512")


async def test_g3_an_item_added_to_my_calendar_is_added_to_the_linked_calendar(world: Outbound) -> None:
    """One message, one event under our own id, one inbox row, one log entry."""
    await world.integration()
    await world.start()
    await world.send(changed(id="m-1"))

    assert world.calendars.titles == ["5512 v1"]
    assert [write.key for write in world.calendars.writes] == [("cal_1", OURS)]
    assert await world.finished() == {"m-1": "done"}
    assert await world.logged() == [("create", "done", "ok")]


async def test_g8_every_checked_type_is_created_updated_and_deleted(world: Outbound) -> None:
    """The five item types become appointments on the linked calendar and follow their items."""
    await world.integration()
    await world.start()
    kinds = ("appointment", "crm_activity", "service_call", "task", "todo")
    await world.send(*(changed(kind, type=kind) for kind in kinds))
    assert world.calendars.titles == [f"{kind} v1" for kind in kinds]

    await world.send(*(changed(kind, 2, type=kind) for kind in kinds))
    assert world.calendars.titles == [f"{kind} v2" for kind in kinds]

    await world.send(*(changed(kind, 3, type=kind, action="deleted") for kind in kinds))
    assert world.calendars.events == {}
    assert [entry for entry in await world.logged() if entry[0] == "delete"] == [("delete", "done", "ok")] * 5


async def test_g8_a_type_that_is_not_checked_is_not_sent(world: Outbound) -> None:
    """With Tasks unchecked a task stays at home and its message is done."""
    await world.integration(item_types={"appointment": True, "task": False})
    await world.start()
    await world.send(changed("t", type="task", id="m-t"), changed("a"))

    assert world.calendars.titles == ["a v1"]
    assert (await world.finished())["m-t"] == "done"


async def test_r1_each_of_a_users_integrations_gets_its_own_event(world: Outbound) -> None:
    """Two calendars of one person, one event each under the same id."""
    await world.integration(name="Work")
    await world.integration(name="Home")
    await world.start()
    await world.send(changed())

    assert sorted(world.calendars.events) == [("cal_1", OURS), ("cal_2", OURS)]


async def test_r2_a_reassigned_item_moves_to_the_new_persons_calendar(world: Outbound) -> None:
    """Removed from the old assignee's calendar, added to the new one's."""
    await world.integration("u-17")
    await world.integration("u-22")
    await world.start()
    await world.send(changed())
    await world.send(changed(version=2, assignees=["u-22"]))

    assert list(world.calendars.events) == [("cal_2", event_id("acme", "u-22", "appointment", "5512"))]


async def test_r2_another_tenants_user_of_the_same_name_gets_nothing(world: Outbound) -> None:
    """User ids are only known within their tenant."""
    await world.integration("u-17", tenant_id="globex")
    await world.start()
    await world.send(changed(id="m-1"))

    assert world.calendars.writes == []
    assert await world.finished() == {"m-1": "done"}


async def test_r4_no_attendees_and_nothing_but_the_named_fields_are_written(world: Outbound) -> None:
    """An upsert carries exactly these fields."""
    await world.integration()
    await world.start()
    await world.send(changed(assignees=["u-17", "u-22"]))

    (event,) = world.calendars.events.values()
    assert set(event) == {
        "event_id", "summary", "description", "start", "end", "tzid",
        "location", "transparency", "event_private",
    }  # fmt: skip


async def test_r14_an_item_that_loses_its_date_leaves_the_calendar(world: Outbound) -> None:
    """No date at all: not on the calendar; a copy that exists is removed, and a new one is not made."""
    await world.integration()
    await world.start()
    await world.send(changed(), changed("dateless", start=None, end=None))
    await world.send(changed(version=2, start=None, end=None))
    assert world.calendars.events == {}

    await world.send(changed(version=3))
    assert world.calendars.titles == ["5512 v3"]


async def test_r16_a_type_unchecked_later_freezes_the_copy_but_deletion_follows(world: Outbound) -> None:
    """No more updates and the copy stays; a deleted item is still removed."""
    integration = await world.integration()
    await world.start()
    await world.send(changed())
    await world.change_integration(integration, item_types={"appointment": False})
    await world.send(changed(version=2))
    assert world.calendars.titles == ["5512 v1"]
    assert (await world.logged())[-1] == ("update", "skipped", "type_off")

    await world.send(changed(version=3, action="deleted"))
    assert world.calendars.events == {}


async def test_r17_an_older_version_never_overwrites_a_newer_one(world: Outbound) -> None:
    """The stale message is acknowledged and logged as stale."""
    await world.integration()
    await world.start()
    await world.send(changed(version=5))
    await world.send(changed(version=4, id="m-old"))

    assert world.calendars.titles == ["5512 v5"]
    assert (await world.finished())["m-old"] == "stale"
    assert (await world.logged())[-1] == ("none", "skipped", "stale")


async def test_r17_a_repeated_message_makes_no_second_write(world: Outbound) -> None:
    """The inbox answers a duplicate; the same version under another id finds its link done."""
    await world.integration()
    await world.start()
    message = changed(id="m-1")
    await world.send(message)
    await world.send(message, changed(id="m-2"))

    assert len(world.calendars.writes) == 1
    assert await world.finished() == {"m-1": "done", "m-2": "done"}
    assert await world.logged() == [("create", "done", "ok")]


async def test_r17_of_many_versions_that_wait_only_the_newest_is_sent(world: Outbound) -> None:
    """Older ones of the same intake are superseded before they were ever sent."""
    await world.integration()
    await world.publish(*(changed(version=version, id=f"m-{version}") for version in (3, 1, 4, 2)))
    await world.start()
    await world.at_rest()

    assert world.calendars.history(OURS) == ["5512 v4"]
    assert await world.finished() == {
        "m-1": "superseded", "m-2": "superseded", "m-3": "superseded", "m-4": "done",
    }  # fmt: skip


async def test_r17_a_version_that_comes_while_an_older_one_is_in_flight_is_sent_after_it(
    world: Outbound,
) -> None:
    """The link goes back into its lane, and both messages are done."""
    await world.integration()
    await world.start()
    world.calendars.gate.clear()
    await world.publish(changed(id="m-1"))
    while not world.calendars.requests:
        await world.store.schema()
    await world.publish(changed(version=2, id="m-2"))
    while len(await world.rows(items, items.c.version == 2)) == 0:
        await world.store.schema()
    world.calendars.gate.set()
    await world.at_rest()

    assert world.calendars.history(OURS) == ["5512 v1", "5512 v2"]
    assert await world.finished() == {"m-1": "superseded", "m-2": "done"}


async def test_r32_what_waits_for_its_turn_does_not_keep_its_item(world: Outbound) -> None:
    """Thousands may: each holds the event that is to be written, and not all that it was made of."""
    before = _contents()
    await world.integration()
    await world.start()
    world.calendars.gate.clear()
    await world.publish(*(changed(f"{number}", id=f"m-{number}") for number in range(WAITING)))
    while len(await world.rows(items)) < WAITING or not world.calendars.requests:
        await world.store.schema()
    gc.collect()

    assert _contents() - before < WAITING
    world.calendars.gate.set()
    await world.at_rest()
    assert len(world.calendars.events) == WAITING


def _contents() -> int:
    """How many whole items there are in memory."""
    return sum(isinstance(each, ItemContent) for each in gc.get_objects())


async def test_r20_what_changes_while_inactive_is_held_and_its_message_is_done(world: Outbound) -> None:
    """Nothing is sent; the wish is kept on the link, and the log says why."""
    await world.integration(active=False)
    await world.start()
    await world.send(changed(id="m-1"))

    (link,) = await world.links()
    assert (link.state, link.code) == ("held", "inactive")
    assert world.calendars.requests == []
    assert await world.finished() == {"m-1": "done"}
    assert await world.logged() == [("create", "held", "inactive")]


async def test_r22_what_changes_while_not_connected_is_held(world: Outbound) -> None:
    """Kept as state, not as a queue."""
    await world.integration(status="not_connected", reason="permission_withdrawn")
    await world.start()
    await world.send(changed(id="m-1"))

    (link,) = await world.links()
    assert (link.state, link.code) == ("held", "not_connected")
    assert await world.finished() == {"m-1": "done"}


async def test_r33_nothing_is_sent_before_the_reading_at_finish(world: Outbound) -> None:
    """A finished integration whose calendar was not read yet holds its links without a word in the log."""
    await world.integration(baseline_at=None)
    await world.start()
    await world.send(changed())

    (link,) = await world.links()
    assert link.state == "held"
    assert (world.calendars.requests, await world.logged()) == ([], [])


async def test_r27_a_private_items_text_never_enters_the_log(world: Outbound) -> None:
    """The entry says "Private appointment"."""
    await world.integration()
    await world.start()
    await world.send(changed(private=True, title="Clinic"))

    (entry,) = await world.rows(log_entries)
    assert entry["title"] == "Private appointment"
    assert "Clinic" not in str(entry)


async def test_r28_last_sync_date_moves_when_an_item_crossed(world: Outbound) -> None:
    """Only the integration that was written to."""
    first, second = await world.integration("u-17"), await world.integration("u-22")
    await world.start()
    await world.send(changed())

    dates = {row["integration_id"]: row["last_sync_at"] for row in await world.rows(integration_state)}
    assert dates == {first: world.clock.now(), second: None}


async def test_r18_an_imported_item_is_not_sent_back_to_where_it_came_from(world: Outbound) -> None:
    """Its fact reaches the user's other integration and never the one it names."""
    home = await world.integration(name="Home")
    await world.integration(name="Work")
    await world.start()
    fact = changed(source="/calendar-sync", actor={"kind": "calendar_sync", "id": home})
    form = ItemContent.model_validate_json(json.dumps(json.loads(fact.body)["data"]["item"]))
    async with world.store.begin() as connection:
        await save(connection, [(imported(form, home), None)], now=world.clock.now())
    await world.send(fact)

    assert [key for key, _ in world.calendars.events] == ["cal_2"]


async def test_r19_the_winner_of_a_conflict_is_published_and_the_loser_kept_in_the_log(
    world: Outbound,
) -> None:
    """The calendar changed version 1 later than Vorex's version 2, which did not know of it."""
    home = await world.integration()
    content = ItemContent.model_validate_json(json.dumps(json.loads(changed().body)["data"]["item"]))
    later = world.clock.now() + timedelta(hours=2)
    known = replace(imported(content, home), version=2, vorex_version=1, sync_version=2, changed_at=later)
    async with world.store.begin() as connection:
        await save(connection, [(known, None)], now=later)
    await world.start()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await world.send(changed(version=2, title="Vorex's", traceparent=f"00-{trace}-00f067aa0ba902b7-01"))

    (fact,) = await world.rows(outbox)
    said = json.loads(fact["body"])
    assert said["traceparent"].split("-")[1] == trace, "it goes on with the trace of the change"
    assert (said["source"], said["data"]["version"], said["data"]["item"]["title"]) == (
        "/calendar-sync", 3, "5512 v1",
    )  # fmt: skip
    assert said["data"]["actor"] == {"kind": "calendar_sync", "id": home}
    (entry,) = [row for row in await world.rows(log_entries) if row["code"] == "conflict_lost"]
    assert entry["detail"]["lost"]["title"] == "Vorex's"


def imported(content: ItemContent, integration: str) -> Item:
    """As the reader stores what it found on a linked calendar."""
    return Item(
        ref=item_ref("acme", "appointment", content.id),
        tenant_id="acme",
        type=content.type,
        id=content.id,
        version=1,
        vorex_version=0,
        sync_version=1,
        revision=1,
        deleted=False,
        content=content,
        changed_at=datetime(2026, 12, 1, tzinfo=UTC),
        changed_by=IntegrationId(integration),
        imported_by=IntegrationId(integration),
    )
