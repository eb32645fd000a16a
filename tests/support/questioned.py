"""Ann the technician, a service call of hers, and the dispatcher who is asked about it (R52)."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from contracts.envelope import AssignmentQuestioned, decode
from contracts.vorex import Action, ItemContent
from service.consumers.inbound.pages import PageWriter
from service.consumers.inbound.questions.answers import DispatcherQuestions, QuestionAnswer, Respondent
from service.integrations.questions.rounds import QuestionRounds
from service.integrations.refusals import Conflict
from service.store.engine.ids import new_id
from service.store.questions.questions import Question
from service.store.tables import links, outbox, questions
from tests.support.office import Office
from tests.support.two_people_with_runs import TwoPeopleWithRuns

DISPATCHER = Respondent(tenant_id="acme", named="operator olga")
WINDOW = {
    "not_before": datetime(2026, 12, 3, 8, tzinfo=UTC),
    "not_after": datetime(2026, 12, 3, 18, tzinfo=UTC),
}
NINE, TEN = datetime(2026, 12, 3, 9, tzinfo=UTC), datetime(2026, 12, 3, 10, tzinfo=UTC)
INSIDE = {"start": "2026-12-03T14:00:00Z", "end": "2026-12-03T15:00:00Z"}
BEYOND = {"start": "2026-12-03T18:00:00Z", "end": "2026-12-03T19:00:00Z"}
FAR = {"start": "2026-12-05T09:00:00Z", "end": "2026-12-05T10:00:00Z"}
AWAY = {"summary": "Holiday", "start": "2026-12-03T00:00:00Z", "end": "2026-12-04T00:00:00Z"}
HERS = {"start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}


def answers(ann: TwoPeopleWithRuns) -> DispatcherQuestions:
    store = ann.home.store
    return DispatcherQuestions(store, PageWriter(store))


async def call(ann: TwoPeopleWithRuns, **changes: Any) -> None:
    """A service call of Ann's from nine to ten, which may be moved within its day; it has reached her."""
    known = {item.id: item.content for item in await ann.home.items()}
    before = known.get("5512")
    usual = {"id": "5512", "type": "service_call", "title": "Firewall", "assignees": ["ann"], **WINDOW}
    usual |= {"start": NINE, "end": TEN}
    form = before.to_json_dict() if before else ItemContent.model_validate(usual).to_json_dict()
    content = ItemContent.from_json_dict({**form, **changes})
    await ann.people.say(content, action=Action.UPDATED)
    await ann.people.rest()


async def retract(ann: TwoPeopleWithRuns) -> None:
    """Vorex deletes the call."""
    (item,) = [one for one in await ann.home.items() if one.id == "5512"]
    assert item.content is not None
    await ann.people.say(item.content, action=Action.DELETED)
    await ann.people.rest()


def copy_of(ann: TwoPeopleWithRuns, person: str = "ann") -> dict[str, Any]:
    """The event that the call is on a technician's calendar."""
    there = ann.people.world.events(ann.calendar_of(person))
    (only,) = [event for event in there if event["event_id"] and not event["deleted"]]
    return dict(only)


async def move(ann: TwoPeopleWithRuns, to: dict[str, str]) -> None:
    """She moves the copy on her calendar."""
    ann.people.world.change_event(ann.calendar, copy_of(ann)["event_uid"], **to)
    await ann.people.rest(reads=False)


async def delete(ann: TwoPeopleWithRuns, person: str = "ann") -> None:
    """A technician deletes the copy."""
    ann.people.world.delete_event(ann.calendar_of(person), copy_of(ann, person)["event_uid"])
    await ann.people.rest(reads=False)


async def tend(ann: TwoPeopleWithRuns) -> None:
    """The keeper's round."""
    await QuestionRounds(ann.home.store).round()


async def asked(ann: TwoPeopleWithRuns) -> list[Question]:
    """All questions there ever were, the oldest first."""
    rows = await ann.rows(questions)
    return sorted((Question(**row) for row in rows), key=lambda one: one.id)


async def standing(ann: TwoPeopleWithRuns) -> list[tuple[str, str, str | None]]:
    """Kind and state of each, with the answer or why it closed."""
    return [(one.kind, one.state, one.answer or one.closed) for one in await asked(ann)]


async def answer(ann: TwoPeopleWithRuns, given: QuestionAnswer) -> None:
    """The dispatcher answers the newest."""
    await answers(ann).answer(DISPATCHER, (await asked(ann))[-1].id, given)
    await ann.people.rest()


async def take_back(ann: TwoPeopleWithRuns) -> None:
    """The dispatcher takes the newest answer back."""
    await answers(ann).undo(DISPATCHER, (await asked(ann))[-1].id)
    await ann.people.rest()


async def facts(ann: TwoPeopleWithRuns) -> list[AssignmentQuestioned]:
    """What Vorex was told of questions."""
    rows = await ann.rows(outbox, outbox.c.routing_key == "assignment.questioned")
    return [decode(row["body"], expected=AssignmentQuestioned) for row in rows]


async def item_times(ann: TwoPeopleWithRuns) -> tuple[Any, Any]:
    """When the call is, on My Calendar."""
    (item,) = [one for one in await ann.home.items() if one.id == "5512"]
    assert item.content is not None
    return item.content.start, item.content.end


async def asked_of(office: Office, integration_id: str) -> str:
    """A question about a copy that is not there any more; its id."""
    question_id = new_id()
    row = {"id": question_id, "tenant_id": "acme", "user_id": "u-17", "integration_id": integration_id}
    row |= {"link_id": new_id(), "item_ref": new_id(), "kind": "deleted", "print": "", "state": "open"}
    async with office.store.begin() as connection:
        await connection.execute(insert(questions).values(**row, asked_at=office.clock.now()))
    return question_id


async def settle_some(here: TwoPeopleWithRuns, which: int, given: QuestionAnswer) -> None:
    """A dispatcher answers one of the open questions, if there is any."""
    opened = [one for one in await asked(here) if one.state == "open"]
    if opened:
        with suppress(Conflict):  # its cause went away, and nobody has noticed yet
            await answers(here).answer(DISPATCHER, opened[which % len(opened)].id, given)


async def reopen_some(here: TwoPeopleWithRuns, which: int) -> None:
    """A dispatcher takes one of the answers back, if there is any."""
    answered = [one for one in await asked(here) if one.state == "answered"]
    if answered:
        with suppress(Conflict):  # the call has changed since
            await answers(here).undo(DISPATCHER, answered[which % len(answered)].id)


async def settle_all(here: TwoPeopleWithRuns) -> None:
    """Every question is answered, in turn the one way and the other."""
    await tend(here)
    for at, one in enumerate(await asked(here)):
        if one.state == "open":
            await answers(here).answer(DISPATCHER, one.id, "leave" if at % 2 else "put_back")


async def nobody_was_asked_twice(here: TwoPeopleWithRuns) -> None:
    """One fact for each question, one open question for each copy and kind, none that has lost its cause."""
    await tend(here)
    all_of_them = await asked(here)
    told = [fact.data.question_id for fact in await facts(here)]
    assert sorted(told) == sorted(one.id for one in all_of_them)
    opened = [(one.link_id, one.kind) for one in all_of_them if one.state == "open"]
    assert len(opened) == len(set(opened)), opened
    moved = {link["id"] for link in await here.rows(links) if link["code"] == "questioned"}
    standing = {one.link_id for one in all_of_them if one.state == "open" and not one.reopened}
    assert not {key for key, kind in opened if kind != "out_of_office"} & standing - moved
