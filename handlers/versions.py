"""Which version of an item counts (R17, R19): only this service judges."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from contracts.calendar import IntegrationId, Item, item_ref
from contracts.envelope import OWN_SOURCE
from contracts.fields import LARGEST_VERSION
from contracts.vorex import ActorKind, ItemChangedData, ItemContent, ItemType


class VersionVerdict(StrEnum):
    """What a received version is to the stored ones."""

    STALE = "stale"
    EQUAL = "equal"
    CONFLICTING = "conflicting"
    """Known, and what it says is not what it said before (R42)."""
    NEW = "new"


@dataclass(frozen=True, kw_only=True, slots=True)
class LostChange:
    """A change that lost against another (R19): kept for the log."""

    by_vorex: bool
    """Whether the losing change was made in Vorex."""
    values: ItemContent | None
    """None where the losing change was a deletion."""
    integration_id: IntegrationId | None
    """The calendar on the other side of the conflict."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedVersion:
    verdict: VersionVerdict
    item: Item
    """As it is to be stored from now on."""
    loss: LostChange | None = None
    """Set where both sides had changed the item; the winner is then published as a fact."""
    backwards: bool = False
    """A lower version that was said later: the source's versions may have started again (R42)."""


def next_version(*known: int) -> int:
    """Above all of these; at the end of the numbers that messages can carry, the last one again."""
    return min(max(known) + 1, LARGEST_VERSION)


def judge_version(
    stored: Item | None,
    data: ItemChangedData,
    *,
    time: datetime,
    source: str,
    trusted_since: datetime | None = None,
) -> JudgedVersion:
    """Say what a received item-changed message does to the stored item.

    ``trusted_since``: from then on the source's newest message counts, whatever its number (R42).
    """
    if stored is None:
        return JudgedVersion(verdict=VersionVerdict.NEW, item=_first(data, time=time, source=source))
    if _is_fact(data, source):
        return _judge_fact(stored, data, time=time)
    if data.version <= stored.vorex_version:
        return _judge_known(stored, data, time=time, trusted_since=trusted_since)
    if data.version <= stored.version or data.last_seen < stored.sync_version:
        return _judge_concurrent(stored, data, time=time)
    item = _taken(stored, data, time=time, version=data.version)
    return JudgedVersion(verdict=VersionVerdict.NEW, item=item)


def _judge_known(
    stored: Item, data: ItemChangedData, *, time: datetime, trusted_since: datetime | None
) -> JudgedVersion:
    later, other = time > stored.changed_at, _says_otherwise(stored, data)
    if trusted_since is not None and time >= trusted_since and later and other:
        return _judge_concurrent(stored, data, time=time)
    if data.version < stored.vorex_version:
        return JudgedVersion(verdict=VersionVerdict.STALE, item=stored, backwards=later and other)
    as_said = stored.version == stored.vorex_version and stored.changed_by is None
    verdict = VersionVerdict.CONFLICTING if as_said and other else VersionVerdict.EQUAL
    return JudgedVersion(verdict=verdict, item=stored)


def _says_otherwise(stored: Item, data: ItemChangedData) -> bool:
    if stored.deleted or data.deleted:
        return stored.deleted is not data.deleted
    return stored.content != data.item


def does_vorex_win(
    item: Item, *, vorex_time: datetime, calendar_time: datetime, vorex_deletes: bool, calendar_deletes: bool
) -> bool:
    """R19: records are Vorex's; of appointments the newer act wins, and a tie goes to Vorex.

    But Vorex's change beats the calendar's deletion, however old it is: what is deleted there can be again.
    """
    if item.type is not ItemType.APPOINTMENT or (calendar_deletes and not vorex_deletes):
        return True
    return vorex_time >= calendar_time


def _is_fact(data: ItemChangedData, source: str) -> bool:
    return data.actor.kind is ActorKind.CALENDAR_SYNC and source == OWN_SOURCE


def _first(data: ItemChangedData, *, time: datetime, source: str) -> Item:
    fact = _is_fact(data, source)
    return Item(
        ref=item_ref(data.tenant_id, data.item.type, data.item.id),
        tenant_id=data.tenant_id,
        type=data.item.type,
        id=data.item.id,
        version=data.version,
        vorex_version=0 if fact else data.version,
        sync_version=data.version if fact else 0,
        revision=1,
        deleted=data.deleted,
        content=data.item,
        changed_at=time,
        changed_by=IntegrationId(data.actor.id) if fact and data.actor.id else None,
    )


def _judge_fact(stored: Item, data: ItemChangedData, *, time: datetime) -> JudgedVersion:
    if data.version < stored.version:
        return JudgedVersion(verdict=VersionVerdict.STALE, item=stored)
    if data.version == stored.version:
        return JudgedVersion(verdict=VersionVerdict.EQUAL, item=stored)
    # Only a store that was set back meets a fact of its own that it does not know.
    taken = _taken(stored, data, time=time, version=data.version)
    item = replace(taken, vorex_version=stored.vorex_version, sync_version=data.version)
    return JudgedVersion(verdict=VersionVerdict.NEW, item=item)


def _judge_concurrent(stored: Item, data: ItemChangedData, *, time: datetime) -> JudgedVersion:
    version = next_version(stored.version, data.version)
    # Where Vorex itself made the stored change, its newer version replaces it whatever the clocks say.
    wins = stored.changed_by is None or does_vorex_win(
        stored,
        vorex_time=time,
        calendar_time=stored.changed_at,
        vorex_deletes=data.deleted,
        calendar_deletes=stored.deleted,
    )
    if wins:
        item = replace(_taken(stored, data, time=time, version=version), sync_version=version)
        values = None if stored.deleted else stored.content
    else:
        item = replace(
            stored,
            version=version,
            vorex_version=data.version,
            sync_version=version,
            revision=stored.revision + 1,
        )
        values = None if data.deleted else data.item
    loss = LostChange(by_vorex=not wins, values=values, integration_id=stored.changed_by)
    return JudgedVersion(verdict=VersionVerdict.NEW, item=item, loss=loss)


def _taken(stored: Item, data: ItemChangedData, *, time: datetime, version: int) -> Item:
    return replace(
        stored,
        version=version,
        vorex_version=data.version,
        revision=stored.revision + 1,
        deleted=data.deleted,
        content=stored.content if data.deleted and stored.content is not None else data.item,
        changed_at=time,
        changed_by=None,
    )
