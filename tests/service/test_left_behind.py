"""What is kept of an integration, table by table: emptied when it goes, or kept for a reason (R21)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, Table, func, select
from sqlalchemy.types import TypeEngine

from service.store.tables import Moment, links, metadata
from tests.support.choosing import choose
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

SOMEBODYS = frozenset({"integration_id", "user_id", "sub", "link_id", "item_ref", "account_name"})
"""Columns by which a table belongs to an integration, its account, one of its pairs or a person."""
EMPTIED = ("absences", "deletions", "disagreements", "held_imports", "prior_events", "run_changes", "watched")
"""Of a deleted integration nothing is left in these."""
ERASED = ("questions",)
"""Nor in these once its owner has asked to be forgotten (R41)."""
KEPT = {
    "changes_made": "when a person changed something, for a day",
    "company_calendars": "the tenant's, until its administrator ends it",
    "company_people": "the administrator's list of whom to connect; an erasing blanks the person's",
    "consents": "what is on its way from Cronofy, for minutes",
    "credentials": "goes with the last integration of its account",
    "dead_letters": "wait for an operator; erased with their items, or go LOG_RETENTION_DAYS later",
    "integration_state": "moments and counts",
    "integrations": "by its names a calendar that is linked again is known (R21); an erasing blanks them",
    "item_assignees": "Vorex's: who has which item",
    "leaver_records": "the record of a leaver, which names nobody but by Vorex's id (R54)",
    "links": "tombstones, by which linking again doubles nothing, for ninety days (R21); erased",
    "log_entries": "for LOG_RETENTION_DAYS; an erasing takes their texts",
    "permission_requests": "a state that expires",
    "questions": "dispatchers' history without any text, until LOG_RETENTION_DAYS after it was settled (R52)",
    "revocations": "from when on tokens open nothing, for two days",
    "runs": "counts and moments, for LOG_RETENTION_DAYS",
    "sessions": "a person's, for twelve hours",
    "version_doubts": "what Vorex said of an item, of nobody's calendar",
}


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


def test_r21_every_table_of_an_integration_is_emptied_or_kept_for_a_reason() -> None:
    """A new table of somebody's says here what becomes of it."""
    belonging = {name for name, table in metadata.tables.items() if SOMEBODYS & set(table.columns.keys())}
    assert belonging == {*EMPTIED, *KEPT}
    assert not set(EMPTIED) & set(KEPT)
    assert set(ERASED) <= set(KEPT)


async def test_r21_a_deleted_integration_leaves_nothing_in_what_is_emptied(ann: TwoPeopleWithRuns) -> None:
    """On whichever calendar; of somebody else's nothing goes."""
    await filled(ann, EMPTIED)
    others = await rows_of(ann, EMPTIED, mine=False)
    assert set((await rows_of(ann, EMPTIED)).values()) == {1}

    await ann.delete()
    await ann.rest()

    assert await rows_of(ann, EMPTIED) == dict.fromkeys(EMPTIED, 0)
    assert await rows_of(ann, EMPTIED, mine=False) == others == dict.fromkeys(EMPTIED, 1)


async def test_r1_another_calendar_takes_what_was_asked_of_the_former_one_along(
    ann: TwoPeopleWithRuns,
) -> None:
    """Titles of events that are not brought, and when their owner is away."""
    ann.people.world.add_calendar("ann@example.com", "Second")
    asked = ("absences", "held_imports")
    await filled(ann, asked)
    await choose(ann)
    assert await rows_of(ann, asked) == dict.fromkeys(asked, 0)
    assert await rows_of(ann, asked, mine=False) == dict.fromkeys(asked, 1)


async def test_r41_an_erased_account_leaves_nothing_in_what_is_emptied(ann: TwoPeopleWithRuns) -> None:
    await filled(ann, (*EMPTIED, *ERASED))
    await ann.home.erasure.begin((await ann.row())["sub"])
    while await ann.home.erasure.round():
        pass
    left = await rows_of(ann, (*EMPTIED, *ERASED))
    assert left == dict.fromkeys((*EMPTIED, *ERASED), 0)


async def filled(ann: TwoPeopleWithRuns, names: tuple[str, ...]) -> None:
    """A row of each table, hers and Bob's, on a calendar that was linked before."""
    await ann.say("Visit", assignees=["ann", "bob"])
    await ann.people.rest(reads=False)
    pairs = {link["integration_id"]: link["id"] for link in await ann.rows(links)}
    async with ann.home.store.begin() as connection:
        for number, (whose, pair) in enumerate(pairs.items()):
            known = {"integration_id": whose, "calendar_id": "former", "link_id": pair}
            for name in names:
                table = metadata.tables[name]
                await connection.execute(table.insert().values(a_row(table, known, number)))


def a_row(table: Table, given: dict[str, Any], number: int) -> dict[str, Any]:
    known = {name: value for name, value in given.items() if name in table.columns}
    needed = (each for each in table.columns if not each.nullable and each.server_default is None)
    return {each.name: any_value(each.type, number) for each in needed} | known


def any_value(kind: TypeEngine[Any], number: int) -> Any:
    if isinstance(kind, Moment):
        return datetime(2030, 12, 3, 9, tzinfo=UTC)
    if isinstance(kind, JSON):
        return []
    return {str: f"any-{number}", int: 1, float: 1.0, bool: True, bytes: b"any"}[kind.python_type]


async def rows_of(ann: TwoPeopleWithRuns, names: tuple[str, ...], *, mine: bool = True) -> dict[str, int]:
    counts = {}
    async with ann.home.store.read() as connection:
        for name in names:
            table = metadata.tables[name]
            hers = table.c.integration_id == ann.mine
            counted = select(func.count()).select_from(table).where(hers if mine else ~hers)
            counts[name] = await connection.scalar(counted) or 0
    return counts
