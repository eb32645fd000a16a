"""Trials of what is written to Cronofy (contracts/CRONOFY.md, Writing and Batches)."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from contracts.writes import Answer
from handlers.landing import NO_TITLE_THERE
from handlers.texts.compose import LONGEST_DESCRIPTION, LONGEST_TITLE
from service.cronofy.gateway import LARGEST_BATCH
from service.cronofy.live.calendar import Row, TrialCalendar
from service.cronofy.live.trial import (
    Seen,
    Trial,
    as_assumed,
    different,
    judged,
    not_shown,
    taken,
    told,
    unsettled,
)

_SHADES = ("out_of_office", "tentative", "working_elsewhere")


async def fractions(calendar: TrialCalendar) -> Seen:
    start = calendar.moment(9).replace("Z", ".500Z")
    return _refused(await calendar.put("fraction", start=start))


async def same_id(calendar: TrialCalendar) -> Seen:
    for title in ("First", "Second"):
        answer = await calendar.put("same", summary=title)
        if not answer.accepted:
            return different(told(answer))
        if await calendar.shown("same", _titled(title)) is None:
            return not_shown(calendar)
    mine = [row for row in await calendar.rows() if row.get("event_id") == calendar.id_of("same")]
    said = f"{len(mine)} event after two writes"
    return judged(len(mine) == 1, said)


async def long_texts(calendar: TrialCalendar) -> Seen:
    title, description = "T" * LONGEST_TITLE, "D" * LONGEST_DESCRIPTION
    answer = await calendar.put("long", summary=title, description=description)
    if not answer.accepted:
        return different(told(answer))
    row = await calendar.shown("long")
    if row is None:
        return not_shown(calendar)
    seen = (len(str(row.get("summary"))), len(str(row.get("description"))))
    said = f"a title of {seen[0]} and a description of {seen[1]} characters are shown"
    return judged(seen == (LONGEST_TITLE, LONGEST_DESCRIPTION), said)


async def unknown_zone(calendar: TrialCalendar) -> Seen:
    answer = await _put_in_zone(calendar, "Vorex/Nowhere")
    windows = await _put_in_zone(calendar, "W. Europe Standard Time")
    said = f"{told(answer)}; a Windows name: {told(windows)}"
    names_it = any("tzid" in f"{name} {rule}" for name, rule in answer.errors.items())
    return judged(answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and names_it, said)


async def _put_in_zone(calendar: TrialCalendar, tzid: str) -> Answer:
    times = {"start": calendar.moment(9), "end": calendar.moment(10)}
    placed: dict[str, Any] = {name: {"time": time, "tzid": tzid} for name, time in times.items()}
    return await calendar.put("zone", tzid=tzid, **placed)


async def whole_days(calendar: TrialCalendar) -> Seen:
    first = calendar.day()
    days: dict[str, Any] = {"start": first.isoformat(), "end": (first + timedelta(days=1)).isoformat()}
    answer = await calendar.put("day", **days)
    if not answer.accepted:
        return different(told(answer))
    row = await calendar.shown("day")
    if row is None:
        return not_shown(calendar)
    said = f"one day, written until the next, is shown {'so' if _has(row, days) else 'otherwise'}"
    return judged(_has(row, days), said)


async def empty_texts(calendar: TrialCalendar) -> Seen:
    return taken(await calendar.put("empty", description="", location={"description": ""}))


async def empty_title(calendar: TrialCalendar) -> Seen:
    answer = await calendar.put("untitled", summary="")
    if answer.accepted:
        return as_assumed(f"{told(answer)}: an empty title is accepted")
    instead = await calendar.put("untitled", summary=NO_TITLE_THERE)
    said = f"{told(answer)}; one that no reader sees: {told(instead)}"
    return judged(instead.accepted and "summary" in answer.errors, said)


async def no_length(calendar: TrialCalendar) -> Seen:
    moment = {"time": calendar.moment(9), "tzid": "Etc/UTC"}
    return taken(await calendar.put("moment", start=moment, end=moment))


async def accepted(calendar: TrialCalendar) -> Seen:
    began = calendar.clock.monotonic()
    answer = await calendar.put("accepted")
    if answer.status != HTTPStatus.ACCEPTED:
        return different(told(answer))
    if await calendar.shown("accepted") is None:
        return not_shown(calendar)
    return as_assumed(f"{told(answer)}, shown after {calendar.clock.monotonic() - began:.1f} s")


async def written_again(calendar: TrialCalendar) -> Seen:
    await calendar.put("again")
    if await calendar.shown("again") is None:
        return not_shown(calendar)
    await calendar.delete("again")
    if not await calendar.gone("again"):
        return unsettled(f"the deletion did not show though {calendar.patience:.0f} s were waited")
    answer = await calendar.put("again", summary="Again")
    if not answer.accepted:
        return different(told(answer))
    if await calendar.shown("again", _titled("Again")) is None:
        return different("a new event under the id of a deleted one was accepted, and did not show")
    return as_assumed("a new event under the id of a deleted one is shown")


async def deletion(calendar: TrialCalendar) -> Seen:
    await calendar.put("deleted")
    answers = [await calendar.delete("deleted"), await calendar.delete("never-written")]
    said = f"{told(answers[0])}; of what is not there: {told(answers[1])}"
    all_taken = all(answer.status == HTTPStatus.ACCEPTED for answer in answers)
    return judged(all_taken, said)


async def transparency(calendar: TrialCalendar) -> Seen:
    return await _kept(calendar, "free", {"transparency": "transparent"})


async def shades(calendar: TrialCalendar) -> Seen:
    for shade in _SHADES:
        seen = await _kept(calendar, shade, {"transparency": "opaque", "extended_transparency": shade})
        if seen.well is not True:
            return seen
    return as_assumed("each kind of busy is accepted and shown as written")


async def private(calendar: TrialCalendar) -> Seen:
    return await _kept(calendar, "private", {"event_private": True})


async def _kept(calendar: TrialCalendar, name: str, written: dict[str, Any]) -> Seen:
    answer = await calendar.put(name, **written)
    if not answer.accepted:
        return different(f"{', '.join(written)}: {told(answer)}")
    row = await calendar.shown(name)
    if row is None:
        return not_shown(calendar)
    if lacking := [each for each in written if each not in row]:
        return unsettled(f"accepted; {', '.join(lacking)} is not shown here")
    wrong = [each for each in written if row[each] != written[each]]
    return different(f"shown otherwise: {', '.join(wrong)}") if wrong else as_assumed("shown as written")


async def batch(calendar: TrialCalendar) -> Seen:
    events = [calendar.event(f"batch-{number}") for number in range(LARGEST_BATCH)]
    del events[1]["start"]
    status, said = await calendar.batch(events)
    entries = said.get("batch") if isinstance(said, dict) else None
    if status != HTTPStatus.MULTI_STATUS or not isinstance(entries, list):
        return different(f"answered {status}")
    statuses = [entry.get("status") for entry in entries if isinstance(entry, dict)]
    as_sent = statuses == [
        HTTPStatus.UNPROCESSABLE_ENTITY if at == 1 else HTTPStatus.ACCEPTED for at in range(LARGEST_BATCH)
    ]
    found = f"{len(statuses)} answers to {LARGEST_BATCH} writes, the refused one "
    return judged(as_sent, f"{found}in its place" if as_sent else f"{found}not in its place alone")


async def address(calendar: TrialCalendar) -> Seen:
    return await _taken_beside(calendar, "address", url="https://example.com/records/7")


async def colour(calendar: TrialCalendar) -> Seen:
    return await _taken_beside(calendar, "colour", color="#49BED8")


async def _taken_beside(calendar: TrialCalendar, name: str, **written: str) -> Seen:
    """Whether the attribute is accepted, and under which names its value comes back."""
    answer = await calendar.put(name, **written)
    if not answer.accepted:
        return different(told(answer))
    row = await calendar.shown(name)
    if row is None:
        return not_shown(calendar)
    (value,) = written.values()
    names = [each for each, shown in row.items() if shown == value]
    return as_assumed(f"{told(answer)}; read back as {', '.join(names) or 'nothing'}")


def _refused(answer: Answer) -> Seen:
    return judged(answer.status == HTTPStatus.UNPROCESSABLE_ENTITY, told(answer))


def _titled(title: str) -> Any:
    return lambda row: row.get("summary") == title


def _has(row: Row, wanted: dict[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in wanted.items())


WRITING = (
    Trial("C1", "A time with a fraction of a second is refused", fractions),
    Trial("C15", "Two writes under one event id make one event", same_id),
    Trial("C16", "A title of 1,024 and a description of 4,096 characters are accepted", long_texts),
    Trial("C17", "An unknown zone is 422 with tzid in the field or the rule", unknown_zone),
    Trial("C17", "The end of a whole day is the next day", whole_days),
    Trial("C18", "An empty description and an empty place are accepted", empty_texts),
    Trial("C18", "An empty title is accepted, or else one that no reader sees", empty_title),
    Trial("C18", "An event may begin and end at one instant", no_length),
    Trial("C20", "A write is answered 202 and shows soon after", accepted),
    Trial("C22", "The id of a deleted event can be written again", written_again),
    Trial("C23", "A deletion with a JSON body is 202, of what is not there, too", deletion),
    Trial("C25", "transparency is kept as written", transparency),
    Trial("C25", "extended_transparency may be written beside transparency", shades),
    Trial("C25", "event_private is kept as written", private),
    Trial("C26", "A batch of 50 is 207 with an answer for each, in order, each alone", batch),
    Trial("C59", "An address is accepted as url", address),
    Trial("C60", "A colour is accepted as color", colour),
)
