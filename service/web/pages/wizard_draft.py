"""Settings that are not finished yet: kept by the person's own browser, marked so that only ours are read."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

from fastapi import Request, Response
from pydantic import Field, StringConstraints, ValidationError

from contracts.calendar import Reason
from contracts.cronofy import Calendar
from contracts.fields import ANY_TEXT, Strict
from contracts.limits import LONGEST_NAME
from service.integrations.refusals import Invalid
from service.integrations.settings_form import (
    FIRST_DETAILS,
    Choices,
    DetailBoxes,
    EventBoxes,
    ItemBoxes,
    MovedCopies,
    RetrieveOption,
    SendOption,
)
from service.store.integrations.listing import IntegrationView
from service.store.people.companies import ConnectedBy
from service.web.cookies import cookie_of, drop_cookie, lay_cookie
from service.web.dependencies import WebServices, services_of
from service.web.paths import INTEGRATIONS_PATH
from service.web.tokens import SESSION_LIFE, Visitor

DRAFT_COOKIE = "calendar_sync_draft"
NO_CALENDAR_CHOSEN = "Choose a calendar."


_TOLD_BY = ("calendar_id", "own_name", "event_types", "item_types", "event_details", "retrieve", "send")
"""What Finish saves, by which two drafts are told apart."""
_OF_A_CALENDAR = ("calendar_id", "calendar_name", "read_only", "copies")


class _Kept(Strict):
    calendar_id: str | None
    calendar_name: str | None
    own_name: Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=ANY_TEXT)] = ""
    read_only: bool
    event_types: EventBoxes
    item_types: ItemBoxes
    event_details: DetailBoxes = DetailBoxes()
    retrieve: RetrieveOption
    send: SendOption
    copies: MovedCopies = "leave"
    based_on: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingsDraft:
    """What the person has chosen so far in the four tabs (G6–G9)."""

    calendar_id: str | None
    calendar_name: str | None
    own_name: str = ""
    read_only: bool = False
    event_types: dict[str, bool] = field(default_factory=dict)
    item_types: dict[str, bool] = field(default_factory=dict)
    event_details: dict[str, bool] = field(default_factory=dict)
    retrieve: dict[str, Any] = field(default_factory=dict)
    send: dict[str, Any] = field(default_factory=dict)
    copies: MovedCopies = "leave"
    """What becomes of copies on the calendar that was linked before (R16)."""
    based_on: Mapping[str, str] = field(default_factory=dict)
    """The prints of the settings as they were saved when the person began to choose."""

    @classmethod
    def of(cls, shown: IntegrationView) -> Self:
        """The settings as they stand; where nothing was chosen yet, the screens' first values (G10a)."""
        saved = cls(
            calendar_id=shown.integration.calendar_id,
            calendar_name=shown.integration.calendar_name,
            own_name=shown.own_name or "",
            copies="move" if shown.integration.reason is Reason.CALENDAR_MISSING else "leave",
            event_types=dict(shown.event_types),
            item_types=dict(shown.item_types),
            event_details=dict(shown.event_details or FIRST_DETAILS),
            retrieve=dict(shown.retrieve),
            send=dict(shown.send),
        )
        return replace(saved, based_on=saved._prints())

    def following(self, saved: "SettingsDraft") -> "SettingsDraft":
        """With what was saved elsewhere since, wherever nothing was chosen here; what was chosen stays."""
        mine = self._prints()
        alone = [name for name in _TOLD_BY if self.based_on.get(name) == mine[name]]
        values = {name: getattr(saved, name) for name in alone if name != "calendar_id"}
        if "calendar_id" in alone and saved.calendar_id != self.calendar_id:
            values |= {name: getattr(saved, name) for name in _OF_A_CALENDAR}
        return replace(self, **values, based_on=saved.based_on)

    def is_overtaken(self, shown: IntegrationView, *, base: str) -> bool:
        """Whether others than these were saved since the page that names the print of those before."""
        saved = SettingsDraft.of(shown)
        return base not in {"", saved.base} and self.print != saved.print

    @property
    def base(self) -> str:
        """As ``print``, but for what a sync switches off by itself when it ends."""
        whole = {name: getattr(self, name) for name in _TOLD_BY}
        ranges = {name: {**whole[name], "enabled": None} for name in ("retrieve", "send")}
        return _print_of({**whole, **ranges})

    def _prints(self) -> dict[str, str]:
        return {name: _print_of(getattr(self, name))[:8] for name in _TOLD_BY}

    def choosing(self, calendar: Calendar) -> Self:
        return replace(
            self,
            calendar_id=calendar.calendar_id,
            calendar_name=calendar.name,
            read_only=calendar.read_only,
        )

    @property
    def known(self) -> Sequence[Calendar]:
        """The chosen calendar as it was seen when it was chosen; none where none is."""
        if self.calendar_id is None:
            return ()
        calendar = Calendar(
            calendar_id=self.calendar_id,
            name=self.calendar_name or "",
            read_only=self.read_only,
            deleted=False,
            primary=False,
            permission_level="",
            profile_id="",
        )
        return (calendar,)

    @property
    def print(self) -> str:
        """The same for the same choices, so that Finish saves only what its window shows (G10)."""
        return _print_of({name: getattr(self, name) for name in _TOLD_BY})

    @property
    def selects_nothing(self) -> bool:
        """R5: not one event type and not one item type."""
        return not (any(self.event_types.values()) or any(self.item_types.values()))

    def choices(self) -> Choices:
        """All of it as Finish takes it."""
        if self.calendar_id is None:
            raise Invalid.one("calendar_id", NO_CALENDAR_CHOSEN)
        names = ("event_types", "item_types", "event_details", "retrieve", "send", "copies")
        form = {name: getattr(self, name) for name in names}
        return Choices.model_validate({"calendar_id": self.calendar_id, "name": self.own_name, **form})

    def changed_from(self, saved: "SettingsDraft") -> Sequence[str]:
        """The names of what was chosen otherwise than it is saved."""
        return [name for name in _TOLD_BY if getattr(self, name) != getattr(saved, name)]


def opened(request: Request, visitor: Visitor, shown: IntegrationView) -> SettingsDraft:
    """What this browser keeps for that integration, else the settings as they stand."""
    services = services_of(request)
    laid_down = cookie_of(request, DRAFT_COOKIE, https=services.https, path=_path(shown)) or ""
    body, _, mark = laid_down.partition(".")
    known = services.tokens.is_draft_mark(visitor, _named(shown, body), mark)
    kept = _read(body) if known else None
    saved = SettingsDraft.of(shown)
    return saved if kept is None else SettingsDraft(**kept.model_dump()).following(saved)


def _print_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def holding(draft: SettingsDraft, company: ConnectedBy | None) -> SettingsDraft:
    """With what the person's administrator holds, whatever was chosen here before they did."""
    held: dict[str, Any] = {name: dict(getattr(company, name)) for name in company.locked} if company else {}
    return replace(draft, **held)


def _read(body: str) -> _Kept | None:
    try:
        return _Kept.model_validate_json(base64.urlsafe_b64decode(body))
    except (ValidationError, binascii.Error, ValueError):
        return None


def keep(
    answer: Response, services: WebServices, visitor: Visitor, shown: IntegrationView, draft: SettingsDraft
) -> Response:
    """Lay the draft down with the answer; it is sent back to this integration's settings alone."""
    form = {name: getattr(draft, name) for name in _Kept.model_fields}
    body = base64.urlsafe_b64encode(json.dumps(form, separators=(",", ":")).encode()).decode()
    marked = f"{body}.{services.tokens.draft_mark(visitor, _named(shown, body))}"
    lay_cookie(answer, DRAFT_COOKIE, marked, life=SESSION_LIFE, https=services.https, path=_path(shown))
    return answer


def drop(answer: Response, services: WebServices, shown: IntegrationView) -> Response:
    drop_cookie(answer, DRAFT_COOKIE, https=services.https, path=_path(shown))
    return answer


def _named(shown: IntegrationView, body: str) -> str:
    return f"{shown.integration.id} {body}"


def _path(shown: IntegrationView) -> str:
    return f"{INTEGRATIONS_PATH}/{shown.integration.id}/settings"
