"""Deletions that were held wait for a person's answer: *Delete them* or *Keep them* (R11)."""

from collections.abc import AsyncIterator

import pytest

from service.consumers.inbound.held_deletions import DeletionAnswer
from service.integrations.undoing.answers import AnswerGiven
from service.store.tables import deletions, items, links, outbox
from tests.support.office import Office
from tests.support.one_person import NINE, TEN
from tests.support.pages import Browser
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

API = "/api/v1/integrations"
MANY = 12


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _held(ann: TwoPeopleWithRuns, *, foreign: int = 0) -> None:
    """Twelve pairs, all of whose events the calendar's owner deletes at once."""
    for at in range(MANY - foreign):
        await ann.say(f"Item {at:02}")
    for at in range(foreign):
        ann.add_event(f"Event {at:02}")
    await ann.people.rest(reads=False)
    for event in ann.people.world.events(ann.calendar):
        ann.people.world.delete_event(ann.calendar, event["event_uid"])
    await ann.people.rest(reads=False)
    assert len(await ann.titles()) == MANY
    assert {link["code"] for link in await ann.her_links()} == {"held_deletion"}


async def settled(ann: TwoPeopleWithRuns, answer: DeletionAnswer) -> int:
    return (await ann.held.settle(ANN, ann.mine, answer, AnswerGiven(by="ann"))).count


async def test_r11_delete_carries_all_of_them_out(ann: TwoPeopleWithRuns) -> None:
    """With a log entry and a fact each."""
    await _held(ann, foreign=3)
    before = len(ann.people.tap.facts)

    assert await settled(ann, "delete") == MANY
    await ann.rest()

    assert await ann.titles() == []
    assert ann.events() == []
    assert len(ann.people.tap.facts) - before == MANY
    done = [entry for entry in await ann.home.log() if entry[1:] == ("delete", "done", "ok")]
    assert len(done) == MANY


async def test_r11_keep_writes_our_copies_again(ann: TwoPeopleWithRuns) -> None:
    """Under their own ids, never a second one."""
    await _held(ann)

    assert await settled(ann, "keep") == MANY
    await ann.rest()

    assert ann.events() == [(f"Item {at:02}", True) for at in range(MANY)]
    assert len(await ann.titles()) == MANY
    assert {link["state"] for link in await ann.her_links()} == {"agreed"}


async def test_r11_keep_leaves_the_items_of_foreign_events_on_my_calendar(ann: TwoPeopleWithRuns) -> None:
    """Their events are gone for good; the pairs are let go."""
    await _held(ann, foreign=MANY)

    assert await settled(ann, "keep") == MANY
    await ann.people.rest()

    assert len(await ann.titles()) == MANY
    assert ann.events() == []
    assert {link["state"] for link in await ann.her_links()} == {"let_go"}


async def test_r11_a_pair_that_moved_on_meanwhile_is_passed_over(ann: TwoPeopleWithRuns) -> None:
    """Deleted on one side, changed on the other: the change wins (R19)."""
    await _held(ann)
    await ann.say("Item 03", title="Changed")
    await ann.rest()

    assert await settled(ann, "delete") == MANY - 1
    await ann.rest()

    assert await ann.titles() == ["Changed"]
    assert ann.events() == [("Changed", True)]


async def test_r11_answered_deletions_do_not_hold_the_next_one(ann: TwoPeopleWithRuns) -> None:
    """They count no more among the deletions of a day."""
    await _held(ann)
    await settled(ann, "keep")
    await ann.rest()
    event = ann.people.world.events(ann.calendar)[0]
    assert await ann.rows(deletions) == []

    ann.people.world.delete_event(ann.calendar, event["event_uid"])
    await ann.people.rest(reads=False)

    assert len(await ann.titles()) == MANY - 1


async def test_r11_an_answer_given_twice_does_nothing_twice(ann: TwoPeopleWithRuns) -> None:
    """The second finds nothing that waits."""
    await _held(ann)

    assert [await settled(ann, "delete") for _ in range(2)] == [MANY, 0]


class TestApi:
    """POST …/held-deletions."""

    async def test_the_answer_settles_what_is_shown_as_held(self, office: Office) -> None:
        """200 with the count; afterwards nothing is held."""
        integration_id = await self._with_one_held(office)
        address = f"{API}/{integration_id}"
        assert (await office.get(address)).json()["held_deletions"] == 1

        answer = await office.client.post(
            f"{address}/held-deletions", json={"answer": "keep"}, headers=office.bearer()
        )

        assert (answer.status_code, answer.json()["count"]) == (200, 1)
        assert (await office.get(address)).json()["held_deletions"] == 0

    @pytest.mark.parametrize("form", [{}, {"answer": "release"}, {"answer": "drop"}, {"answer": True}, None])
    async def test_nothing_but_the_two_answers_is_taken(self, form: object, office: Office) -> None:
        """422, and what is held stays held."""
        integration_id = await self._with_one_held(office)
        address = f"{API}/{integration_id}/held-deletions"

        answer = await office.client.post(address, json=form, headers=office.bearer())

        assert answer.status_code == 422
        assert (await office.get(f"{API}/{integration_id}")).json()["held_deletions"] == 1

    async def test_anothers_answer_is_404(self, office: Office) -> None:
        """Also an administrator's."""
        integration_id = await self._with_one_held(office)
        for who in (office.bearer("u-22"), office.bearer("boss", role="administrator")):
            address = f"{API}/{integration_id}/held-deletions"
            answer = await office.client.post(address, json={"answer": "keep"}, headers=who)
            assert answer.status_code == 404

    @pytest.mark.parametrize(("first", "second"), [("keep", "keep"), ("keep", "delete")])
    async def test_r48_an_answer_that_came_second_is_not_told_as_done(
        self, first: str, second: str, office: Office
    ) -> None:
        """Two windows, or an operator was quicker."""
        integration_id = await self._with_one_held(office)
        await office.sign_in()
        late = Browser(client=office.client)
        await late.open(f"/calendar-sync/{integration_id}/held")
        token = late.page.forms[0].fields["csrf_token"]
        address = f"/calendar-sync/{integration_id}/held-deletions"
        form = {"csrf_token": token, "answer": first, "sure": "1"}
        assert "notice=kept" in (await office.client.post(address, data=form)).headers["Location"]

        answer = await office.client.post(address, data={**form, "answer": second, "sure": "0"})

        assert answer.headers["Location"].endswith("complaint=answered_already")
        page = await late.open(answer.headers["Location"])
        assert "This was answered already, here or elsewhere. Nothing was done now." in page.words

    async def _with_one_held(self, office: Office) -> str:
        integration_id = await office.finished()
        calendar_id = (await office.calendars(integration_id))["Calendar"]
        await office.add_link(integration_id, calendar_id, "held", code="held_deletion")
        form = {"id": "1", "type": "task", "title": "T", "start": NINE, "end": TEN, "assignees": ["u-17"]}
        async with office.store.begin() as connection:
            await connection.execute(items.update().values(content=form))
            (link_id,) = (await connection.scalars(links.select().with_only_columns(links.c.id))).all()
            row = {"link_id": link_id, "integration_id": integration_id, "state": "held"}
            await connection.execute(deletions.insert().values(**row, noticed_at=office.clock.now()))
        return integration_id


async def test_r48_a_question_is_told_once_to_vorex(ann: TwoPeopleWithRuns) -> None:
    """However many deletions it is about, and though more of them come while it waits."""
    await _held(ann)
    await ann.say("One more")
    await ann.people.rest(reads=False)
    for event in ann.people.world.events(ann.calendar):
        ann.people.world.delete_event(ann.calendar, event["event_uid"])
    await ann.people.rest(reads=False)

    keys = [row["routing_key"] for row in await ann.rows(outbox)]
    assert keys.count("integration.question_waiting") == 1
