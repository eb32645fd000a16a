"""What a person is asked about an integration, a page for each question."""

from fastapi import APIRouter

from service.web.pages.questions import held, own_events, undo

router = APIRouter()
for _part in (own_events, held, undo):
    router.include_router(_part.router)
