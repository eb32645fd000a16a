"""Which dead letters are meant, from the words of an address, a form or a command (R30)."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from pydantic_core import PydanticCustomError

from contracts.errors import SyncError
from contracts.fields import instant
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PEOPLE, QUEUE_RUNS
from service.store.messages.dead_letters import LetterFilter

LetterCode = Literal[
    "malformed", "refused", "not_allowed", "exhausted", "crash_loop", "delivery_limit", "bug"
]
LetterState = Literal["open", "replaying", "resolved", "discarded", "edited"]
LETTER_QUEUES = (QUEUE_OUTBOUND, QUEUE_INBOUND, QUEUE_RUNS, QUEUE_PEOPLE)
LONGEST_FILTER_WORD = 200
_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class WrongFilter(SyncError):
    """Words that narrow nothing down as they stand: what is wrong with each, by its name.

    A word that is overlooked would mean more letters than anybody has seen.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {rule}" for name, rule in errors.items()))
        self.errors = dict(errors)


def parse_letter_filter(given: Mapping[str, str], *, now: datetime | None = None) -> LetterFilter:
    """The filter that these words say; an empty one does not matter. Raises WrongFilter.

    With ``now`` the word ``since`` may say how long ago.
    """
    errors: dict[str, str] = {}
    found: dict[str, str | datetime] = {}
    for name, text in given.items():
        if not text:
            continue
        try:
            found[name] = _value(name, text, now)
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        raise WrongFilter(errors)
    return LetterFilter(**found)  # type: ignore[arg-type]


def _value(name: str, text: str, now: datetime | None) -> str | datetime:
    if name not in LETTER_FILTER_WORDS:
        raise ValueError(f"is no filter; there are {', '.join(LETTER_FILTER_WORDS)}")
    if len(text) > LONGEST_FILTER_WORD or "\0" in text:
        raise ValueError(f"must be a text of at most {LONGEST_FILTER_WORD} characters")
    return _since(text, now) if name == "since" else _CHECKS.get(name, str)(text)


def _queue(text: str) -> str:
    """A queue's name, also from its last word."""
    return _one_of(text if "." in text else f"calendar-sync.{text}", LETTER_QUEUES)


def _one_of(text: str, words: tuple[str, ...]) -> str:
    if text not in words:
        raise ValueError(f"must be one of {', '.join(words)}")
    return text


def _id(text: str) -> str:
    try:
        known = str(UUID(text)) == text
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            "must be an integration's id; 'who' takes a part of a person's, account's or calendar's name"
        )
    return text


def _since(text: str, now: datetime | None) -> datetime:
    if now is not None and (ago := _AGO.fullmatch(text)):
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise ValueError("must be within the last years") from None
    try:
        return instant(text.replace(" ", "+")).astimezone(UTC)
    except (ValueError, PydanticCustomError):
        rule = "must be a time with an offset, such as 2026-12-03T09:00:00Z"
        raise ValueError(rule if now is None else f"{rule}, or so long ago: 2h, 3d") from None


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "queue": _queue,
    "code": lambda text: _one_of(text, get_args(LetterCode)),
    "integration": _id,
    "state": lambda text: _one_of(text, get_args(LetterState)),
}
LETTER_FILTER_WORDS = ("queue", "code", "since", "integration", "who", "group", "reason", "state")
"""The names of all words; ``who`` is a part of a person's id, an account's or a calendar's name."""
