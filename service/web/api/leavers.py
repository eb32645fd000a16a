"""People who leave, and the signed records of what was removed, as JSON for administrators (R54)."""

from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from contracts.fields import Identifier, Strict
from service.integrations.leavers.leaving import LeaverChoice
from service.integrations.refusals import Conflict
from service.web.dependencies import (
    AdministratorVisitor,
    Services,
    actor_of,
    is_beyond,
)
from service.web.paging import DEFAULT_PAGE, IdCursor, PageLimit, RecordPathId
from service.web.schemas import InstantText, Listed, page_form, record_form

OPERATORS_ALONE = "This person is an operator: only an operator can sign them out."
router = APIRouter(prefix="/leavers", tags=["leavers"])


class LeaverForm(Strict):
    """Who leaves, and what becomes of the copies on the linked calendars."""

    user_id: Identifier
    copies: Literal["keep", "remove"]


class LeaverChoiceForm(Strict):
    """What becomes of people of whom Vorex says that they left."""

    choice: LeaverChoice


class LeaverChoiceShape(BaseModel):
    choice: LeaverChoice


class BegunRecordShape(BaseModel):
    record_id: str


class LeaverRecordShape(BaseModel):
    """``document`` is the signed record, null until all that it tells of is done."""

    id: str
    user_id: str
    left_at: InstantText
    said_by: str
    choice: LeaverChoice
    integrations: int
    document: dict[str, Any] | None


@router.get("", response_model=Listed[LeaverRecordShape])
async def list_leaver_records(
    services: Services, visitor: AdministratorVisitor, after: IdCursor, limit: PageLimit = DEFAULT_PAGE
) -> dict[str, Any]:
    """The records of who left your tenant, newest first."""
    page = await services.leaver_records.listed(visitor.tenant_id, after=after, limit=limit)
    return page_form(page, record_form)


@router.post("", status_code=HTTPStatus.ACCEPTED, response_model=BegunRecordShape)
async def end_leaver(services: Services, visitor: AdministratorVisitor, form: LeaverForm) -> dict[str, Any]:
    """A person has left: all of their integrations are deleted, and the record of it begins."""
    if await is_beyond(services, visitor, form.user_id):
        raise Conflict("not_editable", OPERATORS_ALONE)
    record_id = await services.leaving.leave(
        visitor.tenant_id, form.user_id, form.copies, who=actor_of(visitor).named
    )
    return {"record_id": record_id}


@router.get("/choice", response_model=LeaverChoiceShape)
async def get_leaver_choice(services: Services, visitor: AdministratorVisitor) -> dict[str, Any]:
    """What becomes of people of whom Vorex says that they left."""
    return {"choice": await services.leaving.choice(visitor.tenant_id)}


@router.put("/choice", response_model=LeaverChoiceShape)
async def put_leaver_choice(
    services: Services, visitor: AdministratorVisitor, form: LeaverChoiceForm
) -> dict[str, Any]:
    """Decide that for your tenant, from now on."""
    await services.leaving.choose(visitor.tenant_id, form.choice, who=actor_of(visitor).named)
    return {"choice": form.choice}


@router.get("/{record_id}", response_model=LeaverRecordShape)
async def get_leaver_record(
    services: Services, visitor: AdministratorVisitor, record_id: RecordPathId
) -> dict[str, Any]:
    """One record; its document is what ``calendar-sync record verify`` checks."""
    return record_form(await services.leaver_records.shown(visitor.tenant_id, record_id))
