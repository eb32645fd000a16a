"""*Operations*: how everything stands and what needs a person, for operators alone (DESIGN 11)."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from service.integrations.refusals import Conflict, Unknown
from service.operations import Case, Overview
from service.operations.consequences import tally
from service.operations.overview import Finding
from service.store.integrations.listing import Owner
from service.web import labels
from service.web.dependencies import AtDesk, Desk, operator_alone
from service.web.pages.form import Form, Guest, Sent
from service.web.pages.integrations import card
from service.web.pages.redirect import to
from service.web.paging import OfIntegration
from service.web.rendering import page
from service.web.tokens import Visitor

HOME = "/operations"
LETTERS = f"{HOME}/dead-letters"
INTEGRATIONS = f"{HOME}/integrations"
router = APIRouter(prefix=HOME)


def _operator(visitor: Guest) -> Visitor:
    return operator_alone(visitor)


def _by_operator(form: Form) -> Sent:
    operator_alone(form.visitor)
    return form


Operator = Annotated[Visitor, Depends(_operator)]
ByOperator = Annotated[Sent, Depends(_by_operator)]


@router.get("")
async def operations(request: Request, desk: AtDesk, operator: Operator) -> Response:
    """What needs a person, worst first, above all figures of all processes."""
    told = await desk.watch.overview(operator.tenant_id)
    found = [(one, *_act(one)) for one in told.findings]
    return page(request, "operations.html", told=told, findings=found, rates=_rates(told), here="operations")


def _rates(told: Overview) -> dict[str, dict[str, float]]:
    """Every outcome of every queue, 0 where nobody told of it."""
    return {
        queue.name: {outcome: queue.a_minute.get(outcome, 0.0) for outcome in ("done", "retry", "dead")}
        for queue in told.queues
    }


def _act(finding: Finding) -> tuple[str, str]:
    """Where it leads, and in what words."""
    if finding.about == "integration":
        return f"{INTEGRATIONS}/{finding.key}", "See what waits"
    if finding.about == "letters":
        return LETTERS, "Open dead letters"
    if finding.about == "queue" and "fault of ours" in finding.said:
        return f"{LETTERS}?{urlencode({'code': 'bug', 'queue': finding.key or ''})}", "See the bugs"
    return ("#cronofy", "See the budget") if finding.about == "cronofy" else ("#processes", "See processes")


@router.get("/integrations/{integration_id}")
async def integration_page(
    request: Request,
    desk: AtDesk,
    operator: Operator,
    *,
    integration_id: OfIntegration,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """Whom it concerns, what waits, and what can be done; no text of an item is shown."""
    case = await _case(desk, operator, integration_id)
    known = case.shown.integration
    return page(
        request,
        "operations_integration.html",
        case=case,
        one=card(case.shown),
        user_id=known.user_id,
        zone_there=known.time_zone,
        tally=tally(case.concerns, known.time_zone, desk.clock.now()),
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="operations",
    )


async def _case(desk: Desk, operator: Visitor, integration_id: str) -> Case:
    found = await desk.watch.cases(operator.tenant_id, integration_id=integration_id)
    if not found:
        raise Unknown("There is no such integration.")
    return found[0]


@router.post("/integrations/{integration_id}/{verb}")
async def act_on_integration(
    desk: AtDesk, form: ByOperator, *, integration_id: OfIntegration, verb: str
) -> Response:
    """Pause, resume or sync, as the command does; whatever it starts carries the operator's name."""
    operator = form.visitor
    await _case(desk, operator, integration_id)
    address = f"{INTEGRATIONS}/{integration_id}"
    try:
        return to(address, notice=await _done(desk, operator, integration_id, verb))
    except Conflict as conflict:
        return to(address, complaint=conflict.code)


async def _done(desk: Desk, operator: Visitor, integration_id: str, verb: str) -> str:
    owner = Owner(tenant_id=operator.tenant_id, user_id=None)
    verbs: dict[str, Any] = {
        "pause": lambda: desk.switching.deactivate(owner, integration_id),
        "resume": lambda: desk.switching.activate(owner, integration_id),
        "sync": lambda: desk.syncing.start(owner, integration_id, None, started_by=operator.user_id),
    }
    if verb not in verbs:
        raise Unknown("There is no such page.")
    await verbs[verb]()
    return {"pause": "deactivated", "resume": "activated", "sync": "started"}[verb]
