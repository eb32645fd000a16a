"""Texts that reached the calendar only in part: what of them did, and what an edit of that part means."""

from handlers.texts.skeleton import skeleton

_TAIL = 24
"""By so many of its last characters the end of what crossed is found again."""
_TAILS = (_TAIL, 60, 120, 1000)
"""The more of them, where a text repeats itself."""
_DOTS = ("…", "...")
_PIECE = 512
"""So many characters of a text are read at once for the place where a calendar cut it."""
_LONGEST_ENTITY = 12
_LOOKS = 2


def beginning(text: str, kept: int) -> str:
    """The shortest beginning of the text whose skeleton has so many characters.

    Found piece by piece and held against the whole beginning, so that work grows with the length alone (R43);
    of a text that only a whole shows to be markup, it is the nearest place that two such looks find.
    """
    at, missing = 0, kept
    for look in range(_LOOKS):
        at = _reached(text, at, missing)
        missing = kept - len(skeleton(text[:at])) if look + 1 < _LOOKS else 0
        if missing <= 0 or at == len(text):
            break
    return text[:at]


def _reached(text: str, at: int, missing: int) -> int:
    """Where so many more characters of the skeleton are reached, read from there on."""
    while missing > 0 and at < len(text):
        piece = text[at : _piece_end(text, at)]
        size = len(skeleton(piece))
        if size >= missing:
            return at + _halved(piece, missing)
        at, missing = at + len(piece), missing - size
    return at


def _piece_end(text: str, at: int) -> int:
    """Between words, and in no tag or entity, where the text has such places."""
    end = at + _PIECE
    if end >= len(text):
        return len(text)
    opened, closed = (text.rfind(sign, at, end) for sign in "<>")
    if opened > max(at, closed):
        return opened
    blank = max(text.rfind(sign, max(at, closed) + 1, end) for sign in " \n")
    if max(blank, closed) > at:
        return blank if blank > at else closed + 1
    entity = text.rfind("&", end - _LONGEST_ENTITY, end)
    return end if entity < 0 or ";" in text[entity:end] else entity


def _halved(piece: str, kept: int) -> int:
    low, high = 0, len(piece)
    while low < high:
        middle = (low + high) // 2
        if len(skeleton(piece[:middle])) < kept:
            low = middle + 1
        else:
            high = middle
    return low


def with_rest(edited: str, crossed: str, whole: str) -> str | None:
    """What the person made of the part that ``crossed``, with the rest of the ``whole`` where it belongs.

    None where the end of that part is not found any more, or nothing is left of the whole.
    """
    if len(crossed) >= len(whole):
        return None
    # "One two th…" became "Zero one two th…\nCall first": the dots give way to the rest.
    crossed = crossed.rstrip()
    tail, signs = _signs(crossed)[0][-_TAIL:], _signs(edited)
    at = signs[0].rfind(tail) if tail else -1
    if at < 0:
        return None
    end = signs[1][at + len(tail) - 1] + 1
    return edited[:end] + whole[len(crossed) :] + _behind_dots(edited[end:])


def _signs(text: str) -> tuple[str, list[int]]:
    """The text without blanks, and where each of its characters stands."""
    places = [at for at, sign in enumerate(text) if not sign.isspace() and sign != "\u200b"]
    return "".join(text[at] for at in places), places


def _behind_dots(text: str) -> str:
    """What was written behind the dots, where there are any."""
    behind = text.lstrip(" \u00a0")
    for dots in _DOTS:
        if behind.startswith(dots):
            return behind.removeprefix(dots)
    return text if behind else ""


def with_rest_behind_dots(edited: str, whole: str) -> str | None:
    """The same where nobody knows how much crossed: dots behind words of the whole stand for what follows.

    None where there are none.
    """
    for dots in _DOTS:
        at = edited.rfind(dots)
        if at < 0:
            continue
        end = _only_place(_signs(edited[:at])[0], *_signs(whole))
        rest = whole[end:] if end is not None else ""
        if rest.strip() and not rest.lstrip().startswith(_DOTS):
            return edited[:at].rstrip() + rest + edited[at + len(dots) :]
    return None


def _only_place(words: str, signs: str, places: list[int]) -> int | None:
    """Where the last of the words ends in a text, if they are in it in one place alone."""
    for length in _TAILS:
        tail = words[-length:]
        at = signs.find(tail) if len(tail) >= _TAIL else -1
        if at < 0:
            return None
        if signs.find(tail, at + 1) < 0:
            return places[at + len(tail) - 1] + 1
    return None


def without_dots(text: str) -> str:
    """The text without what stands at its end in place of a rest."""
    for dots in _DOTS:
        text = text.rstrip().removesuffix(dots)
    return text
