"""Every verb of an operator, once; commands and pages only parse and print (DESIGN 11)."""

from service.operations.desk import RATE, DeadLetters, Grown, Reader
from service.operations.forms import MASK
from service.operations.publishing import Published, publish_events
from service.store.letters import Conflict, Matching, NotThere

__all__ = [
    "MASK",
    "RATE",
    "Conflict",
    "DeadLetters",
    "Grown",
    "Matching",
    "NotThere",
    "Published",
    "Reader",
    "publish_events",
]
