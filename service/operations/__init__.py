"""Every verb of an operator, once; commands and pages only parse and print (DESIGN 11)."""

from service.operations.desk import RATE, DeadLetters, Grown, Reader
from service.operations.forms import MASK
from service.operations.overview import Case, Overview
from service.operations.publishing import Published, publish_events
from service.operations.watch import Depths, Watch
from service.store.letters import Conflict, Matching, NotThere

__all__ = [
    "MASK",
    "RATE",
    "Case",
    "Conflict",
    "DeadLetters",
    "Depths",
    "Grown",
    "Matching",
    "NotThere",
    "Overview",
    "Published",
    "Reader",
    "Watch",
    "publish_events",
]
