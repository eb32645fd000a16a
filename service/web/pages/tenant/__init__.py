"""*Administration*: the integrations of a whole tenant, for its administrators and operators (R47)."""

from fastapi import APIRouter

from service.web.pages.tenant import acts, clock_changes, company, leavers, overview, person

router = APIRouter()
for _part in (overview, acts, leavers, person, clock_changes, company):
    router.include_router(_part.router)
