"""The settings as a person sends them."""

from typing import Any

ALL_TYPES = ("appointment", "crm_activity", "service_call", "task", "todo")
OFF = {"enabled": False, "past": "today", "future": "today"}


def form(calendar_id: str, **changes: Any) -> dict[str, Any]:
    """The settings as the wizard's first values, with these parts replaced."""
    return {
        "calendar_id": calendar_id,
        "event_types": {"create": True, "update": False, "delete": False},
        "item_types": dict.fromkeys(ALL_TYPES, True),
        "retrieve": OFF,
        "send": OFF,
        **changes,
    }
