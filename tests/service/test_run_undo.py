"""The undo of a whole run on a real store: what it changed is put back, and stays so (R50)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange
from service.store.links import run_changes
from service.store.tables import log_entries
from service.store.tables import run_changes as run_changes_table
from service.store.tables import runs as runs_table
from tests.support.one_person import NINE, TEN, OnePerson

ANN = "ann@example.com"
WEEK = {"past": "1_week", "future": "1_week"}


async def _with_events(home: OnePerson, *events: Mapping[str, object]) -> str:
    home.world.add_mailbox(email=ANN)
    calendar = next(iter(home.world.link(ANN).calendar_ids.values()))
    for event in events:
        home.world.add_event(calendar, **{"summary": "Old", "start": NINE, "end": TEN, **event})
    await home.world.advance(60)
    return await home.integration(ANN, baseline_at=None)


async def _titles(home: OnePerson) -> list[str]:
    return [item.content.title for item in await home.items() if item.content]


async def _undone(home: OnePerson, mine: str, run_id: str, **options: Any) -> Any:
    return await home.run_to_end(mine, kind="undo", undoes=run_id, **options)


async def _told(home: OnePerson, run_id: str) -> list[tuple[str, str, str]]:
    columns = (log_entries.c.action, log_entries.c.outcome, log_entries.c.reason)
    async with home.store.read() as connection:
        rows = await connection.execute(
            select(*columns).where(log_entries.c.run_id == run_id).order_by(log_entries.c.id)
        )
        return [tuple(row) for row in rows]


async def _there(home: OnePerson, mine: str) -> list[str]:
    return sorted(event["summary"] for event in home.world.events(home.calendars[mine]))


async def test_r50_an_import_is_taken_back_and_nothing_comes_again(home: OnePerson) -> None:
    """Neither by a notice nor by the daily read; a Retrieve brings it again, for it is asked for by name."""
    mine = await _with_events(home, {}, {"summary": "Lunch"})
    run = await home.run_to_end(mine, retrieve=WEEK)
    assert await _titles(home) == ["Lunch", "Old"]

    undo = await _undone(home, mine, run.id)

    assert (undo.state, undo.tally["updated"], undo.tally["skipped"]) == ("done", 2, 0)
    assert await _titles(home) == []
    assert await home.links() == []
    await home.changed(mine)
    await home.reader.read_all(mine)
    assert await _titles(home) == []
    again = await home.run_to_end(mine, retrieve=WEEK)
    assert (again.tally["created"], await _titles(home)) == (2, ["Lunch", "Old"])


async def test_r50_each_step_done_twice_does_no_harm(home: OnePerson) -> None:
    mine = await _with_events(home, *({"summary": f"No. {n}"} for n in range(60)))
    run = await home.run_to_end(mine, retrieve=WEEK)
    facts = await home.facts()
    undo = await _undone(home, mine, run.id, repeat=True)
    assert (undo.state, undo.tally["updated"]) == ("done", 60)
    assert await _titles(home) == []
    # the reading and the two steps ask for the next one each; the other sixty say that an item is gone
    assert await home.facts() - facts == 60 + len(("notices", "undo", "undo", "undo"))


async def test_r50_what_was_changed_since_is_left_and_says_why(home: OnePerson) -> None:
    mine = await _with_events(home, {}, {"summary": "Lunch"})
    run = await home.run_to_end(mine, retrieve=WEEK)
    (lunch,) = [event for event in home.world.events(home.calendars[mine]) if event["summary"] == "Lunch"]
    home.world.change_event(home.calendars[mine], lunch["event_uid"], summary="Dinner")
    await home.world.advance(5)

    undo = await _undone(home, mine, run.id)

    assert (undo.tally["updated"], undo.tally["skipped"]) == (1, 1)
    async with home.store.read() as connection:
        passed = await connection.scalar(select(runs_table.c.passed_over).where(runs_table.c.id == undo.id))
    assert passed == {"differs": 1}
    assert await _titles(home) == ["Dinner"]
    assert sorted(await _told(home, undo.id)) == [
        ("delete", "done", "Removed from My Calendar again; its event stays on the linked calendar."),
        ("none", "skipped", "Somebody has changed it since, so it is left."),
    ]


async def test_r50_the_undo_is_undone_like_any_run(home: OnePerson) -> None:
    """The same item is there again, and follows its event again."""
    mine = await _with_events(home, {})
    run = await home.run_to_end(mine, retrieve=WEEK)
    before = await home.item()
    undo = await _undone(home, mine, run.id)
    assert await _titles(home) == []

    back = await _undone(home, mine, undo.id)

    assert (back.state, back.tally["updated"]) == ("done", 1)
    after = await home.item()
    assert (after.id, after.content) == (before.id, before.content)
    assert after.version == before.version + 2
    (event,) = home.world.events(home.calendars[mine])
    home.world.change_event(home.calendars[mine], event["event_uid"], summary="Renamed")
    await home.changed(mine)
    assert await _titles(home) == ["Renamed"]


async def test_r50_a_change_that_a_run_brought_is_taken_back_here_alone(home: OnePerson) -> None:
    """The event is its owner's and stays as it is; no read takes it over once more."""
    mine = await _with_events(home, {})
    await home.run_to_end(mine, retrieve=WEEK)
    (event,) = home.world.events(home.calendars[mine])
    home.world.change_event(home.calendars[mine], event["event_uid"], summary="New")
    await home.world.advance(5)
    run = await home.run_to_end(mine, retrieve=WEEK)
    assert await _titles(home) == ["New"]

    undo = await _undone(home, mine, run.id)

    assert (undo.tally["updated"], await _titles(home)) == (1, ["Old"])
    await home.changed(mine)
    await home.reader.read_all(mine)
    assert (await _titles(home), await _there(home, mine)) == (["Old"], ["New"])
    home.world.change_event(home.calendars[mine], event["event_uid"], summary="Newer")
    await home.changed(mine)
    assert await _titles(home) == ["Newer"]


@pytest.mark.parametrize("hides", [True, False], ids=["becomes private", "becomes public"])
async def test_r8_what_became_private_or_public_stays_as_its_owner_has_it(
    home: OnePerson, hides: bool
) -> None:
    """Neither come texts of a private event back, nor a mask that an edit could write over a public one."""
    mine = await _with_events(home, {"event_private": not hides})
    await home.run_to_end(mine, retrieve=WEEK)
    (event,) = home.world.events(home.calendars[mine])
    if hides:
        home.world.change_event(home.calendars[mine], event["event_uid"], summary="Older")
        await home.world.advance(5)
    home.world.change_event(home.calendars[mine], event["event_uid"], event_private=hides)
    await home.world.advance(5)
    run = await home.run_to_end(mine, retrieve=WEEK)
    before = await home.item()
    assert before.read_only_reason == ("private" if hides else None)
    async with home.store.read() as connection:
        kept = await connection.scalar(
            select(run_changes_table.c.before).where(run_changes_table.c.run_id == run.id)
        )
    assert not (hides and kept)

    undo = await _undone(home, mine, run.id)

    assert (undo.tally["updated"], undo.tally["skipped"]) == (0, 1)
    assert await home.item() == before


async def test_r8_texts_that_a_run_recorded_go_when_it_reads_that_they_are_private(home: OnePerson) -> None:
    mine = await _with_events(home, {})
    run = await home.run_to_end(mine, retrieve=WEEK)
    item = await home.item()
    known = RunChange(
        side=ChangedSide.ITEM, kind=ChangeKind.UPDATED, item_ref=item.ref, revision=2, content=item.content
    )
    async with home.store.begin() as connection:
        at = await home.store.moment(connection)
        for change in (known, replace(known, revision=3), replace(known, content=None, revision=4)):
            await run_changes.record(connection, "another", mine, [change], at=at)
        (kept,) = await run_changes.page(connection, "another", after=None, limit=2)
    assert (kept.content, kept.revision, run.state) == (None, 4, "done")


async def test_r50_what_was_only_linked_is_no_longer_linked(home: OnePerson) -> None:
    mine = await _with_events(home, {"summary": "Same"})
    await home.own_item("Same", kind="appointment", start=NINE, end=TEN)
    run = await home.run_to_end(mine, retrieve=WEEK)
    assert len(await home.links()) == 1

    undo = await _undone(home, mine, run.id)

    assert (undo.state, undo.tally["updated"], await home.links()) == ("done", 1, [])
    await home.reader.read_all(mine)
    assert (await _titles(home), await _there(home, mine)) == (["Same"], ["Same"])
    back = await _undone(home, mine, undo.id)
    assert (back.tally["updated"], len(await home.links())) == (1, 1)


async def test_r50_what_is_remembered_of_a_run_goes_in_time(home: OnePerson) -> None:
    mine = await _with_events(home, {})
    await home.run_to_end(mine, retrieve=WEEK)
    async with home.store.begin() as connection:
        now = await home.store.moment(connection)
        assert await run_changes.forget(connection, before=now.replace(year=2000), limit=10) == 0
        assert await connection.scalar(select(run_changes_table.c.kind)) == "created"
        assert await run_changes.forget(connection, before=now.replace(year=2100), limit=10) == 1
        assert await connection.scalar(select(run_changes_table.c.kind)) is None
