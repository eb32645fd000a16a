"""What is left of pairs whose integration was deleted (R21)."""

from typing import Any

from contracts.calendar import (
    Item,
    Link,
)
from handlers.relink import Tombstone
from tests.builders import (
    a_link,
    an_external_link,
    an_imported_item,
    an_item,
)

OURS = an_item(title="Old")
"""As it stood when the integration was deleted."""
THEIRS = an_imported_item(title="Old", changed_by="before", imported_by="before")


def a_tombstone(
    link: Link | None = None, item: Item | None = None, *, same_calendar: bool = True
) -> Tombstone:
    return Tombstone(link=link or a_link(OURS), item=item or OURS, same_calendar=same_calendar)


def a_foreign_tombstone(item: Item = THEIRS, *, same_calendar: bool = True, **changes: Any) -> Tombstone:
    """Of an event that its owner had made."""
    return a_tombstone(an_external_link(THEIRS, **changes), item, same_calendar=same_calendar)
