"""Giving dead letters up, chosen ones or whatever matches, and taking back what was given up (R30)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.operations.masking import LetterReader
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.messages import dead_letters, discards
from service.store.messages.dead_letters import LetterConflict, LetterFilter

_DISCARDED_AT_ONCE = 1000


class MoreMatch(LetterConflict):
    """More letters match than the operator has seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscardedBatch:
    """Letters that were given up together, and the name by which they are taken back."""

    count: int
    batch: str


class LetterDiscards:
    """An operator who may give letters up; each act is recorded with the name."""

    def __init__(self, store: Store, *, who: str, reader: LetterReader | None = None) -> None:
        self._store = store
        self._who = who
        self._reader = reader
        self._tenant = reader.tenant_id if reader else None

    async def count(self, matching: LetterFilter) -> int:
        async with self._store.read() as connection:
            return await dead_letters.count(connection, self._mine(matching))

    async def newest(self) -> str:
        """The newest letter's id: what is done to all that match ends with it, for nobody was shown more."""
        async with self._store.read() as connection:
            return await dead_letters.newest(connection)

    async def discard(self, ids: Sequence[str], *, reason: str) -> DiscardedBatch:
        """Give these messages up, all or none. Raises NoLetter and LetterConflict."""
        batch = new_id()
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            await discards.discard(
                connection, ids, who=self._who, reason=reason, batch=batch, now=now, tenant=self._tenant
            )
        return DiscardedBatch(count=len(set(ids)), batch=batch)

    async def discard_matching(
        self, matching: LetterFilter, *, expect: int | None, reason: str
    ) -> DiscardedBatch:
        """Give all matching open letters up. Raises MoreMatch where more do than expected.

        Letters that come while it goes on are left out.
        """
        matching, batch = replace(self._mine(matching), state="open"), new_id()
        upto = await self.newest()
        await self._check_expected(matching, expect)
        count = 0
        after: str | None = ""
        while after is not None:
            async with self._store.begin() as connection:
                given_up, after = await discards.discard_some(
                    connection, matching, after=after, upto=upto, limit=_DISCARDED_AT_ONCE, who=self._who,
                    reason=reason, batch=batch, now=await self._store.moment(connection),
                )  # fmt: skip
            count += given_up
        return DiscardedBatch(count=count, batch=batch)

    async def undo_batch(self, batch: str) -> int:
        """Open again what was given up together, but what has been dealt with since; how many (R30)."""
        count = 0
        while True:
            async with self._store.begin() as connection:
                taken = await discards.undo_some(
                    connection, batch, limit=_DISCARDED_AT_ONCE, who=self._who,
                    now=await self._store.moment(connection), tenant=self._tenant,
                )  # fmt: skip
            if not taken:
                return count
            count += taken

    async def batch_left(self, batch: str) -> int:
        """How many letters that were given up together can be taken back together."""
        async with self._store.read() as connection:
            return await discards.count_batch(connection, batch, tenant=self._tenant)

    async def batch_of(self, letter_id: str) -> DiscardedBatch | None:
        """What a discarded letter was given up with, and how many of it can be taken back with it."""
        async with self._store.read() as connection:
            batch = await discards.batch_of(connection, letter_id)
            if batch is None:
                return None
            count = await discards.count_batch(connection, batch, tenant=self._tenant)
            return DiscardedBatch(count=count, batch=batch)

    async def _check_expected(self, matching: LetterFilter, expect: int | None) -> None:
        if expect is not None and (present := await self.count(matching)) > expect:
            raise MoreMatch(
                f"{present} letters match by now, not {expect}; look again.", code="more_than_expected"
            )

    def _mine(self, matching: LetterFilter) -> LetterFilter:
        return replace(matching, tenant=self._tenant)
