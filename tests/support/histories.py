"""What a history is made of: the things that two people, Vorex and their machines do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from contracts.calendar import Item
from contracts.vorex import Action, ItemContent, ItemType, Reference, ShowAs
from service.consumers.inbound.questions.answers import QuestionAnswer
from tests.support.integration_acts import VERBS as LIVES
from tests.support.odd_days import MENDED, ODD_VERBS, Diary, Odd
from tests.support.questioned import reopen_some, settle_some, tend
from tests.support.two_people import PEOPLE, TwoPeople
from tests.support.two_people_with_runs import TwoPeopleWithRuns

DAY = datetime(2026, 12, 3, tzinfo=UTC)
WINDOW: dict[str, Any] = {"not_before": DAY, "not_after": DAY + timedelta(days=1)}
"""Of every other service call (R52)."""
CROWD = 12
"""More deletions than a day may see without a question (R11)."""


@dataclass(frozen=True)
class Step:
    """One thing that somebody does; numbers choose among what there is."""

    what: str
    who: str
    which: int
    value: int


def steps(names: list[str]) -> st.SearchStrategy[list[Step]]:
    """Histories of so many things."""
    one = st.builds(
        Step, st.sampled_from(names), st.sampled_from(PEOPLE), st.integers(0, 9), st.integers(0, 7)
    )
    return st.lists(one, min_size=1, max_size=25)


async def do(here: TwoPeopleWithRuns, step: Step, diary: Diary) -> None:
    """Do that one thing."""
    if odd := (ODD_VERBS | MENDED).get(step.what):
        await odd(Odd(here=here, diary=diary, who=step.who, which=step.which, value=step.value))
    elif step.what in LIVES:
        await LIVES[step.what](here, step.which, step.value)
        diary.removed = diary.removed or here.last_left == "remove"
    else:
        await VERBS[step.what](here, step)


# -- in Vorex ---------------------------------------------------------------------------------------


async def _change(place: TwoPeople, step: Step, **changes: Any) -> None:
    content = await _known(place, step)
    if content is not None:
        await place.say(content.model_copy(update=changes), action=Action.UPDATED)


async def _known(place: TwoPeople, step: Step) -> ItemContent | None:
    known: list[Item] = sorted(await place.home.items(), key=lambda item: item.ref)
    return known[step.which % len(known)].content if known else None


async def _create(place: TwoPeople, step: Step) -> None:
    kind = list(ItemType)[step.value % len(ItemType)] if step.which % 2 else ItemType.APPOINTMENT
    number = len(place.said)
    content = ItemContent(
        id=f"{number}",
        type=kind,
        title=f"Item {number}" + " of a long list" * 20 * (step.value == 4),
        description="One\n\n\nTwo  -  see <https://shop.example/a> & “more”",
        account_name="Contoso  Ltd" if step.value % 3 == 0 else None,
        reference=Reference(label=f"T{number:05}", url=f"https://vorex.example/t/{number}?a=1&b=2")
        if step.value % 2
        else None,
        private=step.value == 5,
        assignees=(step.who,),
        **_span(step.value),
        **(WINDOW if kind is ItemType.SERVICE_CALL and step.value % 2 == 0 else {}),
    )
    await place.say(content, action=Action.CREATED)


async def _call(place: TwoPeople, step: Step) -> None:
    """A service call that may be moved within its day (R52)."""
    await _create(place, replace(step, which=1, value=2))


async def _delete(place: TwoPeople, step: Step) -> None:
    content = await _known(place, step)
    if content is not None:
        await place.say(content, action=Action.DELETED)


async def _change_type(place: TwoPeople, step: Step) -> None:
    """A task becomes a to-do, say: the old record goes, a new one with the same number comes."""
    content = await _known(place, step)
    kind = list(ItemType)[step.value % len(ItemType)]
    if content is not None and kind is not content.type:
        await place.say(content, action=Action.DELETED)
        await place.say(content.model_copy(update={"type": kind}), action=Action.CREATED)


async def _crowd(place: TwoPeople, step: Step) -> None:
    for _ in range(CROWD):
        await _create(place, step)


def _span(value: int) -> dict[str, Any]:
    start = DAY + timedelta(hours=8 + value)
    return {"start": start, "end": start + timedelta(hours=1)}


# -- at a linked calendar ---------------------------------------------------------------------------


async def _event(here: TwoPeopleWithRuns, step: Step, *, ours: bool, **fields: Any) -> None:
    calendar = here.calendar_of(step.who)
    world = here.people.world
    events = [e for e in world.events(calendar) if not e["deleted"] and bool(e["event_id"]) is ours]
    if not events:
        return
    uid = events[step.which % len(events)]["event_uid"]
    if fields:
        world.change_event(calendar, uid, **fields)
    else:
        world.delete_event(calendar, uid)
    await world.settle()


async def _add_event(here: TwoPeopleWithRuns, step: Step) -> None:
    here.people.world.add_event(
        here.calendar_of(step.who), summary=f"Event {step.value}", **_wire(step.value)
    )
    await here.people.world.settle()


async def _add_line(here: TwoPeopleWithRuns, step: Step) -> None:
    """A person writes a line over what stands in a copy's description."""
    calendar = here.calendar_of(step.who)
    ours = [e for e in here.people.world.events(calendar) if not e["deleted"] and e["event_id"]]
    if ours:
        event = ours[step.which % len(ours)]
        text = f"Line {step.value}\n{event['description']}"
        await _event(here, step, ours=True, description=text)


async def _far(here: TwoPeopleWithRuns, step: Step) -> None:
    """A copy is moved by days: of some service calls further than Vorex allows (R52)."""
    start = DAY + timedelta(days=3, hours=step.value)
    moved = {"start": start, "end": start + timedelta(hours=1)}
    form = {name: moment.strftime("%Y-%m-%dT%H:%M:%SZ") for name, moment in moved.items()}
    await _event(here, step, ours=True, **form)


async def _away(here: TwoPeopleWithRuns, step: Step) -> None:
    """A person is out of office for some hours."""
    here.people.world.add_event(
        here.calendar_of(step.who),
        summary=f"Away {step.value}",
        extended_transparency="out_of_office",
        **_wire(step.value),
    )
    await here.people.world.settle()


async def _clear(here: TwoPeopleWithRuns, step: Step) -> None:
    """All events of a calendar are deleted at once (R11)."""
    calendar = here.calendar_of(step.who)
    for event in here.people.world.events(calendar):
        if not event["deleted"]:
            here.people.world.delete_event(calendar, event["event_uid"])
    await here.people.world.settle()


def _wire(value: int) -> dict[str, str]:
    return {name: moment.strftime("%Y-%m-%dT%H:%M:%SZ") for name, moment in _span(value).items()}


# -- at home ----------------------------------------------------------------------------------------


async def _toggle(here: TwoPeopleWithRuns, step: Step, column: str) -> None:
    """A box is checked, or unchecked, by the person who is not Ann: she has a form for it."""
    place = here.people
    integration_id = place.integrations["bob"]
    value = await place.home.value(integration_id)
    boxes = {
        "event_types": {name: getattr(value.event_types, name) for name in ("create", "update", "delete")},
        "item_types": {kind.value: kind in value.item_types for kind in ItemType},
    }[column]
    name = list(boxes)[step.which % len(boxes)]
    await place.home.set(integration_id, **{column: {**boxes, name: not boxes[name]}})
    place.toggled.add("bob")


async def _lose(here: TwoPeopleWithRuns, _: Step) -> None:
    here.people.notices.clear()


def _other(step: Step) -> str:
    return PEOPLE[1 - PEOPLE.index(step.who)]


def _edited(step: Step) -> dict[str, str]:
    return {"summary": f"Edited {step.value}"}


async def _tend(here: TwoPeopleWithRuns, _: Step) -> None:
    await tend(here)


async def _answer(here: TwoPeopleWithRuns, step: Step) -> None:
    """A dispatcher answers one of the questions (R52)."""
    given: QuestionAnswer = "leave" if step.value % 2 else "put_back"
    await settle_some(here, step.which, given)


async def _take_back(here: TwoPeopleWithRuns, step: Step) -> None:
    """A dispatcher takes one of the answers back (R50)."""
    await reopen_some(here, step.which)


Verb = Callable[[TwoPeopleWithRuns, Step], Awaitable[None]]
VERBS: dict[str, Verb] = {
    "create": lambda here, step: _create(here.people, step),
    "create call": lambda here, step: _call(here.people, step),
    "crowd": lambda here, step: _crowd(here.people, step),
    "move": lambda here, step: _change(here.people, step, **_span(step.value)),
    "retitle": lambda here, step: _change(here.people, step, title=f"Renamed {step.value}"),
    "describe": lambda here, step: _change(
        here.people, step, description=f"Text {step.value}", show_as=ShowAs.FREE
    ),
    "undate": lambda here, step: _change(here.people, step, start=None, end=None),
    "delete": lambda here, step: _delete(here.people, step),
    "reassign": lambda here, step: _change(here.people, step, assignees=(step.who,)),
    "share": lambda here, step: _change(here.people, step, assignees=(step.who, _other(step))),
    "rename account": lambda here, step: _change(here.people, step, account_name=f"Account {step.value}"),
    "complete": lambda here, step: _change(here.people, step, completed=True),
    "change type": lambda here, step: _change_type(here.people, step),
    "repeat": lambda here, step: here.people.repeat(step.which),
    "add event": _add_event,
    "move event": lambda here, step: _event(here, step, ours=False, **_wire(step.value)),
    "retitle event": lambda here, step: _event(here, step, ours=False, **_edited(step)),
    "delete event": lambda here, step: _event(here, step, ours=False),
    "edit ours": lambda here, step: _event(here, step, ours=True, **_edited(step)),
    "move ours": lambda here, step: _event(here, step, ours=True, **_wire(step.value)),
    "write in ours": _add_line,
    "delete ours": lambda here, step: _event(here, step, ours=True),
    "move ours far": _far,
    "be away": _away,
    "tend questions": _tend,
    "answer question": _answer,
    "take answer back": _take_back,
    "clear": _clear,
    "toggle event type": lambda here, step: _toggle(here, step, "event_types"),
    "toggle item type": lambda here, step: _toggle(here, step, "item_types"),
    "notice": lambda here, step: here.people.notice(step.which),
    "lose notices": _lose,
    "wait": lambda here, step: here.people.pass_time(step.value * 3.0),
    "settle": lambda here, _: here.people.settle(),
}
EVERYDAY = (
    ["create"] * 3
    + [
        "move",
        "retitle",
        "describe",
        "undate",
        "delete",
        "reassign",
        "share",
        "complete",
        "change type",
        "rename account",
    ]
    + ["add event"] * 3
    + [
        "move event",
        "retitle event",
        "delete event",
        "edit ours",
        "write in ours",
        "move ours",
        "move ours far",
        "delete ours",
        "be away",
        "answer question",
        "answer question",
        "take answer back",
        "tend questions",
    ]
    + [*ODD_VERBS, "restore", "restore"]
    + ["repeat", "notice", "notice", "wait", "wait", "settle", "lose notices"]
)
"""What goes on all day between Vorex and two calendars."""
CALLS = [
    *["create call"] * 4,
    *["move ours far", "delete ours"] * 3,
    *["answer question", "take answer back", "tend questions"] * 2,
    *["restore", "move ours", "edit ours", "be away", "delete event"],
    *["move", "retitle", "reassign", "share", "complete", "delete"],
    *["repeat", "notice", "wait", "settle", "settle", "settle"],
]
"""What technicians, dispatchers and Vorex do with service calls (R52)."""
WHOLE_LIVES = [
    *EVERYDAY,
    *LIVES,
    *MENDED,
    "crowd",
    "clear",
    "toggle event type",
    "toggle item type",
]
"""That, and what happens to an integration as a whole (G9–G16)."""
