"""*My Calendar* as it is looked at: month, week, day and agenda, filtered and searched (G4, R49)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from contracts.calendar import ItemRef
from contracts.times import ONE_DAY, as_instant
from service.integrations.my_calendar import MyCalendar
from service.store.engine.paging import Page
from service.store.items.my_calendar import DAY_ITEMS, DayItem, MonthItem, PagePosition, RangeBound
from service.web import labels
from service.web.catalogue import gettext
from service.web.dependencies import Services, WebServices
from service.web.locales import LocalePreferences
from service.web.pages.calendar import hour_grid, month_grid
from service.web.pages.calendar.clock_changes import forecast_banner
from service.web.pages.calendar.days import DayEntry, entry_of_day
from service.web.pages.calendar.shown import CalendarQuestion, ShownCalendar, question_of, sources_of
from service.web.pages.calendar.times_before import MOVE_COMPLAINTS, MOVE_NOTICES, TimesBefore
from service.web.pages.form import PageVisitor
from service.web.paging import PlaceCursor, cursor_of, range_bounds
from service.web.paths import MY_CALENDAR_PATH
from service.web.rendering import locale_of, render_page
from service.web.tokens import Visitor

AGENDA_PAGE = 100
"""Items on one page; a day of thousands has many pages."""
MOST_ITEMS_A_MONTH = 10_000
MOST_ITEMS_IN_HOURS = 2_000
SHOWN_A_DAY = 4
CalendarAsked = Annotated[CalendarQuestion, Depends(question_of)]
router = APIRouter(prefix=MY_CALENDAR_PATH)


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarViewer:
    """Who looks, when, and how they write times."""

    calendar: MyCalendar
    visitor: Visitor
    now: datetime
    locale: LocalePreferences

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.visitor.time_zone)

    @property
    def today(self) -> date:
        return self.now.date()

    async def glances(self, shown: ShownCalendar, *, most: int) -> Sequence[MonthItem]:
        since, until = self.bounds(*shown.days(self.locale))
        return await self.calendar.glances(
            self.visitor.person, since=since, until=until, limit=most, wanted=shown.wanted
        )

    def bounds(self, first: date, beyond: date) -> tuple[RangeBound, RangeBound]:
        since, until = range_bounds(first.isoformat(), beyond.isoformat(), self.visitor.time_zone)
        assert since is not None
        assert until is not None
        return since, until


def viewer_of(request: Request, services: WebServices, visitor: Visitor) -> CalendarViewer:
    """The person with their clock and their ways."""
    now = services.clock.now().astimezone(ZoneInfo(visitor.time_zone))
    locale = locale_of(request, visitor)
    return CalendarViewer(calendar=services.my_calendar, visitor=visitor, now=now, locale=locale)


@router.get("")
async def my_calendar(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    asked: CalendarAsked,
    *,
    after: PlaceCursor,
    notice: str = "",
    complaint: str = "",
    undo: str = "",
    moved: str = "",
    times: str = "",
) -> Response:
    """A month, a week, a day, or the agenda from a day on; without any, this month."""
    viewer = viewer_of(request, services, visitor)
    shown = asked.read(viewer.today, await sources_of(services, visitor))
    if shown.view == "month":
        values = await _month(viewer, shown)
    elif shown.view == "agenda":
        values = await _agenda(viewer, shown, after)
    else:
        values = await _hours(viewer, shown)
    return render_page(
        request,
        {"month": "month.html", "agenda": "agenda.html"}.get(shown.view, "hours.html"),
        shown=shown,
        today=viewer.today,
        first_shown=shown.days(viewer.locale)[0],
        adding_on=_adding_on(viewer, shown),
        notice=labels.NOTICES.get(notice) or MOVE_NOTICES.get(notice),
        complaint=MOVE_COMPLAINTS.get(complaint),
        undo=undo if notice == "removed" else "",
        clock_forecast=forecast_banner(
            await services.clock_forecast.of_person(visitor.person, now=services.clock.now())
        ),
        put_back=_put_back(moved, times) + shown.carried if moved and notice == "changed" else "",
        here="my-calendar",
        **values,
    )


def _put_back(key: str, times: str) -> str:
    """Where the move that was just made is undone (R50)."""
    return TimesBefore.read(times).address(key)


def _adding_on(viewer: CalendarViewer, shown: ShownCalendar) -> date:
    """The day that *Add* proposes: today where it is seen, else the first of what is."""
    first, beyond = shown.days(viewer.locale)
    seen = first <= viewer.today < beyond and (shown.view != "month" or _same_month(viewer.today, shown.day))
    return viewer.today if seen else shown.day


def _same_month(one: date, other: date) -> bool:
    return (one.year, one.month) == (other.year, other.month)


async def _month(viewer: CalendarViewer, shown: ShownCalendar) -> Mapping[str, Any]:
    glances = await viewer.glances(shown, most=MOST_ITEMS_A_MONTH)
    first = shown.day.replace(day=1)
    weeks = month_grid.weeks(
        first, viewer.today, glances, viewer.zone, most=SHOWN_A_DAY, locale=viewer.locale
    )
    return {
        "heading": viewer.locale.month(first),
        "month": first,
        "weekdays": [
            (viewer.locale.weekday(one.date), viewer.locale.short_weekday(one.date)) for one in weeks[0]
        ],
        "weeks": weeks,
        "counted": MOST_ITEMS_A_MONTH if len(glances) == MOST_ITEMS_A_MONTH else None,
    }


async def _hours(viewer: CalendarViewer, shown: ShownCalendar) -> Mapping[str, Any]:
    first, beyond = shown.days(viewer.locale)
    days = [first + ONE_DAY * number for number in range((beyond - first).days)]
    glances = await viewer.glances(shown, most=MOST_ITEMS_IN_HOURS)
    grid = hour_grid.hour_grid(
        days, viewer.now, glances, viewer.zone, viewer.locale, all_hours=shown.all_hours
    )
    changes = [(day, hour_grid.clock_changes(day, viewer.zone)) for day in days]
    locale = viewer.locale
    return {
        "heading": locale.long_day(first) if len(days) == 1 else locale.days(first, days[-1]),
        "grid": grid,
        "clock_changes": [
            (day, locale.clock(change[0]), locale.clock(change[1])) for day, change in changes if change
        ],
        "all_hours_address": replace(shown, all_hours=not shown.all_hours).address,
        "counted": MOST_ITEMS_IN_HOURS if len(glances) == MOST_ITEMS_IN_HOURS else None,
    }


async def _agenda(
    viewer: CalendarViewer, shown: ShownCalendar, after: PagePosition | None
) -> Mapping[str, Any]:
    """The days from the chosen one on; of a search all that was found, from the first on."""
    first, beyond = shown.days(viewer.locale)
    since, until = (None, None) if shown.q else viewer.bounds(first, beyond)
    found = await viewer.calendar.items(
        viewer.visitor.person,
        DAY_ITEMS,
        since=since,
        until=until,
        after=after,
        limit=AGENDA_PAGE + 1,
        wanted=shown.wanted,
    )
    page = Page.of(found, AGENDA_PAGE, cursor=lambda one: cursor_of(one[1]))
    entries = _with_overlaps([item for item, _ in page.rows], viewer)
    floor = date.min if shown.q else first
    days: dict[date, list[DayEntry]] = {}
    for entry in entries:
        days.setdefault(max(entry.first, floor), []).append(entry)
    title = gettext("What was found") if shown.q else viewer.locale.days(first, beyond - ONE_DAY)
    return {
        "heading": title,
        "days": [(day, sorted(days[day], key=lambda one: not one.fills_days)) for day in sorted(days)],
        "begun": after is not None,
        "more": page.following,
    }


def _with_overlaps(found: Sequence[DayItem], viewer: CalendarViewer) -> Sequence[DayEntry]:
    """The entries of a page, each with what of the page is busy at the same time."""
    entries = [entry_of_day(item, viewer.zone, viewer.locale) for item in found]
    titles: dict[ItemRef | str, list[str]] = {entry.key: [] for entry in entries}
    open_: list[tuple[DayItem, DayEntry]] = []
    for item, entry in zip(found, entries, strict=True):
        if not item.glance.busy or not isinstance(item.glance.start, datetime) or entry.fills_days:
            continue
        starts = item.glance.start
        open_ = [one for one in open_ if as_instant(one[0].glance.end or one[0].glance.start) > starts]
        for _, other in open_:
            titles[entry.key].append(other.title)
            titles[other.key].append(entry.title)
        open_.append((item, entry))
    return [replace(entry, overlaps=tuple(titles[entry.key])) for entry in entries]
