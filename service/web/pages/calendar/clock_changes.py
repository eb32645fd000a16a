"""What the next clock changes will do to a person's days, meeting by meeting (R49)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from handlers.forecasts.clock_changes import Clash, MovedItem, PlannedItem
from service.web.catalogue import Texts, ngettext
from service.web.dependencies import Services
from service.web.labels import LabelTexts
from service.web.locales import LocalePreferences
from service.web.pages.form import PageVisitor
from service.web.paths import MY_CALENDAR_PATH
from service.web.rendering import locale_of, render_page

MINUTES_AN_HOUR = 60
CLOCK_CLASHES: LabelTexts = Texts(
    {
        "overlap": "They overlap, and did not before.",
        "no_gap": "Less than 15 minutes are left between them, and there was more before.",
    }
)
SHIFTED: LabelTexts = Texts({"later": "{length} later", "earlier": "{length} earlier"})
router = APIRouter(prefix=MY_CALENDAR_PATH)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeWriter:
    """Writes times in one zone as whoever reads them does."""

    zone: str
    locale: LocalePreferences

    def moment(self, at: datetime) -> str:
        return self.locale.moment(at.astimezone(ZoneInfo(self.zone)))

    def span(self, item: PlannedItem) -> str:
        """Day and times; of what ends on another day both days."""
        start, end = (at.astimezone(ZoneInfo(self.zone)) for at in (item.start, item.end))
        return self.locale.span(start, end)


@router.get("/clock-changes")
async def clock_changes(request: Request, services: Services, visitor: PageVisitor) -> Response:
    """Each meeting that will be at another time of the person's day, before and after, and what it meets."""
    found = await services.clock_forecast.of_person(visitor.person, now=services.clock.now())
    writer = TimeWriter(zone=visitor.time_zone, locale=locale_of(request, visitor))
    return render_page(
        request,
        "clock_changes.html",
        rows=[moved_row(one, writer) for one in found],
        clock_forecast=None,
        here="my-calendar",
    )


def moved_row(moved: MovedItem, writer: TimeWriter) -> Mapping[str, Any]:
    """A row of the page."""
    return {
        "key": moved.after.key,
        "title": moved.after.title,
        "before": writer.span(moved.before),
        "after": writer.span(moved.after),
        "by": SHIFTED["later" if moved.by > timedelta(0) else "earlier"].format(
            length=length_word(abs(moved.by))
        ),
        "changed_at": writer.moment(moved.changed_at),
        "changing_zone": moved.changing_zone,
        "clashes": [_clash(one, writer) for one in moved.clashes],
    }


def _clash(clash: Clash, writer: TimeWriter) -> Mapping[str, Any]:
    return {
        "kind": CLOCK_CLASHES[clash.kind.value],
        "key": clash.other.key,
        "title": clash.other.title,
        "is_call": clash.other.is_call,
        "at": writer.span(clash.other),
    }


def length_word(by: timedelta) -> str:
    """A shift of the clock as people say it."""
    minutes = round(by.total_seconds() / 60)
    if minutes % MINUTES_AN_HOUR:
        return ngettext("%(number)s minute", "%(number)s minutes", minutes, number=minutes)
    hours = minutes // MINUTES_AN_HOUR
    return ngettext("%(number)s hour", "%(number)s hours", hours, number=hours)


def forecast_banner(found: Sequence[MovedItem]) -> Mapping[str, Any] | None:
    """What the banner of My Calendar says; None where nothing moves."""
    if not found:
        return None
    clashes = sum(len(one.clashes) for one in found)
    return {
        "moves": len(found),
        "clashes": clashes,
        "changed_at": min(one.changed_at for one in found),
    }
