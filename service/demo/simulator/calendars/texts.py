"""What providers do to texts that are handed to them."""

import re
import unicodedata
from collections.abc import Collection


def normalised(text: str, habits: Collection[str]) -> str:
    """The text as the provider keeps it, which is not always as it was sent."""
    if "nfd" in habits:
        text = unicodedata.normalize("NFD", text)
    if "trailing" in habits:
        text = "\n".join(line.rstrip() for line in text.rstrip().split("\n"))
    if "blank_lines" in habits:
        text = re.sub(r"\n{3,}", "\n\n", text)
    if "final_newline" in habits and text:
        text += "\n"
    return re.sub(r"\r?\n", "\r\n", text) if "crlf" in habits else text
