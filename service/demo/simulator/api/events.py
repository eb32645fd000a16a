"""Reading events and free/busy, page by page (CRONOFY.md C28, C30)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from service.demo.simulator.api.rows import EventFormat, busy_row, event_row
from service.demo.simulator.calendars.checks import ErrorsByField
from service.demo.simulator.calendars.scopes import allows
from service.demo.simulator.model import Account, CachedEvent, CalendarBinding, ProviderEvent
from service.demo.simulator.state import ApiAnswer, Json, RemainingPages, SimulatorState, is_managed
from service.demo.simulator.times import (
    DAY_SECONDS,
    EventTime,
    find_zone,
    midnight,
    parse_date,
    parse_time,
    today,
)

QueryValues = dict[str, list[str]]
_FLAGS = (
    "include_managed",
    "only_managed",
    "include_deleted",
    "include_moved",
    "include_geo",
    "include_free",
    "include_ids",
    "localized_times",
    "google_event_ids",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRange:
    """From a time on, and before another; whole days are compared by their dates."""

    first: int
    last: int
    first_day: str
    last_day: str

    def covers(self, start: EventTime, end: EventTime) -> bool:
        """Starts before its end, ends on or after its start."""
        if start.day and end.day:
            return start.day < self.last_day and end.day >= self.first_day
        return start.at < self.last and end.at >= self.first


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedRead:
    """A read after its parameters were checked."""

    flags: dict[str, bool]
    range: ReadRange
    given_range: bool
    bindings: list[CalendarBinding]
    since: int | None
    external: bool
    """Whether the scope lets external events be read at all."""


def read_events(
    state: SimulatorState, account: Account, scope: str, query: QueryValues, base_url: str
) -> ApiAnswer:
    """The first page; own events only where they are asked for."""
    errors = ErrorsByField()
    request = _checked(state, account, query, errors, external=allows(scope, "read_events"))
    if request is None:
        return 422, {"errors": errors.found}
    if not request.external and not request.flags["only_managed"]:
        return 403, None
    flags = request.flags
    form = EventFormat(
        localized=flags["localized_times"],
        geo=flags["include_geo"],
        google_ids=flags["google_event_ids"],
    )
    found = _found(state, request)
    if flags["include_deleted"] and state.faults.left_is_deleted:
        found += _left(state, request)
    return _first_page(
        state,
        account,
        base_url,
        found,
        name="events",
        render=lambda each: event_row(state, each[0], each[1], form),
    )


def read_free_busy(
    state: SimulatorState, account: Account, scope: str, query: QueryValues, base_url: str
) -> ApiAnswer:
    """Periods without their contents; free ones and ids only where they are asked for."""
    if not allows(scope, "read_free_busy"):
        return 403, None
    errors = ErrorsByField()
    request = _checked(state, account, query, errors, external=True)
    if request is None:
        return 422, {"errors": errors.found}
    flags = request.flags
    found = [
        each
        for each in _found(state, request)
        if flags["include_free"] or each[1].event.transparency != "transparent"
    ]
    return _first_page(
        state,
        account,
        base_url,
        found,
        name="free_busy",
        render=lambda each: busy_row(
            each[0],
            each[1],
            localized=flags["localized_times"],
            ids=flags["include_ids"],
            managed=is_managed(state, each[0], each[1]),
        ),
    )


def _checked(
    state: SimulatorState,
    account: Account,
    query: QueryValues,
    errors: ErrorsByField,
    *,
    external: bool,
) -> CheckedRead | None:
    zone = find_zone(_one(query, "tzid") or "")
    if zone is None:
        errors.add("tzid", "errors.invalid" if _one(query, "tzid") else "errors.required")
        return None
    request = CheckedRead(
        flags={name: _flag(query, name, errors) for name in _FLAGS},
        range=_range(state, zone, query, errors),
        given_range=bool(_one(query, "from") or _one(query, "to")),
        bindings=_bindings(account, query, errors),
        since=_since(query, errors),
        external=external,
    )
    return None if errors.found else request


def _one(query: QueryValues, name: str) -> str | None:
    return query.get(name, [""])[-1] or None


def _flag(query: QueryValues, name: str, errors: ErrorsByField) -> bool:
    value = (_one(query, name) or "false").lower()
    if value not in {"true", "false"}:
        errors.add(name, "errors.must_be_boolean")
    return value == "true"


def _since(query: QueryValues, errors: ErrorsByField) -> int | None:
    text = _one(query, "last_modified")
    since = parse_time(text)
    if text is not None and since is None:
        errors.add("last_modified", "errors.invalid")
    return since


def _bindings(account: Account, query: QueryValues, errors: ErrorsByField) -> list[CalendarBinding]:
    wanted = query.get("calendar_ids[]") or query.get("calendar_ids") or []
    if any(calendar_id not in account.bindings for calendar_id in wanted):
        errors.add("calendar_ids", "errors.invalid_calendar_ids")
        return []
    return [account.bindings[known] for known in wanted or account.bindings]


def _range(state: SimulatorState, zone: ZoneInfo, query: QueryValues, errors: ErrorsByField) -> ReadRange:
    """Within 42 days back and 201 ahead; asking for more is refused, not cut."""
    now = today(state.clock.now(), zone)
    earliest = now - timedelta(days=state.faults.window_past_days)
    latest = now + timedelta(days=state.faults.window_future_days)
    first, first_day = _edge(query, "from", earliest, zone, errors)
    last, last_day = _edge(query, "to", latest, zone, errors)
    if first < midnight(earliest, zone):
        errors.add("from", "errors.invalid")
    if last > midnight(latest, zone):
        errors.add("to", "errors.invalid")
    return ReadRange(first=first, last=last, first_day=first_day, last_day=last_day)


def _edge(
    query: QueryValues, name: str, default: date, zone: ZoneInfo, errors: ErrorsByField
) -> tuple[int, str]:
    text = _one(query, name)
    day = parse_date(text) if text else default
    if day is not None:
        return midnight(day, zone), day.isoformat()
    at = parse_time(text)
    if at is None:
        errors.add(name, "errors.invalid")
        at = midnight(default, zone)
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return at, local.date().isoformat()


def _found(state: SimulatorState, request: CheckedRead) -> list[tuple[CalendarBinding, CachedEvent]]:
    if state.faults.spend("next_empty_reads"):
        return []
    found = [
        (binding, row)
        for binding in request.bindings
        if not binding.profile.syncing
        for row in _modified(binding, request.since)
        if _shown(state, request, binding, row)
    ]
    found.sort(key=lambda each: (each[1].event.start.at, each[1].event.uid))
    return found


def _left(state: SimulatorState, request: CheckedRead) -> list[tuple[CalendarBinding, CachedEvent]]:
    """What has left the window behind, as if it had been deleted (CRONOFY.md C34)."""
    now = state.clock.now()
    first = now - state.faults.window_past_days * DAY_SECONDS
    return [
        (binding, replace(row, event=replace(row.event, deleted=True, updated=now)))
        for binding in request.bindings
        for row in binding.rows.values()
        if row.event.end.at < first and not is_managed(state, binding, row)
    ]


def _modified(binding: CalendarBinding, since: int | None) -> Iterator[CachedEvent]:
    """Rows modified on or after that second, the newest first, without looking at the others."""
    for row in reversed(binding.rows.values()):
        if since is not None and int(row.modified) < since:
            return
        yield row


def _shown(state: SimulatorState, request: CheckedRead, binding: CalendarBinding, row: CachedEvent) -> bool:
    flags, event = request.flags, row.event
    if event.deleted and not flags["include_deleted"]:
        return False
    managed = is_managed(state, binding, row)
    if managed and not (flags["include_managed"] or flags["only_managed"]):
        return False
    if not managed and (flags["only_managed"] or not request.external):
        return False
    if managed and not request.given_range:
        return True
    return _in_range(request, event, row)


def _in_range(request: CheckedRead, event: ProviderEvent, row: CachedEvent) -> bool:
    if request.range.covers(event.start, event.end):
        return True
    return request.flags["include_moved"] and any(
        request.range.covers(start, end) for start, end in row.earlier
    )


def _first_page(
    state: SimulatorState,
    account: Account,
    base_url: str,
    found: list[tuple[CalendarBinding, CachedEvent]],
    *,
    name: str,
    render: Callable[[Any], Json],
) -> ApiAnswer:
    _forget_old_pages(state)
    size = state.faults.page_size
    chunks = [found[at : at + size] for at in range(0, len(found), size)] or [[]]
    if len(chunks) > 1 and state.faults.spend("next_truncated_reads"):
        chunks = chunks[:1]
    pages = RemainingPages(
        account=account,
        name=name,
        chunks=chunks,
        tokens=[state.hex(16) for _ in chunks],
        render=render,
        expires=state.clock.now() + state.faults.page_seconds,
    )
    for at, token in enumerate(pages.tokens[1:], start=1):
        state.pages[token] = (pages, at)
    return 200, _page(state, pages, 0, base_url)


def _page(state: SimulatorState, pages: RemainingPages, at: int, base_url: str) -> Json:
    position: Json = {"current": at + 1, "total": len(pages.chunks)}
    if at + 1 < len(pages.chunks):
        token = pages.tokens[max(at, 1) if state.faults.page_names_itself else at + 1]
        host = state.faults.next_page_host
        base = f"https://{host}" if host else base_url
        position["next_page"] = f"{base}/v1/{pages.name}/pages/{token}"
    elif state.faults.empty_next_page:
        position["next_page"] = ""
    return {"pages": position, pages.name: [pages.render(each) for each in pages.chunks[at]]}


def next_page(state: SimulatorState, account: Account, token: str, base_url: str) -> ApiAnswer:
    """A later page of a read, with the rows found when the read began; tokens run out."""
    pages, at = state.pages.get(token, (None, 0))
    if pages is None or pages.account is not account or pages.expires <= state.clock.now():
        return 404, None
    return 200, _page(state, pages, at, base_url)


def _forget_old_pages(state: SimulatorState) -> None:
    now = state.clock.now()
    while state.pages:
        token, (pages, _) = next(iter(state.pages.items()))
        if pages.expires > now:
            return
        del state.pages[token]
