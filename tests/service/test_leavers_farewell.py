"""What the record of a leaver says of the authorisation: what Cronofy said, and nothing else (R54)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import delete

from service.integrations.leavers.leaving import Leaving
from service.integrations.leavers.records import LeaverRecords
from service.integrations.leavers.signing import RecordSigner, verified
from service.store.tables import credentials, leaver_records
from tests.support.processes import SECRETS
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

SIGNER = RecordSigner([SECRETS["ENCRYPTION_KEYS"]])
VERA = "administrator vera"


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def signed(ann: TwoPeopleWithRuns) -> dict[str, Any]:
    """What the record says, once it is signed."""
    records = LeaverRecords(ann.home.store, SIGNER)
    assert await records.round() == 1
    (record,) = (await records.listed("acme", limit=5)).rows
    return verified(json.dumps(record.document), SIGNER.public_keys)


@pytest.mark.parametrize(("status", "told"), [(503, "unanswered"), (403, "refused")])
async def test_r54_the_record_does_not_say_ended_where_cronofy_did_not(
    ann: TwoPeopleWithRuns, status: int, told: str
) -> None:
    """After an hour without an answer the tokens go; what Cronofy refuses may still be open to us."""
    sub = (await ann.row())["sub"]
    ann.people.world.faults.change(error_ratio=1.0, error_status=status)
    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.people.settle()
    await ann.people.pass_time(3700)
    await ann.rest()

    (part,) = (await signed(ann))["integrations"]
    assert part["authorisation"] == told
    assert await ann.rows(credentials, credentials.c.sub == sub) == []


async def test_r54_without_a_token_nobody_knows_whether_the_authorisation_has_ended(
    ann: TwoPeopleWithRuns,
) -> None:
    """Nothing was asked of Cronofy."""
    async with ann.home.store.begin() as connection:
        await connection.execute(delete(credentials))
    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.people.settle()
    await ann.people.pass_time(3700)
    await ann.rest()

    (part,) = (await signed(ann))["integrations"]
    assert part["authorisation"] == "unknown"


@pytest.mark.parametrize(("status", "told"), [(None, "ended"), (403, "refused")])
async def test_r54_of_two_calendars_of_an_account_both_say_what_the_last_one_heard(
    ann: TwoPeopleWithRuns, status: int | None, told: str
) -> None:
    """The first one that went left the account to the other."""
    await ann.home.integration("ann@example.com", calendar_name="Second")
    if status is not None:
        ann.people.world.faults.change(error_ratio=1.0, error_status=status)
    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.rest()

    assert [one["authorisation"] for one in (await signed(ann))["integrations"]] == [told, told]


async def test_r54_a_signed_record_keeps_no_account(ann: TwoPeopleWithRuns) -> None:
    """Cronofy's name for the person served to make it, and is no part of it."""
    sub = (await ann.row())["sub"]
    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.rest()
    await signed(ann)

    (record,) = await ann.rows(leaver_records)
    assert sub not in json.dumps(dict(record), default=str)
    assert [one["integration_id"] for one in record["parts"]] == [ann.mine]
