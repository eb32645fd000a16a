"""What a terminal is given of texts that others wrote: nothing that would steer it."""


def printable(text: str) -> str:
    """One line without control characters, escape sequences, marks of direction or half characters.

    Each is a blank instead, so that what is left of an escape sequence is plain to see.
    """
    return text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)


def printable_json(document: str) -> str:
    """JSON that says the same, with everything unprintable but its line breaks as an escape of JSON's own."""
    return "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in document)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
