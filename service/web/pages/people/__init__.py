"""A person at the door: signing in and out, their devices, and the way to Cronofy and back (R45)."""

from fastapi import APIRouter

from service.web.pages.people import connect, devices, sign_in

router = APIRouter()
for _part in (sign_in, devices, connect):
    router.include_router(_part.router)
