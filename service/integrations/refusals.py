"""Why a verb is refused to a person: told in their words, never retried."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.errors import SyncError

ConflictCode = Literal[
    "inactive",
    "run_in_progress",
    "not_connected",
    "setup_unfinished",
    "already_linked",
    "nothing_selected",
    "not_editable",
    "limit_reached",
    "looked_just_now",
    "access_too_narrow",
]

SETUP_FIRST = "Finish the settings first."
NOT_CONNECTED = "Verify that Cronofy has the permission to connect to Vorex, then reconnect."

TOO_NARROW = (
    "Somebody else has linked this account and allowed more than you did just now. "
    "Connect once more and allow everything that Cronofy asks for."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """One field and the rule that it breaks."""

    field: str
    rule: str
    message: str


class Refusal(SyncError):
    """The verb is refused."""


class Unknown(Refusal):
    """There is no such thing, or it is not yours."""


class Conflict(Refusal):
    """The state of things does not allow it."""

    def __init__(self, code: ConflictCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class StateRefused(Refusal):
    """What came back from Cronofy was not begun here, or was used before."""


class StateUsed(StateRefused):
    """Who began it here brings it back a second time: by the browser's Back, say."""


class ChangedMeanwhile(Refusal):
    """It was changed since the person looked: they decide once more."""


class Invalid(Refusal):
    """What was given breaks a rule."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)

    @classmethod
    def one(cls, field: str, rule: str) -> "Invalid":
        return cls([FieldError(field=field, rule=rule, message=f"{field}: {rule}")])
