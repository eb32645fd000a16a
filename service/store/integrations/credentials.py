"""The tokens of Cronofy accounts, encrypted at rest, and who may renew them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Row, delete, select

from contracts.errors import WrongKeys
from contracts.ports import Credentials
from service.store.engine import leases
from service.store.engine.leases import LeaseColumns
from service.store.engine.store import Store
from service.store.engine.upserts import merging_insert
from service.store.integrations.grants import living_on
from service.store.integrations.sealed_tokens import SealedTokens
from service.store.tables import credentials

RENEWAL_LEASES = LeaseColumns(
    key=credentials.c.sub, epoch=credentials.c.refresh_epoch, until=credentials.c.refreshing_until
)
"""A renewal is leased in the tokens' own row: saving them and ending the lease are one statement."""
RENEWAL_ENDED: Mapping[str, None] = {"refreshing_by": None, "refreshing_until": None}


class CredentialsTable:
    """Keeps tokens: written with the first key, read with any of them."""

    def __init__(self, store: Store, keys: Sequence[str]) -> None:
        self._store = store
        self._keys = keys
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    async def load(self, sub: str) -> Credentials | None:
        async with self._store.read() as connection:
            row = (await connection.execute(select(credentials).where(credentials.c.sub == sub))).first()
        return self._opened(row) if row is not None else None

    async def save(self, new: Credentials) -> bool:
        """Replace what is known of the account: a person has just allowed access anew.

        False, and nothing replaced, where somebody lives on what is known and it allows more: a mailbox
        may be linked by several, and who allows less than the others takes nothing from them.
        """
        changed = {
            **self._sealed(new),
            "refresh_epoch": credentials.c.refresh_epoch + 1,
            **RENEWAL_ENDED,
        }
        async with self._store.begin() as connection:
            known = select(credentials.c.scope).where(credentials.c.sub == new.sub).with_for_update()
            before = await connection.scalar(known)
            if _allows_less(new.scope, than=before or "") and await living_on(connection, new.sub):
                return False
            statement = merging_insert(connection, credentials).values(sub=new.sub, **self._sealed(new))
            await connection.execute(statement.on_conflict_do_update(index_elements=["sub"], set_=changed))
        return True

    def seal(self, text: str) -> str:
        """As tokens are kept: nobody without a key reads it."""
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise WrongKeys from error

    async def readable(self) -> bool:
        return not await SealedTokens(self._store, self._keys).first_unopened()

    async def lease(self, sub: str, *, epoch: int, holder: str, seconds: float) -> int | None:
        """The epoch under which the holder alone may renew; None while another may (database's clock)."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            return await leases.take(
                connection, RENEWAL_LEASES, sub, epoch=epoch, seconds=seconds, now=now, refreshing_by=holder
            )

    async def keep(self, renewed: Credentials) -> bool:
        """Save what came back and end the lease; False where the lease has passed to another.

        The epoch moves on: who looked before this may not renew again with the tokens of then.
        """
        values = {**self._sealed(renewed), "refresh_epoch": renewed.epoch + 1, **RENEWAL_ENDED}
        async with self._store.begin() as connection:
            return await leases.write(connection, RENEWAL_LEASES, renewed.sub, epoch=renewed.epoch, **values)

    async def give_back(self, sub: str, epoch: int) -> None:
        """End the lease with nothing to save."""
        async with self._store.begin() as connection:
            await leases.write(connection, RENEWAL_LEASES, sub, epoch=epoch, **RENEWAL_ENDED)

    async def forget(self, sub: str) -> None:
        """Erase the tokens (R21)."""
        async with self._store.begin() as connection:
            await connection.execute(delete(credentials).where(credentials.c.sub == sub))

    def _sealed(self, plain: Credentials) -> dict[str, Any]:
        return {
            "access_token": self.seal(plain.access_token),
            "refresh_token": self.seal(plain.refresh_token),
            "expires_at": plain.expires_at,
            "scope": plain.scope,
            "saved_at": datetime.fromtimestamp(plain.saved_at, UTC),
        }

    def _opened(self, row: Row[Any]) -> Credentials:
        return Credentials(
            sub=row.sub,
            access_token=self.unseal(row.access_token),
            refresh_token=self.unseal(row.refresh_token),
            expires_at=row.expires_at,
            saved_at=row.saved_at.timestamp(),
            scope=row.scope,
            epoch=row.refresh_epoch,
        )


def _allows_less(scope: str, *, than: str) -> bool:
    """Whether it lacks a word of the other; an answer without a scope allows what was asked for."""
    return bool(scope) and not set(than.split()) <= set(scope.split())
