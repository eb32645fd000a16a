"""The tokens of Cronofy accounts, encrypted at rest, and who may renew them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from contracts.errors import Transient
from contracts.ports import Credentials
from service.store.engine import leases
from service.store.engine.leases import LeaseColumns
from service.store.engine.store import Store
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
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    async def load(self, sub: str) -> Credentials | None:
        async with self._store.read() as connection:
            row = (await connection.execute(select(credentials).where(credentials.c.sub == sub))).first()
        return self._opened(row) if row is not None else None

    async def save(self, new: Credentials) -> None:
        """Replace what is known of the account: a person has just allowed access anew."""
        insert = sqlite.insert if self._store.sqlite else postgresql.insert
        statement = insert(credentials).values(sub=new.sub, **self._sealed(new))
        changed = {
            **self._sealed(new),
            "refresh_epoch": credentials.c.refresh_epoch + 1,
            **RENEWAL_ENDED,
        }
        async with self._store.begin() as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=["sub"], set_=changed))

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
            "access_token": self._fernet.encrypt(plain.access_token.encode()).decode(),
            "refresh_token": self._fernet.encrypt(plain.refresh_token.encode()).decode(),
            "expires_at": plain.expires_at,
            "scope": plain.scope,
            "saved_at": datetime.fromtimestamp(plain.saved_at, UTC),
        }

    def _opened(self, row: Row[Any]) -> Credentials:
        try:
            access = self._fernet.decrypt(row.access_token).decode()
            refresh = self._fernet.decrypt(row.refresh_token).decode()
        except InvalidToken as error:
            raise Transient("no key of ENCRYPTION_KEYS opens the stored tokens") from error
        return Credentials(
            sub=row.sub,
            access_token=access,
            refresh_token=refresh,
            expires_at=row.expires_at,
            saved_at=row.saved_at.timestamp(),
            scope=row.scope,
            epoch=row.refresh_epoch,
        )
