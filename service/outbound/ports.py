"""What the outbound engine asks of its surroundings, as narrow as it needs them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

from contracts.writes import Answer, Write
from service.cronofy.transport import Turn

HandOver = Callable[[Sequence[str]], Awaitable[None]]
"""Sends these rows of the outbox now. Never raises: what is not sent now, the keeper sends."""


class Cronofy(Protocol):
    """Where events are written."""

    @property
    def largest_batch(self) -> int:
        """The most writes that one request may carry."""

    def cost(self, writes: int) -> int:
        """What the budget asks for a request of so many writes."""

    async def write(self, sub: str, writes: Sequence[Write], *, turn: Turn) -> Sequence[Answer]:
        """Carry out these writes; an answer for each, in order. Raises Transient and Permanent only."""


class Looker(Protocol):
    """Who finds out whether an account and its calendar still serve an integration (R22, R23)."""

    async def look(self, integration_id: str, *, at_once: bool = False) -> Literal["not_connected", "fine"]:
        """Look once a minute, or at once, and keep the integration's status true. Raises Transient."""
