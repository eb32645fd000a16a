"""How everything stands, as JSON for operators."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from contracts.fields import rfc3339
from service.operations import Overview
from service.store.links.agreement import AgreementSum
from service.web.dependencies import Services, SignedInVisitor, require_operator
from service.web.schemas import InstantText
from service.web.tokens import Visitor

router = APIRouter(prefix="/operations", tags=["operations"])


def _known_operator(visitor: SignedInVisitor) -> Visitor:
    return require_operator(visitor)


class FindingShape(BaseModel):
    about: str
    key: str | None
    said: str
    detail: str
    who: str | None


class QueueShape(BaseModel):
    name: str
    waiting: int | None
    age: float | None
    a_minute: dict[str, float]
    consumers: int
    braked_since: InstantText | None


class WindowShape(BaseModel):
    span: str
    used: int
    limit: int | None


class ProcessShape(BaseModel):
    does: str
    host: str
    pid: int
    ago: float


class AgreementSumShape(BaseModel):
    """How many pairs of so many calendars agree, and when the one was checked that waits longest (R51)."""

    integrations: int
    agree: int
    of: int
    checked_at: InstantText


class OverviewShape(BaseModel):
    """``findings`` is sorted by consequence; ages are seconds, rates messages a minute."""

    at: InstantText
    agreement: AgreementSumShape | None
    findings: list[FindingShape]
    queues: list[QueueShape]
    budget: list[WindowShape]
    level: float
    down_since: InstantText | None
    outbox_waiting: int
    outbox_age: float
    open_letters: int
    replaying: int
    processes: list[ProcessShape]


@router.get("", response_model=OverviewShape)
async def get_operations(
    services: Services, operator: Annotated[Visitor, Depends(_known_operator)]
) -> dict[str, Any]:
    """Queues, pauses, budget and outbox of all processes, and what of your tenant needs a person."""
    return _form(await services.dashboard.overview(operator.tenant_id))


def _form(told: Overview) -> dict[str, Any]:
    queues = [
        asdict(one) | {"braked_since": rfc3339(one.braked_since) if one.braked_since else None}
        for one in told.queues
    ]
    return {
        **asdict(told),
        "at": rfc3339(told.at),
        "agreement": _agreement(told.agreement),
        "queues": queues,
        "down_since": rfc3339(told.down_since) if told.down_since else None,
    }


def _agreement(total: AgreementSum | None) -> dict[str, Any] | None:
    if total is None or total.checked_at is None:
        return None
    return asdict(total) | {"checked_at": rfc3339(total.checked_at)}
