"""Which letters a verb is for: those that were ticked, or all that match the filter shown (R30)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Response

from service.web.pages.form import FormSubmission
from service.web.pages.operators.dead_letters_filter import LettersAddress
from service.web.pages.redirect import redirect_to
from service.web.paging import is_id
from service.web.paths import LETTERS_PATH
from service.web.schemas import MOST_LETTERS


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenLetters:
    """No ids mean all that match."""

    ids: Sequence[str]
    nothing: bool
    """Whether boxes were offered and none was ticked."""

    def refused(self, asked: LettersAddress) -> Response | None:
        """Back to the list where it says what is wrong."""
        if asked.wrong:
            return redirect_to(asked.address())
        return redirect_to(asked.address(), complaint="nothing_chosen") if self.nothing else None


def _by_address(
    letter: Annotated[list[str], Query(max_length=MOST_LETTERS, default_factory=list)],
    chosen: str = "",
    all_matching: Annotated[str, Query(alias="all")] = "",
) -> ChosenLetters:
    ids = () if all_matching else ids_of(letter)
    return ChosenLetters(ids=ids, nothing=not (ids or all_matching) and bool(chosen or letter))


ChosenByAddress = Annotated[ChosenLetters, Depends(_by_address)]


def chosen_ids(form: FormSubmission) -> list[str]:
    return ids_of([one for one in form.fields.getlist("letter") if isinstance(one, str)][:MOST_LETTERS])


def ids_of(given: Sequence[str]) -> list[str]:
    """Each once; what is no id names no letter."""
    return [one for one in dict.fromkeys(given) if is_id(one)]


def way_back(asked: LettersAddress, ids: Sequence[str]) -> str:
    """One letter's page for one letter, else the list as it was filtered."""
    return f"{LETTERS_PATH}/{ids[0]}" if len(ids) == 1 else asked.address()
