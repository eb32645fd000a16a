"""The switches: what goes wrong, how late things are, and which unkind habits are on."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

TEXT_HABITS = ("crlf", "trailing", "nfd", "blank_lines")
"""Those that change nothing that a reader sees; ``normalise_text: true`` stands for them."""
ALL_HABITS = frozenset(
    {
        *TEXT_HABITS,
        "final_newline",
        "folded_blanks",
        "no_break",
        "zero_width",
        "paragraphs",
        "links",
        "join",
        "encode",
        "decode",
        "html",
        "cut_titles",
        "cut_places",
        "tidy_places",
        "no_private",
    }
)


# fmt: off
CONTRARY_WORDS = frozenset(
    {
        "fractions", "same_id", "long_texts", "unknown_zone", "whole_days", "empty_texts", "empty_title",
        "no_length", "accepted", "written_again", "deletion", "transparency", "shades", "private", "batch",
        "address", "colour", "row_attributes", "zone_needed", "window", "last_page", "last_modified",
        "shown_only", "own_id", "deleted_row", "updated", "created", "replaced_token", "refusal",
        "profiles", "calendars", "permission_level", "channel", "unknown_calendar", "no_token",
        "second_grant", "revocation", "revoked_again",
    }
)
# fmt: on
"""As the lines of ``doctor --live`` are called."""


class UnknownFaultError(Exception):
    """A switch of that name, or a value of that kind, does not exist."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """Numbers named ``next_…`` count down with each use; -1 stays until it is cleared."""

    # Whole providers
    slow_providers: dict[str, float] = field(default_factory=dict)
    """Seconds by which what happens there reaches Cronofy later, and what we write reaches them."""
    failing_providers: dict[str, float] = field(default_factory=dict)
    """The part of the requests for their accounts that is answered with error_status."""

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
    contrary: list[str] = field(default_factory=list)
    """Assumptions about Cronofy that do not hold, each by its word in CONTRARY_WORDS."""
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
    """Of ALL_HABITS; true stands for those that change nothing that a reader sees."""
    provider_habits: bool = True
    """Each kind of provider has habits of its own, whatever ``normalise_text`` adds."""
    write_stall: float = 0.0
    """Accepted writes reach the provider only so many seconds later; the old state shows meanwhile."""
    unknown_zones: list[str] = field(default_factory=list)
    """Time zones that are refused with 422, although the rest of the world knows them."""

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
    deleted_without_times: bool = False
    """Rows of what is gone name neither start nor end."""
    left_is_deleted: bool = False
    """An event that has left the window is shown as deleted."""
    stamp_offset: float = 0.0
    """How far the provider's clock is ahead of Cronofy's, in seconds; behind it where negative."""
    next_page_host: str = ""
    """Further pages are named on this host instead of the one that was asked."""
    page_names_itself: bool = False
    """Every further page names itself as the next one."""
    window_past_days: int = 42
    window_future_days: int = 201

    # Profiles
    initial_sync_seconds: float = 0.0
    new_calendar_ids: bool = False
    """Linking again gives the calendars new ids."""
    new_event_uids: bool = False
    """Linking again gives the events new uids."""
    cache_days: float = 30.0
    """So long after its end an authorisation's events are kept: then both ids are new, always."""
    managed_days: float = 90.0
    """The same of our own events, which then look external."""
    relink_forgets_managed: bool = False
    """After linking again, our earlier events look external."""

    # A company's account
    authorisation_delay: float = 0.2
    """Seconds between asking for a person's account and the answer to the callback."""
    unlicensed: list[str] = field(default_factory=list)
    """Mailboxes without a licence for a calendar."""
    refusing: list[str] = field(default_factory=list)
    """Mailboxes that the domain's own rules keep from the application."""
    stateless_answers: bool = False
    """Answers about people name no state."""

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


_LISTED = {"normalise_text": ALL_HABITS, "contrary": CONTRARY_WORDS}
_WORDS = {
    "batch_cost": {"request", "entry"},
    "disconnected_writes": {"hold", "refuse"},
}


_BY_PROVIDER = {"slow_providers", "failing_providers"}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_listed(name: str, value: Any) -> bool:
    if name in _WORDS:
        return value in _WORDS[name]
    if name in _BY_PROVIDER:
        return isinstance(value, dict) and all(_is_number(one) for one in value.values())
    return isinstance(value, list) and set(value) <= _LISTED[name]


def _fits(name: str, value: Any, kind: type) -> bool:
    if name in _WORDS or name in _BY_PROVIDER or name in _LISTED:
        return _is_listed(name, value)
    if kind is type(None):
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


_KIND = Faults()
