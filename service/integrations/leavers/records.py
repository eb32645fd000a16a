"""The record of what was removed when a person left: made and signed once all of it is done (R54)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from contracts.fields import rfc3339
from service.integrations.leavers.signing import JsonForm, NotGenuine, RecordSigner, verified
from service.integrations.refusals import Unknown
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import grants
from service.store.links import tombstones
from service.store.people import leavers
from service.store.runs import farewells, runs
from service.store.runs.farewells import LEFT_TO_OTHERS, Authorisation
from service.telemetry.hindrances import say_hindered

log = structlog.get_logger(__name__)

RECORD_FORMAT = 1
SIGNED_A_ROUND = 50
LOOKED_AT_A_ROUND = 200
"""Records that are looked at in one round, signed or not."""
NO_SUCH_RECORD = "There is no such record."


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaverRecord:
    """A record as it is shown; ``document`` once all is done."""

    id: str
    tenant_id: str
    user_id: str
    left_at: datetime
    said_by: str
    choice: str
    integrations: int
    document: JsonForm | None


class LeaverRecords:
    """Makes, signs and shows them; ``signer`` is not needed to show them."""

    def __init__(self, store: Store, signer: RecordSigner | None = None) -> None:
        self._store, self._signer = store, signer
        self._after = ""

    async def round(self) -> int:
        """Sign what is done by now; how many.

        Each round looks at ``LOOKED_AT_A_ROUND`` behind those of the last one, and begins anew after the
        newest: whoever waits long keeps nobody else waiting, nor does one that cannot be made.
        """
        async with self._store.read() as connection:
            due = await leavers.unsigned(connection, after=self._after, limit=LOOKED_AT_A_ROUND)
        self._after = due[-1]["id"] if len(due) == LOOKED_AT_A_ROUND else ""
        return sum([await self._sign_guarded(row) for row in due])

    async def _sign_guarded(self, row: Mapping[Any, Any]) -> bool:
        try:
            return await self._sign(row)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the other records are signed
            say_hindered("records of removal", error, record_id=row["id"])
            return False

    async def _sign(self, row: Mapping[Any, Any]) -> bool:
        """Whether all of it was done."""
        async with self._store.begin() as connection:
            record = await _record(connection, row, at=await self._store.moment(connection))
            if record is not None:
                await self._seal(connection, row, record)
        return record is not None

    async def _seal(self, connection: AsyncConnection, row: Mapping[Any, Any], record: JsonForm) -> None:
        assert self._signer is not None
        document, parts = self._signer.sign(record), _parts_to_keep(row)
        await leavers.seal(connection, row["id"], document=document, parts=parts)

    async def sign_anew(self) -> int:
        """Sign with the newest key what an older one signed, in chunks; how many."""
        after, anew = "", 0
        while True:
            async with self._store.begin() as connection:
                rows = await leavers.signed_after(connection, after=after, limit=SIGNED_A_ROUND)
                for row in rows:
                    if (record := self._signed_before(row)) is not None:
                        await self._seal(connection, row, record)
                        anew += 1
            if not rows:
                return anew
            after = rows[-1]["id"]

    def _signed_before(self, row: Mapping[Any, Any]) -> JsonForm | None:
        """What an older key signed; a row that somebody changed since stays as it is, not genuine."""
        assert self._signer is not None
        if self._signer.is_newest(row["document"]):
            return None
        try:
            return verified(json.dumps(row["document"]), self._signer.public_keys)
        except NotGenuine as error:
            log.warning("record.not_genuine", record_id=row["id"], reason=str(error))
            return None

    async def listed(
        self, tenant_id: str | None, *, after: str | None = None, limit: int
    ) -> Page[LeaverRecord]:
        """The tenant's, or everybody's, newest first."""
        async with self._store.read() as connection:
            rows = await leavers.page(connection, tenant_id, before=after, limit=limit + 1)
        return Page.of([_shown(row) for row in rows], limit, cursor=lambda one: one.id)

    async def shown(self, tenant_id: str | None, record_id: str) -> LeaverRecord:
        """One of the tenant's, or of anybody's. Raises Unknown."""
        async with self._store.read() as connection:
            row = await leavers.find(connection, record_id)
        if row is None or tenant_id not in {None, row["tenant_id"]}:
            raise Unknown(NO_SUCH_RECORD)
        return _shown(row)


def _shown(row: Mapping[Any, Any]) -> LeaverRecord:
    names = ("id", "tenant_id", "user_id", "left_at", "said_by", "choice", "document")
    return LeaverRecord(integrations=len(row["parts"]), **{name: row[name] for name in names})


async def _record(connection: AsyncConnection, row: Mapping[Any, Any], *, at: datetime) -> JsonForm | None:
    """What is to be signed; None while something of it is still under way. No text of anything is in it."""
    parts = [await _part(connection, part, kept=row["choice"] == "keep") for part in row["parts"]]
    if any(part is None for part in parts):
        return None
    return {
        "format": RECORD_FORMAT,
        "id": row["id"],
        "tenant_id": row["tenant_id"],
        "user_id": row["user_id"],
        "left_at": rfc3339(row["left_at"]),
        "said_by": row["said_by"],
        "choice": row["choice"],
        "recorded_at": rfc3339(at),
        "integrations": parts,
    }


async def _part(connection: AsyncConnection, part: Mapping[str, Any], *, kept: bool) -> JsonForm | None:
    """``kept``: copies were to stay where they are. None while anything of the account is under way."""
    there, run_id = int(part["copies_there"]), part["run_id"]
    told = {
        "integration_id": part["integration_id"],
        "provider": part["provider"],
        "copies_there": there,
    }
    if run_id is None:
        return told | {"copies_left": there, "authorisation": "kept"}
    run = await runs.find(connection, run_id)
    if run is not None and not run.ended:
        return None
    authorisation = await _authorisation(connection, run_id, part["sub"])
    if authorisation is None:
        return None
    left = there if kept else await tombstones.count_left(connection, part["integration_id"])
    return told | {"copies_left": min(left, there), "authorisation": authorisation}


async def _authorisation(connection: AsyncConnection, run_id: str, sub: str) -> Authorisation | None:
    """What Cronofy said to whoever used the account last; None while that is still to come."""
    if noted := await farewells.of_run(connection, run_id):
        return noted
    if await grants.uses_account(connection, sub):
        return LEFT_TO_OTHERS
    if await tombstones.deleting(connection, sub):
        return None
    return await farewells.of_account(connection, sub) or "unknown"


def _parts_to_keep(row: Mapping[Any, Any]) -> Sequence[JsonForm]:
    """What is still told once it is signed: not by which account Cronofy knows the person."""
    return [{name: value for name, value in part.items() if name != "sub"} for part in row["parts"]]
