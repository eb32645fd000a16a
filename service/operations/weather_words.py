"""Provider weather in sentences, for people and operators alike (R53)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from handlers.forecasts.weather import EVERYWHERE, WeatherKind
from service.monitoring.weather import WeatherNotice

PROVIDER_NAMES: Mapping[str, str] = {
    "office365": "Office 365",
    "exchange": "Exchange",
    "outlook_com": "Outlook.com",
    "google": "Google",
    "icloud": "iCloud",
}
OTHER_PROVIDER, ALL_PROVIDERS = "A calendar provider", "All providers"
SENTENCES_OF_ONE: Mapping[WeatherKind, tuple[str, str]] = {
    WeatherKind.SLOW: (
        "{provider} is slow: 1 person waits up to {delay}, nothing is lost.",
        "{provider} is slow: {people} people wait up to {delay}, nothing is lost.",
    ),
    WeatherKind.FAILING: (
        "{provider} does not answer reliably: 1 person waits up to {delay}, nothing is lost.",
        "{provider} does not answer reliably: {people} people wait up to {delay}, nothing is lost.",
    ),
}
SENTENCES_OF_ALL: Mapping[WeatherKind, tuple[str, str]] = {
    WeatherKind.SLOW: (
        "All linked calendars are slow: 1 person waits up to {delay}, nothing is lost.",
        "All linked calendars are slow: {people} people wait up to {delay}, nothing is lost.",
    ),
    WeatherKind.FAILING: (
        "No calendar provider answers reliably: 1 person waits up to {delay}, nothing is lost.",
        "No calendar provider answers reliably: {people} people wait up to {delay}, nothing is lost.",
    ),
}
"""Of one person, and of several."""
USUALLY = (
    "Usually half of all changes come within {usual}. It goes on by itself, and this notice ends by itself."
)
USUALLY_UNKNOWN = "It goes on by itself, and this notice ends by itself."
MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class WeatherSentence:
    """What is told, and what is usual."""

    said: str
    detail: str


def describe_weather(notice: WeatherNotice) -> WeatherSentence:
    """A notice in whole sentences."""
    forms = SENTENCES_OF_ALL if notice.provider == EVERYWHERE else SENTENCES_OF_ONE
    said = forms[notice.kind][notice.people != 1].format(
        provider=provider_word(notice.provider),
        people=f"{notice.people:,}",
        delay=format_wait(notice.delay_seconds),
    )
    usual = notice.usual_seconds
    detail = USUALLY_UNKNOWN if usual is None else USUALLY.format(usual=format_wait(usual))
    return WeatherSentence(said=said, detail=detail)


def provider_word(provider: str) -> str:
    """A provider as people call it."""
    return ALL_PROVIDERS if provider == EVERYWHERE else PROVIDER_NAMES.get(provider, OTHER_PROVIDER)


def format_wait(seconds: float) -> str:
    """A wait as people say it, rounded up."""
    if seconds < 2:  # noqa: PLR2004 -- one of them
        return "a second"
    if math.ceil(seconds) < MINUTE:
        return f"{math.ceil(seconds)} seconds"
    minutes = math.ceil(seconds / MINUTE)
    if minutes == 1:
        return "a minute"
    return f"{minutes} minutes" if seconds < 2 * HOUR else f"{math.ceil(seconds / HOUR)} hours"
