"""Who is there: Vorex's tokens, and the marks that our own forms and drafts carry.

Every purpose has a key of its own, derived from SIGN_IN_SECRET, so that no mark passes for another. Of
several secrets each verifies, so that a new one can be put in front before the old one goes. A session is
no token: what its cookie holds is looked up in the store.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import jwt
from pydantic import AfterValidator, Field, ValidationError

from contracts.envelope import malformed_message
from contracts.fields import Identifier, Strict, Text, Zone, broken_rule, null_means
from contracts.limits import LONGEST_NAME, cut
from contracts.ports import Clock
from service.integrations import Person
from service.web.locales import HourCycle, WeekStart

SESSION_COOKIE = "calendar_sync_session"
SESSION_LIFE = timedelta(hours=12)
SIGN_IN_LIFE = timedelta(minutes=10)
BEARER_LIFE = timedelta(hours=24)
CLOCK_SKEW_SECONDS = 60.0
"""Seconds by which Vorex's clock may be ahead of ours."""
LONGEST_TOKEN = 8192
_ALGORITHM = "HS256"

LONGEST_LANGUAGE_TAG = 64
TokenPurpose = Literal["form", "draft"]
_LANGUAGE_TAG = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+",
    re.ASCII | re.IGNORECASE,
)


class Role(StrEnum):
    """What a person may see beyond their own."""

    USER = "user"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"


class BadToken(Exception):
    """The token opens nothing; says which rule it breaks and nothing of the token."""


def _named(text: str) -> str:
    return cut(text, LONGEST_NAME)


ClaimedName = Annotated[Text, AfterValidator(_named), null_means("")]
"""What the person is called, of whom nothing else depends on it: cut where it is too long (R43)."""


def _language_tag(text: str) -> str:
    if len(text) <= LONGEST_LANGUAGE_TAG and _LANGUAGE_TAG.fullmatch(text):
        return text
    raise broken_rule("must be a language tag of BCP 47, such as en-GB")


class _Claims(Strict):
    sub: Identifier
    tenant: Identifier
    name: ClaimedName = ""
    email: ClaimedName = ""
    tz: Zone = "UTC"
    role: Annotated[Role, Field(strict=False), null_means(Role.USER)] = Role.USER
    exp: float
    nbf: float | None = None
    iat: Any = None
    """Whatever it is, it refuses nobody who was never signed out everywhere: see ``_issued_at``."""
    jti: Identifier | None = None
    locale: Annotated[Text, AfterValidator(_language_tag)] | None = None
    hour_cycle: HourCycle | None = None
    week_start: WeekStart | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """A person whom Vorex vouches for."""

    tenant_id: str
    user_id: str
    name: str = ""
    email: str = ""
    """Empty where a cookie brought the person here: a session keeps no address."""
    time_zone: str = "UTC"
    role: Role = Role.USER
    session: str | None = None
    """The session's id where a cookie brought the person here; None with a Bearer token."""
    locale: str | None = None
    hour_cycle: HourCycle | None = None
    week_start: WeekStart | None = None
    """How this person writes times, as far as Vorex says; the browser's language decides the rest (R49)."""

    @property
    def person(self) -> Person:
        return Person(tenant_id=self.tenant_id, user_id=self.user_id, time_zone=self.time_zone)

    @property
    def sees_tenant(self) -> bool:
        """Whether the tenant's integrations and items are shown, not this person's alone."""
        return self.role is not Role.USER

    def same(self, other: "Visitor") -> bool:
        return (self.tenant_id, self.user_id) == (other.tenant_id, other.user_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class VouchedToken:
    """What a token of Vorex's says: for whom, under which name it is spent, and when it was made."""

    visitor: Visitor
    name: str | None
    """None where it has no id."""
    issued_at: float | None
    """Seconds since 1970; None where the token does not tell, or names a moment that has not come."""
    usable_since: float
    """From when on it could be used at the earliest: what does not tell its age is taken for so old."""


class TokenMaker:
    """Reads Vorex's tokens and makes our own marks. Reading raises BadToken."""

    def __init__(self, secrets: Sequence[str], *, clock: Clock) -> None:
        """Newest first: the first signs what is our own."""
        self._secrets = [secret.encode() for secret in secrets]
        self._clock = clock

    def sign_in(self, token: str) -> VouchedToken:
        """Vorex's link: lives for ten minutes at most, with an id that is accepted once."""
        claims = self._read(token, SIGN_IN_LIFE, "10 minutes")
        if claims.jti is None:
            raise BadToken("jti: is required")
        return self._vouched(claims, SIGN_IN_LIFE)

    def bearer(self, token: str) -> VouchedToken:
        """The same kind of token on an API request: lives for a day at most, and needs no id (R45)."""
        return self._vouched(self._read(token, BEARER_LIFE, "24 hours"), BEARER_LIFE)

    def form_token(self, session: str) -> str:
        """What a form of that session must carry."""
        return self._marks("form", session)[0]

    def is_form_token(self, session: str, given: str) -> bool:
        return _is_among(self._marks("form", session), given)

    def draft_mark(self, visitor: Visitor, text: str) -> str:
        """What proves that unfinished settings were put down by us, in this very session."""
        return self._marks("draft", _owned(visitor, text))[0]

    def is_draft_mark(self, visitor: Visitor, text: str, given: str) -> bool:
        return _is_among(self._marks("draft", _owned(visitor, text)), given)

    def _keys(self, purpose: TokenPurpose) -> Sequence[bytes]:
        words = f"calendar-sync {purpose}".encode()
        return [hmac.digest(secret, words, hashlib.sha256) for secret in self._secrets]

    def _marks(self, purpose: TokenPurpose, text: str) -> Sequence[str]:
        """What proves under each key that the text is ours."""
        return [hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for key in self._keys(purpose)]

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _read(self, token: str, longest: timedelta, words: str) -> _Claims:
        if len(token) > LONGEST_TOKEN:
            raise BadToken("is too long")
        try:
            claims = _Claims.model_validate(_verified(token, self._secrets))
        except ValidationError as error:
            raise BadToken(str(malformed_message(error))) from None
        now = self._now()
        if not math.isfinite(claims.exp) or claims.exp <= now:
            raise BadToken("exp: has passed")
        if claims.exp > now + longest.total_seconds():
            raise BadToken(f"exp: must be at most {words} ahead")
        if claims.nbf is not None and not -math.inf < claims.nbf <= now + CLOCK_SKEW_SECONDS:
            raise BadToken("nbf: has not come")
        return claims

    def _vouched(self, claims: _Claims, longest: timedelta) -> VouchedToken:
        visitor = Visitor(
            tenant_id=claims.tenant,
            user_id=claims.sub,
            name=claims.name,
            email=claims.email,
            time_zone=claims.tz,
            role=claims.role,
            locale=claims.locale,
            hour_cycle=claims.hour_cycle,
            week_start=claims.week_start,
        )
        told = _issued_at(claims.iat)
        credible = told is not None and told <= self._now() + CLOCK_SKEW_SECONDS
        return VouchedToken(
            visitor=visitor,
            name=None if claims.jti is None else f"sign-in:{claims.jti}",
            issued_at=told if credible else None,
            usable_since=claims.exp - longest.total_seconds(),
        )


def _is_among(marks: Sequence[str], given: str) -> bool:
    return any(hmac.compare_digest(mark.encode(), given.encode()) for mark in marks)


def _owned(visitor: Visitor, text: str) -> str:
    return "\x1f".join([visitor.tenant_id, visitor.user_id, visitor.session or "", text])


def _verified(token: str, keys: Sequence[bytes]) -> Mapping[str, Any]:
    """The claims under a good signature; raises BadToken with what the first key found."""
    refused: BadToken | None = None
    for key in keys:
        try:
            return _verified_by(token, key)
        except BadToken as error:
            refused = refused or error
    raise refused or BadToken("is not a valid token: there is no key")


def _verified_by(token: str, key: bytes) -> Mapping[str, Any]:
    """The clock is ours, so moments are judged by the caller."""
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            options={
                "verify_signature": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise BadToken(f"is not a valid token: {type(error).__name__}") from None


def _issued_at(said: object) -> float | None:
    """The moment that ``iat`` names, where it can be one."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        moment = float(said)
    except OverflowError:
        return None
    return moment if math.isfinite(moment) else None
