"""An appointment's form: shown from an item, read from what was sent, made into an item again (G17, R49)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from contracts.calendar import Item
from contracts.fields import is_visible, rfc3339
from contracts.limits import LONGEST_LINE, LONGEST_TEXT
from contracts.times import ONE_DAY, usual_length
from contracts.vorex import DescriptionFormat
from handlers.texts.html_text import html_to_text
from service.web.catalogue import gettext, grouped
from service.web.pages.calendar.days import days_touched, read_day
from service.web.pages.calendar.local_times import OddTime, instant_of, odd_time
from service.web.pages.form import FieldErrors, FormSubmission

NO_SUBJECT = "Give the appointment a subject."
NO_DAY = "Choose a day."
NO_TIME = "Choose a time."
END_BEFORE_START = "The end must not be before the start."
SKIPPED = "The clocks go forward on this day, and this time does not come. Choose one of these."
DOUBLED = "The clocks go back on this day, and this time comes twice. Choose which one."
LONGEST = {"title": LONGEST_LINE, "location": LONGEST_LINE, "description": LONGEST_TEXT}
FIRST_HOUR, LAST_HOUR = 9, 22
ONE_HOUR = timedelta(hours=1)
SHOWN_TIMES = "{0.start_day} {0.start_time} {0.end_day} {0.end_time}"


@dataclass(frozen=True, kw_only=True, slots=True)
class AppointmentForm:
    """The fields as a person reads and writes them; times are the person's own, the last day is included."""

    title: str = ""
    all_day: bool = False
    start_day: str = ""
    start_time: str = ""
    end_day: str = ""
    end_time: str = ""
    start_choice: str = ""
    end_choice: str = ""
    """Which moment is meant where the clock shows the time twice or never; empty where it is plain."""
    location: str = ""
    description: str = ""
    private: bool = False

    @classmethod
    def proposed(cls, day: date, now: datetime, at: time | None = None, to: time | None = None) -> Self:
        """The hours that were picked; else one in the morning, or the next one where the day is today."""
        if at is None:
            at = time(min(now.hour + 1, LAST_HOUR) if day == now.date() else FIRST_HOUR)
        begins = datetime.combine(day, at)
        ends = datetime.combine(day, to) if to is not None and to > at else begins + ONE_HOUR
        return cls(
            start_day=day.isoformat(), start_time=f"{begins:%H:%M}",
            end_day=ends.date().isoformat(), end_time=f"{ends:%H:%M}",
        )  # fmt: skip

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
            start_time=_field_time(content.start, zone),
            end_day=_end_day(content.end, last, zone),
            end_time=_field_time(content.end, zone),
            start_choice=_choice_of(content.start, zone),
            end_choice=_choice_of(content.end, zone),
            location=content.location or "",
            description=html_to_text(description) if html else description,
            private=content.private,
        )

    @classmethod
    def sent(cls, form: FormSubmission) -> Self:
        """As it was sent; an end that was left as it was shown follows the start that was not."""
        texts = ("title", "start_day", "start_time", "end_day", "end_time", "location", "description")
        given = {name: form.text(name) for name in (*texts, "start_choice", "end_choice")}
        sent = cls(**given, all_day=form.checked("all_day"), private=form.checked("private"))
        return sent._following(form.text("shown"))

    @property
    def shown(self) -> str:
        """The times as the form shows them, for what comes back to be held against."""
        return SHOWN_TIMES.format(self)

    @property
    def times(self) -> tuple[object, ...]:
        choices = (self.start_choice, self.end_choice)
        return (self.all_day, self.start_day, self.start_time, self.end_day, self.end_time, *choices)

    def _following(self, shown: str) -> Self:
        start_day, start_time, end_day, end_time = (*shown.split(" "), "", "", "", "")[:4]
        left = (self.end_day, self.end_time) == (end_day, end_time)
        moved = (self.start_day, self.start_time) != (start_day, start_time)
        before, after = _moment(start_day, start_time), _moment(self.start_day, self.start_time)
        ends = _moment(end_day, end_time)
        if not (left and moved) or before is None or after is None or ends is None:
            return self
        try:
            ends += after - before
        except OverflowError:
            return self
        end_time = f"{ends:%H:%M}" if end_time else ""
        return replace(self, end_day=ends.date().isoformat(), end_time=end_time, end_choice="")

    def moved(self, *, days: int = 0, minutes: int = 0, longer: int = 0) -> Self | None:
        """So much later on the person's clock, and so much longer; None where that cannot be."""
        starts, ends = _moment(self.start_day, self.start_time), _moment(self.end_day, self.end_time)
        if starts is None or ends is None:
            return None
        if not (self.all_day or self.end_time):
            ends = starts + usual_length(all_day=False)
        try:
            later = timedelta(days=days, minutes=0 if self.all_day else minutes)
            begins, until = starts + later, ends + later + timedelta(minutes=longer)
        except OverflowError:
            return None
        if until < begins or (until == begins and longer and not self.all_day):
            return None
        return replace(
            self,
            start_day=begins.date().isoformat(), start_time=f"{begins:%H:%M}" if self.start_time else "",
            end_day=until.date().isoformat(), end_time=f"{until:%H:%M}" if self.end_time or longer else "",
            start_choice=self.start_choice if begins == starts else "",
            end_choice=self.end_choice if until == ends else "",
        )  # fmt: skip

    def odd_times(self, zone: ZoneInfo) -> Mapping[str, OddTime]:
        """The fields whose time the clock skips or shows twice, each with what may be meant."""
        if self.all_day:
            return {}
        fields = {
            "start_time": (read_day(self.start_day), _time(self.start_time)),
            "end_time": (read_day(self.end_day or self.start_day), _time(self.end_time)),
        }
        odd = {name: odd_time(day, at, zone) for name, (day, at) in fields.items() if day and at}
        return {name: one for name, one in odd.items() if one is not None}

    def errors(self, zone: ZoneInfo) -> FieldErrors:
        """The sentence beside each field that cannot stay so."""
        found = {
            name: gettext("At most %(number)s characters.", number=grouped(longest))
            for name, longest in LONGEST.items()
            if len(getattr(self, name)) > longest
        }
        if "title" not in found and not is_visible(self.title):
            found["title"] = gettext(NO_SUBJECT)
        first, last = read_day(self.start_day), read_day(self.end_day or self.start_day)
        if first is None:
            found["start_day"] = gettext(NO_DAY)
        if last is None:
            found["end_day"] = gettext(NO_DAY)
        order = self._errors_of_order(first, last, zone)
        return found | self._errors_of_times() | order | self._unanswered(zone)

    def _errors_of_times(self) -> FieldErrors:
        if self.all_day:
            return {}
        found = {} if _time(self.start_time) else {"start_time": gettext(NO_TIME)}
        return found if _time(self.end_time) or not self.end_time else {**found, "end_time": gettext(NO_TIME)}

    def _errors_of_order(self, first: date | None, last: date | None, zone: ZoneInfo) -> FieldErrors:
        if first is None or last is None:
            return {}
        if last < first:
            return {"end_day": gettext(END_BEFORE_START)}
        begins, ends = _time(self.start_time), _time(self.end_time)
        if self.all_day or not begins or not ends:
            return {}
        starts = self._instant("start_time", first, begins, zone)
        backwards = self._instant("end_time", last, ends, zone) < starts
        return {"end_time": gettext(END_BEFORE_START)} if backwards else {}

    def _unanswered(self, zone: ZoneInfo) -> FieldErrors:
        return {
            name: gettext(SKIPPED) if odd.kind == "skipped" else gettext(DOUBLED)
            for name, odd in self.odd_times(zone).items()
            if odd.chosen(self._choice(name)) is None
        }

    def _choice(self, field: str) -> str:
        return self.start_choice if field == "start_time" else self.end_choice

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
            "start": rfc3339(self._instant("start_time", first, begins, here)),
            "end": rfc3339(self._instant("end_time", last, ends, here)) if ends else None,
            "time_zone": zone,
        }

    def _instant(self, field: str, day: date, at: time, zone: ZoneInfo) -> datetime:
        odd = odd_time(day, at, zone)
        chosen = odd.chosen(self._choice(field)) if odd is not None else None
        return chosen or instant_of(day, at, zone)


def _field_time(at: date | None, zone: ZoneInfo) -> str:
    """As a field for a time takes it; which of two it is, the choice beside it says."""
    return f"{at.astimezone(zone):%H:%M}" if isinstance(at, datetime) else ""


def _choice_of(at: date | None, zone: ZoneInfo) -> str:
    """Which of two a moment is that the clock shows twice."""
    if not isinstance(at, datetime):
        return ""
    local = at.astimezone(zone)
    odd = odd_time(local.date(), local.time().replace(second=0, microsecond=0), zone)
    return rfc3339(at.astimezone(UTC).replace(second=0, microsecond=0)) if odd else ""


def _end_day(end: date | None, last: date | None, zone: ZoneInfo) -> str:
    """Of a timed item the day of its end, midnight included; of a whole-day one its last day."""
    if isinstance(end, datetime):
        return end.astimezone(zone).date().isoformat()
    return last.isoformat() if last else ""


def _moment(day: str, at: str) -> datetime | None:
    """On the person's clock; of a day without a time its beginning."""
    on, clock = read_day(day), _time(at) if at else time()
    return datetime.combine(on, clock) if on is not None and clock is not None else None


def _time(text: str) -> time | None:
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is None else None


def read_time(text: str) -> time | None:
    """A time of the day as addresses write it."""
    return _time(text)
