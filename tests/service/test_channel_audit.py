"""The look at Cronofy's channels, where none of them has told anything for a day (R22)."""

from functools import partial

from structlog.testing import capture_logs

from service.integrations.channels import ChannelAudit
from service.keeper import lost_channels
from service.store.engine.ids import new_id
from service.store.integrations import reads
from service.store.integrations.channels import take_silent
from service.store.integrations.integrations import change
from service.store.tables import integration_state, integrations
from tests.support.office import EMAIL, Office, form

DAY = 86_400.0


def an_audit(office: Office) -> ChannelAudit:
    return office.parts.audit


def _asked(office: Office) -> list[str]:
    return [one for one in office.wire.asked if one != "POST /oauth/token"]


async def channel_of(office: Office, integration_id: str) -> str | None:
    rows = {row["id"]: row for row in await office.rows(integrations)}
    channel_id: str | None = rows[integration_id]["channel_id"]
    return channel_id


async def test_a_channel_that_cronofy_has_stays(office: Office) -> None:
    """Nothing is made anew without need."""
    integration_id = await office.finished()
    before = await channel_of(office, integration_id)
    office.wire.asked.clear()
    await office.clock.pass_time(DAY + 1)

    await lost_channels(an_audit(office), office.accounts.ensure_channels).work()

    assert await channel_of(office, integration_id) == before
    assert _asked(office) == ["GET /v1/channels"]


async def test_r44_whatever_hinders_the_look_at_one_account_the_others_are_looked_at(office: Office) -> None:
    """All were noted as asked before, and would wait for two days."""
    office.world.add_mailbox(email="other@example.com", provider="google")
    ids = [await office.finished(), await office.connect("u-22", email="other@example.com")]
    await office.finish(ids[1], "u-22")

    def address(integration_id: str) -> str:
        raise ValueError(integration_id)

    await office.clock.pass_time(DAY + 1)
    audit = ChannelAudit(
        store=office.store, gateway=office.gateway, looker=office.parts.looker, callback_address=address
    )
    with capture_logs() as lines:
        assert await audit() == 0
    missing = [line["integration_id"] for line in lines if line["event"] == "channel.missing"]
    assert sorted(missing) == sorted(ids)


async def test_a_channel_that_is_gone_is_made_anew(office: Office) -> None:
    """Without it no change in the calendar would be noticed until the daily read."""
    integration_id = await office.finished()
    before = await channel_of(office, integration_id)
    async with office.store.read() as connection:
        sub = (await connection.execute(integrations.select())).mappings().one()["sub"]
    assert before is not None
    await office.gateway.close_channel(sub, before)
    await office.clock.pass_time(DAY + 1)

    await lost_channels(an_audit(office), office.accounts.ensure_channels).work()

    after = await channel_of(office, integration_id)
    assert after is not None
    assert [channel.channel_id for channel in await office.gateway.channels(sub)] == [after]


async def test_a_channel_of_another_calendar_does_not_count(office: Office) -> None:
    """Relinking an account gives its calendars new ids."""
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        await change(connection, integration_id, calendar_id="cal_after_relinking")
    await office.clock.pass_time(DAY + 1)

    assert await an_audit(office)() == 1
    assert await channel_of(office, integration_id) is None


async def test_an_account_that_cannot_be_asked_changes_nothing(office: Office) -> None:
    """R23: the next round asks again."""
    integration_id = await office.finished()
    before = await channel_of(office, integration_id)
    office.wire.broken.add("GET /v1/channels")
    await office.clock.pass_time(DAY + 1)

    assert await an_audit(office)() == 0
    assert await channel_of(office, integration_id) == before


async def lost(office: Office, integration_id: str) -> None:
    """The channel is known no longer, here nor there."""
    (profile,) = office.world.profiles(EMAIL)
    channel_id = await channel_of(office, integration_id)
    async with office.store.begin() as connection:
        await change(connection, integration_id, channel_id=None)
    await office.gateway.close_channel(profile.account.account_id, str(channel_id))


async def test_a_channel_that_another_process_made_meanwhile_is_the_only_one(office: Office) -> None:
    """Two channels would tell of everything twice, and nobody would ever close the second."""
    integration_id = await office.finished()
    (profile,) = office.world.profiles(EMAIL)
    await lost(office, integration_id)
    office.wire.meanwhile["POST /v1/channels"] = partial(office.accounts.ensure_channel, integration_id)

    await office.accounts.ensure_channel(integration_id)

    assert list(profile.account.channels) == [await channel_of(office, integration_id)]


async def test_a_channel_for_a_calendar_that_was_given_up_meanwhile_is_closed(office: Office) -> None:
    """Kept, it would stand in the way of the one that tells of the calendar that is linked now."""
    integration_id = await office.finished()
    (profile,) = office.world.profiles(EMAIL)
    await lost(office, integration_id)
    second = (await office.calendars(integration_id))["Second"]
    office.wire.meanwhile["POST /v1/channels"] = partial(office.put, integration_id, form(second))

    await office.accounts.ensure_channel(integration_id)

    (kept,) = profile.account.channels.values()
    assert kept.filters["calendar_ids"] == [second]
    assert list(profile.account.channels) == [await channel_of(office, integration_id)]


async def test_a_channel_for_an_integration_that_was_deleted_meanwhile_is_closed(office: Office) -> None:
    """R21: the farewell may have passed by then."""
    integration_id = await office.finished()
    (profile,) = office.world.profiles(EMAIL)
    await lost(office, integration_id)
    delete = partial(office.client.delete, headers=office.bearer())
    office.wire.meanwhile["POST /v1/channels"] = partial(delete, f"/api/v1/integrations/{integration_id}")

    await office.accounts.ensure_channel(integration_id)

    assert profile.account.channels == {}
    assert await channel_of(office, integration_id) is None


async def test_only_an_account_that_was_silent_for_a_day_is_asked_and_once_in_two(office: Office) -> None:
    """A channel through which a notice came proves itself."""
    silent, told = await office.finished(), await office.finished("u-22")
    (profile,) = office.world.profiles(EMAIL)
    async with office.store.begin() as connection:
        await change(connection, told, sub="acc_other")
    office.wire.asked.clear()
    await office.clock.pass_time(DAY - 1)
    assert await an_audit(office)() == 0
    async with office.store.begin() as connection:
        now = await office.store.now(connection)
        await reads.hear(connection, told, now=now)
    assert office.wire.asked == []

    for hours in (1, 24, 23, 2):
        await office.clock.pass_time(hours * 3600)
        async with office.store.begin() as connection:
            await reads.hear(connection, told, now=await office.store.now(connection))
        await an_audit(office)()

    assert _asked(office) == ["GET /v1/channels"] * 2
    assert await channel_of(office, silent) in profile.account.channels


async def test_many_accounts_are_asked_some_a_minute(office: Office) -> None:
    """Those first that were asked longest ago."""
    await office.finished()
    (row,) = await office.rows(integrations)
    async with office.store.begin() as connection:
        for at in range(1, 8):
            copy = {**row, "id": new_id(), "sub": f"acc_{at}", "calendar_name": f"Calendar {at}"}
            await connection.execute(integrations.insert().values(copy))
            await connection.execute(integration_state.insert().values(integration_id=copy["id"]))
    await office.clock.pass_time(DAY + 1)

    async with office.store.begin() as connection:
        moments = {"heard_before": 1e12, "audited_before": 1e12, "now": await office.store.now(connection)}
        first = await take_silent(connection, **moments, limit=5)
        rest = await take_silent(connection, **moments, limit=3)

    assert len({one.integration.sub for one in (*first, *rest)}) == 8
