"""Which calendar providers are slow or failing, as JSON (R53)."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from contracts.fields import rfc3339
from service.monitoring.weather import WeatherNotice
from service.operations.weather_words import describe_weather
from service.web.dependencies import Services, SignedInVisitor
from service.web.schemas import InstantText
from service.web.tokens import Role

router = APIRouter(prefix="/weather", tags=["weather"])


class WeatherShape(BaseModel):
    """``provider`` is a word of ours, or ``everywhere``; delays are seconds."""

    provider: str
    kind: Literal["slow", "failing"]
    since: InstantText
    people: int
    delay_seconds: float
    usual_delay_seconds: float | None
    said: str


class WeatherPage(BaseModel):
    """All there is; ``next`` is always null."""

    items: list[WeatherShape]
    next: None = None


@router.get("", response_model=WeatherPage)
async def get_weather(services: Services, visitor: SignedInVisitor) -> dict[str, Any]:
    """What is told now of the providers that you use; of all providers where you are an operator."""
    if visitor.role is Role.OPERATOR:
        told = await services.weather.all()
    else:
        told = await services.weather.of_person(visitor.tenant_id, visitor.user_id)
    return {"items": [_form(one) for one in told], "next": None}


def _form(one: WeatherNotice) -> dict[str, Any]:
    return {
        "provider": one.provider,
        "kind": one.kind.value,
        "since": rfc3339(one.since),
        "people": one.people,
        "delay_seconds": one.delay_seconds,
        "usual_delay_seconds": one.usual_seconds,
        "said": describe_weather(one).said,
    }
