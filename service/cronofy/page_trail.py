"""How far a read has come: its pages must lead on, and to an end."""

from contracts.errors import Transient
from contracts.limits import MOST_PAGES


class PageTrail:
    """The further pages of one read; raises Transient where they lead nowhere, and the read is ended."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def follow(self, page: str) -> str:
        """The same page, where it has not been read before."""
        if page in self._seen:
            raise Transient(f"the pages of this read lead in a circle: it was ended after {len(self._seen)}")
        if len(self._seen) >= MOST_PAGES:
            raise Transient(f"this read has more than {MOST_PAGES:,} pages: it was ended")
        self._seen.add(page)
        return page
