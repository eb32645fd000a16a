"""How everything stands now, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from service.monitoring.weather import WeatherNotice
from service.operations.consequences import Harm, describe_trouble
from service.store.integrations.listing import IntegrationView
from service.store.links.agreement import AgreementSum, DisagreementFinding
from service.store.messages.sources import DoubtfulSource
from service.store.operations.standing import ItemConcern, LinkBacklog

SILENT_SECONDS = 30.0
"""Seconds after which a process that said nothing counts as gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Concern:
    """One of the things that a finding is about, and where it is seen."""

    said: str
    integration_id: str | None = None
    group: str | None = None
    """Letters with this cause."""


FindingSubject = Literal[
    "integration", "letters", "queue", "cronofy", "outbox", "source", "agreement", "provider"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that needs a person, and where to begin."""

    about: FindingSubject
    key: str | None
    """The integration or the queue."""
    said: str
    detail: str
    who: str | None = None
    rank: tuple[int, int] = (9, 0)
    concerns: Sequence[Concern] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueLine:
    """One queue, over all processes that take from it."""

    name: str
    waiting: int | None
    """None where the broker cannot be asked from here."""
    age: float | None
    """Seconds of the message that was taken last."""
    a_minute: Mapping[str, float] = field(default_factory=dict)
    consumers: int = 0
    braked_since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetWindow:
    """What of the budget is used."""

    span: str
    used: int
    limit: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessLine:
    """A process and when it was heard last."""

    does: str
    host: str
    pid: int
    ago: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The operations page."""

    at: datetime
    findings: Sequence[Finding]
    queues: Sequence[QueueLine]
    budget: Sequence[BudgetWindow]
    level: float
    down_since: datetime | None
    outbox_waiting: int
    outbox_age: float
    open_letters: int
    replaying: int
    processes: Sequence[ProcessLine]
    alerts: Sequence[str] = ()
    """The names of the alerts that are on, the worst first."""
    causes: Sequence[Mapping[str, Any]] = ()
    """The most frequent causes of open dead letters."""
    delayed: Sequence[IntegrationView] = ()
    """Integrations whose changes wait."""
    agreement: AgreementSum | None = None
    """How many pairs of the tenant's agree; None where no calendar was ever compared whole (R51)."""
    disagreements: Sequence[DisagreementFinding] = ()
    """The tenant's integrations with pairs that differ without a reason."""
    weather: Sequence[WeatherNotice] = ()
    """Providers that are slow or failing for many at once (R53)."""
    sources: Sequence[DoubtfulSource] = ()
    """Publishers whose versions contradicted what was known within an hour (R42)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationCase:
    """One integration that needs somebody, with everything that is known of it."""

    shown: IntegrationView
    concerns: Sequence[ItemConcern]
    backlog: LinkBacklog
    letters: int
    harm: Harm

    @property
    def said(self) -> str:
        return self.harm.said or _calmly(self.shown)

    @property
    def detail(self) -> str:
        trouble = describe_trouble(self.shown, self.backlog, self.letters)
        if not self.harm.more:
            return trouble
        return f"{trouble} {self.harm.more:,} more in the next 7 days."


def _calmly(shown: IntegrationView) -> str:
    if shown.held_deletions:
        return "Deletions wait for an answer"
    if shown.integration.status == "not_connected":
        return "A linked calendar is not connected"
    return "A linked calendar is behind"
