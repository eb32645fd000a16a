"""Which entries a log's page and its CSV speak of, as their address carries it (R27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from service.store.logs.logs import LogFilter, LogQuery
from service.web import labels
from service.web.catalogue import gettext
from service.web.catalogue.told import told_with
from service.web.pages.form import PageVisitor
from service.web.paging import LONGEST_SEARCH

LOG_FILTER_WORDS = ("direction", "outcome", "item_type", "q", "kind", "from", "to")
_OF_ITEMS = ("direction", "outcome", "item_type", "q")
_CHOICES: Mapping[str, labels.LabelTexts] = {
    "direction": labels.DIRECTIONS,
    "outcome": labels.OUTCOMES,
    "item_type": labels.ITEM_TYPE,
    "kind": labels.RUN_KINDS,
}
_OF_THE_PAGE = frozenset({"after", "notice", "complaint"})
_TRIGGER = "trigger"
_TABS = frozenset({LogFilter.REAL_TIME, LogFilter.WATCHING})


@dataclass(frozen=True, kw_only=True, slots=True)
class LogsAddress:
    """The filter as it was given, whole: words that say nothing are told beside it, never left out."""

    trigger: LogFilter = LogFilter.RUN
    given: Mapping[str, str] = field(default_factory=dict)
    """What is asked for beside the trigger."""
    wanted: LogQuery = field(default_factory=LogQuery)
    wrong: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_items(self) -> bool:
        """Whether entries are asked for, not runs alone."""
        return any(self.given.get(name) for name in _OF_ITEMS)

    @property
    def query(self) -> str:
        return urlencode({_TRIGGER: self.trigger, **self.given})


def _by_address(request: Request, visitor: PageVisitor) -> LogsAddress:
    given: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in _OF_THE_PAGE or not (text := value.strip()):
            continue
        if name in given:
            wrong[name] = gettext("%(field)s is given twice.", field=_called(name))
        given[name] = text
        if rule := _broken_rule(name, text):
            wrong[name] = rule
    trigger = given.pop(_TRIGGER, LogFilter.RUN.value)
    shown = LogFilter(trigger) if trigger in _TABS else LogFilter.RUN
    if wrong:
        return LogsAddress(trigger=shown, given=given, wrong=wrong)
    return LogsAddress(trigger=shown, given=given, wanted=_wanted(given, visitor.time_zone))


def _broken_rule(name: str, text: str) -> str | None:
    field = _called(name)
    if name == _TRIGGER:
        known = text in set(LogFilter)
        return None if known else gettext("%(field)s must be run, real_time or watching.", field=field)
    if name not in LOG_FILTER_WORDS:
        there = ", ".join(LOG_FILTER_WORDS)
        return gettext("%(field)s is no filter; there are %(filters)s.", field=field, filters=there)
    if name in _CHOICES:
        there = ", ".join(_CHOICES[name])
        known = text in _CHOICES[name]
        return None if known else gettext("%(field)s must be one of %(words)s.", field=field, words=there)
    if name == "q":
        return _broken_rule_of_words(field, text)
    return None if _day(text) else gettext("%(field)s must be a day, such as 2026-12-03.", field=field)


def _broken_rule_of_words(field: str, text: str) -> str | None:
    if len(text) <= LONGEST_SEARCH and "\0" not in text:
        return None
    return gettext(
        "%(field)s must be a text of at most %(number)s characters.", field=field, number=LONGEST_SEARCH
    )


def _called(name: str) -> str:
    """A field of the filter as the page calls it."""
    return labels.LOG_FILTER.get(name, name)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if date.min < day < date.max - timedelta(days=1) else None


def _wanted(given: Mapping[str, str], zone: str) -> LogQuery:
    first, last = _day(given.get("from", "")), _day(given.get("to", ""))
    reasons, beginnings = told_with(given["q"]) if "q" in given else ((), ())
    return LogQuery(
        direction=given.get("direction"),
        outcome=given.get("outcome"),
        item_type=given.get("item_type"),
        q=given.get("q"),
        reasons=reasons,
        beginnings=beginnings,
        kind=given.get("kind"),
        since=_midnight(first, zone) if first else None,
        until=_midnight(last + timedelta(days=1), zone) if last else None,
    )


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


AskedLogs = Annotated[LogsAddress, Depends(_by_address)]
