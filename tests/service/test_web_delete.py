"""Deleting an integration, what becomes of its copies, and linking again (G13, R21)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from contracts.calendar import ItemRef
from contracts.vorex import Action
from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange
from service.keeper import old_tombstones
from service.store.links import run_changes
from service.store.tables import credentials, integrations, links, runs
from service.store.tables import run_changes as run_changes_table
from tests.builders import NOW
from tests.support.office import EMAIL, Office, form
from tests.support.one_person import ELEVEN
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs
from tests.support.waiting import until

API = "/api/v1/integrations"
WEEK = {"past": "1_week", "future": "1_week"}


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _settled(ann: TwoPeopleWithRuns) -> None:
    """Two visits that were sent, and a meeting that was brought."""
    await ann.say("Visit")
    await ann.say("Survey")
    ann.add_event("Meeting")
    await ann.people.rest(reads=False)
    assert ann.events() == [("Meeting", False), ("Survey", True), ("Visit", True)]


class TestApi:
    """DELETE …/{id}?copies=."""

    async def test_g13_it_is_gone_from_every_list_at_once(self, office: Office) -> None:
        """202; nothing of it can be reached any more."""
        integration_id = await office.finished()
        answer = await office.client.delete(f"{API}/{integration_id}", headers=office.bearer())
        assert answer.status_code == 202
        assert (await office.get(API)).json()["items"] == []
        assert (await office.get(API, "boss", role="administrator")).json()["items"] == []
        for rest in ("", "/runs", "/logs", "/calendars"):
            assert (await office.get(f"{API}/{integration_id}{rest}")).status_code == 404
        again = await office.client.delete(f"{API}/{integration_id}", headers=office.bearer())
        assert again.status_code == 404
        assert (await office.facts())[-1] == ("deleted", None)

    async def test_its_runs_end_with_it(self, office: Office) -> None:
        """The deletion itself is a run that nobody sees."""
        integration_id = await office.finished()
        await office.post(f"{API}/{integration_id}/sync")
        await office.client.delete(f"{API}/{integration_id}?copies=remove", headers=office.bearer())
        states = {row["kind"]: row["state"] for row in await office.rows(runs)}
        assert states == {"finish": "cancelled", "sync_now": "cancelled", "delete": "waiting"}

    @pytest.mark.parametrize("query", ["copies=maybe", "copies="])
    async def test_copies_are_kept_or_removed_and_nothing_else(self, query: str, office: Office) -> None:
        """422, and nothing is deleted."""
        integration_id = await office.finished()
        answer = await office.client.delete(f"{API}/{integration_id}?{query}", headers=office.bearer())
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "copies")
        assert (await office.get(f"{API}/{integration_id}")).status_code == 200

    async def test_one_that_was_never_set_up_is_deleted_too(self, office: Office) -> None:
        """From the list, before Finish."""
        integration_id = await office.connect()
        answer = await office.client.delete(f"{API}/{integration_id}", headers=office.bearer())
        assert answer.status_code == 202
        assert (await office.get(API)).json()["items"] == []

    async def test_the_same_calendar_can_be_linked_again(self, office: Office) -> None:
        """R1 counts living integrations only."""
        integration_id = await office.finished()
        await office.client.delete(f"{API}/{integration_id}", headers=office.bearer())
        again = await office.connect()
        calendar_id = (await office.calendars(again))["Calendar"]
        assert again != integration_id
        assert (await office.put(again, form(calendar_id))).status_code == 200
        assert office.world.profiles(EMAIL)


class TestDeletion:
    """R21's order, from the verb to the end."""

    async def test_r21_copies_are_kept_unless_asked_otherwise(self, ann: TwoPeopleWithRuns) -> None:
        """Pairs become tombstones; the account is left."""
        await _settled(ann)

        await ann.delete()
        await ann.rest()

        assert ann.people.world.mailboxes["ann@example.com"].profiles == []
        (calendar,) = ann.people.world.mailboxes["ann@example.com"].calendars.values()
        assert sorted(event.summary for event in calendar.events.values()) == ["Meeting", "Survey", "Visit"]
        assert all(link["ended_at"] is not None for link in await ann.her_links())
        row = await ann.row()
        assert (row["active"], row["removing"], row["channel_id"]) == (False, False, None)
        assert row["erased_at"] is not None

    async def test_r21_copies_are_removed_link_by_link(self, ann: TwoPeopleWithRuns) -> None:
        """What this sync added goes; what the calendar's owner added stays."""
        await _settled(ann)
        calendar = ann.people.world.calendar(ann.calendar)

        await ann.delete("remove")
        await ann.rest()

        assert [event.summary for event in calendar.events.values() if not event.deleted] == ["Meeting"]
        assert await ann.titles() == ["Meeting", "Survey", "Visit"]
        assert sorted(write.kind for write in ann.people.world.log.writes)[:2] == ["delete", "delete"]
        assert "DELETE /v1/events" not in [
            f"{one['method']} {one['path']}" for one in ann.people.world.log.requests
        ]

    async def test_r21_how_many_copies_there_are_is_known_before(self, ann: TwoPeopleWithRuns) -> None:
        """Shown with the question."""
        await _settled(ann)
        assert await ann.leaving.copies(ANN, ann.mine) == 2

    async def test_r21_tokens_are_erased_and_the_profile_is_revoked(self, ann: TwoPeopleWithRuns) -> None:
        """Where no other integration needs them."""
        sub = (await ann.row())["sub"]
        await ann.delete()
        await ann.rest()
        assert sub not in [row["sub"] for row in await ann.rows(credentials)]
        assert ann.people.world.mailboxes["ann@example.com"].profiles == []

    async def test_r50_what_its_runs_changed_is_remembered_no_more(self, ann: TwoPeopleWithRuns) -> None:
        """Nothing of it can be undone, so its texts go, and those of other integrations stay."""
        change = RunChange(
            side=ChangedSide.ITEM, kind=ChangeKind.CREATED, item_ref=ItemRef("r-1"), revision=1
        )
        async with ann.home.store.begin() as connection:
            for whose in (ann.mine, "another"):
                await run_changes.record(connection, f"{whose[:30]}-run", whose, [change], at=NOW)
        await ann.delete()
        await ann.rest()
        left = await ann.rows(run_changes_table)
        assert [row["integration_id"] for row in left] == ["another"]

    async def test_r21_what_another_integration_needs_is_left_to_it(self, ann: TwoPeopleWithRuns) -> None:
        """The channel alone is closed; the last one that leaves erases everything."""
        first, sub = ann.mine, (await ann.row())["sub"]
        second = await ann.home.integration("ann@example.com", calendar_name="Second")
        (profile,) = ann.people.world.profiles("ann@example.com")

        await ann.delete()
        await ann.rest()
        assert sub in [row["sub"] for row in await ann.rows(credentials)]
        assert ann.people.world.profiles("ann@example.com") == [profile]
        assert profile.account.channels == {}

        ann.mine = second
        await ann.delete("remove")
        await ann.rest()
        assert sub not in [row["sub"] for row in await ann.rows(credentials)]
        assert ann.people.world.mailboxes["ann@example.com"].profiles == []
        assert first != second

    async def test_r21_a_kill_at_any_step_loses_nothing(self, ann: TwoPeopleWithRuns) -> None:
        """Every step is repeated once."""
        await _settled(ann)
        calendar = ann.people.world.calendar(ann.calendar)
        ann.killed = 6

        await ann.delete("remove")
        await ann.rest()

        assert [event.summary for event in calendar.events.values() if not event.deleted] == ["Meeting"]
        assert (await ann.row())["erased_at"] is not None

    async def test_r21_tokens_go_although_cronofy_does_not_answer(self, ann: TwoPeopleWithRuns) -> None:
        """After an hour of trying."""
        sub = (await ann.row())["sub"]
        ann.people.world.faults.change(error_ratio=1.0)
        await ann.delete()
        await ann.people.settle()
        assert sub in [row["sub"] for row in await ann.rows(credentials)]
        await ann.people.pass_time(3700)
        await ann.rest()
        assert sub not in [row["sub"] for row in await ann.rows(credentials)]

    async def test_g13_nothing_is_sent_any_more(self, ann: TwoPeopleWithRuns) -> None:
        """Nor brought."""
        await _settled(ann)
        await ann.delete()
        await ann.rest()
        before = len(ann.people.world.log.writes)
        await ann.say("Visit", title="Changed")
        await ann.say("New")
        await ann.people.rest(reads=False)
        assert len(ann.people.world.log.writes) == before

    async def test_r21_tombstones_are_kept_for_ninety_days(self, ann: TwoPeopleWithRuns) -> None:
        """And then forgotten."""
        await _settled(ann)
        await ann.delete()
        await ann.rest()
        await ann.people.clock.pass_time(timedelta(days=89).total_seconds())
        await old_tombstones(ann.home.store).work()
        assert len(await ann.her_links()) == 3
        await ann.people.clock.pass_time(timedelta(days=2).total_seconds())
        await old_tombstones(ann.home.store).work()
        assert await ann.her_links() == []


class TestLinkingAgain:
    """Linking again adopts and never doubles (R21)."""

    async def test_r21_linking_again_ten_times_doubles_nothing(self, ann: TwoPeopleWithRuns) -> None:
        """With Retrieve and Send each time."""
        await _settled(ann)
        for _ in range(10):
            await ann.delete()
            await ann.rest()
            await ann.link_again(retrieve=WEEK, send=WEEK)

        assert ann.events() == [("Meeting", False), ("Survey", True), ("Visit", True)]
        assert await ann.titles() == ["Meeting", "Survey", "Visit"]
        assert {link["state"] for link in await ann.her_links()} == {"agreed"}

    async def test_r21_what_changed_meanwhile_is_caught_up_with(self, ann: TwoPeopleWithRuns) -> None:
        """In Vorex and in the calendar."""
        await _settled(ann)
        await ann.delete()
        await ann.rest()
        await ann.say("Visit", title="Second visit")
        await ann.retitle("Meeting", "Renamed")
        await ann.people.rest(reads=False)
        (calendar,) = ann.people.world.mailboxes["ann@example.com"].calendars.values()
        (uid,) = [event.uid for event in calendar.events.values() if event.summary == "Survey"]
        ann.people.world.change_event(calendar.key, uid, end=ELEVEN)

        await ann.link_again()

        assert ann.events() == [("Renamed", False), ("Second visit", True), ("Survey", True)]
        (survey,) = [item for item in await ann.home.items() if item.id == "Survey"]
        assert survey.content is not None
        assert survey.content.to_json_dict()["end"] == ELEVEN

    async def test_r21_removed_copies_come_back_under_their_own_ids(self, ann: TwoPeopleWithRuns) -> None:
        """By the next Send, and only once."""
        await _settled(ann)
        await ann.delete("remove")
        await ann.rest()

        await ann.link_again(send=WEEK)

        assert ann.events() == [("Meeting", False), ("Survey", True), ("Visit", True)]

    async def test_r21_copies_that_cronofy_takes_for_foreign_are_adopted_as_such(
        self, ann: TwoPeopleWithRuns
    ) -> None:
        """By event uid or by title, start and end; never created beside them."""
        await _settled(ann)
        await ann.delete()
        await ann.rest()
        ann.people.world.faults.change(relink_forgets_managed=True)

        await ann.link_again(retrieve=WEEK, send=WEEK)
        assert ann.events() == [("Meeting", False), ("Survey", False), ("Visit", False)]
        await ann.say("Visit", title="Second visit")
        await ann.people.rest(reads=False)

        assert ann.events() == [("Meeting", False), ("Second visit", False), ("Survey", False)]
        assert await ann.titles() == ["Meeting", "Second visit", "Survey"]

    async def test_r10_an_adopted_event_that_may_not_be_edited_is_frozen_and_logged(
        self, ann: TwoPeopleWithRuns
    ) -> None:
        """The log says why it was not changed."""
        await _settled(ann)
        await ann.delete()
        await ann.rest()
        await ann.retitle("Meeting", "Renamed")
        await ann.people.rest(reads=False)

        await ann.link_again(permission_level="sandbox", send=WEEK)

        assert ann.events() == [("Meeting", False), ("Survey", True), ("Visit", True)]
        (frozen,) = [link for link in await ann.her_links() if link["state"] == "frozen"]
        assert frozen["code"] == "not_possible"
        assert ("to_linked_calendar", "update", "skipped", "not_possible") in await ann.home.log()

    async def test_r21_a_copy_whose_item_was_deleted_meanwhile_is_removed(
        self, ann: TwoPeopleWithRuns
    ) -> None:
        """It is ours, and it should not be there."""
        await _settled(ann)
        await ann.delete()
        await ann.rest()
        await ann.say("Visit", action=Action.DELETED)
        await ann.people.rest(reads=False)

        await ann.link_again()

        assert ann.events() == [("Meeting", False), ("Survey", True)]

    async def test_r21_a_brought_item_is_never_created_beside_its_own_event(
        self, ann: TwoPeopleWithRuns
    ) -> None:
        """Also where the reading at Finish cannot see that event."""
        far = {"start": "2027-11-03T09:00:00Z", "end": "2027-11-03T10:00:00Z"}
        uid = ann.add_event("Far")
        await ann.people.rest(reads=False)
        await ann.delete()
        await ann.rest()
        (calendar,) = ann.people.world.mailboxes["ann@example.com"].calendars.values()
        ann.people.world.change_event(calendar.key, uid, **far)
        await ann.link_again(permission_level="sandbox")

        await ann.retitle("Far", "Far away")
        await ann.people.rest(reads=False)

        assert ann.events() == [("Far", False)]

    async def test_r21_linking_again_waits_for_a_removal_that_is_under_way(
        self, ann: TwoPeopleWithRuns
    ) -> None:
        """What is being removed is not adopted, and what is sent anew is not removed."""
        await _settled(ann)
        await ann.delete("remove")

        await ann.link_again(send=WEEK)

        assert ann.events() == [("Meeting", False), ("Survey", True), ("Visit", True)]
        rows = await ann.rows(integrations, integrations.c.user_id == "ann")
        assert sorted(row["deleted_at"] is None for row in rows) == [False, True]
        living = [link for link in await ann.rows(links) if link["ended_at"] is None]
        assert len(living) == 3


async def test_r21_removal_begins_within_two_seconds_and_without_the_keeper(ann: TwoPeopleWithRuns) -> None:
    """Nobody looks for what was left: the wish itself is asked for, also of what was written a moment ago."""
    await ann.say("Old visit")
    await ann.people.rest(reads=False)
    await ann.say("Visit")
    await ann.people.settle()
    await ann.people.pass_time(1)
    assert ann.events() == [("Old visit", True), ("Visit", True)]
    began, before = ann.people.clock.now(), len(ann.people.world.log.writes)

    await ann.delete("remove")
    await until(lambda: _wished_away(ann, 2))
    assert ann.people.clock.now() == began
    await ann.people.pass_time(1)
    await until(lambda: len(ann.people.world.log.writes) == before + 2)

    assert (ann.people.clock.now() - began).total_seconds() <= 2.0


async def _wished_away(ann: TwoPeopleWithRuns, count: int) -> bool:
    """Whether the steps of the deletion, as they come, have asked for so many removals."""
    await ann.people.outbox.flush()
    rows = await ann.her_links()
    return sum(row["desired"] is None for row in rows) == count


async def test_r21_a_copy_that_arrives_after_its_removal_is_removed_once_more(ann: TwoPeopleWithRuns) -> None:
    """An accepted write does not stand on the calendar yet, and may overtake what comes after it."""
    await ann.say("Visit")
    await ann.people.settle()
    await ann.people.pass_time(1)
    key = ann.calendar_of("ann")
    (event,) = (dict(one) for one in ann.people.world.events(key))
    before = len(ann.people.world.log.writes)
    await ann.delete("remove")
    await until(lambda: _wished_away(ann, 1))
    await ann.people.pass_time(1)
    await until(lambda: len(ann.people.world.log.writes) == before + 1)
    await ann.people.pass_time(1)
    assert all(one["deleted"] for one in ann.people.world.events(key))
    ann.people.world.restore_event(key, event["event_uid"])

    await ann.rest()

    assert all(one["deleted"] for one in ann.people.world.events(key))
