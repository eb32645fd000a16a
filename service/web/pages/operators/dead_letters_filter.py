"""Which dead letters a page speaks of, as its address and its forms carry it (R30)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Request

from service.operations import LetterFilter, WrongFilter, parse_letter_filter
from service.web import labels
from service.web.catalogue import gettext
from service.web.dependencies import Services, WebServices
from service.web.pages.form import FormSubmission
from service.web.paths import LETTERS_PATH

CARRIED_FILTER = "filter"
"""The one field in which a form carries the filter: no other field of a form can become a part of it."""
_OF_THE_PAGE = frozenset({"after", "notice", "complaint", "batch", "letter", "chosen", "all"})
"""What stands in an address beside the filter."""
MOST_FILTER_FIELDS = 50
"""More are no filter of anybody's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LettersAddress:
    """The filter as it was given, whole: words that say nothing are told beside it, never left out."""

    given: Mapping[str, str] = field(default_factory=dict)
    """What is asked for beside the state."""
    state: str = "open"
    wrong: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by the name of the word; with it nothing is listed, and nothing done."""

    @property
    def query(self) -> str:
        """Everything, as an address and a form carry it."""
        return urlencode({"state": self.state, **self.given})

    @property
    def said(self) -> list[tuple[str, str]]:
        """The filter in words: the name of each part and its value."""
        known = labels.LETTER_FILTER
        return [(known.get(name, name), _word(name, value)) for name, value in self.given.items()]

    def address(self, **changes: str) -> str:
        """The list with another state, or with another part of the filter."""
        changed = {"state": self.state, **self.given, **changes}
        return f"{LETTERS_PATH}?{urlencode({name: value for name, value in changed.items() if value})}"

    def verb(self, verb: str, **changes: str) -> str:
        """Where a verb asks about all that match."""
        return self.address(**changes).replace(LETTERS_PATH, f"{LETTERS_PATH}/{verb}", 1)

    def matching(self, services: WebServices, *, state: str | None = None) -> LetterFilter:
        """Raises WrongFilter where any word is wrong."""
        if self.wrong:
            raise WrongFilter(self.wrong)
        words = {**self.given, "state": state or self.state}
        return parse_letter_filter(words, now=services.clock.now())


def _word(name: str, value: str) -> str:
    choices = {"queue": labels.QUEUES, "code": labels.LETTER_CODES, "since": labels.SINCE}
    return choices.get(name, {}).get(value, value)


def carried_filter(form: FormSubmission, services: WebServices) -> LettersAddress:
    """The filter that a form carries along; one that was tampered with has no words that say anything."""
    try:
        pairs = parse_qsl(form.text(CARRIED_FILTER), max_num_fields=MOST_FILTER_FIELDS)
    except ValueError:
        return LettersAddress(wrong={CARRIED_FILTER: gettext("has too many parts")})
    return _read(pairs, services)


def _by_address(request: Request, services: Services) -> LettersAddress:
    given = request.query_params.multi_items()
    return _read([(name, text) for name, text in given if name not in _OF_THE_PAGE], services)


def _read(pairs: Sequence[tuple[str, str]], services: WebServices) -> LettersAddress:
    words: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, value in pairs[:MOST_FILTER_FIELDS]:
        if not (text := value.strip()):
            continue
        if name in words:
            wrong[name] = gettext("is given twice")
        words[name] = text
    try:
        parse_letter_filter(words, now=services.clock.now())
    except WrongFilter as error:
        wrong |= error.errors
    return LettersAddress(given=words, state=words.pop("state", "open"), wrong=wrong)


AskedByAddress = Annotated[LettersAddress, Depends(_by_address)]
