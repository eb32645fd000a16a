"""What of My Calendar is asked for: view, day, filters and search, as its addresses say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, get_args

from fastapi import Query

from contracts.times import ONE_DAY
from service.integrations.views import list_integrations
from service.store.items.my_calendar import VOREX, ItemFilter
from service.web import labels
from service.web.dependencies import WebServices
from service.web.locales import LocalePreferences
from service.web.pages.calendar.days import next_month, previous_month, read_day, read_month
from service.web.pages.calendar.month_grid import squares
from service.web.pages.calendar.outlook import ALL_HOURS, MOST_CALENDARS, CalendarOutlook, CalendarView
from service.web.paging import SearchText
from service.web.tokens import Visitor

DIFFERENT_MARKS = 8
AGENDA_DAYS = 28


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarSource:
    """A linked calendar that items came from, and the mark by which they are told apart."""

    id: str
    name: str
    account: str
    mark: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownCalendar(CalendarOutlook):
    """What the person looks at."""

    day: date
    known: tuple[CalendarSource, ...] = ()

    @property
    def wanted(self) -> ItemFilter:
        known = frozenset(one.id for one in self.known)
        return ItemFilter(types=self.types, sources=self.sources, known=known, q=self.q)

    @property
    def is_filtered(self) -> bool:
        return self.types is not None or self.sources is not None

    @property
    def marks(self) -> Mapping[str, CalendarSource]:
        return {one.id: one for one in self.known}

    def has_type(self, name: str) -> bool:
        return self.types is None or name in self.types

    def has_source(self, name: str) -> bool:
        return self.sources is None or name in self.sources

    def days(self, locale: LocalePreferences) -> tuple[date, date]:
        """The first day that is shown, and the first that is not."""
        if self.view == "month":
            return squares(self.day.replace(day=1), locale)
        if self.view == "day":
            return self.day, self.day + ONE_DAY
        first = locale.week_of(self.day) if self.view == "week" else self.day
        return first, first + ONE_DAY * (7 if self.view == "week" else AGENDA_DAYS)

    def stepped(self, by: int) -> "ShownCalendar":
        """The one before or the one after."""
        if self.view == "month":
            turn = next_month if by > 0 else previous_month
            return replace(self, day=turn(self.day.replace(day=1)))
        length = {"week": 7, "day": 1, "agenda": AGENDA_DAYS}[self.view]
        return replace(self, day=self.day + timedelta(days=by * length))

    def turned(self, view: CalendarView) -> "ShownCalendar":
        return replace(self, view=view, q="")

    def on(self, day: date) -> "ShownCalendar":
        return replace(self, day=day)

    @property
    def address(self) -> str:
        """Where it is."""
        return self.address_on(self.day)

    @property
    def day_field(self) -> str:
        """The day as the view's own field writes it."""
        return self.field_of(self.day)

    @property
    def unsearched(self) -> "ShownCalendar":
        """The same days, where what is searched for is not all."""
        return replace(self, q="")


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarQuestion:
    """The fields of the address, as they came."""

    month: str
    week: str
    day: str
    agenda: str
    types: Sequence[str]
    sources: Sequence[str]
    q: str
    hours: str

    def read(self, today: date, known: Sequence[CalendarSource]) -> ShownCalendar:
        """What is meant; what is none of ours is passed over, and this month is shown without any."""
        named = {"day": self.day, "week": self.week, "agenda": self.agenda}
        days = ((view, read_day(text)) for view, text in named.items() if text)
        view, day = next(((view, day) for view, day in days if day is not None), ("month", None))
        if self.q.strip() and view != "agenda":
            view, day = "agenda", None
        month = read_month(self.month) if view == "month" else None
        sources = {VOREX, *(one.id for one in known)}
        return ShownCalendar(
            view=next(one for one in get_args(CalendarView) if one == view),
            day=day or month or (today if view != "month" else today.replace(day=1)),
            types=_chosen(self.types, frozenset(labels.ITEM_TYPE)),
            sources=_chosen(self.sources, frozenset(sources)),
            q=self.q.strip(),
            all_hours=self.hours == ALL_HOURS,
            known=tuple(known),
        )


def question_of(
    *,
    month: str = "",
    week: str = "",
    day: str = "",
    agenda: str = "",
    types: Annotated[list[str], Query(alias="type", max_length=MOST_CALENDARS)] = [],  # noqa: B006
    sources: Annotated[list[str], Query(alias="source", max_length=MOST_CALENDARS + 1)] = [],  # noqa: B006
    q: SearchText = "",
    hours: str = "",
) -> CalendarQuestion:
    return CalendarQuestion(
        month=month, week=week, day=day, agenda=agenda, types=types, sources=sources, q=q, hours=hours
    )


def _chosen(given: Sequence[str], known: frozenset[str]) -> frozenset[str] | None:
    """None where all or nothing that is known was chosen."""
    found = known.intersection(given)
    return found if found and found != known else None


async def sources_of(services: WebServices, visitor: Visitor) -> Sequence[CalendarSource]:
    """The person's linked calendars, each with its mark."""
    page = await list_integrations(services.store, visitor.person.owner, limit=MOST_CALENDARS)
    finished = [one for one in page.rows if one.integration.finished_at is not None]
    return [
        CalendarSource(
            id=one.integration.id,
            name=one.integration.calendar_name or one.integration.provider_name,
            account=one.account_name,
            mark=at % DIFFERENT_MARKS + 1,
        )
        for at, one in enumerate(finished)
    ]
