"""What providers make of a text says the same; what a person makes of it does not (R37)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.texts.skeleton import (
    is_beginning,
    is_html,
    shown_line,
    shown_text,
    skeleton,
    without_dots_of,
    without_join_information,
)
from service.demo.simulator.calendars.texts import JOIN_INFORMATION, normalised
from service.demo.simulator.faults import ALL_HABITS
from tests.support.processor_time import counts_of

MAKING = sorted(ALL_HABITS - {"no_private", "cut_titles", "cut_places", "tidy_places", "decode"})
WORDS = st.text(st.characters(categories=("L", "N"), max_codepoint=0x24F), min_size=1, max_size=8)
SIGNS = st.sampled_from(["&", "<", ">", "–", "-", "“", "...", "a < b", "R&D", "https://x.example/a?b=1&c=2"])
LINES = st.lists(st.one_of(WORDS, WORDS, SIGNS), min_size=1, max_size=6).map(" ".join)
TEXTS = st.lists(LINES, min_size=1, max_size=6).map("\n".join)


@given(TEXTS, st.lists(st.sampled_from(MAKING), max_size=5))
def test_r37_no_habit_of_a_provider_changes_what_a_text_says(text: str, habits: list[str]) -> None:
    """Nor do several of them, nor the same ones a second time."""
    once = normalised(text, habits)

    assert skeleton(once) == skeleton(text)
    assert skeleton(normalised(once, habits)) == skeleton(text)


@given(TEXTS, st.integers(0, 40), st.lists(st.sampled_from(MAKING), max_size=3))
def test_r37_a_changed_word_is_a_change_whatever_the_provider_makes_of_it(
    text: str, which: int, habits: list[str]
) -> None:
    words = text.split(" ")
    words[which % len(words)] = "wine"

    changed = normalised(" ".join(words), habits)

    assert (skeleton(changed) == skeleton(text)) is (skeleton(" ".join(words)) == skeleton(text))
    assert skeleton(normalised(f"{text} wine", habits)) != skeleton(text)


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("See https://x.example/a<https://x.example/a> now", "See https://x.example/a now"),
        (
            "https://x.example/a<https://x.example/a><https://x.example/a<https://x.example/a>>",
            "https://x.example/a",
        ),
        ("See https://x.example/", "See https://x.example"),
        ("See [here](https://x.example/a)", "See here"),
        ("a&amp;amp;b", "a&b"),
        ("a&#38;b&#x26;c", "a&b&c"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("write to a@b.example<mailto:a@b.example>", "write to a@b.example"),
        ("one\u00a0two\u200b three\ufeff", "one two three"),
        ("it\u2019s \u201cnow\u201d \u2013 \u2026", 'it\'s "now" - ...'),
        (f"Bring fruit{JOIN_INFORMATION}", "Bring fruit"),
        ("Cre\u0300me", "Crème"),
    ],
)
def test_r37_these_say_the_same(read: str, written: str) -> None:
    assert skeleton(read) == skeleton(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lunch", "Dinner"),
        ("a < b", "a > b"),
        ("see https://x.example/a", "see https://x.example/b"),
        ("one https://x.example/a", "one"),
        ("Bring fruit", "Bring fruit\n__________\nand wine"),
        ("Lunch", "lunch"),
    ],
)
def test_r37_these_do_not(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize(
    ("read", "shown"),
    [
        ("Agenda<br><b>one</b>&nbsp;two", "Agenda\none\u00a0two"),
        ("one<br>two\nthree", "one\ntwo\nthree"),
        ("<p>one\ntwo</p>", "one two"),
        ("a < b & c <https://x.example/a>", "a < b & c <https://x.example/a>"),
        ("https://x.example/a (https://x.example/a)!", "https://x.example/a!"),
        ("https://x.example/a, https://x.example/a", "https://x.example/a, https://x.example/a"),
        ("https://x.example/a https://x.example/a", "https://x.example/a https://x.example/a"),
        ("R&amp;D", "R&D"),
        ("<b>here</b> <https://x.example/a>", "here <https://x.example/a>"),
    ],
)
def test_r37_what_a_reader_sees_is_taken(read: str, shown: str) -> None:
    """Html as R12 makes it plain, entities decoded, an address once."""
    assert shown_text(read) == shown


def test_r37_only_what_leads_to_a_meeting_is_join_information() -> None:
    """What stands before and behind it is the person's."""
    assert without_join_information(f"one{JOIN_INFORMATION}two") == "one\n\n\n\ntwo"
    for text in ("one\n__________\ntwo", "Microsoft Teams meeting at nine", "Join Zoom Meeting"):
        assert without_join_information(text) == text
    joined = "one\nJoin with Google Meet: https://meet.google.com/abc"
    assert without_join_information(joined) == "one\n\n"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("a", True), ("ab", True), ("abc", True), ("ab...", True), ("b", False), ("abx", False)],
)
def test_r37_a_cut_text_is_the_beginning_of_what_was_written(text: str, is_one: bool) -> None:
    """With dots or without."""
    assert is_beginning(text, "abc") is is_one
    assert without_dots_of("ab...") == "ab"


def test_only_tags_that_providers_use_are_html() -> None:
    assert all(is_html(text) for text in ('<a href="x">', "<br/>", "</p>", "<B>"))
    others = ("a < b", "<https://x.example>", "<name@x.example>", "<b and c>", "<bread>")
    assert not any(is_html(text) for text in others)


@pytest.mark.parametrize(
    "part",
    [
        *("&amp;", "<", "<a ", '<a href="', "https://x<", "[", "_", "&#38;amp;", "<b>", "a\u0301", "\u0301"),
        *("Microsoft Teams meeting", "__________ ", "https://", "-::~", "](https://", "\u200b", "&#x"),
    ],
)
def test_r43_no_text_makes_it_long(part: str) -> None:
    """Time grows as the length does: an order of magnitude under what a page may take."""
    text = part * (32_768 // len(part))

    assert counts_of(lambda: skeleton(text)) < 10_000_000


@pytest.mark.parametrize("dash", ["–", "&ndash;", "&amp;ndash;", "&#38;#8211;", "&amp;amp;amp;#x2013;"])
def test_r37_a_title_that_was_encoded_twice_is_decoded_twice(dash: str) -> None:
    """And one that was not is left as it is."""
    assert shown_line(f"Contoso {dash} Lunch") == "Contoso – Lunch"
    assert shown_line("R&D & more; <b>") == "R&D & more; <b>"
