"""How a person looks at My Calendar, whatever the day: carried through its forms and back (R49)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import TypeAdapter, ValidationError

from service.store.items.my_calendar import VOREX
from service.web import labels
from service.web.pages.form import FormSubmission
from service.web.paging import SearchText, is_id
from service.web.paths import MY_CALENDAR_PATH

CalendarView = Literal["month", "week", "day", "agenda"]
MOST_CALENDARS = 20
ALL_HOURS = "all"
_SEARCH: TypeAdapter[str] = TypeAdapter(SearchText)


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarOutlook:
    """View, filters, search and hours."""

    view: CalendarView = "month"
    types: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    q: str = ""
    all_hours: bool = False

    @classmethod
    def sent(cls, form: FormSubmission) -> "CalendarOutlook":
        """As a form of ours carries it; what is none of ours is passed over."""
        types, sources = (_texts(form, name) for name in ("type", "source"))
        return outlook_of(
            view=form.text("view"), types=types, sources=sources, q=form.text("q"), hours=form.text("hours")
        )

    @property
    def chosen(self) -> Sequence[tuple[str, str]]:
        """Filters, search and hours as fields of an address."""
        found = [("type", one) for one in sorted(self.types or ())]
        found += [("source", one) for one in sorted(self.sources or ())]
        found += [("q", self.q)] if self.q else []
        return found + ([("hours", ALL_HOURS)] if self.all_hours else [])

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """All of it as fields of a form; the month goes without saying."""
        return [*([("view", self.view)] if self.view != "month" else []), *self.chosen]

    @property
    def carried(self) -> str:
        """All of it behind the query of a form's address."""
        return f"&{urlencode(self.fields)}" if self.fields else ""

    def field_of(self, day: date) -> str:
        """The day as the view's own field writes it."""
        return day.isoformat()[:7] if self.view == "month" else day.isoformat()

    def address_on(self, day: date | None) -> str:
        """Where it is on that day; without one, this month."""
        fields = [*([(self.view, self.field_of(day))] if day else []), *self.chosen]
        return f"{MY_CALENDAR_PATH}?{urlencode(fields)}" if fields else MY_CALENDAR_PATH


def outlook_of(
    *,
    view: str = "",
    types: Annotated[list[str], Query(alias="type", max_length=MOST_CALENDARS)] = [],  # noqa: B006
    sources: Annotated[list[str], Query(alias="source", max_length=MOST_CALENDARS + 1)] = [],  # noqa: B006
    q: str = "",
    hours: str = "",
) -> CalendarOutlook:
    """What a form's address carries; what is none of ours is passed over."""
    return CalendarOutlook(
        view=view_named(view),
        types=_known(one for one in types if one in labels.ITEM_TYPE),
        sources=_known(one for one in sources if one == VOREX or is_id(one)),
        q=_search(q),
        all_hours=hours == ALL_HOURS,
    )


AskedOutlook = Annotated[CalendarOutlook, Depends(outlook_of)]


def view_named(text: str) -> CalendarView:
    """The view that a form names, else the month."""
    return next((one for one in get_args(CalendarView) if one == text), "month")


def _known(found: Iterable[str]) -> frozenset[str] | None:
    return frozenset(found) or None


def _texts(form: FormSubmission, name: str) -> list[str]:
    return [one for one in form.fields.getlist(name)[: MOST_CALENDARS + 1] if isinstance(one, str)]


def _search(text: str) -> str:
    try:
        return _SEARCH.validate_python(text)
    except ValidationError:
        return ""
