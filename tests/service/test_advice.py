"""The last line of copies: written with the next write, read back as nothing, in one's language (R52)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from handlers.texts.advice import ADVICE, Advice
from handlers.texts.skeleton import shown_text
from service.store.tables import integrations
from tests.support.office import Office
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


def _copy(ann: TwoPeopleWithRuns) -> dict[str, Any]:
    (only,) = [event for event in ann.people.world.events(ann.calendar) if event["event_id"]]
    return dict(only)


async def test_r52_a_copy_gets_the_line_with_its_next_write_alone(ann: TwoPeopleWithRuns) -> None:
    """No copy is written because its owner's language became known; read back, the line changes nothing."""
    await ann.say("Lunch", description="Bring fruit")
    await ann.people.rest()
    before = len(ann.people.world.log.writes)
    await ann.home.set(ann.mine, language="de")
    await ann.people.rest()
    await ann.start("sync_now", retrieve=None, send=None)
    await ann.rest()
    assert (len(ann.people.world.log.writes), _copy(ann)["description"]) == (before, "Bring fruit")

    await ann.say("Lunch", title="Dinner")
    await ann.people.rest()
    assert shown_text(_copy(ann)["description"]) == f"Bring fruit\n\n{ADVICE['de'][Advice.SAME]}"
    after = len(ann.people.world.log.writes)
    await ann.people.rest()
    (item,) = await ann.people.mine("ann")
    assert item.content is not None
    assert (item.content.description, item.version) == ("Bring fruit", 2)
    assert len(ann.people.world.log.writes) == after


async def test_r52_what_is_written_over_the_line_comes_without_it_and_it_stands_there_once(
    ann: TwoPeopleWithRuns,
) -> None:
    """However often somebody writes there."""
    await ann.home.set(ann.mine, language="en")
    await ann.say("Lunch", description="Bring fruit")
    await ann.people.rest()
    for times in range(3):
        shown = _copy(ann)
        text = f"Line {times}\n{shown['description']}"
        ann.people.world.change_event(ann.calendar, shown["event_uid"], description=text)
        await ann.people.rest(reads=False)
        await ann.say("Lunch", title=f"Lunch {times}")
        await ann.people.rest()

    (item,) = await ann.people.mine("ann")
    assert item.content is not None
    assert item.content.description == "Line 2\nLine 1\nLine 0\nBring fruit"
    assert _copy(ann)["description"].count("Vorex:") == 1


async def test_r52_r49_the_language_is_the_one_that_vorex_told_when_the_person_signed_in(
    office: Office,
) -> None:
    """Of one that is linked then, too; without a word of it what is known stays."""
    await office.sign_in(locale="de-AT")
    await office.connect()
    assert [row["language"] for row in await office.rows(integrations)] == ["de"]
    office.client.cookies.clear()
    await office.sign_in()
    assert [row["language"] for row in await office.rows(integrations)] == ["de"]
    office.client.cookies.clear()
    await office.sign_in(locale="en-US")
    assert [row["language"] for row in await office.rows(integrations)] == ["en"]
