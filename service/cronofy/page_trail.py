"""How far a read has come: its pages must lead on, and to an end."""

from collections.abc import Mapping

from contracts.errors import Transient
from contracts.limits import MOST_PAGES

TrailMark = Mapping[str, str | int]
"""What the next process needs of a read that many go on with; of as many words for any number of pages."""


class PageTrail:
    """The further pages of one read; raises Transient where they lead nowhere, and the read is ended."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def follow(self, page: str) -> str:
        """The same page, where it has not been read before."""
        if page in self._seen:
            raise _circle(len(self._seen))
        if len(self._seen) >= MOST_PAGES:
            raise _endless()
        self._seen.add(page)
        return page


def followed(mark: TrailMark, page: str) -> TrailMark:
    """The mark behind this page, of a read that others go on with; raises Transient as ``PageTrail`` does.

    One page alone is remembered, a later one whenever twice as many have gone by (Brent's way): in a circle
    it comes again within some rounds.
    """
    # Of a, b, c, b, c, … a is remembered first, b behind it, and c two pages later: two further on c is back.
    pages, since, until = (int(mark.get(name, start)) for name, start in _START.items())
    if page == mark.get("seen"):
        raise _circle(pages)
    if pages >= MOST_PAGES:
        raise _endless()
    seen, since = mark.get("seen", page), since + 1
    if since == until:
        seen, since, until = page, 0, 2 * until
    return {"seen": seen, "pages": pages + 1, "since": since, "until": until}


_START: Mapping[str, int] = {"pages": 0, "since": 0, "until": 1}


def _circle(pages: int) -> Transient:
    return Transient(f"the pages of this read lead in a circle: it was ended after {pages}")


def _endless() -> Transient:
    return Transient(f"this read has more than {MOST_PAGES:,} pages: it was ended")
