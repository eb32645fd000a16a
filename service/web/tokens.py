"""Who is there: Vorex's tokens, our sessions and the states of a connection.

Every purpose has a key of its own, derived from SIGN_IN_SECRET, so that no token passes for another. Of
several secrets each verifies, so that a new one can be put in front before the old one goes.
"""

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import jwt
from pydantic import Field, ValidationError

from contracts.envelope import malformed_message
from contracts.fields import Identifier, OptionalText, Strict, Zone, null_means
from contracts.ports import Clock
from service.integrations import Person
from service.store.engine.ids import new_id

SESSION_COOKIE = "calendar_sync_session"
SESSION_LIFE = timedelta(hours=12)
STATE_LIFE = timedelta(hours=1)
SIGN_IN_LIFE = timedelta(minutes=10)
CLOCK_SKEW_SECONDS = 60.0
"""Seconds by which Vorex's clock may be ahead of ours."""
LONGEST_TOKEN = 8192
_ALGORITHM = "HS256"

TokenPurpose = Literal["session", "state", "form", "draft"]


class Role(StrEnum):
    """What a person may see beyond their own."""

    USER = "user"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"


class BadToken(Exception):
    """The token opens nothing; says which rule it breaks and nothing of the token."""


class _Claims(Strict):
    sub: Identifier
    tenant: Identifier
    name: OptionalText = ""
    email: OptionalText = ""
    tz: Zone = "UTC"
    role: Annotated[Role, Field(strict=False), null_means(Role.USER)] = Role.USER
    exp: float
    nbf: float | None = None
    jti: Identifier | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """A person whom Vorex vouches for."""

    tenant_id: str
    user_id: str
    name: str = ""
    email: str = ""
    time_zone: str = "UTC"
    role: Role = Role.USER
    session: str | None = None
    """The session's id where a cookie brought the person here; None with a Bearer token."""

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
class OneTimeToken:
    """A token that is good once: who it speaks of, and under which name it is spent."""

    visitor: Visitor
    name: str
    expires_at: float


class TokenMaker:
    """Makes and reads all tokens. Reading raises BadToken."""

    def __init__(self, secrets: Sequence[str], *, clock: Clock) -> None:
        """Newest first: the first signs what is our own."""
        self._secrets = [secret.encode() for secret in secrets]
        self._clock = clock

    def sign_in(self, token: str) -> OneTimeToken:
        """Vorex's link: short-lived, with an id that is accepted once."""
        claims = self._read(token, self._secrets)
        if claims.jti is None:
            raise BadToken("jti: is required")
        if claims.exp > self._now() + SIGN_IN_LIFE.total_seconds():
            raise BadToken("exp: must be at most 10 minutes ahead")
        return OneTimeToken(visitor=_visitor(claims), name=f"sign-in:{claims.jti}", expires_at=claims.exp)

    def bearer(self, token: str) -> Visitor:
        """The same kind of token on an API request; its id does not matter there."""
        return _visitor(self._read(token, self._secrets))

    def open_session(self, visitor: Visitor) -> str:
        return self._write("session", visitor, SESSION_LIFE)

    def session(self, cookie: str) -> Visitor:
        claims = self._read(cookie, self._keys("session"))
        return _visitor(claims, session=claims.jti)

    def open_state(self, visitor: Visitor) -> str:
        """What goes to Cronofy and comes back; whoever began is the only one who may end."""
        return self._write("state", visitor, STATE_LIFE)

    def state(self, text: str) -> OneTimeToken:
        claims = self._read(text, self._keys("state"))
        return OneTimeToken(visitor=_visitor(claims), name=f"state:{claims.jti}", expires_at=claims.exp)

    def form_token(self, session: str) -> str:
        """What a form of that session must carry."""
        return self._marks("form", session)[0]

    def is_form_token(self, session: str, given: str) -> bool:
        return _is_among(self._marks("form", session), given)

    def draft_mark(self, visitor: Visitor, text: str) -> str:
        """What proves that this person's unfinished settings were put down by us."""
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

    def _write(self, purpose: TokenPurpose, visitor: Visitor, life: timedelta) -> str:
        claims = {
            "sub": visitor.user_id,
            "tenant": visitor.tenant_id,
            "name": visitor.name,
            "email": visitor.email,
            "tz": visitor.time_zone,
            "role": visitor.role.value,
            "exp": self._now() + life.total_seconds(),
            "jti": new_id(),
        }
        return jwt.encode(claims, self._keys(purpose)[0], algorithm=_ALGORITHM)

    def _read(self, token: str, keys: Sequence[bytes]) -> _Claims:
        if len(token) > LONGEST_TOKEN:
            raise BadToken("is too long")
        try:
            claims = _Claims.model_validate(_verified(token, keys))
        except ValidationError as error:
            raise BadToken(str(malformed_message(error))) from None
        if not math.isfinite(claims.exp) or claims.exp <= self._now():
            raise BadToken("exp: has passed")
        if claims.nbf is not None and not claims.nbf <= self._now() + CLOCK_SKEW_SECONDS:
            raise BadToken("nbf: has not come")
        return claims


def _is_among(marks: Sequence[str], given: str) -> bool:
    return any(hmac.compare_digest(mark.encode(), given.encode()) for mark in marks)


def _owned(visitor: Visitor, text: str) -> str:
    return f"{visitor.tenant_id}\x1f{visitor.user_id}\x1f{text}"


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


def _visitor(claims: _Claims, *, session: str | None = None) -> Visitor:
    return Visitor(
        tenant_id=claims.tenant,
        user_id=claims.sub,
        name=claims.name,
        email=claims.email,
        time_zone=claims.tz,
        role=claims.role,
        session=session,
    )
