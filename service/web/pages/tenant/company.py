"""All technicians at once: the domain, who is connected, who is not and why, and what they begin with."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.requests import ClientDisconnect

from contracts.errors import GrantRefused, Malformed
from service.cronofy.callbacks import SIGNATURE_HEADER, BodyTooLarge, bounded_body
from service.integrations.companies.choosing import MOST_PEOPLE, CompanyHolder
from service.integrations.companies.domain import LOCKED_GROUPS, CompanyDefaults, NotSigned
from service.integrations.companies.people_given import (
    LIST_TOO_LONG,
    LONGEST_LIST,
    MOST_GIVEN,
    NO_EMAIL,
    NO_USER_ID,
    NOBODY_NAMED,
    OTHER_ADDRESS,
    OWN_USER_ID,
    SAME_MAILBOX,
    SAME_PERSON,
    TOO_MANY_NAMED,
    people_of,
)
from service.integrations.refusals import Conflict, FieldError, Invalid, StateRefused, Unknown
from service.integrations.settings_form import EventBoxes, ItemBoxes
from service.store.people.companies import CompanyRow
from service.web import labels
from service.web.catalogue import Texts
from service.web.dependencies import Services, WebServices, actor_of
from service.web.pages.form import SentForm
from service.web.pages.redirect import redirect_to
from service.web.pages.tenant.visitors import CompanyAdministrator, CompanyAdministratorForm
from service.web.paging import IdCursor, is_id
from service.web.paths import COMPANY_ANSWERS_PATH, COMPANY_PATH, INTEGRATIONS_PATH
from service.web.problems import problem_response
from service.web.rendering import render_page
from service.web.tokens import Visitor

PEOPLE_A_PAGE = 100
LARGEST_ANSWER = 64 * 1024
LONGEST_USER_FIELD = 255
STAGE_WORDS: labels.LabelTexts = Texts(
    {
        "chosen": "Is being asked for",
        "asked": "Is being asked for",
        "answered": "Is being connected",
        "granted": "Is being connected",
        "connected": "Connected",
        "already": "Had connected it before, and was left alone",
        "failed": "Failed",
        "left": "The integration is deleted",
    }
)
FAILURE_WORDS: labels.LabelTexts = Texts(
    {
        "unknown_mailbox": "There is no such mailbox in the domain.",
        "not_licensed": "The mailbox has no licence for a calendar.",
        "refused": "The domain's own rules keep Vorex from this mailbox.",
        "no_answer": "Cronofy did not say what became of it.",
        "silent": "Cronofy could not be reached for a long time.",
        "no_calendar": "The mailbox has no calendar that can be written to.",
        "access_ended": "The permission has ended. Connect the domain once more.",
        "taken": "Somebody else has linked this mailbox.",
        "other_address": "Vorex names another address for this person.",
        "left": "The person has left Vorex.",
        "plan": "What is agreed with Cronofy does not allow this.",
        "limit": "The person has as many integrations as one person may have.",
        "other": "Cronofy refused it without a reason that is known here.",
    }
)
LIST_WORDS: labels.LabelTexts = Texts(
    {
        NO_USER_ID: "Line %(line)s must begin with a user id of Vorex.",
        NO_EMAIL: "Line %(line)s must end with an e-mail address.",
        SAME_PERSON: "Line %(line)s names a person who is in the list already.",
        SAME_MAILBOX: "Line %(line)s names a mailbox that is in the list already.",
        OWN_USER_ID: (
            "Line %(line)s names yourself, with a mailbox that Vorex does not say is yours. "
            "Link your own calendar in the usual way."
        ),
        OTHER_ADDRESS: (
            "Line %(line)s names a mailbox for somebody of whom Vorex names another address. "
            "Let this person link it themselves."
        ),
        NOBODY_NAMED: "Choose at least one person.",
        TOO_MANY_NAMED: "These are more people than can be added at once.",
        LIST_TOO_LONG: "The list is too long.",
    }
)
TICKED_WORDS: labels.LabelTexts = Texts(
    {
        NO_USER_ID: "%(person)s is no user id of Vorex.",
        NO_EMAIL: "%(person)s needs an e-mail address.",
        SAME_PERSON: "%(person)s is in the list already.",
        SAME_MAILBOX: "The mailbox of %(person)s is in the list already.",
        OWN_USER_ID: "%(person)s is yourself, and Vorex does not say that the mailbox is yours. "
        "Link your own calendar in the usual way.",
        OTHER_ADDRESS: "Vorex names another address for %(person)s. Let this person link it themselves.",
    }
)
LOCKED_WORDS: labels.LabelTexts = Texts(
    {
        "event_types": "Nobody may change what comes from the linked calendar.",
        "item_types": "Nobody may change what is sent to the linked calendar.",
    }
)
COMPANY_NOTICES: labels.LabelTexts = Texts(
    {
        "company_connected": "The domain is connected. Choose now whom to connect.",
        "company_chosen": "They are being connected. The table below says how far each has come.",
        "company_ending": "The company calendar is being disconnected.",
        "company_left_out": (
            "The settings are saved. Some people keep theirs, for with these nothing would be left to sync, "
            "or their calendar may be one that cannot be written to."
        ),
    }
)
COMPANY_COMPLAINTS: labels.LabelTexts = Texts(
    {
        "no_domain": "That was the permission of one person, not of a domain. Nothing was saved.",
        "no_company": "No company calendar is connected. Nothing was done.",
        "company_ending": "The company calendar is being disconnected. Wait until that is done.",
        "too_many_people": "These would be more people than can be connected so. Nobody was added.",
    }
)
router = APIRouter()


def company_holder(visitor: Visitor) -> CompanyHolder:
    """As whom an administrator begins and ends a consent."""
    return CompanyHolder(
        tenant_id=visitor.tenant_id, user_id=visitor.user_id, session_id=visitor.session, email=visitor.email
    )


@router.get(COMPANY_PATH)
async def company_page(
    request: Request,
    services: Services,
    visitor: CompanyAdministrator,
    *,
    after: IdCursor,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """How the domain stands, whom it connects, and what they begin with."""
    return await _shown(
        request,
        services,
        visitor,
        after=after,
        notice=COMPANY_NOTICES.get(notice) or labels.NOTICES.get(notice),
        complaint=COMPANY_COMPLAINTS.get(complaint) or labels.COMPLAINTS.get(complaint),
    )


async def _shown(
    request: Request,
    services: WebServices,
    visitor: Visitor,
    *,
    after: str | None = None,
    status: int = HTTPStatus.OK,
    **told: Any,
) -> Response:
    company = await services.company.shown(visitor.tenant_id)
    page = await services.company.people(visitor.tenant_id, after=after, limit=PEOPLE_A_PAGE)
    return render_page(
        request,
        "company.html",
        status=status,
        company=company if company and company.stage != "begun" else None,
        provider=labels.provider_name(_service(company)) if company else "",
        rows=page.rows,
        following=page.following,
        first=after is None,
        counted=await services.company.counted(visitor.tenant_id),
        known=await services.company.known(company_holder(visitor)),
        stages=STAGE_WORDS,
        failures=FAILURE_WORDS,
        locks=LOCKED_WORDS,
        most=MOST_PEOPLE,
        most_at_once=MOST_GIVEN,
        longest=LONGEST_LIST,
        here="administration",
        **{"pasted": "", "ticked": {}, "errors": (), "notice": None, "complaint": None, **told},
    )


def _service(company: CompanyRow) -> str:
    return {"exchange": "office365", "google": "gsuite"}.get(company.provider_name or "", "")


@router.get(f"{COMPANY_PATH}/connect")
async def connect(services: Services, visitor: CompanyAdministrator) -> Response:
    """Send the administrator to Cronofy, with a state that only this session can bring back."""
    try:
        address = await services.company.begin(company_holder(visitor))
    except Conflict:
        return redirect_to(COMPANY_PATH, complaint="company_ending")
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


@router.get(f"{COMPANY_PATH}/callback")
async def callback(
    services: Services,
    visitor: CompanyAdministrator,
    *,
    state: str = "",
    code: str = "",
    error: str = "",
) -> Response:
    """The administrator is back; a state is good once, and nothing is kept of a refusal."""
    holder = company_holder(visitor)
    try:
        company = await services.company.returned(state, holder)
    except StateRefused as refused:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"state: {refused}") from None
    if error:
        return redirect_to(COMPANY_PATH, complaint="refused")
    try:
        await services.company.connect(company, holder, code)
    except GrantRefused:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "code: is unknown or was used before") from None
    except Conflict:
        return redirect_to(COMPANY_PATH, complaint="no_domain")
    return redirect_to(COMPANY_PATH, notice="company_connected")


@router.post(f"{COMPANY_PATH}/people")
async def choose(request: Request, services: Services, form: CompanyAdministratorForm) -> Response:
    """These people are to be connected: those whose box is checked, and those of the pasted list."""
    visitor, pasted = form.visitor, form.text("people")
    ticked = {
        user_id: form.text(f"email-{user_id}").strip()
        for user_id in map(str, form.fields.getlist("user"))
        if len(user_id) <= LONGEST_USER_FIELD
    }
    sent: dict[str, Any] = {"pasted": pasted, "ticked": ticked}
    try:
        people = people_of(pasted, ticked)
        await services.company.choose(company_holder(visitor), people, time_zone=visitor.time_zone)
    except Invalid as invalid:
        errors = [_wrong_line(one, pasted, ticked) for one in invalid.errors]
        unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
        return await _shown(request, services, visitor, status=unprocessable, errors=errors, **sent)
    except (Conflict, Unknown) as refusal:
        complaint = _complaint(refusal)
        if complaint != "too_many_people":
            return redirect_to(COMPANY_PATH, complaint=complaint)
        errors = [COMPANY_COMPLAINTS[complaint]]
        return await _shown(request, services, visitor, status=HTTPStatus.CONFLICT, errors=errors, **sent)
    return redirect_to(COMPANY_PATH, notice="company_chosen")


@router.post(f"{COMPANY_PATH}/retry")
async def retry(services: Services, form: CompanyAdministratorForm) -> Response:
    """Everybody who could not be connected is asked for once more."""
    try:
        await services.company.retry(form.visitor.tenant_id)
    except (Conflict, Unknown) as refusal:
        return redirect_to(COMPANY_PATH, complaint=_complaint(refusal))
    return redirect_to(COMPANY_PATH, notice="company_chosen")


@router.post(f"{COMPANY_PATH}/defaults")
async def decide(services: Services, form: CompanyAdministratorForm) -> Response:
    """What people begin with, and what of it they may not change."""
    defaults = CompanyDefaults(
        event_types=EventBoxes(**form.boxes(labels.EVENT_TYPES)),
        item_types=ItemBoxes(**form.boxes(labels.ITEM_TYPES)),
        locked=[name for name in LOCKED_GROUPS if form.checked(f"lock-{name}")],
    )
    try:
        left_out = await services.company.decide(form.visitor.tenant_id, defaults)
    except (Conflict, Unknown) as refusal:
        return redirect_to(COMPANY_PATH, complaint=_complaint(refusal))
    return redirect_to(COMPANY_PATH, notice="company_left_out" if left_out else "saved")


@router.get(f"{COMPANY_PATH}/disconnect")
async def ask_before_disconnecting(
    request: Request, services: Services, visitor: CompanyAdministrator
) -> Response:
    """What ends with it, and both answers about the copies."""
    company = await services.company.shown(visitor.tenant_id)
    if company is None or not company.connected:
        return redirect_to(COMPANY_PATH)
    counted = await services.company.counted(visitor.tenant_id)
    return render_page(
        request,
        "company_disconnect.html",
        company=company,
        connected=counted.get("connected", 0),
        here="administration",
    )


@router.post(f"{COMPANY_PATH}/disconnect")
async def disconnect(services: Services, form: CompanyAdministratorForm) -> Response:
    """Every integration that it connected ends, and the domain's permission with them."""
    visitor = form.visitor
    copies: Literal["keep", "remove"] = "remove" if form.text("copies") == "remove" else "keep"
    try:
        await services.company.disconnect(visitor.tenant_id, copies, who=actor_of(visitor).named)
    except (Conflict, Unknown) as refusal:
        return redirect_to(COMPANY_PATH, complaint=_complaint(refusal))
    return redirect_to(COMPANY_PATH, notice="company_ending")


def _wrong_line(error: FieldError, pasted: str, ticked: Mapping[str, str]) -> str:
    """What is wrong with one of the list, by the number in ``people[2]``, or with somebody who was ticked."""
    number = int(error.field.partition("[")[2].rstrip("]") or 0)
    beside = number - len(pasted.splitlines())
    if beside < 1:
        return LIST_WORDS[error.rule] % {"line": number}
    return TICKED_WORDS[error.rule] % {"person": [*ticked][beside - 1]}


def _complaint(refusal: Conflict | Unknown) -> str:
    if isinstance(refusal, Unknown):
        return "no_company"
    codes = {"not_editable": "company_ending", "limit_reached": "too_many_people"}
    return codes.get(refusal.code, refusal.code)


@router.post(f"{INTEGRATIONS_PATH}/company-told")
async def told(services: Services, form: SentForm) -> Response:
    """The person has read who connected their calendar."""
    await services.company.note_told(form.visitor.person.owner)
    return redirect_to(INTEGRATIONS_PATH)


@router.post(f"{COMPANY_ANSWERS_PATH}/{{person_id}}")
async def answered(request: Request, services: Services, person_id: str) -> Response:
    """What Cronofy says of a person: size, signature, then what it says; 202 where that is authentic.

    Whoever sends it again, or about somebody whom nobody asked for, learns nothing.
    """
    try:
        body = await bounded_body(request, LARGEST_ANSWER)
        signatures = request.headers.getlist(SIGNATURE_HEADER)
        await services.company.answered(person_id if is_id(person_id) else "", body, signatures, _read)
    except BodyTooLarge:
        return _refused(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except NotSigned:
        return _refused(request, HTTPStatus.UNAUTHORIZED)
    except (ClientDisconnect, Malformed):
        return _refused(request, HTTPStatus.BAD_REQUEST)
    return PlainTextResponse(status_code=HTTPStatus.ACCEPTED)


def _read(body: bytes) -> Any:
    """JSON, however deep; raises Malformed."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("", "no JSON") from error


def _refused(request: Request, status: HTTPStatus) -> Response:
    return problem_response(request, status, status.description, headers={"Connection": "close"})
