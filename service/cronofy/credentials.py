"""Access tokens that are always good: kept in memory, renewed in time, by one process at a time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

from contracts.cronofy_accounts import Profile, TokenGrant
from contracts.errors import GrantRefused, Malformed, SyncError, Transient, Unavailable, WrongKeys
from contracts.ports import Clock, Credentials, CredentialStore
from service.crashpoints import crash_point

EXPIRY_MARGIN_SECONDS = 60.0
"""Seconds before its end at which a token counts as ended; of a short life, a tenth."""
RENEWAL_LEASE_SECONDS = 60.0
"""Seconds for which one process may renew: much longer than the call and the saving together."""
RENEWAL_POLL_SECONDS = 0.2
RENEWAL_WAIT_SECONDS = 75.0
SAVE_RETRY_SECONDS = (0.2, 1.0, 3.0)
"""Pauses between attempts to save what came back."""


class StoredTokens:
    """The TokenSource over the store: what comes back is saved before it is used.

    Whoever asks for a token that is being renewed waits for that one renewal, in this process and
    in the others. A caller that gives up does not stop it.
    """

    def __init__(
        self,
        store: CredentialStore,
        refresh: Callable[[str], Awaitable[TokenGrant]],
        clock: Clock,
        *,
        on_wrong_keys: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._clock = clock
        self._on_wrong_keys = on_wrong_keys
        self._holder = uuid4().hex
        self._known: dict[str, Credentials] = {}
        self._unsaved: dict[str, tuple[str, Credentials]] = {}
        self._renewals: dict[str, asyncio.Task[str]] = {}

    async def current(self, sub: str) -> str:
        known = self._known.get(sub)
        return known.access_token if known and self._lasts(known) else await self._joined(sub, None)

    async def refresh_token(self, sub: str) -> str | None:
        """What the whole grant can be ended with; None where nothing is kept of the account."""
        stored = await self._loaded(sub)
        return stored.refresh_token if stored is not None else None

    async def renew(self, sub: str, stale: str) -> str:
        known = self._known.get(sub)
        if known and self._lasts(known) and known.access_token != stale:
            return known.access_token
        self._known.pop(sub, None)
        token = await self._joined(sub, stale)
        # a renewal that was under way did not know yet that this token is refused
        return token if token != stale else await self._joined(sub, stale)

    async def adopt(self, sub: str, grant: TokenGrant) -> bool:
        """Keep the grant that a person has just given; False where another allows more and is in use."""
        if grant.refresh_token is None:
            raise Transient("Cronofy gave no refresh token")
        now = self._clock.now().timestamp()
        new = Credentials(
            sub=sub,
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            expires_at=now + grant.expires_in,
            saved_at=now,
            scope=grant.scope,
        )
        if not await self._store.save(new):
            return False
        self._known[sub] = new
        return True

    def seal_text(self, text: str) -> str:
        return self._store.seal(text)

    def unseal_text(self, sealed: str) -> str:
        return self._store.unseal(sealed)

    def seal(self, grant: TokenGrant) -> str:
        """The grant's tokens as the store may keep them until its person has answered."""
        if grant.refresh_token is None:
            raise Transient("Cronofy gave no refresh token")
        ends = self._clock.now().timestamp() + grant.expires_in
        return self._store.seal(json.dumps([grant.access_token, grant.refresh_token, ends, grant.scope]))

    def unseal(self, sealed: str, *, sub: str, profile: Profile) -> TokenGrant:
        """What was sealed. Raises WrongKeys, and Malformed for what is no grant."""
        access, refresh, ends, scope = _parts_of_grant(self._store.unseal(sealed))
        return TokenGrant(
            access_token=access,
            refresh_token=refresh,
            expires_in=max(1.0, ends - self._clock.now().timestamp()),
            scope=scope,
            sub=sub,
            profile=profile,
        )

    async def forget(self, sub: str) -> None:
        """Erase the account's tokens here and in the store (R21)."""
        await self._store.forget(sub)
        self._known.pop(sub, None)
        self._unsaved.pop(sub, None)

    async def close(self) -> None:
        """Return when no renewal is under way, so that none is lost half done."""
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)

    async def _joined(self, sub: str, stale: str | None) -> str:
        task = self._renewals.get(sub)
        if task is None:
            task = asyncio.create_task(self._renewed(sub, stale), name="cronofy-token-renewal")
            self._renewals[sub] = task
            task.add_done_callback(lambda done: self._ended(sub, done))
        return await asyncio.shield(task)

    def _ended(self, sub: str, task: asyncio.Task[str]) -> None:
        if self._renewals.get(sub) is task:
            del self._renewals[sub]
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits any more

    async def _renewed(self, sub: str, stale: str | None) -> str:
        patience = self._clock.monotonic() + RENEWAL_WAIT_SECONDS
        while self._clock.monotonic() < patience:
            stored = await self._stored(sub)
            if self._lasts(stored) and stored.access_token != stale:
                return self._used(stored)
            epoch = await self._store.lease(
                sub, epoch=stored.epoch, holder=self._holder, seconds=RENEWAL_LEASE_SECONDS
            )
            if epoch is not None:
                return await self._renewed_alone(replace(stored, epoch=epoch))
            await self._clock.sleep(RENEWAL_POLL_SECONDS)
        raise Transient("another process is renewing the access token")

    async def _renewed_alone(self, stored: Credentials) -> str:
        try:
            fresh = await self._asked(stored)
            crash_point("tokens.1")
            kept = await self._kept(fresh)
        except GrantRefused:
            return await self._second_look(stored)
        except SyncError:
            await self._given_back(stored)
            raise
        self._unsaved.pop(stored.sub, None)
        return self._used(fresh if kept else await self._stored(stored.sub))

    async def _asked(self, stored: Credentials) -> Credentials:
        """The new tokens, from Cronofy or from an earlier answer that could not be saved."""
        spent, waiting = self._unsaved.get(stored.sub, ("", stored))
        if spent == stored.refresh_token and self._lasts(waiting):
            return replace(waiting, epoch=stored.epoch)
        now = self._clock.now().timestamp()
        grant = await self._refresh(stored.refresh_token)
        fresh = replace(
            stored,
            access_token=grant.access_token,
            refresh_token=grant.refresh_token or stored.refresh_token,
            expires_at=now + grant.expires_in,
            saved_at=now,
            scope=grant.scope or stored.scope,
        )
        self._unsaved[stored.sub] = (stored.refresh_token, fresh)
        return fresh

    async def _kept(self, fresh: Credentials) -> bool:
        for pause in SAVE_RETRY_SECONDS:
            with suppress(Unavailable):
                return await self._store.keep(fresh)
            await self._clock.sleep(pause)
        return await self._store.keep(fresh)

    async def _second_look(self, stored: Credentials) -> str:
        """A refused refresh token is no refusal of the person where another one was saved meanwhile."""
        newer = await self._stored(stored.sub)
        if newer.refresh_token != stored.refresh_token and self._lasts(newer):
            return self._used(newer)
        await self._given_back(stored)
        raise GrantRefused("the calendar account no longer allows access")

    async def _given_back(self, stored: Credentials) -> None:
        with suppress(SyncError):  # it expires by itself
            await self._store.give_back(stored.sub, stored.epoch)

    async def _loaded(self, sub: str) -> Credentials | None:
        try:
            return await self._store.load(sub)
        except WrongKeys:
            self._on_wrong_keys()
            raise

    async def _stored(self, sub: str) -> Credentials:
        stored = await self._loaded(sub)
        if stored is None:
            raise GrantRefused("no tokens are kept for the calendar account")
        return stored

    def _used(self, stored: Credentials) -> str:
        self._known[stored.sub] = stored
        return stored.access_token

    def _lasts(self, known: Credentials) -> bool:
        margin = min(EXPIRY_MARGIN_SECONDS, (known.expires_at - known.saved_at) / 10)
        return self._clock.now().timestamp() < known.expires_at - margin


def _parts_of_grant(kept: str) -> tuple[str, str, float, str]:
    try:
        match json.loads(kept):
            case [str(access), str(refresh), int() | float() as ends, str(scope)]:
                return access, refresh, ends, scope
    except ValueError:
        pass
    raise Malformed("grant", "is not what was sealed")
