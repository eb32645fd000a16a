"""*Operations*: how everything stands and what needs a person, for operators alone."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from service.integrations.refusals import Conflict, Unknown
from service.operations import IntegrationCase, Overview
from service.operations.consequences import tally_of_concerns
from service.operations.overview import Finding
from service.store.integrations.listing import Owner
from service.web import labels
from service.web.catalogue import gettext
from service.web.dependencies import Services, WebServices, actor_of, require_operator
from service.web.pages.form import FormSubmission, PageVisitor, SentForm
from service.web.pages.integrations import integration_card
from service.web.pages.operators import words
from service.web.pages.operators.pictures import pictures_of
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId
from service.web.paths import LETTERS_PATH, OPERATIONS_PATH, TROUBLED_PATH
from service.web.rendering import render_page
from service.web.tokens import Visitor

router = APIRouter(prefix=OPERATIONS_PATH)


def _operator(visitor: PageVisitor) -> Visitor:
    return require_operator(visitor)


def _by_operator(form: SentForm) -> FormSubmission:
    require_operator(form.visitor)
    return form


OperatorVisitor = Annotated[Visitor, Depends(_operator)]
OperatorForm = Annotated[FormSubmission, Depends(_by_operator)]


@router.get("")
async def operations(request: Request, services: Services, operator: OperatorVisitor) -> Response:
    """What needs a person, worst first, above all figures of all processes."""
    told = await services.dashboard.overview(operator.tenant_id)
    found = [(one, *_act(one)) for one in told.findings]
    return render_page(
        request,
        "operations.html",
        told=told,
        said=words,
        findings=found,
        questions=await services.questions.count(operator.tenant_id),
        rates=_rates(told),
        spans=[(span, pictures_of(span)) for span in await services.history.of(operator.tenant_id)],
        here="operations",
    )


def _rates(told: Overview) -> dict[str, dict[str, float]]:
    """Every outcome of every queue, 0 where nobody told of it."""
    return {
        queue.name: {outcome: queue.a_minute.get(outcome, 0.0) for outcome in ("done", "retry", "dead")}
        for queue in told.queues
    }


def _act(finding: Finding) -> tuple[str, str]:
    """Where it leads, and in what words."""
    if finding.about == "queue" and "fault of ours" in finding.said:
        bugs = urlencode({"code": "bug", "queue": finding.key or ""})
        return f"{LETTERS_PATH}?{bugs}", gettext("See the bugs")
    integration = f"{TROUBLED_PATH}/{finding.key}"
    leads = {
        "integration": (integration, gettext("See what waits")),
        "agreement": (integration, gettext("See the calendar")),
        "letters": (LETTERS_PATH, gettext("Open dead letters")),
        "provider": ("#weather", gettext("See the weather")),
        "cronofy": ("#cronofy", gettext("See the budget")),
    }
    return leads.get(finding.about, ("#processes", gettext("See processes")))


@router.get("/integrations/{integration_id}")
async def integration_page(
    request: Request,
    services: Services,
    operator: OperatorVisitor,
    *,
    integration_id: IntegrationPathId,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """Whom it concerns, what waits, and what can be done; no text of an item is shown."""
    case = await _case(services, operator, integration_id)
    known = case.shown.integration
    return render_page(
        request,
        "operations_integration.html",
        case=case,
        said=words,
        one=integration_card(case.shown),
        user_id=known.user_id,
        zone_there=known.time_zone,
        tally=tally_of_concerns(case.concerns, known.time_zone, services.clock.now()),
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="operations",
    )


async def _case(services: WebServices, operator: Visitor, integration_id: str) -> IntegrationCase:
    found = await services.dashboard.cases(operator.tenant_id, integration_id=integration_id)
    if not found:
        raise Unknown("There is no such integration.")
    return found[0]


@router.post("/integrations/{integration_id}/{verb}")
async def act_on_integration(
    services: Services, form: OperatorForm, *, integration_id: IntegrationPathId, verb: str
) -> Response:
    """Pause, resume or sync, in the operator's name: the person's log says so (R47), and so does the run."""
    operator = form.visitor
    await _case(services, operator, integration_id)
    address = f"{TROUBLED_PATH}/{integration_id}"
    try:
        return redirect_to(address, notice=await _done(services, operator, integration_id, verb))
    except Conflict as conflict:
        return redirect_to(address, complaint=conflict.code)


async def _done(services: WebServices, operator: Visitor, integration_id: str, verb: str) -> str:
    owner = Owner(tenant_id=operator.tenant_id, user_id=None)
    acts, actor = services.tenant_acts, actor_of(operator)
    verbs: dict[str, Any] = {
        "pause": lambda: acts.act(actor, "pause", integration_id),
        "resume": lambda: acts.act(actor, "resume", integration_id),
        "sync": lambda: services.syncing.start(owner, integration_id, None, started_by=operator.user_id),
    }
    if verb not in verbs:
        raise Unknown("There is no such page.")
    await verbs[verb]()
    return {"pause": "deactivated", "resume": "activated", "sync": "started"}[verb]
