"""Times, dates and weeks as a person writes them (R49): by the locale that Vorex or the browser names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Literal

from babel import Locale, localedata
from babel.core import get_global, parse_locale
from babel.dates import format_date, format_time

DateOrder = Literal["dmy", "mdy", "ymd"]
HourCycle = Literal["h12", "h23"]
WeekStart = Literal["monday", "sunday", "saturday"]
DEFAULT_TAG = "en-GB"
Language = Literal["en", "de"]
ENGLISH: Language = "en"
LANGUAGES: tuple[Language, ...] = ("en", "de")
"""In which pages are written; names of days and months are words of it, in the person's order."""
LONGEST_ACCEPT_LANGUAGE = 500
MOST_LANGUAGES = 10
FIRST_WEEKDAYS: dict[WeekStart, int] = {"monday": 0, "sunday": 6, "saturday": 5}
_LONG: Mapping[DateOrder, str] = {
    "dmy": "EEEE, {d} MMMM y",
    "mdy": "EEEE, MMMM {d}, y",
    "ymd": "EEEE, y MMMM {d}",
}
_SHORT: Mapping[DateOrder, str] = {"dmy": "{d} MMM y", "mdy": "MMM {d}, y", "ymd": "y MMM {d}"}
_OF_YEAR: Mapping[DateOrder, str] = {"dmy": "{d} MMM", "mdy": "MMM {d}", "ymd": "MMM {d}"}
_DAY_NUMBERS: dict[Language, str] = {"en": "d", "de": "d."}
_MONTH: Mapping[DateOrder, str] = {"dmy": "MMMM y", "mdy": "MMMM y", "ymd": "y MMMM"}
_DAY: Mapping[DateOrder, str] = dict.fromkeys(_SHORT, "{d}")
_DAY_AND_YEAR: Mapping[DateOrder, str] = dict.fromkeys(_SHORT, "{d}, y")
_LANGUAGE = re.compile(
    r"\s*([a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{1,8}){0,4})\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?"
)
_DAY_AT_ONCE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalePreferences:
    """How one person writes times."""

    order: DateOrder = "dmy"
    hour_cycle: HourCycle = "h23"
    first_weekday: int = 0
    """0 is Monday, as ``date.weekday`` counts."""
    language: Language = ENGLISH

    def clock(self, at: datetime | time) -> str:
        """The hour and the minute."""
        if self.hour_cycle == "h23":
            return f"{at.hour:02}:{at.minute:02}"
        return format_time(at, "h:mm\u00a0a", locale=self.language)

    def span(self, start: datetime, end: datetime) -> str:
        """Day and times; of what ends on another day both days."""
        ends = self.clock(end) if start.date() == end.date() else self.moment(end)
        return f"{self.moment(start)} – {ends}"

    def clock_with_seconds(self, at: datetime) -> str:
        if self.hour_cycle == "h23":
            return f"{at:%H:%M:%S}"
        return format_time(at, "h:mm:ss\u00a0a", tzinfo=at.tzinfo, locale=self.language)

    def hour(self, hour: int) -> str:
        """A full hour, as short as a scale needs it."""
        if self.hour_cycle == "h23":
            return f"{hour:02}:00"
        return format_time(time(hour), "h\u00a0a", locale=self.language)

    def long_day(self, day: date) -> str:
        return self._written(day, _LONG)

    def short_day(self, day: date) -> str:
        return self._written(day, _SHORT)

    def month(self, day: date) -> str:
        return self._written(day, _MONTH)

    def weekday(self, day: date) -> str:
        return format_date(day, "EEEE", locale=self.language)

    def short_weekday(self, day: date) -> str:
        """As short as the head of a column needs it; the whole name begins so."""
        return format_date(day, "ccc", locale=self.language)

    def moment(self, at: datetime) -> str:
        """A day and its time; ``at`` in the person's zone."""
        return f"{self.short_day(at)}, {self.clock(at)}"

    def exact_moment(self, at: datetime) -> str:
        return f"{self.short_day(at)}, {self.clock_with_seconds(at)}"

    def days(self, first: date, last: date) -> str:
        """Both days, and what they share once: 29 Nov – 5 Dec 2026."""
        if first == last:
            return self.short_day(first)
        if first.year != last.year or self.order == "ymd":
            return f"{self.short_day(first)} – {self.short_day(last)}"
        begins = self._written(first, _OF_YEAR)
        same_month = first.month == last.month
        if self.order == "dmy" and same_month:
            begins = self._written(first, _DAY)
        ends = self._written(last, _DAY_AND_YEAR if self.order == "mdy" and same_month else _SHORT)
        return f"{begins} – {ends}"

    def days_of_year(self, first: date, last: date) -> str:
        """Both days without their year, where it is one: 15–29 Nov."""
        if first.year != last.year:
            return self.days(first, last)
        ends = self._written(last, _OF_YEAR)
        if first == last:
            return ends
        if first.month != last.month:
            return f"{self._written(first, _OF_YEAR)} – {ends}"
        if self.order == "dmy":
            return f"{self._written(first, _DAY)}–{ends}"
        return f"{self._written(first, _OF_YEAR)} – {self._written(last, _DAY)}"

    def _written(self, day: date, patterns: Mapping[DateOrder, str]) -> str:
        pattern = patterns[self.order].format(d=_DAY_NUMBERS[self.language])
        return format_date(day, pattern, locale=self.language)

    def week_of(self, day: date) -> date:
        """The first day of the week that the day lies in."""
        return day - _DAY_AT_ONCE * ((day.weekday() - self.first_weekday) % 7)


DEFAULT_PREFERENCES = LocalePreferences()


def preferences_of(
    tag: str | None,
    accepted: str = "",
    *,
    hour_cycle: HourCycle | None = None,
    week_start: WeekStart | None = None,
) -> LocalePreferences:
    """The claims first, then the browser's languages, then the United Kingdom's ways.

    ``tag`` is a language tag of BCP 47, ``accepted`` an Accept-Language header of any form.
    """
    wanted = (tag, *accepted_languages(accepted), DEFAULT_TAG)
    usual = _usual(next(name for one in wanted if one and (name := _locale(one))))
    return LocalePreferences(
        order=usual.order,
        hour_cycle=hour_cycle or usual.hour_cycle,
        first_weekday=usual.first_weekday if week_start is None else FIRST_WEEKDAYS[week_start],
        language=language_of(tag, accepted),
    )


def language_of(tag: str | None, accepted: str = "") -> Language:
    """The first that pages are written in: of the claim's, then the browser's languages, then English."""
    wanted = [one.split("-")[0].lower() for one in (tag, *accepted_languages(accepted)) if one]
    known: dict[str, Language] = {one: one for one in LANGUAGES}
    return next((known[one] for one in wanted if one in known), ENGLISH)


def accepted_languages(header: str) -> list[str]:
    """The language tags of an Accept-Language header, the most wanted first; what is none is passed over."""
    found: list[tuple[float, str]] = []
    for part in header[:LONGEST_ACCEPT_LANGUAGE].split(",")[:MOST_LANGUAGES]:
        read = _LANGUAGE.fullmatch(part)
        if read is not None and float(read[2] or 1) > 0:
            found.append((float(read[2] or 1), read[1]))
    return [tag for _, tag in sorted(found, key=lambda one: -one[0])]


@cache
def _usual(name: str) -> LocalePreferences:
    """Of one of Babel's locales; what Babel read for it is let go, or each would stay in memory for good."""
    locale = Locale.parse(name)
    clock = locale.time_formats["short"].pattern
    usual = LocalePreferences(
        order=_order(locale.date_formats["short"].pattern),
        hour_cycle="h12" if any(sign in clock for sign in "hKab") else "h23",
        first_weekday=locale.first_week_day,
    )
    localedata.clear_caches()
    return usual


def _order(pattern: str) -> DateOrder:
    """By which of day, month and year comes first."""
    first = min("dMy", key=lambda sign: pattern.find(sign) % (len(pattern) + 1))
    orders: dict[str, DateOrder] = {"d": "dmy", "M": "mdy", "y": "ymd"}
    return orders[first]


def _locale(tag: str) -> str | None:
    """What is known of the language and the place that the tag names; of a language alone its usual place.

    One of Babel's own names, of which there are about a thousand, whatever tags are given.
    """
    parts = tag.split("-")
    language = parts[0].lower()
    place = next((one.upper() for one in parts[1:] if re.fullmatch("[a-zA-Z]{2}|[0-9]{3}", one)), None)
    if place is None:
        likely = get_global("likely_subtags").get(language, "")
        place = likely.rpartition("_")[2] or None
    known = _known_locales()
    return known.get((language, place)) or known.get((language, None))


@cache
def _known_locales() -> Mapping[tuple[str, str | None], str]:
    """Babel's locales by language and place; of those that differ in script the usual one."""
    usual_scripts = get_global("likely_subtags")
    found: dict[tuple[str, str | None], str] = {}
    unusual: dict[tuple[str, str | None], str] = {}
    for name in sorted(localedata.locale_identifiers()):
        language, place, script, *variants = parse_locale(name)
        if not any(variants):
            likely = usual_scripts.get(f"{language}_{place}") or usual_scripts.get(language, "")
            usual = script is None or f"_{script}_" in likely
            (found if usual else unusual).setdefault((language, place), name)
    return unusual | found
