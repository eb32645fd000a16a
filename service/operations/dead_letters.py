"""What operators see of dead letters and do with them (R30)."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from contracts.envelope import ItemChanged, PersonChanged
from contracts.errors import Malformed
from contracts.messages import REPLAY_EXCHANGE
from handlers.replays.pace import USUAL_RATE, ReplayPace, ReplayTime, time_to_replay
from service.operations.letter_form import group_form, letter_form, tenant_of
from service.operations.letters.discarding import LetterDiscards
from service.operations.letters.letter_names import LetterName, name_letters
from service.operations.masking import LetterReader
from service.operations.mending import MendableMessage, mend_message
from service.operations.replay_forecast import context
from service.store.engine import leases
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection
from service.store.integrations import integrations
from service.store.messages import dead_letters, letter_counts, outbox, replays
from service.store.messages.dead_letters import LetterConflict, LetterFilter
from service.store.messages.replays import ReplayProgress

__all__ = ["DeadLetters", "LetterReader"]

log = structlog.get_logger(__name__)

REPLAY_RATE = USUAL_RATE
"""Messages a second, unless another rate is asked for."""
_AT_ONCE = 250
"""Letters in a transaction: their bodies are in memory together."""
REPLAYED_AT_ONCE = 1000
"""More than these are handed over by a keeper, while whoever asked looks at the progress."""
PACING_LOCK = "pacing of replays"


class DeadLetters(LetterDiscards):
    """An operator at the dead letters; each act is recorded with the name (R30).

    ``reader`` is a person of a tenant: shown are the tenant's letters and those whose tenant nobody
    can tell, for a letter that nobody sees is lost. Without one, at the command line, all are.
    """

    # -- reading --------------------------------------------------------------------------------

    async def page(
        self, matching: LetterFilter, *, after: str | None = None, limit: int = 50
    ) -> dict[str, Any]:
        """The newest matching letters first, in the API's form, with the cursor of the next page."""
        async with self._store.read() as connection:
            page = await dead_letters.page(connection, self._mine(matching), after=after, limit=limit)
            acts = await dead_letters.acts_of(connection, [row["id"] for row in page.rows])
        items = [await letter_form(row, acts.get(row["id"], ()), reader=self._reader) for row in page.rows]
        return {"items": items, "next": page.following}

    async def groups(self, matching: LetterFilter) -> dict[str, Any]:
        """The causes of the matching letters, the most frequent first."""
        async with self._store.read() as connection:
            rows = await letter_counts.groups(connection, self._mine(matching))
        return {"items": [group_form(row) for row in rows], "next": None}

    async def show(self, letter_id: str) -> dict[str, Any]:
        """One letter in the API's form. Raises NoLetter."""
        async with self._store.read() as connection:
            row = await dead_letters.show(connection, letter_id, tenant=self._tenant)
            acts = await dead_letters.acts_of(connection, [letter_id])
        return await letter_form(row, acts.get(letter_id, ()), reader=self._reader)

    async def context(self, letter_id: str) -> dict[str, Any]:
        """What stands around a letter: headers, integration, and what a replay would do now. Raises NoLetter.

        ``forecast`` is a list of ``{"outcome", "integration_id", "said"}``; nothing is written for it.
        """
        async with self._store.read() as connection:
            row = await dead_letters.show(connection, letter_id, tenant=self._tenant)
            return await context(self._store, connection, row, reader=self._reader)

    async def by_state(self, matching: LetterFilter) -> Mapping[str, int]:
        """How many letters match in each state."""
        async with self._store.read() as connection:
            return await replays.by_state(connection, replace(self._mine(matching), state=None))

    async def progress(self, since: str = "") -> ReplayProgress:
        """How far replays have come that began after the act of that id."""
        async with self._store.read() as connection:
            told = await replays.progress(connection, tenant=self._tenant, since=since)
            return replace(told, noted=await replays.left(connection, tenant=self._tenant))

    async def names(self, letters: Sequence[Mapping[str, Any]]) -> Mapping[str, LetterName]:
        """What these letters, in the API's form, are about as people call it."""
        async with self._store.read() as connection:
            return await name_letters(connection, letters, tenant=self._tenant)

    async def of_messages(self, message_ids: Collection[str]) -> Mapping[str, str]:
        """The newest letter of each of these messages that has one."""
        async with self._store.read() as connection:
            return await letter_counts.of_messages(connection, message_ids, tenant=self._tenant)

    # -- replaying ------------------------------------------------------------------------------

    async def replay(self, ids: Sequence[str], *, rate: float = REPLAY_RATE, note: str | None = None) -> int:
        """Send these messages again, all or none; how many. Raises NoLetter and LetterConflict.

        A single one goes out at once, however many others wait for their moment.
        """
        async with self._store.begin() as connection:
            pace = ReplayPace(rate=rate) if len(set(ids)) > 1 else None
            return len(await self._send(connection, ids, pace, note))

    async def replay_matching(
        self,
        matching: LetterFilter,
        *,
        expect: int | None = None,
        rate: float = REPLAY_RATE,
        note: str | None = None,
    ) -> int:
        """Send all matching open letters again; how many. Raises MoreMatch where more do than expected."""
        count = 0
        async for sent in self.replaying(matching, expect=expect, rate=rate, note=note):
            count += sent
        return count

    async def replaying(
        self,
        matching: LetterFilter,
        *,
        expect: int | None = None,
        rate: float = REPLAY_RATE,
        note: str | None = None,
    ) -> AsyncIterator[int]:
        """As ``replay_matching``, telling how many after each transaction of a few hundred, oldest first.

        Of several letters of one message only the oldest goes; the others wait for its end. Letters
        that come while it goes on are left out.
        """
        matching = replace(self._mine(matching), state="open")
        upto = await self.newest()
        await self._check_expected(matching, expect)
        async for sent in self._replaying(matching, upto, rate=rate, note=note):
            yield sent

    async def _replaying(
        self, matching: LetterFilter, upto: str, *, rate: float, note: str | None
    ) -> AsyncIterator[int]:
        pace, after = ReplayPace(rate=rate), ""
        while True:
            async with self._store.read() as connection:
                found = await dead_letters.replayable(
                    connection, matching, after=after, upto=upto, limit=_AT_ONCE
                )
            if not found:
                return
            after = found[-1][0]
            oldest = {key: letter_id for letter_id, key in reversed(found)}
            yield await self._all_or_singly(sorted(oldest.values()), pace, note)

    async def hand_over(
        self,
        matching: LetterFilter,
        *,
        expect: int | None = None,
        rate: float = REPLAY_RATE,
        note: str | None = None,
    ) -> int:
        """As ``replay_matching``, answering soon: what is more than some is noted, and a keeper sends it on.

        How many that will be. Raises MoreMatch where there are more than expected.
        """
        matching = replace(self._mine(matching), state="open")
        upto = await self.newest()
        await self._check_expected(matching, expect)
        async with self._store.begin() as connection:
            count = await replays.count(connection, matching, upto=upto)
            if count > REPLAYED_AT_ONCE:
                noted = replays.new(matching, who=self._who, note=note, rate=rate, upto=upto)
                await replays.note_down(connection, noted)
                return count
        return sum([sent async for sent in self._replaying(matching, upto, rate=rate, note=note)])

    async def send_on(self, bulk_id: str) -> bool:
        """Hand over a few hundred more of what was noted; whether there may be more."""
        try:
            async with self._store.begin() as connection:
                await leases.lock_lease(
                    connection, PACING_LOCK
                )  # before what it has come to: whoever stops it waits
                if (noted := await replays.take(connection, bulk_id)) is None:
                    return False
                found = await dead_letters.replayable(
                    connection, noted.matching, after=noted.after, upto=noted.upto, limit=_AT_ONCE
                )
                if not found:
                    await replays.forget(connection, bulk_id)
                    return False
                oldest = {key: letter_id for letter_id, key in reversed(found)}
                pace = ReplayPace(rate=noted.rate, start=noted.reached)
                await self._send(
                    connection, sorted(oldest.values()), pace, noted.note, tenant=noted.matching.tenant
                )
                await replays.advance(connection, bulk_id, after=found[-1][0], reached=pace.reached)
        except (LetterConflict, dead_letters.NoLetter):
            return True  # somebody has just taken one of them; asked for again, it is left out
        return True

    async def _all_or_singly(self, ids: Sequence[str], pace: ReplayPace, note: str | None) -> int:
        """How many were sent; one that somebody else has just taken is passed over."""
        try:
            async with self._store.begin() as connection:
                return len(await self._send(connection, ids, pace, note))
        except (LetterConflict, dead_letters.NoLetter):
            if len(ids) == 1:
                return 0
        return sum([await self._all_or_singly([letter_id], pace, note) for letter_id in ids])

    async def _send(
        self,
        connection: AsyncConnection,
        ids: Sequence[str],
        pace: ReplayPace | None,
        note: str | None,
        *,
        tenant: str | None = None,
    ) -> list[str]:
        """``tenant``: whose other replays leave this one its moments, where it is not the operator's own."""
        if pace is not None:
            await leases.lock_lease(
                connection, PACING_LOCK
            )  # what others space at this moment would not be seen
            others = await outbox.paced(connection, tenant=self._tenant or tenant)
            pace.begin(await self._store.now(connection), others)
        sent = await dead_letters.replay(
            connection,
            ids,
            exchange=REPLAY_EXCHANGE,
            who=self._who,
            now=await self._store.moment(connection),
            note=note,
            tenant=self._tenant,
            pace=pace,
        )
        log.info("letter.replayed", letters=len(sent), first=sent[0] if sent else None, who=self._who)
        return sent

    async def replayable(self, ids: Sequence[str]) -> int:
        """How many a replay of these would send. Raises NoLetter and LetterConflict as it would."""
        for letter_id in ids:
            if (state := (await self.show(letter_id))["state"]) != "open":
                code = "replaying" if state == "replaying" else "not_open"
                raise LetterConflict(f"Dead letter {letter_id} is {state}, not open.", code=code)
        return len(set(ids))

    async def would_replay(self, matching: LetterFilter, *, expect: int | None = None) -> int:
        """How many a replay of these would send at most. Raises MoreMatch as it would."""
        matching = replace(matching, state="open")
        await self._check_expected(matching, expect)
        return await self.count(matching)

    async def replay_time(
        self,
        matching: LetterFilter,
        *,
        ids: Sequence[str] | None = None,
        rate: float,
        requests_a_minute: int,
    ) -> ReplayTime:
        """How long a replay of these takes at least, by all limits, with what others replay meanwhile."""
        async with self._store.read() as connection:
            counts = await letter_counts.by_integration(connection, self._mine(matching), ids=ids)
            others = await outbox.paced(connection, tenant=self._tenant)
            now = await self._store.now(connection)
        waiting = [(due_at - now, known) for due_at, known in others]
        return time_to_replay(counts, rate=rate, waiting=waiting, requests_a_minute=requests_a_minute)

    async def forecast(self, ids: Sequence[str]) -> list[tuple[str, str, int]]:
        """What a replay of these would do, each sentence once with its number; the most frequent first."""
        found: Counter[tuple[str, str]] = Counter()
        for letter_id in ids:
            for one in (await self.context(letter_id))["forecast"]:
                found[one["outcome"], one["said"]] += 1
        return [(outcome, said, number) for (outcome, said), number in found.most_common()]

    async def oldest(
        self, matching: LetterFilter, *, limit: int, after: str = "", upto: str | None = None
    ) -> Sequence[str]:
        """The letters that a replay of these would send first, none that is newer than ``upto``."""
        async with self._store.read() as connection:
            return await dead_letters.ids_of(
                connection, self._mine(matching), limit=limit, after=after, upto=upto
            )

    async def stop(self, ids: Sequence[str] | None = None) -> int:
        """Take back replays that have not gone out yet, of these letters or all; how many."""
        count, taken = 0 if ids is not None else await self._stop_noted(), _AT_ONCE
        while taken == _AT_ONCE:
            async with self._store.begin() as connection:
                now = await self._store.moment(connection)
                found = await dead_letters.stop(
                    connection, ids, who=self._who, now=now, limit=_AT_ONCE, tenant=self._tenant
                )
            taken = len(found)
            count += taken
        return count

    async def _stop_noted(self) -> int:
        """How many were still to be handed over."""
        async with self._store.begin() as connection:
            await leases.lock_lease(connection, PACING_LOCK)
            count = await replays.left(connection, tenant=self._tenant)
            for one in await replays.noted(connection, tenant=self._tenant):
                await replays.forget(connection, one.id)
        return count

    # -- giving up, taking back, mending --------------------------------------------------------

    async def undo(self, ids: Sequence[str]) -> int:
        """Open discarded letters again, and such as wait to be replayed; all or none. Raises as above."""
        waiting = {one for one in ids if (await self.show(one))["state"] == "replaying"}
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            stopped = await dead_letters.stop(
                connection, waiting, who=self._who, now=now, limit=len(waiting), tenant=self._tenant
            )
            if len(stopped) < len(waiting):
                raise LetterConflict("The message is on its way already.", code="replaying")
            discarded = {*ids} - waiting
            await dead_letters.undo(connection, discarded, who=self._who, now=now, tenant=self._tenant)
        return len(set(ids))

    async def edit(self, letter_id: str, data: Mapping[str, Any], *, dry_run: bool = False) -> str:
        """Send a malformed message with other data under a new id; the new letter's id, none of a dry run.

        Raises NoLetter, LetterConflict, and Malformed naming the field that is still wrong.
        """
        async with self._store.begin() as connection:
            row = await dead_letters.show(connection, letter_id, tenant=self._tenant)
            if row["code"] != "malformed":
                raise LetterConflict("Only malformed messages can be edited.", code="not_malformed")
            message_id = new_id()
            mended = mend_message(
                row["body"],
                data,
                queue=row["queue"],
                message_id=message_id,
                first_failed_at=row["first_failed_at"],
                reader=self._reader,
                owner=await tenant_of(row),
            )
            await self._check_tenant(connection, mended.message)
            if dry_run:
                return ""
            return await dead_letters.edit(
                connection,
                letter_id,
                message_id=message_id,
                source=mended.message.source,
                body=mended.body,
                exchange=REPLAY_EXCHANGE,
                who=self._who,
                now=await self._store.moment(connection),
                note=mended.note,
                tenant=self._tenant,
            )

    async def _check_tenant(self, connection: AsyncConnection, message: MendableMessage) -> None:
        """A mended message speaks for the operator's own tenant alone. Raises Malformed."""
        if self._tenant is None:
            return
        if isinstance(message, ItemChanged | PersonChanged):
            if message.data.tenant_id != self._tenant:
                raise Malformed("data.tenant_id", "must be your tenant")
            return
        row = await integrations.row_of(connection, message.data.integration_id)
        if row is None or row["tenant_id"] != self._tenant:
            raise Malformed("data.integration_id", "must be an integration of your tenant")
