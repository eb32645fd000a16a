"""The simulator as Cronofy is not thought to be: each word of ``contrary`` belies one assumption.

The words are those of the lines of ``doctor --live``; by them it is shown that every line can fail.
"""

from collections.abc import Callable
from typing import Any

from service.demo.simulator.api.call import ApiCall, ApiHandler
from service.demo.simulator.calendars.checks import field_refused
from service.demo.simulator.state import ApiAnswer, Json, SimulatorState

Before = Callable[[SimulatorState, ApiCall], ApiAnswer | None]
"""May change what was asked, or answer it at once."""
After = Callable[[SimulatorState, ApiCall, ApiAnswer], ApiAnswer]

_LONGEST_TITLE = 255
_LONG_AGO = "2001-01-01T00:00:00Z"
_TOKEN, _REVOKE, _GRANT = "/oauth/token", "/oauth/token/revoke", "/v1/application_calendars"
_EVENTS, _CALENDARS, _USERINFO, _CHANNELS = "/v1/events", "/v1/calendars", "/v1/userinfo", "/v1/channels"


def belied(handler: ApiHandler) -> ApiHandler:
    """The handler with what is contrary before and behind it."""

    def handle(state: SimulatorState, call: ApiCall) -> ApiAnswer:
        words = state.faults.contrary
        for word in words:
            answer = _BEFORE[word](state, call) if word in _BEFORE else None
            if answer is not None:
                return answer
        answer = handler(state, call)
        for word in words:
            answer = _AFTER[word](state, call, answer) if word in _AFTER else answer
        return answer

    return handle


def _writes(call: ApiCall) -> bool:
    return call.method == "POST" and call.path.endswith("/events")


def _refusing(name: str, rule: str, hit: Callable[[Json], bool]) -> Before:
    """422 for a write of which that is so."""

    def before(_: SimulatorState, call: ApiCall) -> ApiAnswer | None:
        return (422, field_refused(name, rule)) if _writes(call) and hit(call.data) else None

    return before


def _asking(path: str, change: Callable[[ApiCall], None]) -> Before:
    """Something else is asked than was."""

    def before(_: SimulatorState, call: ApiCall) -> None:
        if call.method == "GET" and call.path == path:
            change(call)

    return before


def _answering(method: str, path: str, change: Callable[[Json], None]) -> After:
    """What is answered with success is changed before it leaves."""

    def after(_: SimulatorState, call: ApiCall, answer: ApiAnswer) -> ApiAnswer:
        if call.method == method and call.path == path and answer[1] is not None and answer[0] < 300:  # noqa: PLR2004
            change(answer[1])
        return answer

    return after


def _showing(change: Callable[[Json], None]) -> After:
    """Each row of a read is changed before it leaves."""

    def change_all(said: Json) -> None:
        for row in said["events"]:
            change(row)

    return _answering("GET", _EVENTS, change_all)


def _status(hit: Callable[[ApiCall, int], bool], status: int) -> After:
    """The answers of which that is so have another status."""

    def after(_: SimulatorState, call: ApiCall, answer: ApiAnswer) -> ApiAnswer:
        return (status, answer[1]) if hit(call, answer[0]) else answer

    return after


def _whole_seconds(_: SimulatorState, call: ApiCall) -> None:
    if _writes(call) and isinstance(call.data.get("start"), str):
        call.data["start"] = call.data["start"].replace(".500Z", "Z")


def _is_buried(state: SimulatorState, call: ApiCall) -> ApiAnswer | None:
    calendars = state.calendars.values()
    buried = {event.owner.event_id for each in calendars for event in each.bin.values() if event.owner}
    return (202, None) if _writes(call) and call.data.get("event_id") in buried else None


def _keeps_grant(_: SimulatorState, call: ApiCall) -> ApiAnswer | None:
    return (200, None) if call.path == _REVOKE else None


def _revoked_once(state: SimulatorState, call: ApiCall) -> ApiAnswer | None:
    known = call.data.get("token") in state.refresh_tokens
    return (404, None) if call.path == _REVOKE and not known else None


def _one_grant(state: SimulatorState, call: ApiCall) -> None:
    if call.path == _GRANT:
        state.access_tokens.clear()


def _spent_at_once(state: SimulatorState, call: ApiCall, answer: ApiAnswer) -> ApiAnswer:
    if call.path == _TOKEN:
        state.refresh_tokens.pop(str(call.data.get("refresh_token")), None)
    return answer


def _set(name: str, value: Any) -> Callable[[Json], None]:
    return lambda row: row.update({name: value})


def _lacking(name: str) -> Callable[[Json], None]:
    return lambda row: row.pop(name, None)


def _inclusive(row: Json) -> None:
    if len(row["end"]) == len("2026-12-03"):
        row["end"] = row["start"]


def _renamed(said: Json) -> None:
    said["cronofy"] = {"data": said.pop("cronofy.data")}


def _levels(said: Json) -> None:
    for row in said["calendars"]:
        row["permission_level"] = "full"


def _twice(said: Json) -> None:
    said["events"] += [{**row, "event_uid": f"{row['event_uid']}2"} for row in said["events"]]


def _living(said: Json) -> None:
    said["events"] = [row for row in said["events"] if not row["deleted"]]


def _endless(said: Json) -> None:
    said["pages"].setdefault("next_page", "http://cronofy.test/v1/events/pages/none")


def _another(said: Json) -> None:
    said["channel"] = {**said["channel"], "channel_id": "chn_another"}


def _zone_given(call: ApiCall) -> None:
    call.query.setdefault("tzid", ["Etc/UTC"])


def _boundless(call: ApiCall) -> None:
    call.query.pop("from", None)
    call.query.pop("to", None)


def _exclusive(call: ApiCall) -> None:
    if "last_modified" in call.query:
        call.query["last_modified"] = ["2099-01-01T00:00:00Z"]


def _all_shown(call: ApiCall) -> None:
    call.query["include_managed"] = ["true"]


def _is_empty(data: Json) -> bool:
    return (data.get("location") or {}).get("description") == ""


_BEFORE: dict[str, Before] = {
    "fractions": _whole_seconds,
    "long_texts": _refusing(
        "summary", "errors.too_long", lambda data: len(data.get("summary", "")) > _LONGEST_TITLE
    ),
    "unknown_zone": _refusing("start", "errors.invalid", lambda data: data.get("tzid") == "Vorex/Nowhere"),
    "empty_texts": _refusing("location", "errors.invalid", _is_empty),
    "empty_title": _refusing(
        "summary", "errors.required", lambda data: data.get("summary") in {"", "\u200b"}
    ),
    "no_length": _refusing("end", "errors.invalid", lambda data: data.get("start") == data.get("end")),
    "shades": _refusing("transparency", "errors.invalid", lambda data: "extended_transparency" in data),
    "address": _refusing("url", "errors.invalid", lambda data: "url" in data),
    "colour": _refusing("color", "errors.invalid", lambda data: "color" in data),
    "written_again": _is_buried,
    "zone_needed": _asking(_EVENTS, _zone_given),
    "window": _asking(_EVENTS, _boundless),
    "last_modified": _asking(_EVENTS, _exclusive),
    "shown_only": _asking(_EVENTS, _all_shown),
    "revocation": _keeps_grant,
    "revoked_again": _revoked_once,
    "second_grant": _one_grant,
}
_AFTER: dict[str, After] = {
    "same_id": _answering("GET", _EVENTS, _twice),
    "whole_days": _showing(_inclusive),
    "accepted": _status(lambda call, status: _writes(call) and status == 202, 200),  # noqa: PLR2004
    "deletion": _status(lambda call, status: call.method == "DELETE" and status == 202, 404),  # noqa: PLR2004
    "transparency": _showing(_set("transparency", "opaque")),
    "private": _showing(_set("event_private", False)),
    "batch": _answering("POST", "/v1/batch", lambda said: said["batch"].reverse()),
    "row_attributes": _showing(_lacking("end")),
    "last_page": _answering("GET", _EVENTS, _endless),
    "own_id": _showing(_lacking("event_uid")),
    "deleted_row": _answering("GET", _EVENTS, _living),
    "updated": _showing(_set("updated", _LONG_AGO)),
    "created": _showing(_set("created", _LONG_AGO)),
    "replaced_token": _spent_at_once,
    "refusal": _status(lambda call, status: call.path == _TOKEN and status == 400, 422),  # noqa: PLR2004
    "profiles": _answering("GET", _USERINFO, _renamed),
    "calendars": _answering("GET", _CALENDARS, _set("pages", {"current": 1, "total": 2})),
    "permission_level": _answering("GET", _CALENDARS, _levels),
    "channel": _answering("POST", _CHANNELS, _another),
    "unknown_calendar": _status(lambda call, status: _writes(call) and status == 404, 422),  # noqa: PLR2004
    "no_token": _status(lambda call, status: call.account is None and status == 401, 200),  # noqa: PLR2004
}
