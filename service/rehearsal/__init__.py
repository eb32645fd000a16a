"""What Finish would do, found out by the rules of the real run, and nothing written (R24–R29, R33)."""

from service.rehearsal.outcome import Doing, Line, Rehearsed
from service.rehearsal.rehearsing import Rehearsal

__all__ = ["Doing", "Line", "Rehearsal", "Rehearsed"]
