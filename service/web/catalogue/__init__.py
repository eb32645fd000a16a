"""Every text that a person reads, in their language (R49): the English sentence is its own name.

To add a text, write it in English where it belongs, and mark it:

- in a template ``{% trans name=one.name %}Sync of {{ name }} failed.{% endtrans %}``, and where it counts
  ``{% trans number=many %}{{ number }} item{% pluralize %}{{ number }} items{% endtrans %}``; a word or an
  attribute is ``{{ gettext("Settings") }}`` or ``{{ gettext("Settings: %(name)s", name=name) }}``. A text
  of a template may hold HTML, its values are escaped; a ``%`` inside ``gettext`` is doubled.
- in Python ``gettext("Sync of %(name)s failed.", name=name)`` or
  ``ngettext("%(number)s item", "%(number)s items", many, number=many)`` while a request is answered; a closed
  set of texts by their codes is a ``Texts({...})`` of the module, and reads like a mapping.
- what a ``Refusal`` or an ``HTTPException`` says is marked by being raised.
- what other rooms say or keep in English, to programs and people alike, is ``told`` where a page shows it;
  the rooms whose sentences are collected for that are named in ``tests/house/texts.py``.

A sentence is one text, whole: other languages order words otherwise. Where a word has two meanings,
``pgettext("button", "End")`` tells them apart. Then ``make texts`` brings it into ``locale``, where it is
translated. A further language is a folder there and its code in ``locales.LANGUAGES``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from babel.numbers import format_decimal

from service.web.catalogue.files import translations
from service.web.locales import ENGLISH, Language

TextCode = TypeVar("TextCode")
_SPOKEN: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def spoken() -> Language:
    """The language in which whoever asks just now is answered."""
    return _SPOKEN.get()


def speak(language: Language) -> None:
    """Answer the present request so from here on."""
    _SPOKEN.set(language)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """For as long as one request, whatever it sets meanwhile."""
    before = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def gettext(text: str, /, **values: object) -> str:
    """The text in the language that is spoken; where it is in no catalogue, as it is."""
    return _filled(translations(spoken()).gettext(text) if text else "", values)


def ngettext(one: str, many: str, number: int, /, **values: object) -> str:
    """The text for that number of things."""
    return _filled(translations(spoken()).ngettext(one, many, number), values)


def pgettext(meaning: str, text: str, /, **values: object) -> str:
    """The text where English has one word for two meanings."""
    return _filled(translations(spoken()).pgettext(meaning, text), values)


def npgettext(meaning: str, one: str, many: str, number: int, /, **values: object) -> str:
    return _filled(translations(spoken()).npgettext(meaning, one, many, number), values)


def grouped(number: int) -> str:
    """The whole number as it is written in the language that is spoken: its thousands apart."""
    return format_decimal(number, "#,##0", locale=spoken())


def _filled(text: str, values: Mapping[str, object]) -> str:
    return text % values if values else text


class Texts(Mapping[TextCode, str]):
    """A closed set of texts by their codes, each in the language that is spoken when it is read."""

    def __init__(self, english: Mapping[TextCode, str], *, meaning: str | None = None) -> None:
        """``meaning`` tells them from equal English words elsewhere, as in ``pgettext``."""
        self._english = english
        self._meaning = meaning

    def __getitem__(self, code: TextCode) -> str:
        text = self._english[code]
        return gettext(text) if self._meaning is None else pgettext(self._meaning, text)

    def __iter__(self) -> Iterator[TextCode]:
        return iter(self._english)

    def __len__(self) -> int:
        return len(self._english)
