"""Times cross to the second, in each item's own zone, over every clock change of two years (R9, R12, R24).

One household with many items: each moment goes to the simulator and comes back moved by an hour; each
event comes here and is moved from Vorex.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts.vorex import ItemContent
from handlers.runs import span_of
from tests.support.two_people_with_runs import two_people_with_runs

ZONES = ("Europe/London", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC")
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
ORDINARY = (datetime(2026, 3, 29, 1, 0, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, 0, 1, tzinfo=UTC))
"""Where a zone has no clock change: those of London."""


def changes(zone: str) -> list[datetime]:
    """The instants in 2026 and 2027 at which that zone's clocks are changed."""
    found = []
    at, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    while at < end:
        if _offset(at, zone) != _offset(at + HOUR, zone):
            found.append(_narrowed(at, zone))
        at += HOUR
    return found


def _narrowed(at: datetime, zone: str) -> datetime:
    """The change within that hour; Lord Howe's half hour falls on half an hour."""
    minutes = (at + timedelta(minutes=minute) for minute in range(61))
    return next(each for each in minutes if _offset(each, zone) != _offset(at, zone))


def _offset(at: datetime, zone: str) -> timedelta:
    return at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)


def moments(zone: str) -> Iterator[datetime]:
    """An hour before each change, a second before it, in it and after, with odd seconds."""
    for change in changes(zone) or ORDINARY:
        yield from (
            change - HOUR + 7 * SECOND,
            change - SECOND,
            change,
            change + timedelta(minutes=29, seconds=59),
        )
        yield change + HOUR + 13 * SECOND


def days(zone: str) -> Iterator[date]:
    """The day before each change, the day of it, and the one after."""
    for change in changes(zone) or ORDINARY:
        day = change.astimezone(ZoneInfo(zone)).date()
        yield from (day - DAY, day, day + DAY)


def test_the_table_crosses_the_clock_changes_that_there_are() -> None:
    """Both of both years, in the zones that have any; Sao Paulo gave its up in 2019."""
    assert {zone: len(changes(zone)) for zone in ZONES} == {
        "Europe/London": 4, "America/New_York": 4, "Asia/Tokyo": 0, "Australia/Lord_Howe": 4,
        "America/Sao_Paulo": 0, "UTC": 0,
    }  # fmt: skip


def _wire(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _timed() -> dict[str, tuple[str, str, str]]:
    return {
        f"{zone} {_wire(start)}": (zone, _wire(start), _wire(start + timedelta(minutes=45, seconds=1)))
        for zone in ZONES
        for start in moments(zone)
    }


def _whole_days() -> dict[str, tuple[str, str, str]]:
    return {
        f"{zone} {first}": (zone, first.isoformat(), (first + DAY).isoformat())
        for zone in ZONES
        for first in days(zone)
    }


@pytest.mark.parametrize("all_day", [False, True], ids=["timed", "all_day"])
async def test_r12_items_stand_on_the_calendar_to_the_second_and_come_back_so(
    sqlite_url: str, all_day: bool
) -> None:
    """Out in the item's zone; moved by the calendar's owner, back to the second, in the same zone."""
    table = _whole_days() if all_day else _timed()
    async with two_people_with_runs(sqlite_url) as ann:
        for name, (zone, start, end) in table.items():
            await ann.say(name, start=start, end=end, time_zone=zone, all_day=all_day)
        await ann.people.rest(reads=False)

        events = {event["summary"]: event for event in ann.people.world.events(ann.calendar)}
        assert set(events) == set(table)
        for name, (zone, start, end) in table.items():
            shown = events[name]
            assert (name, shown["start"], shown["end"], shown["all_day"]) == (name, start, end, all_day)
            assert all_day or shown["tzid"] == zone

        step = DAY if all_day else HOUR
        for name, (zone, start, end) in table.items():
            moved = {edge: _moved(value, step) for edge, value in (("start", start), ("end", end))}
            ann.people.world.change_event(ann.calendar, events[name]["event_uid"], tzid=zone, **moved)
        await ann.people.rest(reads=False)

        for name, content in _contents(await ann.home.items()).items():
            zone, start, end = table[name]
            form = content.to_json_dict()
            expected = (_moved(start, step), _moved(end, step), zone, all_day)
            assert (form["start"], form["end"], form["time_zone"], form["all_day"]) == expected


@pytest.mark.parametrize("all_day", [False, True], ids=["timed", "all_day"])
async def test_r12_events_arrive_to_the_second_and_go_back_so(sqlite_url: str, all_day: bool) -> None:
    """In whatever zone the event was made; moved from Vorex, the event moves to the second."""
    table = _whole_days() if all_day else _timed()
    async with two_people_with_runs(sqlite_url) as ann:
        for name, (zone, start, end) in table.items():
            near = {"tzid": zone, "start": start, "end": end}
            ann.people.world.add_event(ann.calendar, summary=name, **near)
        await ann.people.pass_time(30)
        await ann.home.reader.read_all(ann.mine)

        brought = _contents(await ann.home.items())
        seen = {name for name, (_, start, _) in table.items() if _in_reach(start)}
        assert set(brought) == seen != set()
        for name, content in brought.items():
            form = content.to_json_dict()
            assert (form["start"], form["end"], form["all_day"]) == (*table[name][1:], all_day)

        step = DAY if all_day else HOUR
        for name, content in brought.items():
            _, start, end = table[name]
            await ann.say(content.id, start=_moved(start, step), end=_moved(end, step))
        await ann.people.rest(reads=False)

        events = {event["summary"]: event for event in ann.people.world.events(ann.calendar)}
        for name in seen:
            _, start, end = table[name]
            assert (events[name]["start"], events[name]["end"]) == (_moved(start, step), _moved(end, step))


def _in_reach(start: str) -> bool:
    """Cronofy shows 42 days back and 201 ahead of the simulator's first day."""
    day = date.fromisoformat(start[:10])
    return date(2026, 10, 21) <= day < date(2027, 6, 19)


def _moved(edge: str, step: timedelta) -> str:
    if "T" in edge:
        return _wire(datetime.fromisoformat(edge) + step)
    return (date.fromisoformat(edge) + step).isoformat()


def _contents(items: object) -> dict[str, ItemContent]:
    return {item.content.title: item.content for item in items if item.content}  # type: ignore[attr-defined]


@pytest.mark.parametrize("zone", ZONES)
def test_r24_today_is_the_whole_day_in_the_users_zone_whatever_its_length(zone: str) -> None:
    """23, 24, 25 hours, or half an hour more or less; ranges begin and end at the zone's midnights."""
    for change in changes(zone) or ORDINARY:
        for now in (change - SECOND, change, change + SECOND):
            today = now.astimezone(ZoneInfo(zone)).date()
            span = span_of({"past": "today", "future": "today"}, now=now, time_zone=zone)
            assert (span.first, span.beyond) == (today, today + DAY)
            for edge, day in ((span.starts_at, today), (span.ends_at, today + DAY)):
                local = edge.astimezone(ZoneInfo(zone))
                assert (local.date(), local.hour, local.minute, local.second) == (day, 0, 0, 0)
            week = span_of({"past": "1_week", "future": "1_week"}, now=now, time_zone=zone)
            assert (week.first, week.beyond) == (today - 7 * DAY, today + 8 * DAY)
        changed = change.astimezone(ZoneInfo(zone)).date()
        length = span_of({"past": "today", "future": "today"}, now=change, time_zone=zone)
        shift = _offset(change - HOUR, zone) - _offset(change, zone)
        assert changed == length.first
        assert length.ends_at - length.starts_at == DAY + shift
