"""Copies whose id nobody knows: adopted where they fit, else left, named once, and removable (R36)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from contracts.errors import Transient
from contracts.vorex import Action
from service.demo.simulator.app import create_app
from service.integrations.accounts.strays import StrayCopies
from service.integrations.refusals import ChangedMeanwhile, Conflict
from service.store.tables import log_entries
from tests.support.circle import Circle
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs
from tests.support.wiring import SIMULATOR

VISIT: dict[str, Any] = {"start": "2026-12-06T09:00:00Z", "end": "2026-12-06T10:00:00Z"}
LEFT: dict[str, Any] = {"start": "2026-12-07T09:00:00Z", "end": "2026-12-07T10:00:00Z"}


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _written_before(ann: TwoPeopleWithRuns, event_id: str, summary: str, **times: str) -> None:
    """A former sync under the same client id put it there."""
    token = await ann.home.cronofy.tokens.current((await ann.row())["sub"])
    wire = httpx.ASGITransport(create_app(ann.people.world))
    form: dict[str, Any] = {"event_id": event_id, "summary": summary, "description": "", **times}
    async with httpx.AsyncClient(transport=wire, base_url=SIMULATOR) as client:
        answer = await client.post(
            f"/v1/calendars/{ann.calendar}/events", json=form, headers={"Authorization": f"Bearer {token}"}
        )
    assert answer.status_code == 202
    await ann.people.pass_time(5)


async def _finished_anew(ann: TwoPeopleWithRuns) -> None:
    await ann.home.set(ann.mine, baseline_at=None, finished_at=ann.home.clock.now())
    await ann.start("finish")
    await ann.rest()


async def _before_and_after(ann: TwoPeopleWithRuns) -> None:
    await ann.home.set(ann.mine, item_types={})
    await ann.say("Visit", **VISIT)
    await ann.people.rest()
    await _written_before(ann, "old-1", "Visit", **VISIT)
    await _written_before(ann, "old-2", "Nobody's", **LEFT)
    await ann.home.set(ann.mine, item_types={"appointment": True})
    await _finished_anew(ann)


async def test_r36_a_copy_that_fits_an_item_is_adopted_and_followed(ann: TwoPeopleWithRuns) -> None:
    """Under the id that it was written with: nothing is written beside it."""
    await _before_and_after(ann)

    await ann.retitle("Visit", "Call")
    await ann.people.rest()

    assert sorted(title for title, _ in ann.events()) == ["Call", "Nobody's"]
    await ann.say("Visit", action=Action.DELETED)
    await ann.people.rest()
    assert [title for title, _ in ann.events()] == ["Nobody's"]


async def test_r36_one_that_fits_nothing_is_left_and_named_once(ann: TwoPeopleWithRuns) -> None:
    """Without its text, which may be anybody's."""
    await _before_and_after(ann)
    await _finished_anew(ann)

    told = [row for row in await ann.rows(log_entries) if "once written from here" in row["reason"]]
    assert [(row["action"], row["outcome"]) for row in told] == [("none", "skipped")]
    assert "Nobody's" not in repr([dict(row) for row in told])
    assert ("Nobody's", True) in ann.events()
    assert await ann.titles() == ["Visit"]


async def test_r36_an_operator_lists_and_removes_what_was_counted(ann: TwoPeopleWithRuns) -> None:
    """Nothing where the count has changed, and no copy that anybody knows."""
    await _before_and_after(ann)
    strays = StrayCopies(ann.home.store, ann.home.cronofy.gateway)
    assert [one.event_id for one in await strays.found(ann.mine)] == ["old-2"]
    with pytest.raises(ChangedMeanwhile, match="There are 1 by now"):
        await strays.remove(ann.mine, expect=2, who="olaf")

    done = await strays.remove(ann.mine, expect=1, who="olaf")
    await ann.people.pass_time(5)

    assert (done.removed, done.refused) == (1, 0)
    assert [title for title, _ in ann.events()] == ["Visit"]
    (entry,) = await ann.rows(log_entries, log_entries.c.trigger == "operator")
    assert (entry["action"], entry["outcome"], "olaf" in entry["reason"]) == ("delete", "done", True)
    assert await strays.found(ann.mine) == []


async def test_r36_before_the_first_reading_nothing_is_a_stray(ann: TwoPeopleWithRuns) -> None:
    """It may be adopted yet."""
    await ann.home.set(ann.mine, baseline_at=None)

    with pytest.raises(Conflict):
        await StrayCopies(ann.home.store, ann.home.cronofy.gateway).found(ann.mine)


async def test_r36_pages_that_lead_in_a_circle_are_left(ann: TwoPeopleWithRuns) -> None:
    """Else the command would ask for ever, at everybody's expense (R32)."""
    circle: Any = Circle(ann.home.cronofy.gateway)

    with pytest.raises(Transient, match="circle"):
        await StrayCopies(ann.home.store, circle).found(ann.mine)
