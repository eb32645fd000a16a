"""Where a company's consent stands, and how far each of its people has come."""

from enum import StrEnum

STEPS_A_ROUND = 50
"""People of whom one round takes the next step: as many as one request to Cronofy names."""


class CompanyStage(StrEnum):
    """Where a company's consent stands."""

    BEGUN = "begun"
    CONNECTED = "connected"
    ENDING = "ending"


class PersonStage(StrEnum):
    """How far a person has come; *already* were connected by themselves, and are left alone."""

    CHOSEN = "chosen"
    ASKED = "asked"
    ANSWERED = "answered"
    GRANTED = "granted"
    CONNECTED = "connected"
    ALREADY = "already"
    FAILED = "failed"


ASKED_FOR = (PersonStage.ASKED, PersonStage.ANSWERED, PersonStage.GRANTED)
WORKED_ON = (PersonStage.CHOSEN, *ASKED_FOR)
SETTLED = (PersonStage.ALREADY, PersonStage.FAILED)
"""Nothing is made of them any more; what was granted for them is given back."""
