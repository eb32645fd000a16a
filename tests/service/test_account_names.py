"""Whose account a deleted integration used is forgotten in the end (R21)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from service.keeper import old_account_names, old_tombstones
from service.store.tables import integrations
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def test_r21_no_account_is_named_beyond_its_tombstones(ann: TwoPeopleWithRuns) -> None:
    """Neither it nor its calendar; of who still has one linked all stays."""
    await ann.say("Visit")
    await ann.rest()
    await ann.home.integration("bob@example.com", calendar_name="Bobs")
    whole = await ann.row()
    await ann.delete()
    await ann.rest()
    forgetting = old_account_names(ann.home.store)
    await ann.people.clock.pass_time(timedelta(days=89).total_seconds())
    await forgetting.work()
    assert (await ann.row())["profile_name"] == whole["profile_name"]

    await ann.people.clock.pass_time(timedelta(days=2).total_seconds())
    await forgetting.work()
    assert (await ann.row())["profile_name"] == whole["profile_name"], "its tombstones are still there"
    await old_tombstones(ann.home.store).work()
    await forgetting.work()
    named = {name for name, value in (await ann.row()).items() if "ann@example.com" in str(value)}
    assert named == set()
    assert whole["sub"] not in [row["sub"] for row in await ann.rows(integrations)]
    assert "bob@example.com" in [row["profile_name"] for row in await ann.rows(integrations)]
