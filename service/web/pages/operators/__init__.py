"""What operators see: how everything stands, and the dead letters; and what dispatchers are asked."""

from fastapi import APIRouter

from service.web.pages.operators import dead_letters, operations, questions

router = APIRouter()
for _part in (dead_letters, questions, operations):
    router.include_router(_part.router)
