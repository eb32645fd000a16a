"""What a scope lets an application do (CRONOFY.md C6)."""

_ALL = frozenset(
    {
        "read_events",
        "create_event",
        "delete_event",
        "create_calendar",
        "read_free_busy",
        "change_participation_status",
    },
)
_IMPLIED = {
    "read_events": frozenset({"read_free_busy"}),
    "read_write": _ALL,
    "read_only": frozenset({"read_events", "read_free_busy"}),
    "free_busy": frozenset({"read_free_busy"}),
    "free_busy_write": frozenset({"read_free_busy", "create_event", "delete_event"}),
}


def allows(scope: str, privilege: str) -> bool:
    """Whether one of the granted words is that privilege or carries it."""
    return any(privilege == word or privilege in _IMPLIED.get(word, ()) for word in scope.split())
