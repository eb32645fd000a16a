"""Which id an imported event has as an item: the same again, should its import be forgotten.

A store that is brought back from an hour ago imports anew what was imported within that hour. Vorex and the
person's other calendars have those items already, and know them by their ids.
"""

from collections.abc import Callable, Collection

from contracts.calendar import Integration, ItemRef, imported_item_id, item_ref
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType

MOST_IMPORTS = 4
"""So often an event has an id that is its own; it is imported again where its item was deleted meanwhile."""


def own_id(event: CronofyEvent, integration: Integration, *, turn: int) -> tuple[ItemRef, str]:
    """The id that this event has in that turn, below ``MOST_IMPORTS``, and before it the key of its item."""
    item_id = imported_item_id(
        integration.tenant_id, integration.user_id, event.calendar_id, event.event_uid, turn=turn
    )
    return item_ref(integration.tenant_id, ItemType.APPOINTMENT, item_id), item_id


def imported_id(
    event: CronofyEvent,
    integration: Integration,
    taken: Collection[ItemRef],
    *,
    new_id: Callable[[], str],
) -> str:
    """The first of its own ids under which there is no item, nor was one; a new one where all are taken."""
    own = (own_id(event, integration, turn=turn) for turn in range(MOST_IMPORTS))
    free = (item_id for ref, item_id in own if ref not in taken)
    return next(free, None) or new_id()
