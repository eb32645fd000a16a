"""Times as each person writes them, by Vorex's claims or by the browser's languages (R49)."""

from datetime import UTC, date, datetime

import pytest
from babel import localedata

from service.web.locales import LocalePreferences, accepted_languages, preferences_of
from tests.service.test_web_pages_calendar import keep
from tests.support.office import Office
from tests.support.pages import Browser

DAY, AT = date(2026, 12, 3), datetime(2026, 12, 3, 15, 4, 5, tzinfo=UTC)
HOME = "/my-calendar"
MOST_LOCALES_LOADED = 4
"""Of Babel's: the one that the pages are written in with its parents, and one that is being looked at."""


@pytest.mark.parametrize(
    ("tag", "order", "hours", "first"),
    [
        ("en-GB", "dmy", "h23", 0),
        ("en-US", "mdy", "h12", 6),
        ("de-DE", "dmy", "h23", 0),
        ("de", "dmy", "h23", 0),
        ("en", "mdy", "h12", 6),
        ("ja-JP", "ymd", "h23", 6),
        ("hu", "ymd", "h23", 0),
        ("ar-EG", "dmy", "h12", 5),
        ("zh-Hant-TW", "ymd", "h12", 6),
        ("de-CH-1996-u-ca-gregory-x-mine", "dmy", "h23", 0),
        ("x-mine", "dmy", "h23", 0),
        ("tlh", "dmy", "h23", 0),
        ("zh-TW", "ymd", "h12", 6),
        ("sr-RS", "dmy", "h23", 0),
        ("de-JP", "dmy", "h23", 0),
    ],
)
def test_r49_a_locale_decides_order_clock_and_week(tag: str, order: str, hours: str, first: int) -> None:
    found = preferences_of(tag)
    assert (found.order, found.hour_cycle, found.first_weekday) == (order, hours, first)


def test_r49_however_many_locales_are_named_few_stay_in_memory() -> None:
    """Known ones, and languages with places that they have not: what a browser names grows nothing."""
    known = [name.replace("_", "-") for name in sorted(localedata.locale_identifiers())[::16]]
    invented = [f"{tag[:2]}-{place:03}" for tag in known for place in range(15)]
    for tag in (*known, *invented):
        preferences_of(None, tag)
        preferences_of(tag)
    assert len(known) + len(invented) >= 1_000
    assert len(localedata._cache) <= MOST_LOCALES_LOADED


@pytest.mark.parametrize(
    ("order", "long", "short", "both"),
    [
        ("dmy", "Thursday, 3 December 2026", "3 Dec 2026", "3 – 9 Dec 2026"),
        ("mdy", "Thursday, December 3, 2026", "Dec 3, 2026", "Dec 3 – 9, 2026"),
        ("ymd", "Thursday, 2026 December 3", "2026 Dec 3", "2026 Dec 3 – 2026 Dec 9"),
    ],
)
def test_r49_dates_are_written_in_the_persons_order(order: str, long: str, short: str, both: str) -> None:
    ways = LocalePreferences(order=order)  # type: ignore[arg-type]
    assert (ways.long_day(DAY), ways.short_day(DAY)) == (long, short)
    assert ways.days(DAY, date(2026, 12, 9)) == both


@pytest.mark.parametrize(
    ("tag", "same_month", "two_months", "two_years", "same_day"),
    [
        ("en-GB", "3–9 Dec", "3 Nov – 3 Dec", "3 Dec 2026 – 1 Jan 2027", "3 Dec"),
        ("en-US", "Dec 3 – 9", "Nov 3 – Dec 3", "Dec 3, 2026 – Jan 1, 2027", "Dec 3"),
        ("de-AT", "3.–9. Dez.", "3. Nov. – 3. Dez.", "3. Dez. 2026 – 1. Jan. 2027", "3. Dez."),
        ("ja-JP", "Dec 3 – 9", "Nov 3 – Dec 3", "2026 Dec 3 – 2027 Jan 1", "Dec 3"),
    ],
)
def test_r49_a_range_is_as_short_as_it_is_plain(
    tag: str, same_month: str, two_months: str, two_years: str, same_day: str
) -> None:
    ways = preferences_of(tag)
    assert ways.days_of_year(DAY, date(2026, 12, 9)) == same_month
    assert ways.days_of_year(date(2026, 11, 3), DAY) == two_months
    assert ways.days_of_year(DAY, date(2027, 1, 1)) == two_years
    assert ways.days_of_year(DAY, DAY) == same_day


def test_r49_the_clock_has_twelve_or_twenty_four_hours() -> None:
    twelve, other = LocalePreferences(hour_cycle="h12"), LocalePreferences()
    assert twelve.clock(AT) == "3:04\u00a0PM"
    assert (twelve.clock(AT.replace(hour=0)), twelve.hour(12)) == ("12:04\u00a0AM", "12\u00a0PM")
    assert (other.clock(AT), other.hour(0)) == ("15:04", "00:00")
    assert (twelve.clock_with_seconds(AT), other.clock_with_seconds(AT)) == ("3:04:05\u00a0PM", "15:04:05")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("de-AT,de;q=0.9,en;q=0.8", ["de-AT", "de", "en"]),
        ("en;q=0.2, de ;q=0.7,*;q=0.1", ["de", "en"]),
        ("fr;q=0,de", ["de"]),
        ("en_US,\u00e9;q=x,;;,de;q=9", []),
        ("x" * 100_000, []),
    ],
)
def test_r49_a_browser_says_its_languages_in_its_own_order(header: str, found: list[str]) -> None:
    assert accepted_languages(header) == found


def test_r49_claims_go_before_the_locale_and_the_locale_before_the_browser() -> None:
    assert preferences_of("de-DE", "en-US").order == "dmy"
    assert preferences_of(None, "qq,en-US").order == "mdy"
    ways = preferences_of("en-US", hour_cycle="h23", week_start="monday")
    assert (ways.order, ways.hour_cycle, ways.first_weekday) == ("mdy", "h23", 0)


@pytest.mark.parametrize(("claims", "language"), [({"locale": "en-US"}, "de"), ({}, "en-US,en;q=0.5")])
async def test_r49_pages_are_written_so(claims: dict[str, str], language: str, office: Office) -> None:
    """Weeks from Sunday, months first, and hours of the person's zone; the session remembers the claims."""
    await office.sign_in(tz="America/New_York", **claims)
    await keep(office, "appointment", "Call", start="2026-12-03T20:00:00Z", end="2026-12-03T21:00:00Z")
    office.client.headers["Accept-Language"] = language
    browser = Browser(client=office.client)
    page = await browser.open(f"{HOME}?week=2026-12-03")
    assert "Nov 29 – Dec 5, 2026" in page.words
    assert "3:00\u00a0PM – 4:00\u00a0PM" in page.words
    page = await browser.open(f"{HOME}?month=2026-12")
    days = [given["data-day"] for tag, given in page.tags if tag == "td"]
    assert (days[0], days[-1]) == ("2026-11-29", "2027-01-02")


async def test_r49_the_claims_of_clock_and_week_stay_with_the_session(office: Office) -> None:
    await office.sign_in(locale="de-DE", hour_cycle="h12", week_start="saturday")
    page = await Browser(client=office.client).open(f"{HOME}?week=2026-12-03")
    assert "28. Nov. – 4. Dez. 2026" in page.words
    assert "1\u00a0PM" in page.words
