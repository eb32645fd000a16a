"""Looking at an account: what makes an integration Not Connected, and what brings it back (R22, R23)."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from contracts.errors import Transient
from service.keeper import lost_calendars
from service.store.integrations.integrations import change
from service.store.tables import integrations, links
from tests.support.office import ALL_TYPES, EMAIL, Office, open_office

Act = Callable[[Office, str], None]


@pytest.fixture(params=["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    """Both engines."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def office(url: str) -> AsyncIterator[Office]:
    async with open_office(url) as opened:
        yield opened


async def standing(office: Office) -> tuple[str, str | None]:
    (row,) = await office.rows(integrations)
    return row["status"], row["reason"]


def disconnect(office: Office, _: str) -> None:
    office.world.disconnect(EMAIL)


def revoke(office: Office, _: str) -> None:
    office.world.revoke(EMAIL)


def remove_calendar(office: Office, calendar_id: str) -> None:
    office.world.set_missing(calendar_id)


def lock_calendar(office: Office, calendar_id: str) -> None:
    office.world.set_read_only(calendar_id)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (disconnect, "permission_withdrawn"),
        (revoke, "permission_withdrawn"),
        (remove_calendar, "calendar_missing"),
        (lock_calendar, "calendar_read_only"),
    ],
)
async def test_a_definite_answer_makes_it_not_connected(act: Act, reason: str, office: Office) -> None:
    """R22: with a reason of the closed set, told once as a fact."""
    integration_id = await office.finished()
    (row,) = await office.rows(integrations)
    act(office, row["calendar_id"])
    for _ in range(2):
        await office.clock.pass_time(60)
        assert await office.accounts.look(integration_id) == "not_connected"
    assert await standing(office) == ("not_connected", reason)
    assert (await office.facts())[2:] == [("not_connected", reason)]


@pytest.mark.parametrize("act", [disconnect, revoke, remove_calendar, lock_calendar])
async def test_r22_what_finish_saw_is_not_believed_after_a_refusal(act: Act, office: Office) -> None:
    """The calendar may have gone a second later."""
    integration_id = await office.finished()
    (row,) = await office.rows(integrations)
    act(office, row["calendar_id"])

    assert await office.accounts.look(integration_id) == "not_connected"


async def test_a_read_only_calendar_serves_who_sends_nothing(office: Office) -> None:
    integration_id = await office.finished(item_types=dict.fromkeys(ALL_TYPES, False))
    (row,) = await office.rows(integrations)
    lock_calendar(office, row["calendar_id"])
    await office.clock.pass_time(60)
    assert await office.accounts.look(integration_id) == "fine"


@pytest.mark.parametrize("broken", ["GET /v1/userinfo", "GET /v1/calendars"])
async def test_no_answer_changes_nothing_and_the_next_one_looks_again(broken: str, office: Office) -> None:
    """R23: time-outs and server errors never make it Not Connected."""
    integration_id = await office.finished()
    await office.clock.pass_time(60)
    office.wire.broken.add(broken)
    with pytest.raises(Transient):
        await office.accounts.look(integration_id)
    assert await standing(office) == ("connected", None)
    office.wire.broken.clear()
    office.world.disconnect(EMAIL)
    assert await office.accounts.look(integration_id) == "not_connected"


async def test_it_is_looked_at_once_a_minute(office: Office) -> None:
    """Many refused writes ask Cronofy once."""
    integration_id = await office.finished()
    await office.clock.pass_time(60)
    before = office.wire.asked.count("GET /v1/userinfo")
    answers = await asyncio.gather(*(office.accounts.look(integration_id) for _ in range(5)))
    assert set(answers) == {"fine"}
    assert office.wire.asked.count("GET /v1/userinfo") == before + 1


async def test_a_connection_that_works_again_catches_up(office: Office) -> None:
    """R22: one comparison decides on what was held, and the fact is told."""
    integration_id = await office.finished()
    (row,) = await office.rows(integrations)
    office.world.disconnect(EMAIL)
    await office.clock.pass_time(60)
    assert await office.accounts.look(integration_id) == "not_connected"
    await office.add_link(integration_id, row["calendar_id"], "held", code="not_connected")
    office.world.reconnect(EMAIL)
    await office.clock.pass_time(60)
    assert await office.accounts.look(integration_id) == "fine"
    assert await standing(office) == ("connected", None)
    assert [link["state"] for link in await office.rows(links)] == ["held"]
    assert await office.unfinished("catch_up") == ["waiting"]
    assert (await office.facts())[2:] == [("not_connected", "permission_withdrawn"), ("connected", None)]


async def test_r10_a_permission_that_is_granted_or_withdrawn_later_is_seen(office: Office) -> None:
    """Missing, it keeps nothing else from crossing: the integration stays connected (R22's closed set)."""
    integration_id = await office.finished()
    (row,) = await office.rows(integrations)
    for level in ("unrestricted", "sandbox"):
        office.world.set_permission(row["calendar_id"], level)
        await office.clock.pass_time(61)
        assert await office.accounts.look(integration_id) == "fine"
        (seen,) = await office.rows(integrations)
        assert (seen["permission_level"], seen["status"]) == (level, "connected")


async def test_an_unfinished_or_unknown_integration_is_not_looked_at(office: Office) -> None:
    integration_id = await office.connect()
    asked = len(office.wire.asked)
    assert await office.accounts.look(integration_id) == "fine"
    assert await office.accounts.look("0192e4c1-7a00-7000-8000-0000000000aa") == "not_connected"
    assert len(office.wire.asked) == asked


def gets(office: Office) -> list[str]:
    """What Cronofy was asked, without the renewal of tokens."""
    return [asked for asked in office.wire.asked if asked.startswith("GET ")]


@pytest.mark.parametrize(
    ("act", "reason"), [(remove_calendar, "calendar_missing"), (lock_calendar, "calendar_read_only")]
)
async def test_r22_a_calendar_that_serves_again_is_noticed_within_the_hour(
    act: Act, reason: str, office: Office
) -> None:
    """Nobody has to press a button: it is connected again, and catches up once."""
    integration_id = await office.finished()
    (row,) = await office.rows(integrations)
    chore = lost_calendars(office.store, office.accounts.look)
    act(office, row["calendar_id"])
    await office.clock.pass_time(61)
    assert await office.accounts.look(integration_id) == "not_connected"
    office.world.set_missing(row["calendar_id"], missing=False)
    office.world.set_read_only(row["calendar_id"], read_only=False)
    office.wire.asked.clear()

    await chore.work()
    assert (gets(office), await standing(office)) == ([], ("not_connected", reason))
    await office.clock.pass_time(3601)
    await chore.work()
    await chore.work()

    assert gets(office) == ["GET /v1/userinfo", "GET /v1/calendars"]
    assert await standing(office) == ("connected", None)
    assert await office.unfinished("catch_up") == ["waiting"]


async def test_r44_whatever_hinders_the_look_at_one_calendar_the_others_are_looked_at(office: Office) -> None:
    """Each was noted as looked at before, and would wait for another hour."""
    ids = [await office.finished(), await office.finished("u-22")]
    async with office.store.begin() as connection:
        for one in ids:
            await change(connection, one, status="not_connected", reason="calendar_missing")
    looked: list[str] = []

    async def look(integration_id: str) -> None:
        looked.append(integration_id)
        raise ValueError(integration_id)

    await office.clock.pass_time(3601)
    await lost_calendars(office.store, look).work()

    assert sorted(looked) == sorted(ids)


async def test_r22_only_a_calendar_that_may_come_back_by_itself_is_looked_for(office: Office) -> None:
    """A withdrawn permission needs its owner; one account that does not answer keeps no other waiting."""
    ids = [await office.finished(), await office.finished("u-22"), await office.finished("u-33")]
    reasons = (None, "permission_withdrawn", "calendar_read_only")
    async with office.store.begin() as connection:
        for one, why in zip(ids, reasons, strict=True):
            status = "not_connected" if why else "connected"
            refused = why == "permission_withdrawn"
            await change(connection, one, status=status, reason=why, grant_refused=refused)
    office.wire.broken.add("GET /v1/userinfo")
    office.wire.asked.clear()
    await office.clock.pass_time(3601)

    for _ in range(2):
        await lost_calendars(office.store, office.accounts.look).work()

    assert gets(office) == ["GET /v1/userinfo"]
    office.wire.broken.clear()
    assert await office.accounts.look(ids[-1]) == "fine"
