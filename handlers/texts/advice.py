"""The last line of each copy: what moving, renaming and deleting it there does (R5–R7, R52).

It is written beside the fields and compared with nothing: on the way back it is taken off before anything
else is done with the text, in any language and whatever its provider made of it (R37). A sentence that was
ever written stays here, or copies that have it would be read as edited.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Self

from contracts.event_fields import AdviceWish
from contracts.limits import normal_form
from contracts.vorex import ItemContent, ItemTraits, ItemType
from handlers.texts.compose import LONGEST_DESCRIPTION, plain_description
from handlers.texts.skeleton import BLANK, shown_text

NAME = "Vorex"
FIRST_LANGUAGE = "en"
LEAST_OF_A_CUT = 16
"""So many characters of it, without blanks, are known for it where a provider has cut the text."""
_LEAD = re.compile(rf"{BLANK}*+".join((*NAME, ":")))
_BLANKS = re.compile(f"{BLANK}++")
_NAMED = f"{NAME}:"
_DOTS = ".…"


class Advice(StrEnum):
    """What can be said of a copy."""

    SAME = "same"
    SAME_BUT_DELETING = "same_but_deleting"
    ONLY_DELETING = "only_deleting"
    ONLY_MOVING = "only_moving"
    NOTHING = "nothing"
    CALL = "call"
    CALL_ASKED_ONLY = "call_asked_only"


ADVICE: Mapping[str, Mapping[Advice, str]] = {
    "en": {
        Advice.SAME: "Vorex: moving, renaming or deleting this here does the same in My Calendar.",
        Advice.SAME_BUT_DELETING: "Vorex: moving or renaming this here does the same in My Calendar. "
        "Deleting it removes only this copy.",
        Advice.ONLY_DELETING: "Vorex: deleting this here deletes it in My Calendar. "
        "Moving or renaming it changes only this copy.",
        Advice.ONLY_MOVING: "Vorex: moving this here moves it in My Calendar. "
        "Renaming or deleting it changes only this copy.",
        Advice.NOTHING: "Vorex: moving, renaming or deleting this here changes only this copy.",
        Advice.CALL: "Vorex: moving this here moves the service call, within the time that is allowed. "
        "When you move it further or delete it, your dispatcher is asked. A new name stays here.",
        Advice.CALL_ASKED_ONLY: "Vorex: moving or renaming this here changes only this copy. "
        "When you move it beyond the time that is allowed or delete it, your dispatcher is asked.",
    },
    "de": {
        Advice.SAME: "Vorex: Wer dies hier verschiebt, umbenennt oder löscht, tut dasselbe in Mein Kalender.",
        Advice.SAME_BUT_DELETING: "Vorex: Wer dies hier verschiebt oder umbenennt, tut dasselbe in "
        "Mein Kalender. Löschen entfernt nur diese Kopie.",
        Advice.ONLY_DELETING: "Vorex: Wer dies hier löscht, löscht es in Mein Kalender. "
        "Verschieben und Umbenennen ändern nur diese Kopie.",
        Advice.ONLY_MOVING: "Vorex: Wer dies hier verschiebt, verschiebt es in Mein Kalender. "
        "Umbenennen und Löschen ändern nur diese Kopie.",
        Advice.NOTHING: "Vorex: Verschieben, Umbenennen und Löschen ändern hier nur diese Kopie.",
        Advice.CALL: "Vorex: Wer dies hier verschiebt, verschiebt den Serviceeinsatz, soweit die Zeit es "
        "erlaubt. Wer ihn weiter verschiebt oder löscht, löst eine Frage an die Disposition aus. "
        "Ein neuer Name bleibt hier.",
        Advice.CALL_ASKED_ONLY: "Vorex: Verschieben und Umbenennen ändern hier nur diese Kopie. Wer dies "
        "weiter verschiebt, als die Zeit erlaubt, oder löscht, löst eine Frage an die Disposition aus.",
    },
}
"""Each begins with the same word, by which it is looked for."""


def advice_language(tag: str | None) -> str:
    """The language in which somebody with this tag of BCP 47 is told; English where it is none of ours."""
    language = (tag or "").partition("-")[0].lower()
    return language if language in ADVICE else FIRST_LANGUAGE


def advice_of(traits: ItemTraits, wish: AdviceWish) -> str:
    """The sentence for this item, by what the calendar's boxes let come across."""
    return ADVICE[advice_language(wish.language)][_kind(traits, wish)]


def _kind(traits: ItemTraits, wish: AdviceWish) -> Advice:
    if traits.type is ItemType.APPOINTMENT:
        if wish.update:
            return Advice.SAME if wish.delete else Advice.SAME_BUT_DELETING
        return Advice.ONLY_DELETING if wish.delete else Advice.NOTHING
    if traits.type is ItemType.SERVICE_CALL:
        if traits.completed:
            return Advice.NOTHING
        return Advice.CALL if wish.update else Advice.CALL_ASKED_ONLY
    return Advice.ONLY_MOVING if wish.update else Advice.NOTHING


def with_advice(description: str, advice: str) -> str:
    """The description with the line at its end; without it where both together are too long (R12)."""
    text = f"{description}\n\n{advice}" if description else advice
    return text if len(text) <= LONGEST_DESCRIPTION else description


def without_advice(text: str, item: ItemContent | None = None) -> str:
    """The text as it would be had the line never been written; what the item's own text says of it stays.

    A text without the line is given back as it is.
    """
    if not _LEAD.search(text):
        return text
    shown = normal_form(shown_text(text))
    found = _places(shown)
    own = len(_places(plain_description(item))) if item is not None and found else 0
    if len(found) <= own:
        return text
    return _beside(shown, found[own:])


def _beside(text: str, places: Sequence[tuple[int, int]]) -> str:
    """What is beside them, in paragraphs."""
    ends = [0, *(end for _, end in places)]
    begins = [*(begin for begin, _ in places), len(text)]
    first, *others = (text[end:begin] for end, begin in zip(ends, begins, strict=True))
    return "\n\n".join(filter(None, (first.rstrip(), *(other.strip() for other in others))))


def _places(text: str) -> list[tuple[int, int]]:
    """Where such a line begins and ends, whichever it is."""
    bare = _Bare.of(text)
    places = []
    at = bare.signs.find(_NAMED)
    while at >= 0:
        likely = _BY_HEAD.get(bare.signs[at : at + LEAST_OF_A_CUT], ())
        ends = [end for signs in likely if (end := bare.end(at, signs)) is not None]
        if ends:
            places.append((bare.where[at], max(ends)))
        at = bare.signs.find(_NAMED, at + len(_NAMED))
    return places


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bare:
    """A text without its blanks."""

    signs: str
    where: Sequence[int]
    """The place of each sign in the text, and the text's length."""
    dots: int
    """From this place on the text is dots alone."""

    @classmethod
    def of(cls, text: str) -> Self:
        where: list[int] = []
        behind = 0
        for blanks in _BLANKS.finditer(text):
            where.extend(range(behind, blanks.start()))
            behind = blanks.end()
        where.extend(range(behind, len(text) + 1))
        return cls(signs=_BLANKS.sub("", text), where=where, dots=len(text.rstrip(_DOTS)))

    def end(self, at: int, signs: str) -> int | None:
        """Where in the text the sentence of these signs ends that begins there; None where it is another one.

        One that is cut ends with the text, dots behind it or not.
        """
        if self.signs.startswith(signs, at):
            last = self.where[at + len(signs) - 1] + 1
            return last if last < self.dots else self.where[-1]
        both = zip(signs, self.signs[at : at + len(signs)], strict=False)
        seen = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
        cut = at + seen == len(self.signs) or self.where[at + seen] >= self.dots
        return self.where[-1] if cut and seen >= LEAST_OF_A_CUT else None


def _signs(sentence: str) -> str:
    return "".join(normal_form(sentence).split())


_SIGNS = tuple(_signs(each) for said in ADVICE.values() for each in said.values())
_BY_HEAD: Mapping[str, Sequence[str]] = {
    head: [signs for signs in _SIGNS if signs.startswith(head)]
    for head in {signs[:LEAST_OF_A_CUT] for signs in _SIGNS}
}
"""The sentences by the least of each that is known for it."""
