"""Trials of what Cronofy shows (contracts/CRONOFY.md, Form and Reading)."""

from datetime import datetime, timedelta
from http import HTTPStatus

from contracts.tolerant import read_sane_instant
from service.cronofy.live.calendar import MOST_TRIAL_PAGES, Row, TrialCalendar, next_path
from service.cronofy.live.trial import Seen, Trial, as_assumed, different, judged, not_shown, told, unsettled

ALWAYS_THERE = ("calendar_id", "event_uid", "start", "end")
SAME_CLOCK = timedelta(minutes=5)
A_SECOND = 1.1


async def row_attributes(calendar: TrialCalendar) -> Seen:
    row = await _written(calendar, "row")
    if row is None:
        return not_shown(calendar)
    lacking = [name for name in ALWAYS_THERE if not row.get(name)]
    if lacking:
        return different(f"a row without {', '.join(lacking)}")
    return as_assumed(f"a row with {len(row)} attributes, the four among them")


async def zone_needed(calendar: TrialCalendar) -> Seen:
    status, _ = await calendar.ask("GET", "/v1/events", query=(("include_managed", "true"),))
    said = f"without it answered {status}"
    return judged(status == HTTPStatus.UNPROCESSABLE_ENTITY, said)


async def window(calendar: TrialCalendar) -> Seen:
    """A day more on both sides than the zones of the world can make of it."""
    asked = {
        "42 days back and 200 ahead": (-41, 200, HTTPStatus.OK),
        "further back": (-44, 200, HTTPStatus.UNPROCESSABLE_ENTITY),
        "further ahead": (-41, 204, HTTPStatus.UNPROCESSABLE_ENTITY),
    }
    seen = {}
    for name, (first, last, _) in asked.items():
        days = (("from", calendar.day(first).isoformat()), ("to", calendar.day(last).isoformat()))
        seen[name], _ = await calendar.ask("GET", "/v1/events", query=(("tzid", "Etc/UTC"), *days))
    said = "; ".join(f"{name} answered {status}" for name, status in seen.items())
    as_wished = all(seen[name] == wanted for name, (_, _, wanted) in asked.items())
    return judged(as_wished, said)


async def last_page(calendar: TrialCalendar) -> Seen:
    page, read = await calendar.first_page(), 1
    while (following := next_path(page)) is not None:
        status, said = await calendar.ask("GET", following)
        if status != HTTPStatus.OK or not isinstance(said, dict):
            return different(f"page {read + 1}, which the one before it named, was answered {status}")
        page, read = said, read + 1
        if read > MOST_TRIAL_PAGES:
            return different(f"a small calendar has more than {MOST_TRIAL_PAGES} pages")
    return as_assumed(f"{read} read, the last names no further one")


async def last_modified(calendar: TrialCalendar) -> Seen:
    row = await _written(calendar, "modified")
    if row is None:
        return not_shown(calendar)
    updated = read_sane_instant(row.get("updated"))
    if updated is None:
        return unsettled("the row does not say when it was updated")
    found = await _is_in(calendar, "modified", last_modified=calendar.whole_second(updated))
    said = f"asked from its very second on, the row is {'shown' if found else 'not shown'}"
    return judged(found, said)


async def shown_only(calendar: TrialCalendar) -> Seen:
    if await _written(calendar, "managed") is None:
        return not_shown(calendar)
    without = await _is_in(calendar, "managed", include_managed="false")
    said = f"without include_managed our own event is {'shown' if without else 'not shown'}"
    return different(said) if without else as_assumed(said)


async def own_id(calendar: TrialCalendar) -> Seen:
    row = await _written(calendar, "own")
    if row is None:
        return not_shown(calendar)
    uid = row.get("event_uid")
    return as_assumed("our event_id and an event_uid") if uid else different("no event_uid beside it")


async def deleted_row(calendar: TrialCalendar) -> Seen:
    if await _written(calendar, "gone") is None:
        return not_shown(calendar)
    await calendar.delete("gone")
    row = await calendar.shown("gone", lambda row: row.get("deleted") is True, include_deleted="true")
    if row is None:
        return different(f"no deleted row though {calendar.patience:.0f} s were waited")
    times = "with" if row.get("start") and row.get("end") else "without"
    return as_assumed(f"shown as deleted, {times} its times, with {len(row)} attributes")


async def updated(calendar: TrialCalendar) -> Seen:
    row = await _written(calendar, "updated")
    await calendar.clock.sleep(A_SECOND)
    answer = await calendar.put("updated", summary="Later")
    if not answer.accepted:
        return different(told(answer))
    later = await calendar.shown("updated", lambda row: row.get("summary") == "Later")
    if row is None or later is None:
        return not_shown(calendar)
    before, after = (read_sane_instant(each.get("updated")) for each in (row, later))
    if before is None or after is None:
        return unsettled("the rows do not say when they were updated")
    if after <= before:
        return different("a change did not move it")
    return _near(calendar, after, "moved with the change")


async def created(calendar: TrialCalendar) -> Seen:
    row = await _written(calendar, "created")
    if row is None:
        return not_shown(calendar)
    at = read_sane_instant(row.get("created"))
    return _near(calendar, at, "the moment of the write") if at else unsettled("the row does not say it")


def _near(calendar: TrialCalendar, at: datetime, said: str) -> Seen:
    apart = abs(calendar.clock.now() - at)
    told_apart = f"{said}, {apart.total_seconds():.0f} s from our clock"
    return judged(apart <= SAME_CLOCK, told_apart)


async def _written(calendar: TrialCalendar, name: str) -> Row | None:
    await calendar.put(name)
    return await calendar.shown(name)


async def _is_in(calendar: TrialCalendar, name: str, **flags: str) -> bool:
    return any(row.get("event_id") == calendar.id_of(name) for row in await calendar.rows(**flags))


READING = (
    Trial("C2", "Every row has calendar_id, event_uid, start and end", row_attributes),
    Trial("C28", "A read needs tzid", zone_needed),
    Trial("C29", "42 days back and 201 ahead are within reach, more is 422", window),
    Trial("C30", "The last page names no next one", last_page),
    Trial("C31", "last_modified is inclusive", last_modified),
    Trial("C31", "Our own events are shown only with include_managed", shown_only),
    Trial("C32", "Our own events have our event_id and an event_uid", own_id),
    Trial("C34", "deleted: true is said of what is gone", deleted_row),
    Trial("C35", "updated moves with each change, by a clock like ours", updated),
    Trial("C36", "created says when the event was made", created),
)
