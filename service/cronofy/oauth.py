"""Cronofy's OAuth: the authorize address, and the token endpoint in its three uses."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import httpx

from contracts.cronofy import TokenGrant
from contracts.errors import Malformed, Transient
from service.cronofy.statuses import token_error
from service.cronofy.transport import CronofyRequest, CronofyTransport, json_content

CRONOFY_SCOPE = "read_account list_calendars read_events create_event delete_event"


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

    def authorize_url(self, *, state: str, redirect_uri: str, scope: str = CRONOFY_SCOPE) -> str:
        """Where a person allows access; accounts of one browser are not joined."""
        query = {
            "response_type": "code",
            "client_id": self._access.client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": state,
            "avoid_linking": "true",
        }
        return f"{self._access.app_url.rstrip('/')}/oauth/authorize?{urlencode(query, quote_via=quote)}"

    async def exchange_code(self, code: str, redirect_uri: str) -> TokenGrant:
        """The grant behind a code; GrantRefused where the code is unknown, used or of another address."""
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        grant = await self._grant(asked)
        if grant.sub is None:
            raise Transient("Cronofy's answer does not name the account")
        return grant

    async def refresh(self, refresh_token: str) -> TokenGrant:
        """A new access token; GrantRefused (``invalid_grant``) where access was withdrawn."""
        return await self._grant({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def _grant(self, asked: Mapping[str, str]) -> TokenGrant:
        response = await self._post("/oauth/token", asked)
        if not response.is_success:
            raise token_error(response.status_code, _word(response), wait=self._transport.wait(response))
        try:
            return TokenGrant.parse(json_content(response))
        except Malformed as error:
            raise Transient("Cronofy's grant cannot be read") from error

    async def _post(self, path: str, asked: Mapping[str, str]) -> httpx.Response:
        client = {"client_id": self._access.client_id, "client_secret": self._access.client_secrets[0]}
        request = CronofyRequest(method="POST", path=path, account=_owner(asked), body={**client, **asked})
        response = await self._transport.plain(request)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await self._transport.refused(request)
        return response


def _owner(asked: Mapping[str, str]) -> str:
    """A name for the account in question, of which only its grant is known here."""
    grant = " ".join(asked.values())
    return f"oauth {hashlib.sha256(grant.encode()).hexdigest()[:12]}"


def _word(response: httpx.Response) -> str:
    """The endpoint's own word for what is wrong; the answer is otherwise not looked at."""
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return ""
    return str(said.get("error", "")) if isinstance(said, dict) else ""
