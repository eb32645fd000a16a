"""What would have happened, as JSON: the API's form and the command's."""

from typing import Any

from pydantic import BaseModel

from contracts.fields import rfc3339
from service.integrations.watching import WatchedReport
from service.web.schemas import InstantText


class WatchedCountShape(BaseModel):
    """How often one thing would have happened."""

    direction: str
    action: str
    item_type: str | None
    outcome: str
    code: str
    reason: str
    times: int


class WatchedSampleShape(BaseModel):
    """One thing that would have happened."""

    at: InstantText
    direction: str
    action: str
    item_type: str | None
    outcome: str
    title: str | None
    reason: str


class WatchedShape(BaseModel):
    """What would have happened since the integration watches; ``since`` is null where it does not."""

    since: InstantText | None
    done: list[WatchedCountShape]
    left: list[WatchedCountShape]
    """What would have been skipped, held or refused, and why."""
    samples: list[WatchedSampleShape]
    """The newest, at most 50."""
    full: bool
    """Whether as much is remembered as may be: events that are new are passed over."""


def watched_form(told: WatchedReport) -> dict[str, Any]:
    """The report, for the API and the command."""
    counts = WatchedCountShape.model_fields
    samples = WatchedSampleShape.model_fields
    return {
        "since": rfc3339(told.since) if told.since else None,
        "done": [{name: getattr(one, name) for name in counts} for one in told.done],
        "left": [{name: getattr(one, name) for name in counts} for one in told.left],
        "samples": [
            {name: getattr(one, name) for name in samples} | {"at": rfc3339(one.at)} for one in told.samples
        ],
        "full": told.full,
    }
