"""What the next clock change will do, on My Calendar and for whoever plans service calls (R49)."""

from datetime import UTC, datetime

import pytest

from service.integrations.ownership import Person
from service.integrations.telling.clock_forecast import KEPT_SECONDS, ClockForecast
from tests.support.clock_meetings import MET, SECRET, interview, linked_in_berlin, visit
from tests.support.office import Office
from tests.support.pages import Browser

PAGE, PLANNERS_PAGE = "/my-calendar/clock-changes", "/administration/clock-changes"


@pytest.fixture
async def mine(office: Office) -> str:
    return await linked_in_berlin(office)


@pytest.fixture
async def browser(mine: str, office: Office) -> Browser:
    await office.sign_in(tz="Europe/Berlin", locale="en-GB")
    return Browser(client=office.client)


@pytest.mark.parametrize("page", ["/my-calendar", "/my-calendar?view=agenda", "/my-calendar?view=week"])
async def test_clock_change_is_a_banner_on_my_calendar_that_leads_to_the_list(
    page: str, mine: str, browser: Browser, office: Office
) -> None:
    before = "The clocks change on" in (await browser.open(page)).words
    await interview(office, mine)
    moved = await browser.open(page)
    await visit(office, MET)
    met = await browser.open(page)

    assert not before
    assert "The clocks change on 14 Mar 2027, 08:00." in moved.words
    assert "1 thing that repeats is at another time of your day from then on." in moved.words
    assert "1 service call then meets something else of yours." not in moved.words
    assert "1 service call then meets something else of yours." in met.words
    assert met.link("See what moves when the clocks change") == PAGE


async def test_clock_change_lists_each_before_and_after_as_the_person_writes_times(
    mine: str, browser: Browser, office: Office
) -> None:
    await interview(office, mine)
    await visit(office, MET)
    british = (await browser.open(PAGE)).words
    await office.sign_in(tz="Europe/Berlin", locale="en-US")
    american = (await browser.open(PAGE)).words

    for said in (
        SECRET, "9 Mar 2027, 21:00 – 22:00", "16 Mar 2027, 20:00 – 21:00", "1 hour earlier",
        "The clocks of America/New_York change on 14 Mar 2027, 08:00.", "They overlap, and did not before.",
    ):  # fmt: skip
        assert said in british
    assert "Mar 9, 2027, 9:00\u00a0PM – 10:00\u00a0PM" in american


async def test_r49_r43_what_moves_is_found_once_while_nothing_changes(mine: str, office: Office) -> None:
    """For each person and for each tenant; by a new item or a minute later it is found anew."""
    await interview(office, mine)
    await visit(office, MET)
    clocks = ClockForecast(office.store)
    person = Person(tenant_id="acme", user_id="u-17", time_zone="Europe/Berlin")
    other = Person(tenant_id="acme", user_id="u-18", time_zone="Europe/Berlin")

    async def told(who: Person | None) -> object:
        now = office.clock.now()
        return await (
            clocks.of_technicians("acme", now=now) if who is None else clocks.of_person(who, now=now)
        )

    for who in (person, None):
        first = await told(who)
        assert first
        assert not await told(other)
        assert await told(who) is first
        await visit(office, datetime(2027, 3, 16, 20 if who else 21, tzinfo=UTC))
        second = await told(who)
        assert second is not first
        await office.clock.pass_time(KEPT_SECONDS)
        assert await told(who) is not second


async def test_clock_change_is_the_persons_alone(mine: str, browser: Browser, office: Office) -> None:
    await interview(office, mine, user="u-18")

    assert SECRET not in (await browser.open(PAGE)).words
    assert "The clocks change on" not in (await browser.open("/my-calendar")).words


@pytest.mark.parametrize("role", ["administrator", "operator"])
async def test_clock_change_tells_the_dispatcher_times_and_no_text(
    role: str, mine: str, browser: Browser, office: Office
) -> None:
    await interview(office, mine)
    await visit(office, MET)
    await visit(office, datetime(2027, 3, 17, 10, tzinfo=UTC), user="u-19")
    await office.sign_in("boss", role=role, tz="America/Chicago", locale="en-GB")
    page = await browser.open(PLANNERS_PAGE)

    assert "u-17" in page.words
    assert "Europe/Berlin" in page.words
    assert page.words.count("16 Mar 2027, 20:00 – 21:00") == 2
    assert "The meeting moves; before, it was here: 9 Mar 2027, 21:00 – 22:00" in " ".join(page.words.split())
    for hidden in (SECRET, "Contoso", "u-19"):
        assert hidden not in page.text


async def test_clock_change_of_another_tenant_is_not_told(
    mine: str, browser: Browser, office: Office
) -> None:
    await interview(office, mine)
    await visit(office, MET)
    await office.sign_in("boss", tenant="globex", role="administrator")

    assert "u-17" not in (await browser.open(PLANNERS_PAGE)).words


async def test_clock_change_asks_nothing_of_cronofy(mine: str, browser: Browser, office: Office) -> None:
    await interview(office, mine)
    asked = len(office.wire.asked)
    for page in ("/my-calendar", PAGE):
        await browser.open(page)

    assert len(office.wire.asked) == asked
