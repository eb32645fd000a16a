"""Under which key each stored token lies: counting them, encrypting them anew, giving them up."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Column, Delete, Row, Table, Update, and_, case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.store import Store
from service.store.tables import company_people, consents, credentials
from service.store.tables.company_stages import ASKED_FOR, PersonStage

SEALED_ROWS = 200
"""Rows that are read, and written, at once: a few milliseconds of deciphering."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyCounts:
    """Accounts and pending consents, by the key that opens their tokens."""

    newest: int = 0
    older: int = 0
    unopened: int = 0
    """No key that was given opens them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sealed:
    """A table with encrypted columns."""

    table: Table
    key: Column[Any]
    columns: tuple[Column[Any], ...]
    ends: Column[Any] | None = None
    """When the row is nothing any more, where it goes by itself."""
    emptied: Mapping[str, Any] | None = None
    """What becomes of a row whose tokens are given up; None where it goes with them."""


_ON_THE_WAY = company_people.c.stage.in_(ASKED_FOR)
WITHOUT_ANSWER = {
    "answer": None,
    "state_hash": None,
    "stage": case((_ON_THE_WAY, PersonStage.CHOSEN.value), else_=company_people.c.stage),
    "due_at": case((_ON_THE_WAY, company_people.c.due_at)),
}
"""Whoever a company was about to connect is asked for once more; nothing is due for whoever is settled."""
SEALED = (
    _Sealed(
        table=credentials,
        key=credentials.c.sub,
        columns=(credentials.c.access_token, credentials.c.refresh_token),
    ),
    _Sealed(table=consents, key=consents.c.id, columns=(consents.c.granted,), ends=consents.c.expires_at),
    _Sealed(
        table=company_people,
        key=company_people.c.id,
        columns=(company_people.c.answer,),
        emptied=WITHOUT_ANSWER,
    ),
)
"""Everything that is encrypted at rest."""


class SealedTokens:
    """All that is encrypted in the store, and the keys, newest first."""

    def __init__(self, store: Store, keys: Sequence[str]) -> None:
        self._store = store
        self._each = [Fernet(key) for key in keys]
        self._any = MultiFernet(self._each)

    async def counted(self) -> KeyCounts:
        """How many lie under the newest key, under an older one, and under none that was given.

        Consents that have expired are none.
        """
        found = [0, 0, 0]
        async for sealed, rows in self._chunks(living=True):
            for row in rows:
                found[self._standing(sealed, row)] += 1
        return KeyCounts(newest=found[0], older=found[1], unopened=found[2])

    async def first_unopened(self) -> str | None:
        """The account of the first token that no key opens; a consent ends by itself, and counts for none."""
        async for sealed, rows in self._chunks(tables=[one for one in SEALED if one.ends is None]):
            for row in rows:
                if self._standing(sealed, row) == _UNOPENED:
                    return str(row[0])
        return None

    async def rotate(self) -> int:
        """Encrypt what lies under an older key with the newest, in chunks; how many rows.

        What is renewed meanwhile is written with the newest key by itself, and not overwritten.
        """
        rotated = 0
        async for sealed, rows in self._chunks():
            older = [row for row in rows if self._standing(sealed, row) == _OLDER]
            if older:
                async with self._store.begin() as connection:
                    for row in older:
                        rotated += await self._anew(connection, sealed, row)
        return rotated

    async def give_up(self) -> int:
        """Erase the tokens that no key opens; their owners connect again. How many rows."""
        given_up = 0
        async for sealed, rows in self._chunks(living=True):
            lost = [row for row in rows if self._standing(sealed, row) == _UNOPENED]
            if lost:
                async with self._store.begin() as connection:
                    same = or_(*(_unchanged(sealed, row) for row in lost))
                    given_up += (await connection.execute(_giving_up(sealed).where(same))).rowcount
        return given_up

    async def _anew(self, connection: AsyncConnection, sealed: _Sealed, row: Row[Any]) -> int:
        values = {column.name: self._any.rotate(text).decode() for column, text in _texts(sealed, row)}
        result = await connection.execute(
            update(sealed.table).where(_unchanged(sealed, row)).values(**values)
        )
        return result.rowcount

    async def _chunks(
        self, tables: Sequence[_Sealed] = SEALED, *, living: bool = False
    ) -> AsyncIterator[tuple[_Sealed, Sequence[Row[Any]]]]:
        """``living``: without what has expired."""
        for sealed in tables:
            after: str | None = None
            while rows := await self._chunk(sealed, after, living=living):
                yield sealed, rows
                after = rows[-1][0]

    async def _chunk(self, sealed: _Sealed, after: str | None, *, living: bool) -> Sequence[Row[Any]]:
        query = select(sealed.key, *sealed.columns).where(sealed.columns[0].is_not(None))
        if after is not None:
            query = query.where(sealed.key > after)
        async with self._store.read() as connection:
            if living and sealed.ends is not None:
                query = query.where(sealed.ends > await self._store.now(connection))
            return (await connection.execute(query.order_by(sealed.key).limit(SEALED_ROWS))).all()

    def _standing(self, sealed: _Sealed, row: Row[Any]) -> int:
        return max(self._opened_by(text) for _, text in _texts(sealed, row))

    def _opened_by(self, text: str) -> int:
        for place, fernet in enumerate(self._each):
            try:
                fernet.decrypt(text)
            except InvalidToken:
                continue
            return _OLDER if place else _NEWEST
        return _UNOPENED


_NEWEST, _OLDER, _UNOPENED = 0, 1, 2


def _giving_up(sealed: _Sealed) -> Delete | Update:
    return delete(sealed.table) if sealed.emptied is None else update(sealed.table).values(**sealed.emptied)


def _unchanged(sealed: _Sealed, row: Row[Any]) -> Any:
    """The row as it was read: what was renewed meanwhile is another."""
    return and_(sealed.key == row[0], *(column == text for column, text in _texts(sealed, row)))


def _texts(sealed: _Sealed, row: Row[Any]) -> list[tuple[Column[Any], str]]:
    return list(zip(sealed.columns, row[1:], strict=True))
