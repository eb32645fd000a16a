"""Codes, access tokens and refresh tokens (CRONOFY.md C7, C8)."""

import hashlib
from base64 import urlsafe_b64encode

from service.demo.simulator.calendars import forgetting
from service.demo.simulator.calendars.linking import (
    add_calendar,
    add_mailbox,
    enter_account,
    link,
    provider_names,
)
from service.demo.simulator.model import Account, Application, AuthorizationCode, MailboxProfile, TokenScope
from service.demo.simulator.state import Json, SimulatorState

TOKEN_PREFIX = "tok"  # noqa: S105 - the beginning of one
"""How every token begins, so that one that leaks is recognised wherever it stands."""
_CODE_SECONDS = 600
_FOREVER = float("inf")


class GrantError(Exception):
    """The token endpoint answers 400 with this word."""


def application_of(state: SimulatorState, data: Json) -> Application:
    """Who signs with client_id and any of its active secrets."""
    application = state.applications.get(str(data.get("client_id")))
    if application is None or data.get("client_secret") not in application.secrets:
        raise GrantError("invalid_client")
    return application


def issue_code(
    state: SimulatorState, profile: MailboxProfile, scope: str, redirect_uri: str, *, challenge: str = ""
) -> str:
    code = AuthorizationCode(
        account=profile.account,
        profile=profile,
        scope=scope,
        redirect_uri=redirect_uri,
        expires=state.clock.now() + _CODE_SECONDS,
        challenge=challenge,
    )
    return _entered(state, code)


def issue_company_code(
    state: SimulatorState, account: Account, redirect_uri: str, *, challenge: str = ""
) -> str:
    """For a company's account, which has no profile (CRONOFY.md C61)."""
    code = AuthorizationCode(
        account=account,
        profile=None,
        scope=account.scope,
        redirect_uri=redirect_uri,
        expires=state.clock.now() + _CODE_SECONDS,
        challenge=challenge,
    )
    return _entered(state, code)


def _entered(state: SimulatorState, code: AuthorizationCode) -> str:
    word = state.hex(32)
    state.codes[word] = code
    return word


def exchange_code(state: SimulatorState, application: Application, data: Json) -> Json:
    """Tokens for a code, once, with the same redirect_uri."""
    code = state.codes.pop(str(data.get("code")), None)
    if (
        code is None
        or code.expires <= state.clock.now()
        or code.account.application is not application
        or code.redirect_uri != data.get("redirect_uri")
        or not _proves(str(data.get("code_verifier", "")), code.challenge)
    ):
        raise GrantError("invalid_grant")
    return {**issue(state, code.account, code.scope), **_identity(code.account, code.profile)}


def _proves(verifier: str, challenge: str) -> bool:
    """PKCE with S256 (CRONOFY.md C51): a challenge that was given must be met."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return not challenge or urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


def issue(state: SimulatorState, account: Account, scope: str) -> Json:
    """A new pair of tokens."""
    refresh_token = _token(state)
    state.refresh_tokens[refresh_token] = TokenScope(account=account, scope=scope, expires=_FOREVER)
    return {**_access(state, account, scope), "refresh_token": refresh_token}


def _token(state: SimulatorState) -> str:
    return TOKEN_PREFIX + state.hex(32 - len(TOKEN_PREFIX))


def _access(state: SimulatorState, account: Account, scope: str) -> Json:
    seconds = state.faults.access_token_seconds
    token = _token(state)
    state.access_tokens[token] = TokenScope(account=account, scope=scope, expires=state.clock.now() + seconds)
    return {"token_type": "bearer", "access_token": token, "expires_in": seconds, "scope": scope}


def _identity(account: Account, profile: MailboxProfile | None) -> Json:
    if profile is None:
        return {"sub": account.account_id}
    provider_name, provider_service = provider_names(profile.mailbox)
    return {
        "account_id": account.account_id,
        "sub": account.account_id,
        "linking_profile": {
            "provider_name": provider_name,
            "provider_service": provider_service,
            "profile_id": profile.profile_id,
            "profile_name": profile.mailbox.email,
        },
    }


def refresh(state: SimulatorState, application: Application, data: Json) -> Json:
    """A new access token; the refresh token may be replaced, the old one lives on for a while."""
    token = str(data.get("refresh_token"))
    grant = state.refresh_tokens.get(token)
    now = state.clock.now()
    if grant is None or grant.account.application is not application:
        raise GrantError("invalid_grant")
    if grant.account.revoked or grant.expires <= now:
        raise GrantError("invalid_grant")
    if not state.faults.rotate_refresh_tokens:
        return {**_access(state, grant.account, grant.scope), "refresh_token": token}
    grant.expires = min(grant.expires, now + state.faults.refresh_grace_seconds)
    return issue(state, grant.account, grant.scope)


def revoke(state: SimulatorState, application: Application, data: Json) -> None:
    """End the whole authorization of a token's account, or of ``sub``; unknown ones are no error."""
    token = data.get("token")
    grant = state.refresh_tokens.get(str(token)) or state.access_tokens.get(str(token))
    account = grant.account if token and grant else None
    if not token:
        account = state.accounts.get(str(data.get("sub")))
    if account is not None and account.application is application:
        account.erased = account.erased or data.get("request_pii_erasure") is True
        revoke_account(state, account)


def revoke_account(state: SimulatorState, account: Account) -> None:
    """Only a new authorization helps afterwards; channels are closed, and what it allowed ends with it."""
    account.revoked = True
    for under in [one for one in state.accounts.values() if one.granted_by is account]:
        revoke_account(state, under)
    for profile in account.profiles:
        forgetting.note_loss(state, profile)
    for tokens in (state.access_tokens, state.refresh_tokens):
        for token in [token for token, grant in tokens.items() if grant.account is account]:
            del tokens[token]
    for channel in account.channels.values():
        channel.closed = True
    account.channels.clear()


def expire_access_tokens(state: SimulatorState, account: Account | None = None) -> None:
    """All access tokens, or one account's, have just run out."""
    for grant in state.access_tokens.values():
        if account is None or grant.account is account:
            grant.expires = min(grant.expires, state.clock.now())


def grant_of(state: SimulatorState, token: str) -> TokenScope | None:
    grant = state.access_tokens.get(token)
    if grant is None or grant.expires <= state.clock.now() or grant.account.revoked:
        return None
    return grant


def application_calendar(state: SimulatorState, application: Application, name: str) -> Json:
    """The calendar without a person, created at the first call."""
    key = f"{application.client_id}/{name}"
    account = state.linked.get((application.client_id, key.lower()))
    if account is None:
        account = Account(
            account_id=f"apc_{state.hex(24)}",
            application=application,
            email="",
            name=name,
            zone="Etc/UTC",
            scope="read_write",
            kind="application_calendar",
            application_calendar_id=name,
        )
        enter_account(state, account, key)
        mailbox = add_mailbox(state, provider="cronofy", email=key, name=name, zone="Etc/UTC")
        add_calendar(state, mailbox, {"name": "Primary"})
        link(state, application, mailbox, "read_write", account)
    account.revoked = False
    answer = {**issue(state, account, "read_write"), **_identity(account, account.profiles[0])}
    return {**answer, "application_calendar_id": name}
