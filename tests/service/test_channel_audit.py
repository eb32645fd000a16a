"""The hourly look at Cronofy's channels (R22)."""

from functools import partial

from service.integrations.channels import ChannelAudit
from service.keeper import lost_channels
from service.store.integrations.integrations import change
from service.store.tables import integrations
from tests.support.office import EMAIL, Office, form


def an_audit(office: Office) -> ChannelAudit:
    return office.parts.audit


async def channel_of(office: Office, integration_id: str) -> str | None:
    rows = {row["id"]: row for row in await office.rows(integrations)}
    channel_id: str | None = rows[integration_id]["channel_id"]
    return channel_id


async def test_a_channel_that_cronofy_has_stays(office: Office) -> None:
    """Nothing is made anew without need."""
    integration_id = await office.finished()
    before = await channel_of(office, integration_id)
    office.wire.asked.clear()

    await lost_channels(an_audit(office), office.accounts.ensure_channels).work()

    assert await channel_of(office, integration_id) == before
    assert office.wire.asked == ["GET /v1/channels"]


async def test_a_channel_that_is_gone_is_made_anew(office: Office) -> None:
    """Without it no change in the calendar would be noticed until the daily read."""
    integration_id = await office.finished()
    before = await channel_of(office, integration_id)
    async with office.store.read() as connection:
        sub = (await connection.execute(integrations.select())).mappings().one()["sub"]
    assert before is not None
    await office.gateway.close_channel(sub, before)

    await lost_channels(an_audit(office), office.accounts.ensure_channels).work()

    after = await channel_of(office, integration_id)
    assert after is not None
    assert [channel.channel_id for channel in await office.gateway.channels(sub)] == [after]


async def test_a_channel_of_another_calendar_does_not_count(office: Office) -> None:
    """Relinking an account gives its calendars new ids."""
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        await change(connection, integration_id, calendar_id="cal_after_relinking")

    assert await an_audit(office)() == 1
    assert await channel_of(office, integration_id) is None


async def test_an_account_that_cannot_be_asked_changes_nothing(office: Office) -> None:
    """R23: the next round asks again."""
    integration_id = await office.finished()
    before = await channel_of(office, integration_id)
    office.wire.broken.add("GET /v1/channels")

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
