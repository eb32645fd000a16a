"""What a terminal is given of texts that others wrote: nothing that would steer it."""

_LARGEST_UNIT = 0xFFFF
"""Beyond it JSON escapes a character as two halves."""


def printable(text: str) -> str:
    """One line without control characters, escape sequences, marks of direction or half characters.

    Each is a blank instead, so that what is left of an escape sequence is plain to see.
    """
    return text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)


def printable_json(document: str) -> str:
    """JSON that says the same, with everything unprintable but its line breaks as an escape of JSON's own."""
    return "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in document)


def _escaped(character: str) -> str:
    number = ord(character)
    if number <= _LARGEST_UNIT:
        return f"\\u{number:04x}"
    beyond = number - _LARGEST_UNIT - 1
    return f"\\u{0xD800 + (beyond >> 10):04x}\\u{0xDC00 + (beyond & 0x3FF):04x}"
