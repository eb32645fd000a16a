"""Another grant takes the place of an integration's old one (R21, R22, issue 4)."""

from service.demo.simulator.model import MailboxProfile
from service.store.tables import credentials, integrations, links
from tests.support.office import EMAIL, Office


async def _lost(office: Office) -> MailboxProfile:
    """The old profile of an account that is not connected, and of which Cronofy will make another."""
    (old,) = office.world.profiles(EMAIL)
    office.world.disconnect(EMAIL)
    await office.clock.pass_time(61)
    for row in await office.rows(integrations):
        await office.accounts.look(row["id"])
    office.world.mailboxes["before"] = office.world.mailboxes.pop(EMAIL)
    office.world.linked.pop(("sync", EMAIL))
    office.world.add_mailbox(email=EMAIL, calendars=("Calendar", "Second"))
    return old


async def test_r21_another_grant_closes_the_old_channel_and_revokes_the_old_profile(office: Office) -> None:
    """Its tokens are erased; the new grant has a channel of its own."""
    integration_id = await office.finished()
    old = await _lost(office)
    assert len(old.account.channels) == 1

    assert await office.connect() == integration_id

    assert (old.account.channels, old.account.profiles) == ({}, [])
    (new,) = office.world.profiles(EMAIL)
    assert new.account is not old.account
    (row,) = await office.rows(integrations)
    assert (row["sub"], row["profile_id"]) == (new.account.account_id, new.profile_id)
    assert [one["sub"] for one in await office.rows(credentials)] == [row["sub"]]


async def test_r21_an_old_profile_that_another_integration_uses_is_not_revoked(office: Office) -> None:
    """A colleague's, say, who linked the same mailbox."""
    integration_id = await office.finished()
    theirs = await office.finished("u-22", calendar="Calendar")
    old = await _lost(office)

    assert await office.connect() == integration_id

    assert old.account.profiles == [old]
    rows = {row["id"]: row for row in await office.rows(integrations)}
    assert rows[theirs]["sub"] == old.account.account_id
    assert rows[theirs]["channel_id"] in old.account.channels
    assert rows[integration_id]["channel_id"] not in old.account.channels
    assert sorted(one["sub"] for one in await office.rows(credentials)) == sorted(
        row["sub"] for row in rows.values()
    )


async def test_r22_reconnecting_goes_on_where_the_old_grant_cannot_be_taken_leave_of(office: Office) -> None:
    """A dead grant cannot be used for farewells, and need not be."""
    integration_id = await office.finished()
    old = await _lost(office)
    office.world.revoke(old.profile_id)
    office.wire.broken.add(f"POST /v1/profiles/{old.profile_id}/revoke")

    assert await office.connect() == integration_id

    assert len(await office.rows(credentials)) == 1


async def test_r22_the_same_grant_again_keeps_one_channel(office: Office) -> None:
    """Nothing of it is revoked."""
    integration_id = await office.finished()
    office.world.disconnect(EMAIL)
    await office.clock.pass_time(61)
    await office.accounts.look(integration_id)

    assert await office.connect() == integration_id

    (profile,) = office.world.profiles(EMAIL)
    (row,) = await office.rows(integrations)
    assert list(profile.account.channels) == [row["channel_id"]]


async def test_r1_a_calendar_that_comes_back_under_another_id_is_the_same_calendar(office: Office) -> None:
    """By its name: its pairs go on, and nobody has to choose it again."""
    integration_id = await office.finished()
    before = (await office.calendars(integration_id))["Calendar"]
    await office.add_link(integration_id, before, "agreed")
    office.world.disconnect(EMAIL)
    await office.clock.pass_time(61)
    await office.accounts.look(integration_id)
    office.world.faults.change(new_calendar_ids=True)

    assert await office.connect() == integration_id

    after = (await office.calendars(integration_id))["Calendar"]
    (row,) = await office.rows(integrations)
    (profile,) = office.world.profiles(EMAIL)
    assert after != before
    assert (row["calendar_id"], row["status"], row["reason"]) == (after, "connected", None)
    assert [link["calendar_id"] for link in await office.rows(links)] == [after]
    assert [one.filters["calendar_ids"] for one in profile.account.channels.values()] == [[after]]
    assert await office.unfinished("catch_up") == ["waiting"]


async def test_r22_a_calendar_that_was_deleted_is_not_mistaken_for_one_of_its_name(office: Office) -> None:
    """Cronofy lists the deleted one: the person is asked to choose another."""
    integration_id = await office.finished()
    before = (await office.calendars(integration_id))["Calendar"]
    office.world.set_missing(before)
    office.world.add_calendar(EMAIL, "Calendar")
    await office.clock.pass_time(61)

    assert await office.accounts.look(integration_id) == "not_connected"

    (row,) = await office.rows(integrations)
    assert (row["calendar_id"], row["reason"]) == (before, "calendar_missing")
