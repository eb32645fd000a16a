"""What this sync adds to texts (R13), recognised and taken off however it is spelt when it comes back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from contracts.fields import is_visible
from contracts.vorex import ItemContent
from handlers.texts.compose import canonical_text, plain_description
from handlers.texts.html_text import tidy_lines
from handlers.texts.skeleton import BLANK, skeleton

_LONG_DASH = r"\u2012-\u2015\u2212\u2e3a\u2e3b"
_OTHER_DASH = r"-:~|\u00b7\u2010\u2011\u2022\u2043\u301c\u3030\u30fc\ufe58\ufe63\uff0d\uff5e\uff70"
_DASH = (
    rf"(?:{BLANK}*+(?:[{_LONG_DASH}]|--++){BLANK}*+"
    rf"|{BLANK}++[{_OTHER_DASH}]{BLANK}*+|[{_OTHER_DASH}]{BLANK}++)"
)
"""A long dash however it stands; any other with a blank beside it, else it is part of a word."""
_MOST_REPEATED = 20
_LEAST_LABEL = 4
_PUNCTUATION = "-:.,;|()[]<>"


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnMarks:
    """Names that may stand before a title and references that may stand in a description."""

    accounts: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, item: ItemContent) -> Self:
        """Those of an item as it is."""
        named = item.account_name is not None and is_visible(item.account_name)
        reference = item.reference
        return cls(
            accounts=(item.account_name or "",) if named else (),
            references=((reference.label, reference.url),) if reference else (),
        )


NO_MARKS = OwnMarks()


def bare_title(title: str, item: ItemContent, earlier: OwnMarks = NO_MARKS) -> str:
    """The title in canonical form without the account's name, by which it may have gone ``earlier``, too.

    Of several before each other all go, but for those that the item's own title begins with.
    """
    names = (*OwnMarks.of(item).accounts, *earlier.accounts)
    prefixes = [_prefix(canonical_text(name)) for name in dict.fromkeys(names)]
    forms = _shortened(canonical_text(title), prefixes)
    own = len(_shortened(canonical_text(item.title), prefixes)) - 1
    found = len(forms) - 1
    return forms[max(found - own, min(1, found))]


def _prefix(name: str) -> re.Pattern[str]:
    words = rf"{BLANK}++".join(re.escape(word) for word in re.split(rf"{BLANK}+", name.strip()))
    return re.compile(rf"{BLANK}*+{words}{_DASH}", re.IGNORECASE)


def _shortened(title: str, prefixes: Sequence[re.Pattern[str]]) -> list[str]:
    """The title, and what is left of it without its first prefix, its second, and so on."""
    forms = [title]
    while len(forms) <= _MOST_REPEATED:
        found = next((match for each in prefixes if (match := each.match(forms[-1]))), None)
        if found is None:
            break
        forms.append(forms[-1][found.end() :])
    return forms


def bare_description(text: str, item: ItemContent, earlier: OwnMarks = NO_MARKS) -> str:
    """The description in canonical form without the lines of references, wherever they stand by now.

    All go, but for as many as the item's own text has.
    """
    clean = canonical_text(text)
    references = (*OwnMarks.of(item).references, *earlier.references)
    known = [(skeleton(label), skeleton(url)) for label, url in dict.fromkeys(references)]
    if not known:
        return clean
    lines = clean.split("\n")
    places = [at for at, line in enumerate(lines) if _is_reference(line, known)]
    if not places:
        return clean
    own = sum(_is_reference(line, known) for line in plain_description(item).split("\n"))
    gone = {*places[own:]}
    lines = [line for at, line in enumerate(lines) if at not in gone]
    return tidy_lines("\n".join(lines))  # the lines are canonical, and stay so without the others


def _is_reference(line: str, known: Sequence[tuple[str, str]]) -> bool:
    """Whether a line says no more than the label and the address of one of them, however it is spelt."""
    said = skeleton(line) if line.strip() else ""
    return bool(said) and any(_says_only(said, *each) for each in known)


def _says_only(said: str, label: str, url: str) -> bool:
    if url and url in said:
        return not said.replace(url, "").replace(label, "", 1).strip(_PUNCTUATION)
    # "T7:" alone is what is left of the line where its address became a link behind the label
    return len(label) >= _LEAST_LABEL and said == f"{label}:"
