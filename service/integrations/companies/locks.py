"""What of an integration that a company connected its owner may not change."""

from collections.abc import Mapping
from typing import Any

from service.integrations.refusals import Invalid
from service.store.engine.store import AsyncConnection
from service.store.people import companies

LOCKED_RULE = "must stay as your administrator decided"


async def check_locked(connection: AsyncConnection, integration_id: str, chosen: Mapping[str, Any]) -> None:
    """Raises Invalid where the owner changes what the administrator holds. ``chosen``: by group."""
    company = (await companies.connected_by(connection, [integration_id])).get(integration_id)
    if company is None:
        return
    held = {"event_types": company.event_types, "item_types": company.item_types}
    for group in company.locked:
        if dict(chosen[group]) != dict(held[group]):
            raise Invalid.one(group, LOCKED_RULE)
