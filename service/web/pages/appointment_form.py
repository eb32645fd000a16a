"""An appointment's form: shown from an item, read from what was sent, made into an item again (G17)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Self
from zoneinfo import ZoneInfo

from contracts.calendar import Item
from contracts.fields import is_visible, rfc3339
from contracts.times import ONE_DAY
from contracts.vorex import DescriptionFormat
from handlers.html_text import html_to_text
from service.web.pages.form import FieldErrors, FormSubmission
from service.web.pages.month_grid import clock_time, days_touched, instant_of, read_day

NO_SUBJECT = "Give the appointment a subject."
NO_DAY = "Choose a day."
NO_TIME = "Choose a time."
END_BEFORE_START = "The end must not be before the start."
FIRST_HOUR, LAST_HOUR = 9, 22


@dataclass(frozen=True, kw_only=True, slots=True)
class AppointmentForm:
    """The fields as a person reads and writes them; times are the person's own, the last day is included."""

    title: str = ""
    all_day: bool = False
    start_day: str = ""
    start_time: str = ""
    end_day: str = ""
    end_time: str = ""
    location: str = ""
    description: str = ""
    private: bool = False

    @classmethod
    def proposed(cls, day: date, now: datetime) -> Self:
        """An hour in the morning, or the next one where the day is today."""
        hour = min(now.hour + 1, LAST_HOUR) if day == now.date() else FIRST_HOUR
        whole = day.isoformat()
        return cls(start_day=whole, start_time=f"{hour:02}:00", end_day=whole, end_time=f"{hour + 1:02}:00")

    @classmethod
    def of(cls, item: Item, zone: ZoneInfo) -> Self:
        content = item.content
        assert content is not None
        first, last = days_touched(content.start, content.end, zone) if content.start else (None, None)
        html = content.description_format is DescriptionFormat.HTML
        description = content.description or ""
        return cls(
            title=content.title,
            all_day=content.all_day,
            start_day=first.isoformat() if first else "",
            start_time=clock_time(content.start, zone),
            end_day=_end_day(content.end, last, zone),
            end_time=clock_time(content.end, zone),
            location=content.location or "",
            description=html_to_text(description) if html else description,
            private=content.private,
        )

    @classmethod
    def sent(cls, form: FormSubmission) -> Self:
        texts = ("title", "start_day", "start_time", "end_day", "end_time", "location", "description")
        given = {name: form.text(name) for name in texts}
        return cls(**given, all_day=form.checked("all_day"), private=form.checked("private"))

    @property
    def times(self) -> tuple[object, ...]:
        return (self.all_day, self.start_day, self.start_time, self.end_day, self.end_time)

    def errors(self) -> FieldErrors:
        """The sentence beside each field that cannot stay so."""
        found: FieldErrors = {}
        if not is_visible(self.title):
            found["title"] = NO_SUBJECT
        first, last = read_day(self.start_day), read_day(self.end_day or self.start_day)
        if first is None:
            found["start_day"] = NO_DAY
        if last is None:
            found["end_day"] = NO_DAY
        return found | self._errors_of_times() | self._errors_of_order(first, last)

    def _errors_of_times(self) -> FieldErrors:
        if self.all_day:
            return {}
        found = {} if _time(self.start_time) else {"start_time": NO_TIME}
        return found if _time(self.end_time) or not self.end_time else {**found, "end_time": NO_TIME}

    def _errors_of_order(self, first: date | None, last: date | None) -> FieldErrors:
        if first is None or last is None or first < last:
            return {}
        if last < first:
            return {"end_day": END_BEFORE_START}
        begins, ends = _time(self.start_time), _time(self.end_time)
        turned = not self.all_day and begins and ends and ends < begins
        return {"end_time": END_BEFORE_START} if turned else {}

    def content(self, zone: str, known: Item | None = None) -> dict[str, Any]:
        """The item's form; of a known one everything that the person left alone stays to the letter."""
        texts = {
            "title": self.title,
            "location": self.location,
            "private": self.private,
            "description": self.description,
            "description_format": DescriptionFormat.TEXT.value,
        }
        if known is None or known.content is None:
            return {**texts, **self._when(zone)}
        before = AppointmentForm.of(known, ZoneInfo(zone))
        kept: Mapping[str, Any] = known.content.to_json_dict()
        if self.description == before.description:
            texts |= {name: kept[name] for name in ("description", "description_format")}
        moved = {} if self.times == before.times else self._when(zone)
        return {**kept, **texts, **moved}

    def _when(self, zone: str) -> dict[str, Any]:
        first, last = read_day(self.start_day), read_day(self.end_day or self.start_day)
        assert first is not None
        assert last is not None
        if self.all_day:
            return {"all_day": True, "start": first.isoformat(), "end": (last + ONE_DAY).isoformat()}
        begins, ends, here = _time(self.start_time), _time(self.end_time), ZoneInfo(zone)
        assert begins is not None
        return {
            "all_day": False,
            "start": rfc3339(instant_of(first, begins, here)),
            "end": rfc3339(instant_of(last, ends, here)) if ends else None,
            "time_zone": zone,
        }


def _end_day(end: date | None, last: date | None, zone: ZoneInfo) -> str:
    """Of a timed item the day of its end, midnight included; of a whole-day one its last day."""
    if isinstance(end, datetime):
        return end.astimezone(zone).date().isoformat()
    return last.isoformat() if last else ""


def _time(text: str) -> time | None:
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is None else None
