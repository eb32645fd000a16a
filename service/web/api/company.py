"""A tenant's company calendar as JSON, for its administrators; a browser alone connects the domain."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from contracts.fields import Identifier, Strict, rfc3339
from service.integrations.companies.choosing import CompanyHolder
from service.integrations.companies.domain import NO_COMPANY, CompanyDefaults, LockedGroup
from service.integrations.companies.people_given import LONGEST_EMAIL, MOST_GIVEN, checked_people
from service.integrations.refusals import Unknown
from service.integrations.settings_form import EventBoxes, ItemBoxes
from service.store.people.companies import CompanyRow
from service.store.people.company_people import CompanyPerson
from service.web.dependencies import (
    CompanyVisitor,
    Services,
    WebServices,
    actor_of,
)
from service.web.paging import DEFAULT_PAGE, IdCursor, PageLimit
from service.web.schemas import InstantText, Listed, page_form
from service.web.tokens import Visitor

router = APIRouter(prefix="/company-calendar", tags=["company calendar"])


class CompanyDefaultsForm(Strict):
    """What people who are connected begin with, and the groups of it that they may not change."""

    model_config = ConfigDict(extra="forbid")

    event_types: EventBoxes
    item_types: ItemBoxes
    locked: Annotated[list[LockedGroup], Field(max_length=2)]


class CompanyPersonForm(Strict):
    """A person of the tenant, and the mailbox that is theirs."""

    user_id: Identifier
    email: Annotated[str, Field(min_length=3, max_length=LONGEST_EMAIL)]


class CompanyPeopleForm(Strict):
    """Who is to be connected."""

    people: Annotated[list[CompanyPersonForm], Field(min_length=1, max_length=MOST_GIVEN)]


class CompanyEndForm(Strict):
    """What becomes of what was added to the linked calendars."""

    copies: Literal["keep", "remove"]


class CompanyShape(BaseModel):
    """``people`` counts by stage."""

    stage: Literal["connected", "ending"]
    provider_name: str
    domain: str
    connected_by: str
    connected_at: InstantText
    event_types: EventBoxes
    item_types: ItemBoxes
    locked: list[LockedGroup]
    people: dict[str, int]


class CompanyPersonShape(BaseModel):
    """``left``: the person deleted the integration. ``reason``: why the person could not be connected.

    ``chosen_by``: which administrator named the mailbox as theirs; ``vouched``: whether Vorex does, too, or
    null where it has named no address of theirs.
    """

    id: str
    user_id: str
    email: str
    stage: Literal["chosen", "asked", "answered", "granted", "connected", "already", "failed"]
    reason: str | None
    since: InstantText
    integration_id: str | None
    left: bool
    chosen_by: str | None
    vouched: bool | None


class CompanyDefaultsShape(CompanyShape):
    """``left_out``: people who keep their settings, for their calendar cannot take what is locked."""

    left_out: int


class AddedPeopleShape(BaseModel):
    """``left_alone``: who is connected, or on the way, already."""

    added: int
    left_alone: int


class RetriedShape(BaseModel):
    retried: int


async def _company(services: WebServices, visitor: Visitor) -> CompanyRow:
    found = await services.company.shown(visitor.tenant_id)
    if found is None or found.connected_at is None:
        raise Unknown(NO_COMPANY)
    return found


async def _company_form(services: WebServices, visitor: Visitor) -> dict[str, Any]:
    found = await _company(services, visitor)
    names = ("stage", "provider_name", "domain", "connected_by", "event_types", "item_types", "locked")
    counted = await services.company.counted(visitor.tenant_id)
    told = {name: getattr(found, name) for name in names}
    return told | {
        "connected_at": rfc3339(found.connected_at) if found.connected_at else "",
        "people": dict(counted),
    }


def person_form(person: CompanyPerson) -> dict[str, Any]:
    """A person as the API tells of them; never a token, nor anything that opens one."""
    names = ("id", "user_id", "email", "stage", "reason", "integration_id", "left", "chosen_by", "vouched")
    return {name: getattr(person, name) for name in names} | {"since": rfc3339(person.since)}


@router.get("", response_model=CompanyShape)
async def get_company_calendar(services: Services, visitor: CompanyVisitor) -> dict[str, Any]:
    """How the tenant's company calendar stands."""
    return await _company_form(services, visitor)


@router.post("/end", status_code=HTTPStatus.ACCEPTED, response_model=CompanyShape)
async def end_company_calendar(
    services: Services, visitor: CompanyVisitor, form: CompanyEndForm
) -> dict[str, Any]:
    """What it connected is deleted, then Cronofy forgets the domain; by itself, in steps."""
    await _company(services, visitor)
    await services.company.disconnect(visitor.tenant_id, form.copies, who=actor_of(visitor).named)
    return await _company_form(services, visitor)


@router.put("/defaults", response_model=CompanyDefaultsShape)
async def put_company_defaults(
    services: Services, visitor: CompanyVisitor, form: CompanyDefaultsForm
) -> dict[str, Any]:
    """What people begin with from now on; what is locked holds at once for all who were connected so."""
    defaults = CompanyDefaults(event_types=form.event_types, item_types=form.item_types, locked=form.locked)
    left_out = await services.company.decide(visitor.tenant_id, defaults)
    return await _company_form(services, visitor) | {"left_out": left_out}


@router.get("/people", response_model=Listed[CompanyPersonShape])
async def list_company_people(
    services: Services, visitor: CompanyVisitor, after: IdCursor, limit: PageLimit = DEFAULT_PAGE
) -> dict[str, Any]:
    """Who is connected, who is not and why, in the order in which they were chosen."""
    page = await services.company.people(visitor.tenant_id, after=after, limit=limit)
    return page_form(page, person_form)


@router.post("/people", status_code=HTTPStatus.ACCEPTED, response_model=AddedPeopleShape)
async def add_company_people(
    services: Services, visitor: CompanyVisitor, form: CompanyPeopleForm
) -> dict[str, Any]:
    """These people are to be connected; whoever is, or is on the way, is left alone."""
    given = [(place, one.user_id, one.email) for place, one in enumerate(form.people)]
    added = await services.company.choose(
        CompanyHolder(
            tenant_id=visitor.tenant_id,
            user_id=visitor.user_id,
            session_id=visitor.session,
            email=visitor.email,
        ),
        checked_people(given),
        time_zone=visitor.time_zone,
    )
    return {"added": added.added, "left_alone": added.left_alone}


@router.post("/people/retry", status_code=HTTPStatus.ACCEPTED, response_model=RetriedShape)
async def retry_company_people(services: Services, visitor: CompanyVisitor) -> dict[str, Any]:
    """Everybody who could not be connected is asked for once more."""
    return {"retried": await services.company.retry(visitor.tenant_id)}
