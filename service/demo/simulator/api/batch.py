"""Up to fifty writes in one request (CRONOFY.md C26)."""

import re
from typing import Any
from urllib.parse import unquote

from service.demo.simulator.api.call import ApiCall
from service.demo.simulator.calendars import writes
from service.demo.simulator.calendars.checks import field_refused
from service.demo.simulator.state import ApiAnswer, Json, SimulatorState

MOST_BATCH_ENTRIES = 50
_WRITES = {"POST": writes.upsert, "DELETE": writes.remove}
_ADDRESS = re.compile(r"/v1/calendars/([^/]+)/events\Z")


def run_batch(state: SimulatorState, call: ApiCall) -> ApiAnswer:
    """In order, each entry with an answer of its own; there is no transaction."""
    entries = call.data.get("batch")
    if not isinstance(entries, list) or not entries:
        return 422, field_refused("batch", "errors.required")
    if len(entries) > MOST_BATCH_ENTRIES:
        return 422, field_refused("batch", "errors.too_many")
    return 207, {"batch": [_answered(state, call, entry) for entry in entries]}


def _answered(state: SimulatorState, call: ApiCall, entry: Any) -> Json:
    faults = state.faults
    hit = faults.spend("next_entry_errors")
    if hit and not faults.error_after_applying:
        return {"status": faults.error_status}
    status, data = _run(state, call, entry if isinstance(entry, dict) else {})
    if hit:
        return {"status": faults.error_status}
    return {"status": status} if data is None else {"status": status, "data": data}


def _run(state: SimulatorState, call: ApiCall, entry: Json) -> ApiAnswer:
    write = _WRITES.get(str(entry.get("method")).upper())
    found = _ADDRESS.match(str(entry.get("relative_url")))
    if write is None or found is None:
        return 422, field_refused("relative_url" if write else "method", "errors.invalid")
    data = entry.get("data")
    if not isinstance(data, dict):
        return 422, field_refused("data", "errors.required")
    return write(state, call.who, call.scope, unquote(found[1]), data)
