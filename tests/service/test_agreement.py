"""A comparison ends in how many pairs agree, and in why the others do not (R51)."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import update

from handlers.agreement import tried_words
from handlers.edits import MASKED_TITLE
from service.consumers.runs.comparing.agreeing import MOST_LISTED, AgreementCount, ComparedPair, count_pairs
from service.integrations import views
from service.integrations.telling.agreement import AGREES_BY_NOW, DifferingPair, list_differing
from service.store.engine.ids import new_id
from service.store.integrations.listing import Agreement
from service.store.links.agreement import count_unexplained, findings, summed, worst
from service.store.tables import disagreements, log_entries
from service.store.tables import items as items_table
from tests.support.one_person import ELEVEN, TEN
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

FAR, FAR_END = "2027-11-03T09:00:00Z", "2027-11-03T10:00:00Z"


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def checked(ann: TwoPeopleWithRuns) -> Agreement:
    await ann.people.pass_time(61)
    await ann.syncing.compare(ANN, ann.mine)
    await ann.rest()
    return await told(ann)


async def settled(ann: TwoPeopleWithRuns) -> None:
    """What was said has been written and read back."""
    await ann.people.rest(reads=False)
    await checked(ann)


async def told(ann: TwoPeopleWithRuns) -> Agreement:
    shown = await views.get_integration(ann.home.store, ANN, ann.mine)
    assert shown.agreement is not None
    return shown.agreement


async def differing(ann: TwoPeopleWithRuns) -> list[DifferingPair]:
    integration = await ann.home.value(ann.mine)
    return list((await list_differing(ann.home.store, integration, masked=False, limit=50)).rows)


async def test_r51_a_comparison_ends_in_how_many_pairs_agree(ann: TwoPeopleWithRuns) -> None:
    await ann.say("Visit")
    await ann.say("Call", private=True)
    ann.add_event("Meeting")
    await ann.people.rest(reads=False)

    agreement = await checked(ann)

    assert (agreement.agree, agreement.of) == (3, 3)
    assert await differing(ann) == []


async def test_r51_what_differs_has_its_reason(ann: TwoPeopleWithRuns) -> None:
    """By hand there and not taken, taken off there, ahead of what Cronofy shows, of a type that is off."""
    for name in ("Edited", "Removed", "Kept"):
        await ann.say(name)
    await ann.say("Task", type="task")
    await ann.say("Far", start=FAR, end=FAR_END)
    await settled(ann)
    boxes = {"create": True, "update": False, "delete": False}
    await ann.home.set(ann.mine, event_types=boxes, item_types={"appointment": True, "task": False})
    uids = {event["summary"]: event["event_uid"] for event in ann.people.world.events(ann.calendar)}
    ann.people.world.change_event(ann.calendar, uids["Edited"], summary="Mine")
    ann.people.world.delete_event(ann.calendar, uids["Removed"])
    await ann.say("Task", type="task", title="Renamed")
    await ann.people.rest(reads=False)

    agreement = await checked(ann)

    assert (agreement.agree, agreement.of) == (1, 5)
    integration, after = await ann.home.value(ann.mine), None
    paged: list[DifferingPair] = []
    for _ in range(4):
        page = await list_differing(ann.home.store, integration, masked=False, after=after, limit=1)
        paged, after = [*paged, *page.rows], page.following
    assert (paged, after) == (await differing(ann), None)
    said = {pair.title: pair.said(lambda at: f"{at:%H:%M}") for pair in await differing(ann)}
    assert said == {
        "Edited": "Changed by hand on the linked calendar, and that change is not taken over.",
        "Removed": "Taken off the linked calendar by hand; it comes back when its time or its people change.",
        "Far": "Outside Cronofy's window, so what the linked calendar shows of it cannot be read.",
        "Renamed": "Left as it is, because items of this type are not selected.",
    }


async def test_r51_what_has_arrived_since_the_check_says_so(ann: TwoPeopleWithRuns) -> None:
    """The count is that of the check; the reason is as it stands now."""
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    await ann.switching.deactivate(ANN, ann.mine)
    await ann.say("Visit", title="Changed")
    await ann.people.rest(reads=False)
    await ann.people.pass_time(61)
    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    agreement = await told(ann)

    assert (agreement.agree, agreement.of) == (0, 1)
    await ann.people.rest()
    assert [pair.said(str) for pair in await differing(ann)] == [AGREES_BY_NOW]
    again = await checked(ann)
    assert (again.agree, again.of) == (1, 1)


async def test_r51_a_check_costs_no_request_beyond_its_read(ann: TwoPeopleWithRuns) -> None:
    """Is Cronofy ready, what changed, and all of it: no request for a pair, however many of them differ."""
    for number in range(12):
        await ann.say(f"Visit {number}")
    await settled(ann)
    await ann.home.set(ann.mine, event_types={"create": True, "update": False, "delete": False})
    for event in ann.people.world.events(ann.calendar)[:6]:
        ann.people.world.change_event(ann.calendar, event["event_uid"], summary="Mine")
    await ann.people.rest(reads=False)
    ann.people.world.log.clear()

    agreement = await checked(ann)

    assert (agreement.agree, agreement.of) == (6, 12)
    asked = [(one["method"], one["path"]) for one in ann.people.world.log.requests]
    assert asked == [("GET", "/v1/userinfo"), *[("GET", "/v1/events")] * 2]


async def _tampered(ann: TwoPeopleWithRuns, name: str = "Visit") -> None:
    """What no rule knows: the item is otherwise, and its counters say that nothing happened."""
    (item,) = [one for one in await ann.home.items() if one.id == name]
    assert item.content is not None
    content = item.content.to_json_dict() | {"start": TEN, "end": ELEVEN}
    async with ann.home.store.begin() as connection:
        this = items_table.c.ref == item.ref
        await connection.execute(update(items_table).where(this).values(content=content))


async def test_r51_a_copy_that_differs_without_a_reason_is_written_once_more(ann: TwoPeopleWithRuns) -> None:
    """Its story says so, and the next check finds both sides alike."""
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    await _tampered(ann)

    agreement = await checked(ann)

    assert (agreement.agree, agreement.of) == (0, 1)
    (row,) = await ann.rows(disagreements)
    assert (row["why"], row["times"]) == ("unexplained", 1)
    (entry,) = await ann.rows(log_entries, log_entries.c.code == "differs")
    assert (entry["item_id"], entry["outcome"]) == ("Visit", "failed")
    assert entry["reason"] == tried_words(again=False, tried=True)
    await ann.people.rest()
    (event,) = ann.people.world.events(ann.calendar)
    assert event["start"] == TEN
    again = await checked(ann)
    assert (again.agree, again.of) == (1, 1)
    assert await ann.rows(disagreements) == []


def _lose_without_a_trace(ann: TwoPeopleWithRuns, uid: str) -> None:
    """An event is gone, and nobody says that it was deleted."""
    binding = ann.people.world.binding(ann.calendar)
    binding.rows.pop(uid)
    binding.calendar.events.pop(uid)


async def test_r51_what_differs_twice_in_a_row_without_a_reason_is_a_finding(ann: TwoPeopleWithRuns) -> None:
    """Once is none; nothing may be written to an event of the person's own, so the next check looks again."""
    uid = ann.add_event("Meeting")
    await ann.people.rest(reads=False)
    _lose_without_a_trace(ann, uid)

    await checked(ann)
    async with ann.home.store.read() as connection:
        assert await findings(connection, "acme", limit=5, named=5) == []
    await checked(ann)

    async with ann.home.store.read() as connection:
        (finding,) = await findings(connection, "acme", limit=5, named=5)
        assert await findings(connection, "other", limit=5, named=5) == []
        assert await count_unexplained(connection) == 1
    (item,) = await ann.home.items()
    assert (finding.integration_id, finding.count) == (ann.mine, 1)
    assert finding.item_keys == [f"appointment:{item.id}"]
    told_of_it = log_entries.c.code == "differs"
    reasons = [row["reason"] for row in await ann.rows(log_entries, told_of_it)]
    assert reasons == [tried_words(again=again, tried=False) for again in (False, True)]


async def test_r51_the_list_is_bounded_and_the_counts_are_not(ann: TwoPeopleWithRuns) -> None:
    """A thousand of each sort are listed; a finding has its place whatever else differs."""
    for name in ("Lost", "Edited", "Also edited"):
        await ann.say(name)
    await ann.people.rest(reads=False)
    items = {item.ref: item for item in await ann.home.items()}
    integration = await ann.home.value(ann.mine)
    pairs = [
        ComparedPair(
            before=replace(
                link,
                differs=items[link.item_ref].id != "Lost",
                exists_there=items[link.item_ref].id != "Lost",
            ),
            after=None,
            item=items[link.item_ref],
        )
        for link in await ann.home.links()
    ]
    now = ann.people.world.clock.now()
    so_far = AgreementCount(read_since=now, of=1500, listed=MOST_LISTED - 1)

    async with ann.home.store.begin() as connection:
        count, _ = await count_pairs(connection, integration, new_id(), so_far, pairs, now=now)

    assert (count.agree, count.of, count.listed, count.unexplained) == (0, 1503, MOST_LISTED, 1)
    rows = await ann.rows(disagreements)
    assert sorted(row["why"] for row in rows) == ["changed_there", "unexplained"]


async def test_r51_nothing_is_tried_that_is_not_listed(ann: TwoPeopleWithRuns) -> None:
    """Else it were written once more with every check: that it was tried is known of listed pairs alone."""
    for name in ("Visit", "Call", "Survey"):
        await ann.say(name)
    await settled(ann)
    for name in ("Visit", "Call", "Survey"):
        await _tampered(ann, name)
    integration = await ann.home.value(ann.mine)
    known = {item.ref: item for item in await ann.home.items()}
    pairs = [
        ComparedPair(before=link, after=None, item=known[link.item_ref]) for link in await ann.home.links()
    ]
    now = ann.people.world.clock.now()
    nearly_full = AgreementCount(read_since=now, unexplained=MOST_LISTED - 2)

    async with ann.home.store.begin() as connection:
        count, tried = await count_pairs(connection, integration, new_id(), nearly_full, pairs, now=now)
        full, none = await count_pairs(connection, integration, new_id(), count, pairs, now=now)

    assert (count.of, count.unexplained, full.of, full.unexplained) == (3, MOST_LISTED, 6, MOST_LISTED)
    listed = sorted(row["link_id"] for row in await ann.rows(disagreements))
    assert (sorted(link.id for link in tried), list(none)) == (listed, [])
    assert len(await ann.rows(log_entries, log_entries.c.code == "differs")) == len(listed) == 2


async def test_r51_private_titles_are_told_to_nobody_else(ann: TwoPeopleWithRuns) -> None:
    await ann.say("Visit", title="Dentist", private=True)
    await settled(ann)
    await ann.home.set(ann.mine, event_types={"create": True, "update": False, "delete": False})
    (event,) = ann.people.world.events(ann.calendar)
    ann.people.world.change_event(ann.calendar, event["event_uid"], summary="Mine")
    await ann.people.rest(reads=False)
    await checked(ann)
    integration = await ann.home.value(ann.mine)

    for masked, title in ((False, "Dentist"), (True, MASKED_TITLE)):
        page = await list_differing(ann.home.store, integration, masked=masked, limit=5)
        assert [pair.title for pair in page.rows] == [title]


async def test_r51_a_calendar_that_could_not_be_read_whole_keeps_its_last_count(
    ann: TwoPeopleWithRuns,
) -> None:
    await ann.say("Visit")
    await settled(ann)
    before = await checked(ann)
    await ann.people.pass_time(61)
    await ann.syncing.compare(ANN, ann.mine)
    ann.people.world.revoke("ann@example.com")
    await ann.rest()

    shown = await views.get_integration(ann.home.store, ANN, ann.mine)
    assert shown.agreement == before


async def test_r51_sums_and_the_worst_of_a_tenant(ann: TwoPeopleWithRuns) -> None:
    """Active integrations that were checked; the one with the most pairs that differ first."""
    await ann.say("Visit")
    await ann.say("Call")
    await settled(ann)
    await ann.home.set(ann.mine, event_types={"create": True, "update": False, "delete": False})
    event, *_ = ann.people.world.events(ann.calendar)
    ann.people.world.change_event(ann.calendar, event["event_uid"], summary="Mine")
    await ann.people.rest(reads=False)
    await checked(ann)

    async with ann.home.store.read() as connection:
        for tenant in ("acme", None):
            total = await summed(connection, tenant_id=tenant)
            assert (total.integrations, total.agree, total.of) == (1, 1, 2)
            assert total.checked_at == (await told(ann)).checked_at
        assert (await summed(connection, tenant_id="other")).of == 0
        assert await worst(connection, "acme", limit=5) == [ann.mine]
    await ann.switching.deactivate(ANN, ann.mine)
    async with ann.home.store.read() as connection:
        assert (await summed(connection, tenant_id="acme")).of == 0
        assert await worst(connection, "acme", limit=5) == []


async def test_r51_another_calendar_begins_without_a_count(ann: TwoPeopleWithRuns) -> None:
    """And a deleted integration leaves nothing behind."""
    uid = ann.add_event("Meeting")
    await ann.people.rest(reads=False)
    _lose_without_a_trace(ann, uid)
    await checked(ann)
    assert len(await ann.rows(disagreements)) == 1

    await ann.delete("keep")
    await ann.rest()

    assert await ann.rows(disagreements) == []
