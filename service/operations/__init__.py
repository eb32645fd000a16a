"""Every verb of an operator, once; commands and pages only parse and print (DESIGN 11)."""

from service.operations.dashboard import Watch
from service.operations.dead_letters import RATE, DeadLetters, Grown, Reader
from service.operations.letter_form import MASK
from service.operations.overview import Case, Overview
from service.operations.publishing import Published, publish_events
from service.store.messages.dead_letters import Conflict, Matching, NotThere

__all__ = [
    "MASK",
    "RATE",
    "Case",
    "Conflict",
    "DeadLetters",
    "Grown",
    "Matching",
    "NotThere",
    "Overview",
    "Published",
    "Reader",
    "Watch",
    "publish_events",
]
