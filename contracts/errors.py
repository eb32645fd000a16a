"""Every error that crosses a boundary of ours, in one tree.

SyncError
├─ Transient            try again later; ``retry_after`` says when, if anyone knows
│  ├─ Throttled         asked to slow down; never counted as an attempt
│  ├─ Unanswered        sent, and no answer came: it may or may not have been done
│  └─ Unavailable       broker, database or Cronofy cannot be reached at all
│     └─ WrongKeys      no key that was given opens a stored token
└─ Permanent            trying again cannot help; ``code`` is a dead letter's code
   ├─ Malformed         the message itself is wrong; names the field and the rule
   ├─ GrantRefused      the account's authorisation is gone (``invalid_grant``)
   └─ Unroutable        the broker has no queue for what was published
"""

from copy import copy
from typing import Self


class SyncError(Exception):
    """Something went wrong in calendar sync."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or type(self).__name__).strip())


class Transient(SyncError):
    """The work could not be done now and may succeed later."""

    def __init__(
        self, message: str | None = None, *, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds to wait, where the other side named them."""
        self.status = status
        """The HTTP status that said so, where one did."""

    def again(self) -> Self:
        """The same error, for another place where it is raised."""
        twin = copy(self)
        twin.__cause__ = self
        return twin


class Throttled(Transient):
    """Too many requests: wait before the next one."""


class Unanswered(Transient):
    """The request was sent and no answer came: it may or may not have been done."""


class Unavailable(Transient):
    """The other side cannot be reached."""

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        status: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after, status=status)
        self.remedy = remedy
        """What an operator can do about it, where its kind tells."""


class WrongKeys(Unavailable):
    """No key of ENCRYPTION_KEYS opens a stored token: give the key back under which it was encrypted."""


class Permanent(SyncError):
    """The work can never succeed as it stands."""

    code = "refused"

    def __init__(self, message: str | None = None, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status that said so, where one did."""


class Malformed(Permanent):
    """The message is not what its contract says."""

    code = "malformed"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}" if field else rule)
        self.field = field
        self.rule = rule


class GrantRefused(Permanent):
    """The calendar account no longer allows access."""

    code = "not_allowed"


class Unroutable(Permanent):
    """No queue takes this message: the topology is incomplete."""
