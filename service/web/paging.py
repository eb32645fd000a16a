"""Ids, cursors, limits and ranges: what lists are asked with."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from pydantic import Field
from pydantic_core import PydanticCustomError

from contracts.calendar import ItemRef
from contracts.fields import Text, calendar_day, instant
from service.integrations.refusals import Invalid, Unknown
from service.store.items.my_calendar import PagePosition, RangeBound

PageLimit = Annotated[int, Query(ge=1, le=200)]
DEFAULT_PAGE = 50
LONGEST_SEARCH = 200
SearchText = Annotated[Text, Field(max_length=LONGEST_SEARCH)]
"""Of a title or a reason, in letters of any size."""
NO_SUCH_LETTER = "There is no such dead letter."
_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_BAD_BOUND = "must be a date or a time with an offset, such as 2026-12-03 or 2026-12-03T09:00:00Z"
_BAD_CURSOR = "must be the cursor of an earlier answer"


def _integration_id(integration_id: str) -> str:
    """Anything that is no id names no integration."""
    if not is_id(integration_id):
        raise Unknown("There is no such integration.")
    return integration_id


IntegrationPathId = Annotated[str, Depends(_integration_id)]


def _record_id(record_id: str) -> str:
    """Anything that is no id names no record."""
    if not is_id(record_id):
        raise Unknown("There is no such record.")
    return record_id


RecordPathId = Annotated[str, Depends(_record_id)]


def letter_id_of(letter_id: str) -> str:
    """Anything that is no id names no letter."""
    if not is_id(letter_id):
        raise Unknown(NO_SUCH_LETTER)
    return letter_id


LetterPathId = Annotated[str, Depends(letter_id_of)]


def _question_id(question_id: str) -> str:
    """Anything that is no id names no question."""
    if not is_id(question_id):
        raise Unknown("There is no such question.")
    return question_id


QuestionPathId = Annotated[str, Depends(_question_id)]


def is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _id_cursor(
    after: Annotated[str | None, Query(json_schema_extra={"pattern": f"^{_UUID}$"})] = None,
) -> str | None:
    if after is not None and not is_id(after):
        raise Invalid.one("after", _BAD_CURSOR)
    return after


IdCursor = Annotated[str | None, Depends(_id_cursor)]


def cursor_of(place: PagePosition) -> str:
    return f"{place.starts_at.timestamp():.0f}~{place.ref}"


def _place(
    after: Annotated[str | None, Query(json_schema_extra={"pattern": f"^[0-9]{{1,10}}~{_UUID}$"})] = None,
) -> PagePosition | None:
    if after is None:
        return None
    seconds, _, ref = after.partition("~")
    try:
        starts_at = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        starts_at = None
    if starts_at is None or not is_id(ref):
        raise Invalid.one("after", _BAD_CURSOR)
    return PagePosition(starts_at=starts_at, ref=ItemRef(ref))


PlaceCursor = Annotated[PagePosition | None, Depends(_place)]


def range_bounds(
    since: str | None, until: str | None, zone: str
) -> tuple[RangeBound | None, RangeBound | None]:
    """Both ends from days of the person's zone or instants; ``until`` is not part of the range.

    A range from a day to the same day is that day.
    """
    first = _bound("from", since, zone)
    last = _bound("to", until, zone, ceiling=True)
    if first is None or last is None:
        return first, last
    if since == until and "T" not in (since or ""):
        return first, _day_bound(first.day + timedelta(days=1), zone)
    if last.instant < first.instant:
        raise Invalid.one("to", "must not be before from")
    return first, last


def _bound(name: str, text: str | None, zone: str, *, ceiling: bool = False) -> RangeBound | None:
    if text is None:
        return None
    try:
        if "T" not in text.upper():
            return _day_bound(calendar_day(text), zone)
        at = instant(text.replace(" ", "+"))
    except PydanticCustomError:
        raise Invalid.one(name, _BAD_BOUND) from None
    local = at.astimezone(ZoneInfo(zone))
    whole = ceiling and local.time() > time()
    return RangeBound(instant=at, day=local.date() + timedelta(days=1 if whole else 0))


def _day_bound(whole: date, zone: str) -> RangeBound:
    return RangeBound(instant=datetime.combine(whole, time(), ZoneInfo(zone)).astimezone(UTC), day=whole)
