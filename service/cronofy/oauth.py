"""Cronofy's OAuth: the authorize address, and the token endpoint in its three uses."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import httpx

from contracts.cronofy_accounts import TokenGrant
from contracts.errors import Malformed, Transient
from contracts.ports import LIVE_TURN, Turn, Urgency
from service.cronofy.callbacks import is_signed
from service.cronofy.statuses import token_error
from service.cronofy.transport import CronofyRequest, CronofyTransport, json_content

CRONOFY_SCOPE = "read_account list_calendars read_events create_event delete_event"

COMPANY_SCOPE = "service_account/accounts/manage service_account/accounts/unrestricted_access"
"""Whose accounts may be asked for, and that their events may be changed without a page (CRONOFY.md C61)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CronofyAccess:
    """Where Cronofy is and who we are there."""

    api_url: str
    app_url: str
    client_id: str
    client_secrets: Sequence[str] = field(repr=False)
    """Newest first; the first signs in."""


class OAuth:
    """Gets, renews and gives back the grants of Cronofy accounts."""

    def __init__(self, access: CronofyAccess, transport: CronofyTransport) -> None:
        self._access = access
        self._transport = transport

    def authorize_url(self, *, state: str, redirect_uri: str, verifier: str, provider_name: str = "") -> str:
        """Where a person allows access; accounts of one browser are not joined (CRONOFY.md C5, C51).

        ``provider_name``: the service that is expected, and is offered alone.
        """
        query = {
            "response_type": "code",
            "client_id": self._access.client_id,
            "redirect_uri": redirect_uri,
            "scope": CRONOFY_SCOPE,
            "state": state,
            "avoid_linking": "true",
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            **({"provider_name": provider_name} if provider_name else {}),
        }
        return f"{self._access.app_url.rstrip('/')}/oauth/authorize?{urlencode(query, quote_via=quote)}"

    def company_url(self, *, state: str, redirect_uri: str, verifier: str) -> str:
        """Where a domain's administrator allows access to the accounts of its people (CRONOFY.md C61)."""
        query = {
            "response_type": "code",
            "client_id": self._access.client_id,
            "redirect_uri": redirect_uri,
            "scope": COMPANY_SCOPE,
            "delegated_scope": CRONOFY_SCOPE,
            "state": state,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        address = f"{self._access.app_url.rstrip('/')}/enterprise_connect/oauth/authorize"
        return f"{address}?{urlencode(query, quote_via=quote)}"

    def is_signed(self, body: bytes, headers: Sequence[str]) -> bool:
        """Whether what came was sent by Cronofy to this application (CRONOFY.md C43)."""
        return is_signed([secret.encode() for secret in self._access.client_secrets], body, headers)

    async def exchange_code(
        self, code: str, redirect_uri: str, *, verifier: str = "", urgency: Urgency = Urgency.PERSON
    ) -> TokenGrant:
        """The grant behind a code; GrantRefused where the code is unknown, used or of another address.

        Without a ``verifier`` for a code that no browser brought (CRONOFY.md C63).
        """
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            **({"code_verifier": verifier} if verifier else {}),
        }
        grant = await self._grant(asked, turn=Turn(urgency=urgency))
        if grant.sub is None:
            raise Transient("Cronofy's answer does not name the account")
        return grant

    async def refresh(self, refresh_token: str) -> TokenGrant:
        """A new access token; GrantRefused (``invalid_grant``) where access was withdrawn."""
        return await self._grant({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def application_calendar(self, name: str) -> TokenGrant:
        """A calendar of the application itself, without a person; made at the first call (CRONOFY.md C52)."""
        return await self._grant({"application_calendar_id": name}, path="/v1/application_calendars")

    async def revoke(self, refresh_token: str, *, erase: bool = False, turn: Turn = LIVE_TURN) -> None:
        """End the account's whole authorisation; one that has ended already is no error (CRONOFY.md C10).

        ``erase``: what Cronofy keeps of the person goes with it.
        """
        asked: dict[str, str | bool] = {"token": refresh_token}
        if erase:
            asked["request_pii_erasure"] = True
        response = await self._post("/oauth/token/revoke", asked, turn)
        if not response.is_success:
            raise token_error(response.status_code, _word(response), wait=self._transport.wait(response))

    async def _grant(
        self, asked: Mapping[str, str], *, path: str = "/oauth/token", turn: Turn = LIVE_TURN
    ) -> TokenGrant:
        response = await self._post(path, asked, turn)
        if not response.is_success:
            raise token_error(response.status_code, _word(response), wait=self._transport.wait(response))
        try:
            return TokenGrant.parse(json_content(response))
        except Malformed as error:
            raise Transient("Cronofy's grant cannot be read") from error

    async def _post(self, path: str, asked: Mapping[str, str | bool], turn: Turn) -> httpx.Response:
        client = {"client_id": self._access.client_id, "client_secret": self._access.client_secrets[0]}
        body = {**client, **asked}
        request = CronofyRequest(method="POST", path=path, account=_owner(asked), turn=turn, body=body)
        response = await self._transport.plain(request)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await self._transport.refused(request)
        return response


def challenge_of(verifier: str) -> str:
    """What PKCE's S256 tells of a verifier when a person is sent away."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _owner(asked: Mapping[str, str | bool]) -> str:
    """A name for the account in question, of which only its grant is known here."""
    grant = " ".join(map(str, asked.values()))
    return f"oauth {hashlib.sha256(grant.encode()).hexdigest()[:12]}"


def _word(response: httpx.Response) -> str:
    """The endpoint's own word for what is wrong; the answer is otherwise not looked at."""
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return ""
    word = said.get("error") if isinstance(said, dict) else None
    return word if isinstance(word, str) else ""
