"""The switches: what goes wrong, how late things are, and which unkind habits are on."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

TEXT_HABITS = ("crlf", "trailing", "nfd", "blank_lines")


class UnknownFaultError(Exception):
    """A switch of that name, or a value of that kind, does not exist."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """Numbers named ``next_…`` count down with each use; -1 stays until it is cleared."""

    # What requests are answered
    only_accounts: list[str] = field(default_factory=list)
    """Limits the switches of this group to these account ids or e-mail addresses."""
    next_429: int = 0
    retry_after: int | None = None
    next_errors: int = 0
    error_ratio: float = 0.0
    error_status: int = 500
    error_after_applying: bool = False
    """The request is carried out, and answered as if it had failed."""
    next_entry_errors: int = 0
    """Entries of a batch that are answered with error_status, alone."""
    latency_ms: float = 0.0
    next_drops: int = 0
    drop_ratio: float = 0.0
    drop_after_applying: bool = False
    per_second: int = 0
    per_minute: int = 0
    """Limits per application; 0 is off."""
    batch_cost: Literal["request", "entry"] = "request"

    # Tokens
    access_token_seconds: int = 3600
    rotate_refresh_tokens: bool = True
    refresh_grace_seconds: float = 300.0
    auto_approve: str = ""
    """Consent without a page: an e-mail address, ``first`` or ``refuse``."""

    # Writes
    apply_delay: float = 0.1
    write_jitter: float = 0.0
    """Up to so many seconds more for each write, by chance: accepted writes overtake each other."""
    next_lost_writes: int = 0
    disconnected_writes: Literal["hold", "refuse"] = "hold"
    ignore_external_edits: bool = False
    normalise_text: list[str] = field(default_factory=list)
    """Of crlf, trailing, nfd, blank_lines, final_newline; true stands for the first four."""

    # Reads
    read_lag: float = 0.1
    next_empty_reads: int = 0
    next_truncated_reads: int = 0
    page_size: int = 100
    page_seconds: float = 600.0
    empty_next_page: bool = False
    """The last page carries an empty next_page instead of none."""
    sparse_events: bool = False
    """Optional fields that say nothing are left out, and ``created`` is in the year 0."""
    managed_per_account: bool = False
    """Events of another account of the same application look external."""
    window_past_days: int = 42
    window_future_days: int = 201

    # Profiles
    initial_sync_seconds: float = 0.0
    new_calendar_ids: bool = False
    """Linking again gives the calendars new ids."""
    relink_forgets_managed: bool = False
    """After linking again, our earlier events look external."""

    # Notices
    notice_delay: float = 0.2
    """How long changes are gathered before one notice tells of them."""
    notice_jitter: float = 0.0
    notice_duplicates: int = 0
    notice_loss: float = 0.0
    next_lost_notices: int = 0
    notice_timeout: float = 5.0
    retry_seconds: float = 5.0
    retry_longest: float = 3600.0
    close_after_seconds: float = 86_400.0
    close_on_410: bool = False

    def change(self, **changes: Any) -> None:
        """Set some switches; nothing is set if one of them is unknown or of the wrong kind."""
        kinds = {known.name: type(getattr(_KIND, known.name)) for known in fields(self)}
        if changes.get("normalise_text") is True:
            changes["normalise_text"] = list(TEXT_HABITS)
        elif changes.get("normalise_text") is False:
            changes["normalise_text"] = []
        for name, value in changes.items():
            if name not in kinds:
                raise UnknownFaultError(f"{name}: no such switch")
            if not _fits(name, value, kinds[name]):
                raise UnknownFaultError(f"{name}: {value!r} is of the wrong kind")
        for name, value in changes.items():
            setattr(self, name, value)

    def clear(self) -> None:
        """Every switch back to where it is at the start."""
        fresh = Faults()
        for known in fields(self):
            setattr(self, known.name, getattr(fresh, known.name))

    def spend(self, name: str) -> bool:
        """Whether a counted switch applies now; it is then one less."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


_WORDS = {
    "batch_cost": {"request", "entry"},
    "disconnected_writes": {"hold", "refuse"},
}


def _fits(name: str, value: Any, kind: type) -> bool:
    if name in _WORDS:
        return value in _WORDS[name]
    if name == "normalise_text":
        return isinstance(value, list) and set(value) <= {*TEXT_HABITS, "final_newline"}
    if kind is type(None):
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


_KIND = Faults()
