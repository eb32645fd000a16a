"""What a person chooses in the four tabs, and what they begin with (G7–G10a, R24)."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, StringConstraints

from contracts.fields import ANY_TEXT, Strict
from contracts.limits import LONGEST_EVENT_ID, LONGEST_NAME

PastRange = Literal["today", "1_week", "2_weeks", "1_month"]
FutureRetrieved = Literal["today", "1_week", "1_month", "3_months", "6_months"]
FutureSent = Literal["today", "1_week", "1_month", "3_months", "6_months", "12_months"]
MovedCopies = Literal["move", "leave"]


class _SettingsForm(Strict):
    """A form is read to the letter: a misspelt box must not pass for an unchecked one."""

    model_config = ConfigDict(extra="forbid")


class EventBoxes(_SettingsForm):
    """The event types to sync from the linked calendar (G7)."""

    create: bool
    update: bool
    delete: bool


class ItemBoxes(_SettingsForm):
    """The calendar items to send to the linked calendar (G8)."""

    appointment: bool
    crm_activity: bool
    service_call: bool
    task: bool
    todo: bool


class DetailBoxes(_SettingsForm):
    """What events are given beside their fields, where their provider takes that (R13)."""

    url: bool = False
    color: bool = False


class RetrieveOption(_SettingsForm):
    """*Retrieve linked calendar items* (G9)."""

    enabled: bool = False
    past: PastRange = "today"
    future: FutureRetrieved = "today"


class SendOption(_SettingsForm):
    """*Send my calendar items*, which alone reaches twelve months ahead (G9, R24)."""

    enabled: bool = False
    past: PastRange = "today"
    future: FutureSent = "today"


class RetrieveRange(_SettingsForm):
    """How far back and ahead the linked calendar is to be brought (R24)."""

    past: PastRange
    future: FutureRetrieved


class SendRange(_SettingsForm):
    """How far back and ahead My Calendar is to be sent (R24)."""

    past: PastRange
    future: FutureSent


class SyncRequest(_SettingsForm):
    """What *Sync now* is to do; a direction that is left out is not synced (G12, R24)."""

    retrieve: RetrieveRange | None = None
    send: SendRange | None = None


class HeldAnswer(_SettingsForm):
    """What is to become of deletions that wait for an answer (R11)."""

    answer: Literal["delete", "keep"]


class Choices(_SettingsForm):
    """The whole of an integration's settings, as Finish takes them (G10)."""

    calendar_id: Annotated[
        str, StringConstraints(min_length=1, max_length=LONGEST_EVENT_ID, pattern=ANY_TEXT)
    ]
    event_types: EventBoxes
    item_types: ItemBoxes
    event_details: DetailBoxes = DetailBoxes()
    retrieve: RetrieveOption = RetrieveOption()
    send: SendOption = SendOption()
    name: Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=ANY_TEXT)] | None = None
    """What the person calls the integration; None leaves it as it is, empty takes it away."""
    copies: MovedCopies = "leave"
    """What becomes of our copies on the calendar that was linked before, where another is chosen (R16)."""

    @property
    def imports(self) -> bool:
        """Whether anything at all may come from the linked calendar."""
        return any(self.event_types.model_dump().values())

    @property
    def sends(self) -> bool:
        """Whether any type of item is to be written to the linked calendar."""
        return any(self.item_types.model_dump().values())

    @property
    def wants_details(self) -> bool:
        """Whether events are to be given anything beside their fields."""
        return any(self.event_details.model_dump().values())

    @property
    def wants_run(self) -> bool:
        return self.retrieve.enabled or self.send.enabled


FIRST_EVENT_TYPES: dict[str, Any] = EventBoxes(create=True, update=False, delete=False).model_dump()
FIRST_ITEM_TYPES: dict[str, Any] = ItemBoxes(
    appointment=True, crm_activity=True, service_call=True, task=True, todo=True
).model_dump()
FIRST_DETAILS: dict[str, bool] = DetailBoxes().model_dump()
FIRST_RETRIEVE: dict[str, Any] = RetrieveOption().model_dump()
FIRST_SEND: dict[str, Any] = SendOption().model_dump()


class HeldImportAnswer(_SettingsForm):
    """What is to become of events that appeared at once and are not new (R36)."""

    answer: Literal["bring", "leave"]
