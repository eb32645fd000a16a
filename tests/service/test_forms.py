"""What the providers make of texts, and how late they are, is nobody's edit (R13, R37, R38)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from contracts.calendar import Item
from contracts.vorex import Action, ShowAs
from service.demo.simulator.faults import ALL_HABITS
from service.store.tables import integrations, log_entries
from tests.support.one_person import NINE, TEN
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

TICKET = {"label": "T20261201.0007", "url": "https://vorex.example/t/7?a=1&b=2"}
TEXT = "Bring  fruit & <b>nuts</b>\n  - apples: see https://shop.example/a\n  - pears"
HARD_HABITS = sorted(ALL_HABITS - {"no_private"})
QUARTER = 16 * 60.0


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _say(ann: TwoPeopleWithRuns, **changes: Any) -> None:
    await ann.say("Lunch", **changes)
    await ann.people.settle()


async def _change(ann: TwoPeopleWithRuns, item: Item, **changes: Any) -> None:
    """Vorex changes an item, whoever made it."""
    assert item.content is not None
    await ann.people.say(item.content.model_copy(update=changes), action=Action.UPDATED)


def _event(ann: TwoPeopleWithRuns) -> dict[str, Any]:
    (event,) = [each for each in ann.people.world.events(ann.calendar) if not each["deleted"]]
    return event


async def _quiet(ann: TwoPeopleWithRuns) -> None:
    """Nothing was taken from the calendar."""
    assert await ann.rows(log_entries, log_entries.c.direction == "to_my_calendar") == []


@pytest.mark.parametrize("habit", HARD_HABITS)
async def test_r37_what_a_provider_makes_of_texts_goes_nowhere_and_grows_nowhere(
    ann: TwoPeopleWithRuns, habit: str
) -> None:
    """Written, read, changed in Vorex, written, read: one write for each change, and no edit."""
    place = ann.people
    place.world.faults.change(normalise_text=[habit], provider_habits=False)
    said: dict[str, Any] = {"account_name": "Contoso  Ltd", "reference": TICKET, "location": "Room 1;Room 2"}
    said["title"] = "Replace the firewall - “now” &amp; then " + "x" * 250
    await _say(ann, description=TEXT, **said)
    await ann.read(after=60)
    size = len(_event(ann)["description"])
    for place_name in ("Room 1;Room 3", "Room 1;Room 4"):
        await _say(ann, description=TEXT, **{**said, "location": place_name})
        await ann.read(after=60)
        await ann.read(after=QUARTER)

    await _quiet(ann)
    assert len(place.world.log.writes) == 3
    assert len(_event(ann)["description"]) == size
    (item,) = await ann.home.items()
    assert item.content is not None
    assert (item.content.description, item.content.title) == (TEXT, said["title"])


async def test_r37_private_that_a_provider_drops_is_not_made_public_here(ann: TwoPeopleWithRuns) -> None:
    ann.people.world.faults.change(normalise_text=["no_private"])
    await _say(ann, private=True)
    await ann.read(after=60)
    await ann.read(after=QUARTER)

    (item,) = await ann.home.items()
    assert item.content is not None
    assert item.content.private
    await _quiet(ann)


async def test_r37_private_that_was_there_is_switched_off_by_its_owner(ann: TwoPeopleWithRuns) -> None:
    await _say(ann, private=True)
    await ann.read(after=60)
    ann.people.world.change_event(ann.calendar, _event(ann)["event_uid"], event_private=False)
    await ann.people.rest()

    (item,) = await ann.home.items()
    assert item.content is not None
    assert not item.content.private


async def test_r37_out_of_office_stays_when_something_else_changes(ann: TwoPeopleWithRuns) -> None:
    await ann.say("Lunch")
    await ann.people.rest()
    uid = _event(ann)["event_uid"]
    ann.people.world.change_event(ann.calendar, uid, extended_transparency="out_of_office")
    await ann.people.rest()
    await ann.say("Lunch", title="Dinner")
    await ann.people.rest()

    event = _event(ann)
    assert (event["summary"], event["extended_transparency"]) == ("Dinner", "out_of_office")


async def test_r38_a_write_that_stalls_for_hours_is_made_once_more_and_nothing_is_taken(
    ann: TwoPeopleWithRuns,
) -> None:
    """Also where a reminder or a reply touches the event meanwhile."""
    place = ann.people
    await ann.say("Lunch")
    await ann.people.rest()
    place.world.faults.change(write_stall=3 * 3600.0)
    before = len(place.world.log.writes)
    await ann.say("Lunch", title="Dinner")
    await place.settle()
    for _ in range(8):
        place.world.change_event(ann.calendar, _event(ann)["event_uid"], categories=["red"])
        await ann.read(after=QUARTER)
    assert (await ann.titles(), _event(ann)["summary"]) == (["Dinner"], "Lunch")
    assert len(place.world.log.writes) - before == 2
    await ann.read(after=2 * 3600.0)

    assert (await ann.titles(), _event(ann)["summary"]) == (["Dinner"], "Dinner")
    await _quiet(ann)


async def test_r12_the_rest_of_a_cut_text_stays_when_its_owner_adds_a_line(ann: TwoPeopleWithRuns) -> None:
    """What never crossed is nobody's to delete."""
    text = "\n".join(f"Line {number} of the instructions" for number in range(300))
    await ann.say("Lunch", description=text, reference=TICKET)
    await ann.people.rest()
    event = _event(ann)
    ann.people.world.change_event(
        ann.calendar, event["event_uid"], description=f"Call first!\n{event['description']}"
    )
    await ann.people.rest()

    (item,) = await ann.home.items()
    assert item.content is not None
    assert item.content.description == f"Call first!\n{text}"


async def test_r37_a_zone_that_cronofy_does_not_know_is_told_by_another_name(ann: TwoPeopleWithRuns) -> None:
    """Else as UTC, with the same instants; no dead letter."""
    ann.people.world.faults.change(unknown_zones=["Europe/Kyiv"])
    await ann.say("Lunch", time_zone="Europe/Kyiv")
    await ann.people.rest()
    assert _event(ann)["tzid"] == "Europe/Kiev"

    ann.people.world.faults.change(unknown_zones=["Europe/Kyiv", "Europe/Kiev", "Europe/Uzhgorod"])
    start = _event(ann)["start"]
    await ann.say("Lunch", time_zone="Europe/Kyiv", title="Dinner")
    await ann.people.rest()
    event = _event(ann)
    assert (event["summary"], event["tzid"], event["start"]) == ("Dinner", "Etc/UTC", start)


async def test_r37_a_calendar_is_not_asked_twice_for_a_zone_that_it_refused(ann: TwoPeopleWithRuns) -> None:
    """The name that it took is used at once for the next event, until that is refused, too."""
    world = ann.people.world
    world.faults.change(unknown_zones=["Europe/Kyiv"])
    await ann.say("Lunch", time_zone="Europe/Kyiv")
    await ann.people.rest()

    async def sent(title: str) -> list[int]:
        world.log.requests.clear()
        await ann.say("Lunch", time_zone="Europe/Kyiv", title=title)
        await ann.people.settle()
        return [each["status"] for each in world.log.requests if each["path"].endswith("/events")]

    assert await sent("Dinner") == [202]
    assert _event(ann)["tzid"] == "Europe/Kiev"
    world.faults.change(unknown_zones=["Europe/Kyiv", "Europe/Kiev"])
    assert await sent("Supper") == [422, 202]
    assert await sent("Breakfast") == [202]


async def test_r13_an_account_that_was_renamed_leaves_no_name_in_the_title(ann: TwoPeopleWithRuns) -> None:
    """Nor do its new name, another dash, and the reference as a link."""
    await _say(ann, account_name="Contoso", reference=TICKET, description="One")
    await ann.people.rest()
    uid = _event(ann)["event_uid"]
    ann.people.world.faults.change(write_stall=3600.0)
    await _say(ann, account_name="Fabrikam", reference=TICKET, description="One")
    await ann.people.pass_time(60)
    link = f'<a href="{TICKET["url"]}">{TICKET["label"]}</a>: {TICKET["url"]}'
    changes = {"summary": "Contoso — Lunch with Bob", "description": f"Two<br>{link}"}
    ann.people.world.change_event(ann.calendar, uid, **changes)
    await ann.read(after=60)
    await ann.read(after=2 * 3600.0)
    await ann.people.rest()

    (item,) = await ann.home.items()
    assert item.content is not None
    assert (item.content.title, item.content.description) == ("Lunch with Bob", "Two")
    event = _event(ann)
    assert event["summary"] == "Fabrikam – Lunch with Bob"
    assert event["description"].count(TICKET["label"]) == 1


@pytest.mark.parametrize("sparse", [True, False])
async def test_r37_a_place_that_was_added_here_and_removed_there_and_the_other_way_round_arrives(
    ann: TwoPeopleWithRuns, sparse: bool
) -> None:
    """Rows without a place, a description or a transparency have empty ones."""
    place = ann.people
    place.world.faults.change(sparse_events=sparse)
    place.world.set_permission(ann.calendar, "unrestricted")
    async with ann.home.store.begin() as connection:
        await connection.execute(update(integrations).values(permission_level="unrestricted"))
    place.world.add_event(ann.calendar, summary="Theirs", start=NINE, end=TEN)
    await place.rest()
    (theirs,) = await ann.home.items()
    await _say(ann)
    await place.rest()

    for item_id in (theirs.id, "Lunch"):
        (item,) = [each for each in await ann.home.items() if each.id == item_id]
        assert item.content is not None
        await place.say(
            item.content.model_copy(update={"location": "Park", "show_as": ShowAs.FREE}),
            action=Action.UPDATED,
        )
        await place.rest()
        (event,) = [
            each
            for each in place.world.events(ann.calendar)
            if (each["location"] or {}).get("description") == "Park"
        ]
        assert event["transparency"] == "transparent"
        place.world.change_event(ann.calendar, event["event_uid"], location=None, transparency="opaque")
        await place.rest()
        (item,) = [each for each in await ann.home.items() if each.id == item_id]
        assert item.content is not None
        assert (item.content.location, item.content.show_as.value) == ("", "busy")
        place.world.change_event(ann.calendar, event["event_uid"], location="Bar", description="Two")
        await place.rest()
        (item,) = [each for each in await ann.home.items() if each.id == item_id]
        assert item.content is not None
        assert (item.content.location, item.content.description) == ("Bar", "Two")
        await place.say(
            item.content.model_copy(update={"location": "", "description": ""}), action=Action.UPDATED
        )
        await place.rest()
        (event,) = [e for e in place.world.events(ann.calendar) if e["event_uid"] == event["event_uid"]]
        assert ((event["location"] or {}).get("description", ""), event["description"]) == ("", "")


async def test_r14_an_event_without_title_and_length_gets_neither_when_something_else_changes(
    ann: TwoPeopleWithRuns,
) -> None:
    place = ann.people
    place.world.set_permission(ann.calendar, "unrestricted")
    async with ann.home.store.begin() as connection:
        await connection.execute(update(integrations).values(permission_level="unrestricted"))
    place.world.add_event(ann.calendar, summary="", start=NINE, end=NINE)
    await place.rest()
    (item,) = await ann.home.items()
    assert item.content is not None
    assert (item.content.title, item.content.end) == ("(No title)", None)
    await _change(ann, item, location="Park")
    await place.rest()

    (after,) = place.world.events(ann.calendar)
    assert (after["location"]["description"], after["start"], after["end"]) == ("Park", NINE, NINE)
    assert after["summary"].strip("\u200b") == ""
    (same,) = await ann.home.items()
    assert same.content is not None
    assert (same.content.title, same.content.location) == ("(No title)", "Park")


async def test_r37_a_title_that_microsoft_cut_is_not_taken_and_its_rest_stays_when_it_is_edited(
    ann: TwoPeopleWithRuns,
) -> None:
    title = " ".join(f"word{number}" for number in range(60))
    ann.people.world.faults.change(normalise_text=["cut_titles"])
    await _say(ann, title=title)
    await ann.people.rest()
    event = _event(ann)
    assert len(event["summary"]) == 255
    assert await ann.titles() == [title]
    ann.people.world.change_event(ann.calendar, event["event_uid"], summary=f"Urgent: {event['summary']}")
    await ann.people.rest()

    assert await ann.titles() == [f"Urgent: {title}"]
