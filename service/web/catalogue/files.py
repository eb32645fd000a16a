"""The catalogues of texts as they are kept: read as they are written, so that nothing has to be built."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from service.web.locales import ENGLISH, Language

TOLD = "told"
"""The meaning of sentences that other rooms make in English, and pages tell in another language."""
_HOLE = re.compile(r"%\((\w+)\)s")
LOCALE_FOLDER = Path(__file__).parents[1] / "locale"


def catalogue_file(language: Language) -> Path:
    """Where the texts of that language are kept."""
    return LOCALE_FOLDER / language / "LC_MESSAGES" / "messages.po"


@cache
def translations(language: Language) -> NullTranslations:
    """Read once for the life of the process; English says each text as it is."""
    if language == ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    with catalogue_file(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def told_sentences(language: Language) -> Mapping[str, str]:
    """What each sentence that is told is in that language; English, which says each as it is, has none."""
    if language == ENGLISH:
        return {}
    with catalogue_file(language).open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, locale=language) if one.context == TOLD}


@cache
def told_patterns(language: Language) -> Sequence[tuple[str, Sequence[str], Sequence[str]]]:
    """Of every told sentence with values: itself, what stands between the values, and their names.

    What says most stands first, so that a sentence is never taken for a shorter one.
    """
    with_values = [text for text in told_sentences(language) if _HOLE.search(text)]
    found = [(text, _pieces(text), _HOLE.findall(text)) for text in with_values]
    return sorted(found, key=lambda one: -len("".join(one[1])))


def _pieces(text: str) -> Sequence[str]:
    return [piece.replace("%%", "%") for piece in _HOLE.split(text)[::2]]
