"""Which dead letters a page speaks of, as its address and its forms carry it (R30)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import Depends

from service.operations import LetterFilter
from service.web import labels
from service.web.dependencies import WebServices
from service.web.paging import LONGEST_SEARCH, is_id
from service.web.paths import LETTERS_PATH
from service.web.schemas import LetterCode, LetterState

SINCE_AGO: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LettersAddress:
    """The filter as it stands in the address; a word of no closed set asks for nothing."""

    queue: str = ""
    code: str = ""
    since: str = ""
    integration: str = ""
    group: str = ""
    reason: str = ""
    state: str = "open"

    @property
    def given(self) -> dict[str, str]:
        """What is asked for beside the state."""
        names = ("queue", "code", "since", "integration", "group", "reason")
        return {name: value for name in names if (value := getattr(self, name))}

    @property
    def query(self) -> str:
        return urlencode(self.given)

    def address(self, **changes: str) -> str:
        """The list with another state, or with another part of the filter."""
        return f"{LETTERS_PATH}?{urlencode({'state': self.state, **self.given, **changes})}"

    def matching(self, services: WebServices, *, state: str | None = None) -> LetterFilter:
        ago = SINCE_AGO.get(self.since)
        return LetterFilter(
            queue=self.queue or None,
            code=self.code or None,
            since=services.clock.now() - ago if ago else None,
            integration=self.integration or None,
            group=self.group or None,
            reason=self.reason or None,
            state=state or self.state,
        )


def asked_of(fields: Mapping[str, Any]) -> LettersAddress:
    """The filter that a form carries along."""
    names = ("queue", "code", "since", "integration", "group", "reason", "state")
    return _asked(**{name: str(fields[name]) for name in names if name in fields})


def _asked(  # noqa: PLR0917 -- each is a query parameter
    queue: str = "",
    code: str = "",
    since: str = "",
    integration: str = "",
    group: str = "",
    reason: str = "",
    state: str = "open",
) -> LettersAddress:
    return LettersAddress(
        queue=queue if queue in labels.QUEUES else "",
        code=code if code in get_args(LetterCode) else "",
        since=since if since in SINCE_AGO else "",
        integration=integration if is_id(integration) else "",
        group=group.strip()[:64].replace("\0", ""),
        reason=reason.strip()[:LONGEST_SEARCH].replace("\0", ""),
        state=state if state in get_args(LetterState) else "open",
    )


AskedByAddress = Annotated[LettersAddress, Depends(_asked)]
