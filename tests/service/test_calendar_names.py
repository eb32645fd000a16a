"""A calendar is told by its id, and shown under the name that it has by now (R1, R22)."""

import pytest

from service.demo.simulator.model import ProviderCalendar
from service.store.tables import integrations, links
from tests.support.office import EMAIL, Office, form

OTHER = "eve@contoso.example"


def _calendar(office: Office, name: str) -> ProviderCalendar:
    calendars = office.world.mailbox(EMAIL).calendars.values()
    return next(one for one in calendars if one.name == name)


def _unshare(office: Office, name: str) -> None:
    """The calendar is no longer among hers, and no trace of it is listed."""
    calendar = _calendar(office, name)
    del office.world.mailbox(EMAIL).calendars[calendar.key]
    for binding in list(calendar.bindings):
        calendar.bindings.remove(binding)
        binding.profile.bindings.remove(binding)
        del binding.profile.account.bindings[binding.calendar_id]


async def _looked(office: Office, integration_id: str) -> str:
    await office.clock.pass_time(61)
    return await office.accounts.look(integration_id)


async def _row(office: Office, integration_id: str) -> dict[str, object]:
    return next(row for row in await office.rows(integrations) if row["id"] == integration_id)


async def test_r22_a_calendar_that_is_unshared_is_missing_whatever_else_has_its_name(office: Office) -> None:
    """Its copies are not written into somebody else's calendar."""
    integration_id = await office.finished(calendar="Second")
    before = (await office.calendars(integration_id))["Second"]
    await office.add_link(integration_id, before, "agreed")
    _unshare(office, "Second")
    office.world.add_mailbox(email=OTHER, calendars=("Second",))
    (theirs,) = office.world.mailbox(OTHER).calendars.values()
    office.world.share_calendar(theirs.key, EMAIL)

    assert await _looked(office, integration_id) == "not_connected"

    row = await _row(office, integration_id)
    assert (row["calendar_id"], row["reason"]) == (before, "calendar_missing")
    assert [link["calendar_id"] for link in await office.rows(links)] == [before]


@pytest.mark.parametrize("anew", [False, True])
async def test_r22_reconnecting_does_not_make_it_another_calendar(office: Office, *, anew: bool) -> None:
    """As long as other calendars of the account have their old ids, none was made anew.

    Where all ids were, the calendar of the name is the one.
    """
    integration_id = await office.finished(calendar="Second")
    before = (await office.calendars(integration_id))["Second"]
    office.world.disconnect(EMAIL)
    await _looked(office, integration_id)
    if anew:
        office.world.faults.change(new_calendar_ids=True)
    else:
        _unshare(office, "Second")
        office.world.add_calendar(EMAIL, "Second")

    assert await office.connect() == integration_id

    row = await _row(office, integration_id)
    assert (row["reason"] is None, row["calendar_id"] != before) == (anew, anew)
    if not anew:
        assert row["reason"] == "calendar_missing"


async def test_r22_a_calendar_that_was_missing_is_not_found_by_its_name_after_a_reconnection(
    office: Office,
) -> None:
    """It was missing before the account was lost, and is so afterwards."""
    integration_id = await office.finished(calendar="Second")
    _unshare(office, "Second")
    assert await _looked(office, integration_id) == "not_connected"
    office.world.add_calendar(EMAIL, "Second")

    assert await office.connect() == integration_id

    assert (await _row(office, integration_id))["reason"] == "calendar_missing"


async def test_r1_a_renamed_calendar_is_shown_so_and_its_old_name_is_free(office: Office) -> None:
    """Another calendar that bears it by now can be linked."""
    integration_id = await office.finished(calendar="Second")
    _calendar(office, "Second").name = "Holidays 2026"
    office.world.add_calendar(EMAIL, "Second")

    other = await office.connect()
    calendars = await office.calendars(other)
    answer = await office.put(other, form(calendars["Second"]))

    assert answer.status_code == 200, answer.text
    assert (await _row(office, integration_id))["calendar_name"] == "Holidays 2026"
    told = (await office.get("/api/v1/integrations")).json()["items"]
    assert [one["calendar_name"] for one in told] == ["Holidays 2026", "Second"]
    again = await office.put(await office.connect(), form(calendars["Holidays 2026"]))
    assert (again.status_code, again.json()["code"]) == (409, "already_linked")


async def test_r1_two_calendars_may_change_names_with_each_other(office: Office) -> None:
    """Both are shown under their own."""
    first = await office.finished(calendar="Calendar")
    second = await office.finished(calendar="Second")
    one, two = _calendar(office, "Calendar"), _calendar(office, "Second")
    one.name, two.name = two.name, one.name

    assert await _looked(office, first) == "fine"

    assert (await _row(office, first))["calendar_name"] == "Second"
    assert (await _row(office, second))["calendar_name"] == "Calendar"


async def test_r1_a_name_that_a_missing_calendar_has_stays_its_own(office: Office) -> None:
    """Whoever owns it decides about it first."""
    first = await office.finished(calendar="Calendar")
    second = await office.finished(calendar="Second")
    _unshare(office, "Second")
    await _looked(office, second)
    _calendar(office, "Calendar").name = "Second"

    assert await _looked(office, first) == "fine"

    assert (await _row(office, first))["calendar_name"] == "Calendar"
    assert (await _row(office, second))["calendar_name"] == "Second"


async def test_r1_a_renamed_account_is_shown_so(office: Office) -> None:
    """And reconnecting finds its integrations by the new name."""
    integration_id = await office.finished()
    office.world.mailbox(EMAIL).email = "samuel@contoso.example"

    assert await _looked(office, integration_id) == "fine"

    told = (await office.get(f"/api/v1/integrations/{integration_id}")).json()
    assert told["account_name"] == "samuel@contoso.example"
    row = await _row(office, integration_id)
    assert row["profile_name"] == "samuel@contoso.example"
