"""What Cronofy says of accounts: who allowed access, with which profiles, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from contracts.cronofy import Calendar
from contracts.limits import LONGEST_EVENT_ID, LONGEST_LINE, LONGEST_NAME
from contracts.tolerant import read_cut, read_id, read_object, read_required, read_rows, read_text

LONGEST_CODE = 1024
UNSAID_LIFETIME = 600.0
"""Seconds that a token is trusted whose lifetime was not said; too long costs one 401."""
LONGEST_LIFETIME = 366 * 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One calendar service account under a Cronofy account."""

    profile_id: str
    profile_name: str
    provider_name: str
    provider_service: str
    connected: bool
    initial_sync_required: bool
    """True while Cronofy still reads the calendar for the first time (R24)."""
    relink_url: str | None = None
    """Where the person mends a profile that is not connected (CRONOFY.md C54)."""
    migration_url: str | None = None
    """Where the person leaves a protocol that the provider has given up (CRONOFY.md C58)."""
    calendars: tuple[Calendar, ...] = ()

    @property
    def mending_url(self) -> str | None:
        """Where the person mends a profile that is not connected; None where it is, or nothing is told."""
        return None if self.connected else self.migration_url or self.relink_url

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Only a plain ``false`` says that the profile is not connected (R23)."""
        listed = raw.get("profile_calendars")
        calendars = listed if isinstance(listed, list) else []
        return cls(
            profile_id=read_required(raw, "profile_id", longest=LONGEST_EVENT_ID),
            profile_name=read_cut(raw, "profile_name", LONGEST_NAME) or "",
            provider_name=read_cut(raw, "provider_name", LONGEST_NAME) or "",
            provider_service=read_cut(raw, "provider_service", LONGEST_NAME) or "",
            connected=raw.get("profile_connected") is not False,
            initial_sync_required=raw.get("profile_initial_sync_required") is True,
            relink_url=_web_address(read_text(raw, "profile_relink_url")),
            migration_url=_web_address(read_text(raw, "graph_api_migration_url")),
            calendars=tuple(Calendar.parse(row, raw) for row in calendars if isinstance(row, Mapping)),
        )


def _web_address(said: str | None) -> str | None:
    return said if said is not None and said.startswith(("https://", "http://")) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class UserInfo:
    """Who the account is and which profiles it has."""

    sub: str
    profiles: tuple[Profile, ...]

    def profile(self, profile_id: str) -> Profile | None:
        """The profile of that id; None where the account has lost it."""
        return next((known for known in self.profiles if known.profile_id == profile_id), None)

    @classmethod
    def parse(cls, raw: Any) -> Self:
        return cls(
            sub=read_required(raw if isinstance(raw, Mapping) else {}, "sub", longest=LONGEST_EVENT_ID),
            profiles=read_rows(read_object(raw, "cronofy.data"), "profiles", Profile.parse),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenGrant:
    """What the token endpoint grants; ``sub`` and ``profile`` only at a code exchange."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float
    scope: str = ""
    sub: str | None = None
    profile: Profile | None = None
    """The profile that the person has just allowed."""

    @classmethod
    def parse(cls, raw: Any) -> Self:
        answer = raw if isinstance(raw, Mapping) else {}
        lasts = answer.get("expires_in")
        profile = read_object(answer, "linking_profile")
        return cls(
            access_token=read_required(answer, "access_token"),
            refresh_token=read_text(answer, "refresh_token") or None,
            expires_in=_lifetime(lasts),
            scope=read_cut(answer, "scope", LONGEST_LINE) or "",
            sub=read_id(answer, "sub") or read_id(answer, "account_id"),
            profile=Profile.parse(profile) if profile else None,
        )


def _lifetime(said: object) -> float:
    """No moment can be reckoned from what is no number of seconds, or from one beyond all calendars."""
    sane = isinstance(said, int | float) and 0 < said <= LONGEST_LIFETIME
    return float(said) if sane and isinstance(said, int | float) else UNSAID_LIFETIME


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyAccount:
    """Whose mailboxes a company's account speaks for (CRONOFY.md C61); empty where Cronofy does not say."""

    provider_name: str
    domain: str

    @classmethod
    def parse(cls, raw: Any) -> Self:
        told = read_object(read_object(raw, "cronofy.data"), "service_account")
        return cls(
            provider_name=read_cut(told, "provider_name", LONGEST_NAME) or "",
            domain=read_cut(told, "domain", LONGEST_NAME) or "",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountAsked:
    """A person's account, asked for in the name of their company (CRONOFY.md C62)."""

    email: str
    callback_url: str
    """Where Cronofy answers; the code that it sends is exchanged with the same address."""
    state: str = field(repr=False)

    def body(self, scope: str) -> dict[str, str]:
        return {
            "email": self.email,
            "callback_url": self.callback_url,
            "scope": scope,
            "state": self.state,
        }


AccountRefusal = Literal["unknown_mailbox", "not_licensed", "refused", "other"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountAnswer:
    """What became of asking for a person's account (CRONOFY.md C63)."""

    state: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    """None where it was refused."""
    refusal: AccountRefusal = "other"

    @classmethod
    def parse(cls, raw: Any) -> Self:
        """Raises Malformed where it names no state, for then nobody can say whom it is about."""
        told = read_object(raw, "authorization")
        words = " ".join(read_cut(told, name, LONGEST_NAME) or "" for name in ("error", "error_key"))
        code = read_text(told, "code")
        return cls(
            state=read_required(told, "state", longest=LONGEST_NAME),
            code=code if code and len(code) <= LONGEST_CODE else None,
            refusal=_refusal(words.lower()),
        )


_REFUSALS: Mapping[AccountRefusal, tuple[str, ...]] = {
    "not_licensed": ("licen", "not_enabled", "no_mailbox"),
    "unknown_mailbox": ("not_found", "unknown", "invalid_email", "no_such"),
    "refused": ("denied", "refused", "forbidden", "permitted", "unauthorized"),
}
"""Parts of Cronofy's words for what went wrong, the first that fits (CRONOFY.md C64)."""


def _refusal(words: str) -> AccountRefusal:
    fitting = (name for name, parts in _REFUSALS.items() if any(part in words for part in parts))
    return next(fitting, "other")


def parse_permission_page(raw: Any) -> str | None:
    """Where the person grants what was asked for; None where it needs no page (CRONOFY.md C13)."""
    return _web_address(read_text(read_object(raw, "permissions_request"), "url"))
