"""What an event of ours is given beside its fields, where provider and owner want it (R13).

It is written and never compared: no reading, hash or fingerprint knows of it.
"""

import re
from collections.abc import Mapping

from contracts.event_fields import EventDetails
from contracts.vorex import ItemTraits, ItemType

COLOURS: Mapping[ItemType, str] = {
    ItemType.APPOINTMENT: "#4986E7",
    ItemType.CRM_ACTIVITY: "#9A6DD7",
    ItemType.SERVICE_CALL: "#E8743B",
    ItemType.TASK: "#2F9E6E",
    ItemType.TODO: "#D4A72C",
}
"""One for each type, for eyes that tell orange from blue before they tell green from red."""
_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


def event_details(
    traits: ItemTraits | None, wanted: EventDetails, *, exists_there: bool
) -> dict[str, str | None]:
    """What is wanted of both (CRONOFY.md C59, C60); an address that is gone is removed."""
    if traits is None:
        return {}
    details: dict[str, str | None] = {}
    if wanted.url:
        address = _record_address(traits)
        details = {"url": address} if address or exists_there else {}
    if wanted.color:
        details["color"] = COLOURS[traits.type]
    return details


def _record_address(traits: ItemTraits) -> str | None:
    """The record's address, where it is one that every calendar can open."""
    address = traits.reference.url if traits.reference else ""
    return address if _ADDRESS.fullmatch(address) else None
