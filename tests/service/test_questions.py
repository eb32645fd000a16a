"""What a technician does with the copy of a service call becomes a question to the dispatcher (R52)."""

from collections.abc import AsyncIterator

import pytest

from service.consumers.inbound.questions.answers import ASKED_SINCE, QuestionAnswer, Respondent
from service.integrations.refusals import Conflict, Unknown
from tests.support.questioned import (
    AWAY,
    BEYOND,
    DISPATCHER,
    FAR,
    HERS,
    INSIDE,
    NINE,
    TEN,
    answer,
    answers,
    asked,
    call,
    copy_of,
    delete,
    facts,
    item_times,
    move,
    retract,
    standing,
    take_back,
    tend,
)
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


@pytest.fixture
async def anywhere(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


def _times(ann: TwoPeopleWithRuns) -> dict[str, str]:
    shown = copy_of(ann)
    return {name: shown[name] for name in ("start", "end")}


def _writes(ann: TwoPeopleWithRuns) -> int:
    return len(ann.people.world.log.writes)


async def test_r52_a_deleted_copy_is_asked_about_once_however_often_it_is_told(
    anywhere: TwoPeopleWithRuns,
) -> None:
    """The record stays, its copy rests (R6); one question, one fact, whatever is read or said again."""
    ann = anywhere
    await call(ann)
    await delete(ann)
    for _ in range(2):
        await ann.people.repeat(0)
        await ann.people.rest()
        await tend(ann)

    assert await standing(ann) == [("deleted", "open", None)]
    (fact,) = await facts(ann)
    (one,) = await asked(ann)
    assert (fact.data.question_id, fact.data.kind, fact.data.item_id) == (one.id, "deleted", "5512")
    assert (fact.data.user_id, fact.routing_key) == ("ann", "assignment.questioned")
    assert ann.events() == []
    assert await item_times(ann) == (NINE, TEN)


async def test_r52_put_back_writes_a_deleted_copy_again_and_leave_does_not(ann: TwoPeopleWithRuns) -> None:
    """Deleted once more it is another question."""
    await call(ann)
    await delete(ann)
    await answer(ann, "put_back")
    assert ann.events() == [("Firewall", True)]

    await delete(ann)
    await answer(ann, "leave")
    await tend(ann)

    assert ann.events() == []
    assert await standing(ann) == [("deleted", "answered", "put_back"), ("deleted", "answered", "leave")]
    assert len(await facts(ann)) == 2


async def test_r52_a_move_within_the_window_is_taken_as_ever(ann: TwoPeopleWithRuns) -> None:
    """Nobody is asked (R6)."""
    await call(ann)
    await move(ann, INSIDE)

    assert await asked(ann) == []
    assert [moment.hour for moment in await item_times(ann)] == [14, 15]


@pytest.mark.parametrize("to", [BEYOND, FAR])
async def test_r52_a_move_beyond_the_window_changes_neither_side_before_the_answer(
    ann: TwoPeopleWithRuns, to: dict[str, str]
) -> None:
    """Not by a repeated message, another title, a catch-up or a reading."""
    await call(ann)
    await move(ann, to)
    before = _writes(ann)
    await ann.people.repeat(0)
    await call(ann, title="Firewall, first floor")
    await ann.people.rest()
    await tend(ann)

    assert await standing(ann) == [("moved", "open", None)]
    (one,) = await asked(ann)
    assert (one.found_starts, one.found_ends) == (to["start"], to["end"])
    assert (one.starts, one.ends) == (HERS["start"], HERS["end"])
    assert await item_times(ann) == (NINE, TEN)
    assert (_times(ann), _writes(ann)) == (to, before)
    assert len(await facts(ann)) == 1


async def test_r52_put_back_writes_vorex_s_time_over_a_move(ann: TwoPeopleWithRuns) -> None:
    """And the newest title with it."""
    await call(ann)
    await move(ann, FAR)
    await call(ann, title="Firewall, first floor")
    await answer(ann, "put_back")

    assert _times(ann) == HERS
    assert ann.events() == [("Firewall, first floor", True)]
    assert await standing(ann) == [("moved", "answered", "put_back")]


async def test_r52_leave_gives_the_call_the_technician_s_time(ann: TwoPeopleWithRuns) -> None:
    """Vorex hears of it as of any move, and nothing is written to the calendar."""
    await call(ann)
    await move(ann, FAR)
    before = _writes(ann)
    await answer(ann, "leave")
    await tend(ann)

    assert [moment.day for moment in await item_times(ann)] == [5, 5]
    assert (_times(ann), _writes(ann)) == (FAR, before)
    assert await standing(ann) == [("moved", "answered", "leave")]


async def test_r52_leave_writes_what_vorex_changed_meanwhile(ann: TwoPeopleWithRuns) -> None:
    """The technician's time, with the newest title."""
    await call(ann)
    await move(ann, FAR)
    await call(ann, title="Firewall, first floor")
    await answer(ann, "leave")

    assert (_times(ann), ann.events()) == (FAR, [("Firewall, first floor", True)])


async def test_r52_a_copy_that_is_moved_once_more_is_the_same_question(ann: TwoPeopleWithRuns) -> None:
    """With where it stands by now."""
    await call(ann)
    await move(ann, BEYOND)
    await move(ann, FAR)

    (one,) = await asked(ann)
    assert (one.state, one.found_starts) == ("open", FAR["start"])
    assert len(await facts(ann)) == 1


@pytest.mark.parametrize("to", [HERS, INSIDE])
async def test_r52_moved_back_the_question_closes_by_itself(
    ann: TwoPeopleWithRuns, to: dict[str, str]
) -> None:
    """To its time, or to another that is allowed, which is taken."""
    await call(ann)
    await move(ann, FAR)
    await move(ann, to)
    await tend(ann)

    assert await standing(ann) == [("moved", "closed", "moved_back")]
    assert _times(ann) == to
    start, end = await item_times(ann)
    assert {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}"} == to


async def test_r52_a_moved_copy_that_is_deleted_then_is_asked_about_as_deleted(
    ann: TwoPeopleWithRuns,
) -> None:
    """The one question closes, the other opens."""
    await call(ann)
    await move(ann, FAR)
    await delete(ann)
    await tend(ann)

    assert await standing(ann) == [("moved", "closed", "deleted_since"), ("deleted", "open", None)]


async def test_r52_restored_by_its_owner_the_question_closes_by_itself(ann: TwoPeopleWithRuns) -> None:
    """The copy follows again."""
    await call(ann)
    uid = copy_of(ann)["event_uid"]
    await delete(ann)
    ann.people.world.restore_event(ann.calendar, uid)
    await ann.people.rest(reads=False)
    await tend(ann)

    assert await standing(ann) == [("deleted", "closed", "restored")]
    assert ann.events() == [("Firewall", True)]


@pytest.mark.parametrize("done", ["move", "delete"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"start": "2026-12-03T11:00:00Z", "end": "2026-12-03T12:00:00Z"}, "changed_in_vorex"),
        ({"assignees": ["ann", "bob"]}, "changed_in_vorex"),
        ({"assignees": ["bob"]}, "unassigned"),
        ({"completed": True}, "completed"),
        ({"deleted": True}, "call_deleted"),
    ],
)
async def test_r52_what_vorex_decides_itself_closes_the_question(
    ann: TwoPeopleWithRuns, done: str, change: dict[str, object], why: str
) -> None:
    """Time, assignees, done or deleted: the newest word of Vorex stands, and the log says so."""
    await call(ann)
    await (move(ann, FAR) if done == "move" else delete(ann))
    if "deleted" in change:
        await retract(ann)
    else:
        await call(ann, **change)
    await tend(ann)

    (first, *_) = await standing(ann)
    assert first[1:] == ("closed", why)
    told = [entry for entry in await ann.home.log() if entry[1:] == ("none", "done", "questioned")]
    assert len(told) == 1


async def test_r52_each_technician_s_copy_is_a_question_of_its_own(ann: TwoPeopleWithRuns) -> None:
    """And an answer changes that one's calendar alone."""
    await call(ann, assignees=["ann", "bob"])
    await delete(ann)
    await delete(ann, "bob")
    assert [(one.user_id, one.state) for one in await asked(ann)] == [("ann", "open"), ("bob", "open")]

    first, _ = await asked(ann)
    await answers(ann).answer(DISPATCHER, first.id, "put_back")
    await ann.people.rest()

    assert ann.events() == [("Firewall", True)]
    bobs = ann.people.world.events(ann.calendar_of("bob"))
    assert [event for event in bobs if not event["deleted"]] == []


@pytest.mark.parametrize(("given", "after"), [("put_back", HERS), ("leave", FAR)])
async def test_r52_r50_an_answer_is_taken_back_and_the_other_one_given(
    anywhere: TwoPeopleWithRuns, given: str, after: dict[str, str]
) -> None:
    """Left, the call has its time again; put back, what was written stays until *Leave it*."""
    ann = anywhere
    await call(ann)
    await move(ann, FAR)
    await answer(ann, given)  # type: ignore[arg-type]
    await take_back(ann)
    await tend(ann)

    assert await standing(ann) == [("moved", "open", None)]
    assert await item_times(ann) == (NINE, TEN)
    assert _times(ann) == after

    other = "leave" if given == "put_back" else "put_back"
    await answer(ann, other)  # type: ignore[arg-type]
    assert _times(ann) == (FAR if other == "leave" else HERS)
    assert [moment.day for moment in await item_times(ann)] == ([5, 5] if other == "leave" else [3, 3])
    assert len(await facts(ann)) == 1


@pytest.mark.parametrize("given", ["put_back", "leave"])
async def test_r52_r50_an_answer_about_a_deletion_is_taken_back(ann: TwoPeopleWithRuns, given: str) -> None:
    """Then *Leave it* takes the copy off again that was put back."""
    await call(ann)
    await delete(ann)
    await answer(ann, given)  # type: ignore[arg-type]
    await take_back(ann)
    await tend(ann)
    assert await standing(ann) == [("deleted", "open", None)]

    await answer(ann, "leave" if given == "put_back" else "put_back")
    assert ann.events() == ([] if given == "put_back" else [("Firewall", True)])


async def _asked_again(ann: TwoPeopleWithRuns, kind: str, given: QuestionAnswer) -> None:
    """An answered question of that kind, and then an open one of the same copy."""
    await call(ann)
    if kind == "deleted":
        await delete(ann)
        await answer(ann, given)
        await delete(ann)
    elif kind == "moved":
        await move(ann, FAR)
        await answer(ann, given)
        await move(ann, BEYOND)
    else:
        uid = ann.add_event(**AWAY, extended_transparency="out_of_office")
        await ann.people.rest()
        await answer(ann, given)
        ann.people.world.change_event(ann.calendar, uid, start="2026-12-03T01:00:00Z")
        await ann.people.rest(reads=False)
    await tend(ann)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("deleted", "put_back"),
        ("moved", "put_back"),
        ("moved", "leave"),
        ("out_of_office", "put_back"),
        ("out_of_office", "leave"),
    ],
)
async def test_r52_r50_an_answer_is_not_taken_back_while_a_later_question_is_open(
    ann: TwoPeopleWithRuns, kind: str, given: QuestionAnswer
) -> None:
    """The sentence says that the open one is to be answered; both stay as they are."""
    await _asked_again(ann, kind, given)
    first, second = await asked(ann)
    assert [(one.kind, one.state) for one in (first, second)] == [(kind, "answered"), (kind, "open")]

    with pytest.raises(Conflict, match=ASKED_SINCE):
        await answers(ann).undo(DISPATCHER, first.id)

    assert await asked(ann) == [first, second]


async def test_r52_an_answer_is_given_once_and_by_the_own_tenant_alone(ann: TwoPeopleWithRuns) -> None:
    """The same again changes nothing; another one, or of what closed by itself, is refused."""
    await call(ann)
    await delete(ann)
    (one,) = await asked(ann)
    with pytest.raises(Unknown):
        await answers(ann).answer(Respondent(tenant_id="globex", named="operator olga"), one.id, "leave")
    for _ in range(2):
        await answers(ann).answer(DISPATCHER, one.id, "leave")
    with pytest.raises(Conflict):
        await answers(ann).answer(DISPATCHER, one.id, "put_back")
    await call(ann, start="2026-12-03T11:00:00Z", end="2026-12-03T12:00:00Z")
    with pytest.raises(Conflict):
        await answers(ann).undo(DISPATCHER, one.id)

    done = [entry for entry in await ann.home.log() if entry[1:] == ("none", "done", "questioned")]
    assert len(done) == 1


@pytest.mark.parametrize("first", ["call", "absence"])
async def test_r52_a_call_in_an_absence_is_asked_about_whichever_came_first(
    anywhere: TwoPeopleWithRuns, first: str
) -> None:
    """Once; the copy is written as ever, and the answer counts for these two times."""
    ann = anywhere
    if first == "call":
        await call(ann)
    uid = ann.add_event(**AWAY, extended_transparency="out_of_office")
    await ann.people.rest()
    if first == "absence":
        await call(ann)
    await tend(ann)
    await ann.people.rest()

    assert await standing(ann) == [("out_of_office", "open", None)]
    assert copy_of(ann)["summary"] == "Firewall"
    (fact,) = await facts(ann)
    assert (fact.data.found_start, fact.data.found_end) == (AWAY["start"], AWAY["end"])
    await answer(ann, "leave")
    await ann.people.repeat(0)
    await ann.people.rest()
    await tend(ann)
    assert await standing(ann) == [("out_of_office", "answered", "leave")]

    await call(ann, start="2026-12-03T11:00:00Z", end="2026-12-03T12:00:00Z")
    assert [one.state for one in await asked(ann)] == ["answered", "open"]
    ann.people.world.delete_event(ann.calendar, uid)
    await ann.people.rest(reads=False)
    await tend(ann)
    assert (await standing(ann))[-1] == ("out_of_office", "closed", "not_out_of_office")


async def test_r52_nobody_is_asked_of_what_is_done_or_no_service_call(ann: TwoPeopleWithRuns) -> None:
    """A completed call that is deleted, and an appointment that is."""
    await call(ann, completed=True)
    await delete(ann)
    await ann.say("Lunch")
    await ann.people.rest()
    await delete(ann)
    await tend(ann)

    assert await asked(ann) == []
