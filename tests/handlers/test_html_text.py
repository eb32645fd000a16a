"""Html read as plain text (R12): the same everywhere, whole, and in time that grows as its length."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.html_text import html_to_text


@given(st.text(alphabet=st.sampled_from("<>!-/?[]&;'\"= \nabpli#x1"), max_size=80))
def test_r12_no_html_is_too_odd(html: str) -> None:
    """Whatever is in it comes out as tidy text."""
    text = html_to_text(html)
    assert text == text.strip("\n")
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    "unit", ["<", "<!--", "<!", "</", "<a ", "<a b='", "<a '>'", "<?", "&", "&#", "<script>", "<li>", "<br>"]
)
@pytest.mark.timeout(20)
def test_r12_the_longest_html_takes_no_time(unit: str) -> None:
    """A hostile description must not hold the messages of others."""
    longest = 256 * 1024
    html_to_text(unit * (longest // len(unit)))


@pytest.mark.parametrize(
    ("number", "text"),
    [("9" * 10_000, "\ufffd"), ("0" * 10_000 + "65", "A"), ("1114112", "\ufffd"), ("0" * 10_000, "\ufffd")],
)
def test_r12_no_number_of_an_entity_is_too_long(number: str, text: str) -> None:
    """Nor in an attribute; what names no character is shown as one that cannot be shown."""
    assert html_to_text(f"<a title='&#{number};'>&#{number};</a>") == text


HOSTILE = (
    "<",
    "<!--",
    "<!",
    "</",
    "<a ",
    "<a b='",
    "<a '>'",
    "<a b='>' ",
    "<?",
    "&",
    "&#",
    "&#1",
    "<script>",
    "<style></",
    "<title",
    "</title",
    "<title>",
    "<![CDATA[",
    "<li>",
    "<br>",
    "<div>",
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_r12_the_time_of_html_grows_as_its_length(unit: str) -> None:
    """A hostile description must not hold the messages of others: at eight times the length not 64 times."""
    short, long = (unit * (length // len(unit)) + '<a b="' for length in (8 * 1024, 64 * 1024))

    assert seconds_of(long) < 30 * max(seconds_of(short), LEAST_SECONDS)


@pytest.mark.parametrize("unit", ["<div>", "<li>", "<title>"])
def test_r12_html_may_be_nested_as_deep_as_it_likes(unit: str) -> None:
    """No depth is too deep."""
    depth = 256 * 1024 // len(unit)

    assert html_to_text(f"one{unit * depth}two").startswith("one")


LEAST_SECONDS = 0.002
"""Below this a measurement tells more of the machine than of the html."""


def seconds_of(html: str) -> float:
    """Of processor time, the least of three attempts."""
    return min(_once(html) for _ in range(3))


def _once(html: str) -> float:
    began = process_time()
    html_to_text(html)
    return process_time() - began
