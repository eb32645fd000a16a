"""Links that wait in a lane."""

from typing import Any

from contracts.calendar import IntegrationId, ItemRef, LinkId
from contracts.vorex import ItemType
from contracts.writes import Delete
from handlers.landing import SentWrite
from service.consumers.outbound.lanes import LinkTask


def lane_task(name: str = "a", lane: str = "i", *, revision: int = 1, **changes: Any) -> LinkTask:
    usual: dict[str, Any] = {
        "link_id": LinkId(name),
        "integration_id": IntegrationId(lane),
        "calendar_id": "cal",
        "write": Delete(calendar_id="cal", event_id=name),
        "sent": SentWrite(revision=revision, epoch=1, applied_hash="", gone=True),
        "item_ref": ItemRef(name),
        "item_id": name,
        "item_type": ItemType.TASK,
        "title": None,
        "tenant_id": "acme",
    }
    return LinkTask(**usual | changes)
