"""People who leave: the question, the tenant's decision, and the signed records (R54)."""

import json
from typing import cast

from fastapi import APIRouter, Request, Response

from service.integrations.leavers.leaving import CHOICES, LeaverChoice
from service.integrations.refusals import Conflict, Unknown
from service.store.integrations import tenants
from service.web import labels
from service.web.catalogue import Texts
from service.web.dependencies import Services, actor_of, is_beyond
from service.web.pages.redirect import redirect_to
from service.web.pages.tenant.overview import tenant_row
from service.web.pages.tenant.visitors import Administrator, AdministratorForm
from service.web.paging import LONGEST_SEARCH, IdCursor, RecordPathId
from service.web.paths import ADMINISTRATION_PATH
from service.web.rendering import render_page

RECORDS_A_PAGE = 50
LEAVERS_PATH = f"{ADMINISTRATION_PATH}/leavers"
CHOICE_WORDS: labels.LabelTexts = Texts(
    {
        "pause": "Pause their calendars. Nothing is deleted, and they can be resumed.",
        "keep": "Delete their integrations, and keep what was added to their linked calendars.",
        "remove": "Delete their integrations, and remove what was added to their linked calendars.",
    }
)
AUTHORISATION_WORDS: labels.LabelTexts = Texts(
    {
        "ended": "The authorisation has ended.",
        "refused": "Cronofy refused to end the authorisation.",
        "unanswered": "Cronofy was asked to end the authorisation, and did not answer.",
        "unknown": "Whether the authorisation has ended is not known: nothing was left to ask Cronofy with.",
        "used_by_another": "The authorisation stays, because another integration uses the account.",
        "kept": "The authorisation stays.",
    }
)
RECORDED_PROVIDERS: labels.LabelTexts = Texts(
    {
        "google": "Google",
        "apple": "iCloud",
        "live_connect": "Outlook.com",
        "exchange": "Office 365 or Exchange",
    }
)
"""By the word that Cronofy has for where an account is, which the record keeps."""
router = APIRouter(prefix=ADMINISTRATION_PATH)


def _person(who: str) -> str:
    return who.replace("\0", "")[:LONGEST_SEARCH]


@router.get("/leavers")
async def leavers_page(
    request: Request,
    services: Services,
    visitor: Administrator,
    *,
    after: IdCursor,
    notice: str = "",
) -> Response:
    """What the tenant decided, and every record, newest first."""
    page = await services.leaver_records.listed(visitor.tenant_id, after=after, limit=RECORDS_A_PAGE)
    return render_page(
        request,
        "leavers.html",
        rows=page.rows,
        following=page.following,
        first=after is None,
        choice=await services.leaving.choice(visitor.tenant_id),
        choices=CHOICE_WORDS,
        notice=labels.NOTICES.get(notice),
        here="administration",
    )


@router.post("/leaver-choice")
async def choose(services: Services, form: AdministratorForm) -> Response:
    """Decide what becomes of people of whom Vorex says that they left."""
    choice = form.text("choice")
    if choice not in CHOICES:
        raise Unknown("There is no such page.")
    visitor = form.visitor
    await services.leaving.choose(visitor.tenant_id, cast(LeaverChoice, choice), who=actor_of(visitor).named)
    return redirect_to(LEAVERS_PATH, notice="saved")


@router.get("/leaver")
async def ask_before_leaving(
    request: Request, services: Services, visitor: Administrator, who: str = ""
) -> Response:
    """What is linked by them, and both answers, before anything is done."""
    who = _person(who)
    async with services.store.read() as connection:
        ids = await tenants.ids_of_person(connection, visitor.tenant_id, who)
        found = await tenants.among_ids(connection, visitor.tenant_id, ids)
    if not found:
        return redirect_to(f"{ADMINISTRATION_PATH}/person", who=who, complaint="nothing_to_change")
    return render_page(
        request,
        "leaver.html",
        who=who,
        rows=[tenant_row(one) for one in found],
        here="administration",
    )


@router.post("/leaver")
async def leave(services: Services, form: AdministratorForm) -> Response:
    """All of their integrations end; the record of it begins."""
    who, copies, visitor = _person(form.text("who")), form.text("copies"), form.visitor
    if await is_beyond(services, visitor, who):
        return redirect_to(f"{ADMINISTRATION_PATH}/person", who=who, complaint="is_operator")
    choice: LeaverChoice = "remove" if copies == "remove" else "keep"
    try:
        record_id = await services.leaving.leave(visitor.tenant_id, who, choice, who=actor_of(visitor).named)
    except Conflict:
        return redirect_to(f"{ADMINISTRATION_PATH}/person", who=who, complaint="nothing_to_change")
    return redirect_to(f"{LEAVERS_PATH}/{record_id}")


@router.get("/leavers/{record_id}")
async def record_page(
    request: Request, services: Services, visitor: Administrator, record_id: RecordPathId
) -> Response:
    """What was removed, and the file that says so under the service's signature."""
    record = await services.leaver_records.shown(visitor.tenant_id, record_id)
    return render_page(
        request,
        "leaver_record.html",
        record=record,
        choices=CHOICE_WORDS,
        authorisations=AUTHORISATION_WORDS,
        providers=RECORDED_PROVIDERS,
        here="administration",
    )


@router.get("/leavers/{record_id}/file")
async def record_file(services: Services, visitor: Administrator, record_id: RecordPathId) -> Response:
    """The signed record, as ``calendar-sync record verify`` reads it."""
    record = await services.leaver_records.shown(visitor.tenant_id, record_id)
    if record.document is None:
        raise Unknown("There is no such record.")
    return Response(
        json.dumps(record.document, indent=2) + "\n",
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="record-{record.id}.json"'},
    )
