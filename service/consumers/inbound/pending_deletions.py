"""Deletions that wait for the last page of their read (R11); there may be very many."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from contracts.calendar import ItemRef, Link, LinkState, Origin
from handlers.judgement import Reading


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingDeletion:
    """One of them, by no more than what its row changes."""

    item_ref: ItemRef
    desired_revision: int
    series: str | None
    changes: Mapping[str, Any]
    reading: Reading

    @classmethod
    def of(cls, judged: Link, known: Link, reading: Reading) -> "PendingDeletion":
        names = (each.name for each in fields(Link))
        changes = {
            name: getattr(judged, name) for name in names if getattr(judged, name) != getattr(known, name)
        }
        return cls(
            item_ref=judged.item_ref,
            desired_revision=judged.desired_revision,
            series=judged.series_identifier,
            changes=changes,
            reading=reading,
        )


def link_if_unchanged(standing: Link | None, found: PendingDeletion) -> tuple[Link, Reading] | None:
    """The link as it was judged, unless it was written, or its item changed, since its row was asked for."""
    reading = found.reading
    if (
        standing is None
        or item_changed_since(standing, found)
        or (standing.accepted_at or 0.0) > reading.asked_at
    ):
        return None
    if standing.exists_there and (standing.read_at or 0.0) > reading.now:
        return None  # a living row of the same event came on a later page
    if standing.state in {LinkState.BEHIND, LinkState.RETRYING} and standing.origin is Origin.OURS:
        return None
    return replace(standing, **found.changes), reading


def item_changed_since(standing: Link | None, found: PendingDeletion) -> bool:
    """Whether Vorex changed the item since the row was judged; another read weighs the two (R19)."""
    return standing is not None and standing.desired_revision != found.desired_revision
